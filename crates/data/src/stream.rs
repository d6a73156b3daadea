//! Bytes from a file, from memory or through a decompressor, digested as they go by; and text made of them.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};
use kaizen_base::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::{DataError, path_text};

/// One file, or bytes that stand for one. It can be read more than once.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    /// The name for messages.
    pub name: String,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    File(PathBuf),
    Memory(Arc<[u8]>),
}

/// How a file is compressed, told by its first bytes and not by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

impl Compression {
    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// How text is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// Windows-1252, which holds all printable characters of Latin-1.
    Windows1252,
}

impl Encoding {
    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 LE",
            Self::Utf16Be => "UTF-16 BE",
            Self::Windows1252 => "Windows-1252",
        }
    }

    /// The encoding of text that begins with `head`: a byte order mark, else zeros in every other byte, else UTF-8 if
    /// it is (mostly) valid, else Windows-1252.
    pub(crate) fn of(head: &[u8]) -> Self {
        match head {
            [0xff, 0xfe, ..] => return Self::Utf16Le,
            [0xfe, 0xff, ..] => return Self::Utf16Be,
            [0xef, 0xbb, 0xbf, ..] => return Self::Utf8,
            _ => {}
        }
        let zeros = |offset: usize| head.iter().skip(offset).step_by(2).filter(|byte| **byte == 0).count();
        let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
        // Latin text in UTF-16 has a zero in nearly every other byte; a stray NUL in a plain file is rare.
        if half > 0 && odd * 10 >= half * 4 && even * 10 < half {
            return Self::Utf16Le;
        }
        if half > 0 && even * 10 >= half * 4 && odd * 10 < half {
            return Self::Utf16Be;
        }
        let (mut valid, mut invalid) = (0usize, 0usize);
        for chunk in head.utf8_chunks() {
            valid += chunk.valid().chars().filter(|letter| !letter.is_ascii()).count();
            invalid += chunk.invalid().len();
        }
        // Up to three bytes can be a letter that the end of the sample cut through.
        if invalid <= 3 && std::str::from_utf8(&head[..head.len() - invalid.min(head.len())]).is_ok()
            || valid > 10 * invalid
        {
            Self::Utf8
        } else {
            Self::Windows1252
        }
    }
}

type SharedHasher = Arc<Mutex<Sha256>>;

/// Reads and digests.
struct Digesting {
    inner: Box<dyn Read + Send>,
    hasher: SharedHasher,
}

impl Read for Digesting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..count]);
        Ok(count)
    }
}

/// Decompressed bytes of an input, in order.
pub(crate) struct ByteStream {
    name: String,
    reader: Box<dyn Read + Send>,
    hasher: SharedHasher,
    compression: Option<Compression>,
    /// Bytes that were looked at and are still to be read.
    head: Vec<u8>,
    taken: usize,
}

impl Input {
    /// A file.
    pub(crate) fn file(path: PathBuf) -> Self {
        Self { name: path_text(&path), place: Place::File(path) }
    }

    /// Bytes in memory that go by `name`.
    pub(crate) fn memory(name: &str, bytes: Vec<u8>) -> Self {
        Self { name: name.to_owned(), place: Place::Memory(bytes.into()) }
    }

    /// Size as stored, in bytes.
    pub(crate) fn size_bytes(&self) -> Result<u64, DataError> {
        match &self.place {
            Place::File(path) => std::fs::metadata(path)
                .map(|data| data.len())
                .map_err(|error| DataError::io(&self.name, error)),
            Place::Memory(bytes) => Ok(bytes.len() as u64),
        }
    }

