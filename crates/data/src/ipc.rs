//! Arrow IPC streams, walked before they are decoded: the decoder believes every length that it reads, and a damaged
//! one can ask for terabytes.

use std::io::{Read, Seek, SeekFrom};

use arrow_ipc::{CompressionType, Message, RecordBatch, root_as_message};

/// What an Arrow IPC stream is read from.
pub(crate) trait Place: Read + Seek + Send {}

impl<T: Read + Seek + Send> Place for T {}

/// Bytes before the stream in an IPC file: the magic and its padding. What follows the stream is a directory that only
/// random access needs.
pub(crate) const FILE_MAGIC_BYTES: u64 = 8;

/// Longest description of one batch, in bytes.
const DESCRIPTION_BYTES: u64 = 64 << 20;

/// Checks that all lengths in the stream that begins at `start` fit into its `size_bytes`, and that no buffer unfolds
/// further than its compression can. Leaves `place` at `start`.
pub(crate) fn check(place: &mut dyn Place, start: u64, size_bytes: u64) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    if start == FILE_MAGIC_BYTES {
        // A file that was cut off has lost the magic at its end.
        let mut magic = [0u8; 6];
        place.seek(SeekFrom::Start(size_bytes.saturating_sub(6))).map_err(text)?;
        place.read_exact(&mut magic).map_err(text)?;
        if &magic != b"ARROW1" {
            return Err("its end is missing".to_owned());
        }
    }
    let mut position = start;
    while position + 8 <= size_bytes {
        place.seek(SeekFrom::Start(position)).map_err(text)?;
        let mut length = read_u32(place)?;
        position += 4;
        // Streams of before 2019 have no continuation marker.
        if length == u32::MAX {
            length = read_u32(place)?;
            position += 4;
        }
        if length == 0 {
            break;
        }
        let length = u64::from(length);
        if length > DESCRIPTION_BYTES || position + length > size_bytes {
            return Err(format!("a description of {length} bytes at {position} is not there"));
        }
        let mut description = vec![0u8; length as usize];
        place.read_exact(&mut description).map_err(text)?;
        position += length;
        let message = root_as_message(&description).map_err(|error| error.to_string())?;
        let body_bytes = u64::try_from(message.bodyLength()).map_err(|_| "a negative length".to_owned())?;
        if body_bytes > size_bytes - position {
            return Err(format!("{body_bytes} bytes of data at {position} are not there"));
        }
        if let Some(batch) = batch(message) {
            check_buffers(place, position, body_bytes, batch)?;
        }
        position += body_bytes;
    }
    place.seek(SeekFrom::Start(start)).map_err(text)?;
    Ok(())
}

fn batch(message: Message<'_>) -> Option<RecordBatch<'_>> {
    message.header_as_record_batch().or_else(|| message.header_as_dictionary_batch()?.data())
}

fn check_buffers(
    place: &mut dyn Place,
    body: u64,
    body_bytes: u64,
    batch: RecordBatch<'_>,
) -> Result<(), String> {
    // LZ4 codes at most 255 bytes in one; a Zstandard block of one repeated byte unfolds four bytes to 128 KiB.
    let unfold = match batch.compression().map(|compression| compression.codec()) {
        None => None,
        Some(CompressionType::LZ4_FRAME) => Some(255),
        Some(_) => Some(1 << 15),
    };
    for buffer in batch.buffers().into_iter().flatten() {
        let (Ok(offset), Ok(length)) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length()))
        else {
            return Err("a negative length".to_owned());
        };
        if offset.checked_add(length).is_none_or(|end| end > body_bytes) {
            return Err(format!("a buffer of {length} bytes at {offset} lies outside its batch"));
        }
        let Some(unfold) = unfold.filter(|_| length >= 8) else { continue };
        place.seek(SeekFrom::Start(body + offset)).map_err(|error| error.to_string())?;
        let mut unfolded = [0u8; 8];
        place.read_exact(&mut unfolded).map_err(|error| error.to_string())?;
        let unfolded = i64::from_le_bytes(unfolded);
        // Minus one says that the buffer is not compressed after all.
        if unfolded < -1 || unfolded > 0 && unfolded as u64 > length * unfold + 1024 {
            return Err(format!("a buffer of {length} bytes claims to unfold to {unfolded}"));
        }
    }
    Ok(())
}

fn read_u32(place: &mut dyn Place) -> Result<u32, String> {
    let mut bytes = [0u8; 4];
    place.read_exact(&mut bytes).map_err(|error| error.to_string())?;
    Ok(u32::from_le_bytes(bytes))
}