    /// Starts reading; compression is recognised and taken off.
    pub(crate) fn open(&self) -> Result<ByteStream, DataError> {
        let raw: Box<dyn Read + Send> = match &self.place {
            Place::File(path) => {
                Box::new(File::open(path).map_err(|error| DataError::io(&self.name, error))?)
            }
            Place::Memory(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
        };
        let hasher = SharedHasher::default();
        let mut raw = Digesting { inner: raw, hasher: Arc::clone(&hasher) };
        let mut magic = Vec::new();
        (&mut raw).take(4).read_to_end(&mut magic).map_err(|error| DataError::io(&self.name, error))?;
        let compression = Compression::of(&magic);
        let whole = io::Cursor::new(magic).chain(raw);
        let reader: Box<dyn Read + Send> = match compression {
            None => Box::new(whole),
            Some(Compression::Gzip) => {
                Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, whole)))
            }
            Some(Compression::Zstd) => Box::new(
                zstd::stream::read::Decoder::new(whole).map_err(|error| DataError::io(&self.name, error))?,
            ),
        };
        Ok(ByteStream { name: self.name.clone(), reader, hasher, compression, head: Vec::new(), taken: 0 })
    }

    /// Starts reading bytes of which it is known that they are not compressed, and whose digest nobody wants.
    pub(crate) fn open_plain(&self) -> ByteStream {
        let reader: Box<dyn Read + Send> = match &self.place {
            Place::Memory(bytes) => Box::new(io::Cursor::new(Arc::clone(bytes))),
            Place::File(_) => Box::new(io::empty()),
        };
        let hasher = SharedHasher::default();
        ByteStream { name: self.name.clone(), reader, hasher, compression: None, head: Vec::new(), taken: 0 }
    }

    /// All bytes, decompressed.
    ///
    /// # Errors
    /// [`DataError::Memory`] if there are more than `limit_bytes`.
    pub(crate) fn whole(&self, limit_bytes: u64) -> Result<(Arc<[u8]>, Option<Compression>), DataError> {
        if let Place::Memory(bytes) = &self.place
            && Compression::of(bytes).is_none()
        {
            return Ok((Arc::clone(bytes), None));
        }
        let mut stream = self.open()?;
        let mut bytes = Vec::new();
        loop {
            let before = bytes.len();
            let wanted = before.clamp(1 << 16, 1 << 26);
            bytes.resize(before + wanted, 0);
            let count = stream.fill(&mut bytes[before..])?;
            bytes.truncate(before + count);
            if bytes.len() as u64 > limit_bytes {
                return Err(DataError::Memory {
                    path: self.name.clone(),
                    needed_bytes: bytes.len() as u64,
                    limit_bytes,
                });
            }
            if count == 0 {
                break;
            }
        }
        Ok((bytes.into(), stream.compression))
    }

    /// The file itself, if it is one and not compressed.
    pub(crate) fn plain_file(&self) -> Option<&PathBuf> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Memory(_) => None,
        }
    }
}

impl ByteStream {
    /// How the input is compressed.
    pub(crate) fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// The first bytes, at most `count`, which stay to be read.
    pub(crate) fn peek(&mut self, count: usize) -> Result<&[u8], DataError> {
        let have = self.head.len();
        if have < count {
            let mut head = std::mem::take(&mut self.head);
            head.resize(count, 0);
            let read = self.read_all(&mut head[have..])?;
            head.truncate(have + read);
            self.head = head;
        }
        Ok(&self.head)
    }

    /// Fills `buffer` as far as there are bytes; returns how many.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let left = &self.head[self.taken..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.taken += count;
        Ok(count + self.read_all(&mut buffer[count..])?)
    }

    /// Digest of the input as stored; reads what is left of it.
    pub(crate) fn digest(mut self) -> Result<Digest, DataError> {
        let mut rest = [0u8; 1 << 13];
        while self.read_all(&mut rest)? > 0 {}
        let hasher = self.hasher.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Digest(hasher.clone().finalize().into()))
    }

    fn read_all(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failure(error)),
            }
        }
        Ok(filled)
    }

    fn failure(&self, error: io::Error) -> DataError {
        // A system error has a number; a decoder's complaint has none.
        match self.compression {
            Some(compression) if error.raw_os_error().is_none() => DataError::Truncated {
                path: self.name.clone(),
                compression: compression.name(),
                detail: error.to_string(),
            },
            _ => DataError::io(&self.name, error),
        }
    }
}

/// UTF-8 text of an input, in order.
pub(crate) struct TextStream {
    bytes: ByteStream,
    decoder: Option<Decoder>,
    /// Bytes that wait for the decoder.
    pending: Vec<u8>,
    at_start: bool,
}

impl TextStream {
    /// Text of `bytes` in `encoding`; a byte order mark is taken off.
    pub(crate) fn new(bytes: ByteStream, encoding: Encoding) -> Self {
        let decoder = match encoding {
            Encoding::Utf8 => None,
            Encoding::Utf16Le => Some(UTF_16LE.new_decoder_with_bom_removal()),
            Encoding::Utf16Be => Some(UTF_16BE.new_decoder_with_bom_removal()),
            Encoding::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        };
        Self { bytes, decoder, pending: Vec::new(), at_start: true }
    }

    /// Fills `buffer` (at least 64 bytes) with text; returns how many bytes of it. Zero is the end.
    pub(crate) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        if self.decoder.is_some() {
            return self.fill_decoded(buffer);
        }
        let count = self.bytes.fill(buffer)?;
        if std::mem::take(&mut self.at_start) && buffer[..count].starts_with(b"\xef\xbb\xbf") {
            buffer.copy_within(3..count, 0);
            let more = self.bytes.fill(&mut buffer[count - 3..])?;
            return Ok(count - 3 + more);
        }
        Ok(count)
    }

    fn fill_decoded(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let Some(decoder) = &mut self.decoder else { return Ok(0) };
        let mut filled = 0;
        // A letter takes at most four bytes: with fewer left the decoder could make no progress.
        while filled + 8 <= buffer.len() {
            if self.pending.is_empty() {
                let mut block = vec![0u8; 1 << 16];
                let count = self.bytes.fill(&mut block)?;
                block.truncate(count);
                if count == 0 {
                    break;
                }
                self.pending = block;
            }
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(&self.pending, &mut buffer[filled..], false);
            filled += written;
            self.pending.drain(..read);
            match result {
                DecoderResult::InputEmpty => {}
                DecoderResult::OutputFull => break,
                DecoderResult::Malformed(..) => {
                    let mark = "\u{fffd}".as_bytes();
                    if filled + mark.len() > buffer.len() {
                        break;
                    }
                    buffer[filled..filled + mark.len()].copy_from_slice(mark);
                    filled += mark.len();
                }
            }
        }
        Ok(filled)
    }

    /// All text, and the digest of the input as stored.
    ///
    /// # Errors
    /// [`DataError::Memory`] if there are more than `limit_bytes`.
    pub(crate) fn whole(mut self, name: &str, limit_bytes: u64) -> Result<(Vec<u8>, Digest), DataError> {
        let mut text = Vec::new();
        loop {
            let before = text.len();
            text.resize(before + before.clamp(1 << 16, 1 << 26), 0);
            let count = self.fill(&mut text[before..])?;
            text.truncate(before + count);
            let needed_bytes = text.len() as u64;
            if needed_bytes > limit_bytes {
                return Err(DataError::Memory { path: name.to_owned(), needed_bytes, limit_bytes });
            }
            if count == 0 {
                return Ok((text, self.digest()?));
            }
        }
    }

    /// Digest of the input as stored; reads what is left of it.
    pub(crate) fn digest(self) -> Result<Digest, DataError> {
        self.bytes.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn text(bytes: &[u8]) -> String {
        let input = Input::memory("x", bytes.to_vec());
        let mut stream = input.open().unwrap();
        let encoding = Encoding::of(stream.peek(1 << 12).unwrap());
        let mut stream = TextStream::new(stream, encoding);
        let mut all = Vec::new();
        let mut buffer = [0u8; 64];
        loop {
            let count = stream.fill(&mut buffer).unwrap();
            if count == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(stream.digest().unwrap(), Digest::of(bytes));
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn encodings_are_recognised() {
        let long = "Größe,Öl\n".repeat(40);
        assert_eq!(text(long.as_bytes()), long);
        assert_eq!(text(format!("\u{feff}{long}").as_bytes()), long);
        let latin: Vec<u8> = long.chars().map(|letter| letter as u8).collect();
        assert_eq!(text(&latin), long);
        let little: Vec<u8> = long.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text(&little), long);
        let big: Vec<u8> = format!("\u{feff}{long}").encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text(&big), long);
    }

    #[test]
    fn compression_is_taken_off_and_truncation_is_an_error() {
        let long = "a,b\n1,2\n".repeat(3000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(long.as_bytes()).unwrap();
        let gzip = encoder.finish().unwrap();
        let zstd = zstd::encode_all(long.as_bytes(), 1).unwrap();
        for whole in [gzip, zstd] {
            let (bytes, compression) = Input::memory("x", whole.clone()).whole(1 << 20).unwrap();
            assert_eq!(&*bytes, long.as_bytes());
            assert!(compression.is_some());
            let cut = Input::memory("x", whole[..whole.len() - 9].to_vec()).whole(1 << 20);
            assert!(matches!(cut, Err(DataError::Truncated { .. })), "{cut:?}");
            let bounded = Input::memory("x", whole).whole(1000);
            assert!(matches!(bounded, Err(DataError::Memory { .. })));
        }
    }
}
