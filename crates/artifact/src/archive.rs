//! The zip around the entries: written in one canonical way, read as slices of the file without a copy.
//!
//! Only what the writer makes is accepted back: stored entries, known names, no duplicates, no overlaps, no comment,
//! nothing before the first entry. Two zip readers can disagree on sloppier files, and then a signature would be
//! checked over other bytes than those that are loaded.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use zip::read::{ArchiveOffset, Config};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipArchive, ZipWriter};

use crate::error::ArtifactError;
use crate::limits::Limits;

pub(crate) const BUNDLE: &str = "bundle.json";
pub(crate) const CARD: &str = "card.json";
pub(crate) const HISTORY: &str = "history.jsonl";
pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const REPORT: &str = "report.html";
pub(crate) const TENSORS: &str = "tensors.safetensors";

/// Every entry of format 1, sorted by name.
const NAMES: [&str; 6] = [BUNDLE, CARD, HISTORY, MANIFEST, REPORT, TENSORS];

/// Tensors start at multiples of this, a cache line and the widest vector of today's processors.
pub(crate) const ALIGNMENT_BYTES: u16 = 64;

/// Bytes of the end-of-central-directory record without a comment (PKWARE APPNOTE 6.3.10, section 4.3.16).
const END_RECORD_BYTES: usize = 22;
/// Bytes of the zip64 locator that would stand before it (section 4.3.15).
const ZIP64_LOCATOR_BYTES: usize = 20;

/// Entries by name.
pub(crate) type Entries<'a> = BTreeMap<&'static str, &'a [u8]>;

/// Writes the entries in the order of their names.
///
/// # Errors
/// [`ArtifactError::Unstorable`] for 4 GiB and more.
pub(crate) fn pack(entries: &Entries<'_>) -> Result<Vec<u8>, ArtifactError> {
    let unstorable = |error: zip::result::ZipError| ArtifactError::unstorable("archive", error.to_string());
    let size: usize = entries.values().map(|bytes| bytes.len() + 512).sum();
    let mut writer = ZipWriter::new(Cursor::new(Vec::with_capacity(size)));
    let plain = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(0o644);
    for (&name, bytes) in entries {
        let options = if name == TENSORS { plain.with_alignment(ALIGNMENT_BYTES) } else { plain };
        writer.start_file(name, options).map_err(unstorable)?;
        writer.write_all(bytes).map_err(|error| ArtifactError::unstorable(name, error.to_string()))?;
    }
    Ok(writer.finish().map_err(unstorable)?.into_inner())
}

/// Finds the entries in the bytes of a file.
///
/// # Errors
/// [`ArtifactError::TooLarge`], [`ArtifactError::Foreign`] or [`ArtifactError::Damaged`].
pub(crate) fn unpack<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Entries<'a>, ArtifactError> {
    let size_limit = limits.size_bytes.min(u64::from(u32::MAX));
    Limits::check("the size (bytes)", bytes.len() as u64, size_limit)?;
    check_end_record(bytes)?;
    let foreign = |why: &str| ArtifactError::Foreign { why: why.to_owned() };
    let unreadable = |error: zip::result::ZipError| ArtifactError::Foreign { why: error.to_string() };
    let config = Config { archive_offset: ArchiveOffset::Known(0) };
    let mut archive = ZipArchive::with_config(config, Cursor::new(bytes)).map_err(unreadable)?;
    if archive.has_duplicate_names() {
        return Err(foreign("an entry stands in it twice"));
    }
    if archive.has_overlapping_entries().map_err(unreadable)? {
        return Err(foreign("its entries overlap"));
    }
    let mut entries = Entries::new();
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(unreadable)?;
        let name = *NAMES
            .iter()
            .find(|name| name.as_bytes() == file.name_raw())
            .ok_or_else(|| foreign("it holds a file that does not belong there"))?;
        if file.compression() != CompressionMethod::Stored || file.encrypted() {
            return Err(ArtifactError::damaged(name, "it is compressed or encrypted"));
        }
        if file.size() != file.compressed_size() {
            return Err(ArtifactError::damaged(name, "its two lengths differ"));
        }
        let slice = file
            .data_start()
            .and_then(|start| Some((usize::try_from(start).ok()?, usize::try_from(file.size()).ok()?)))
            .and_then(|(start, length)| bytes.get(start..start.checked_add(length)?))
            .ok_or_else(|| ArtifactError::damaged(name, "it reaches past the end of the file"))?;
        entries.insert(name, slice);
    }
    Ok(entries)
}

/// Looks at the last record before the library allocates by its counts.
fn check_end_record(bytes: &[u8]) -> Result<(), ArtifactError> {
    let foreign = |why: &str| ArtifactError::Foreign { why: why.to_owned() };
    let Some(start) = bytes.len().checked_sub(END_RECORD_BYTES) else {
        return Err(foreign("it is too short"));
    };
    let end = &bytes[start..];
    if !bytes.starts_with(b"PK\x03\x04") || !end.starts_with(b"PK\x05\x06") || end[20..22] != [0, 0] {
        return Err(foreign("it is no zip file or was cut short"));
    }
    let entry_count = u16::from_le_bytes([end[10], end[11]]);
    if usize::from(entry_count) > NAMES.len() {
        return Err(foreign("it holds files that do not belong there"));
    }
    let has_zip64 = start
        .checked_sub(ZIP64_LOCATOR_BYTES)
        .is_some_and(|locator| bytes[locator..].starts_with(b"PK\x06\x07"));
    if has_zip64 { Err(foreign("it uses zip64")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let entries = Entries::from([(TENSORS, b"tensors".as_slice()), (MANIFEST, b"{}"), (REPORT, b"")]);
        pack(&entries).unwrap()
    }

    #[test]
    fn entries_come_back_as_they_were_and_tensors_are_aligned() {
        let bytes = sample();
        let entries = unpack(&bytes, &Limits::default()).unwrap();
        assert_eq!(entries[TENSORS], b"tensors");
        assert_eq!(entries[MANIFEST], b"{}");
        assert_eq!(entries[REPORT], b"");
        let offset = entries[TENSORS].as_ptr() as usize - bytes.as_ptr() as usize;
        assert_eq!(offset % usize::from(ALIGNMENT_BYTES), 0);
        assert_eq!(bytes, sample(), "packing must be deterministic");
    }

    #[test]
    fn anything_around_the_entries_is_refused() {
        let bytes = sample();
        let limits = Limits::default();
        let with_prefix = [b"#!/bin/sh\n".as_slice(), &bytes].concat();
        assert!(matches!(unpack(&with_prefix, &limits), Err(ArtifactError::Foreign { .. })));
        let with_suffix = [&bytes, b"x".as_slice()].concat();
        assert!(matches!(unpack(&with_suffix, &limits), Err(ArtifactError::Foreign { .. })));
        assert!(unpack(&bytes[..bytes.len() - 1], &limits).is_err());
        assert!(unpack(b"", &limits).is_err());
        let tight = Limits { size_bytes: 10, ..Limits::default() };
        assert!(matches!(unpack(&bytes, &tight), Err(ArtifactError::TooLarge { .. })));
    }

    #[test]
    fn compressed_and_unknown_entries_are_refused() {
        let build = |name: &str, method| {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
            writer.write_all(b"x").unwrap();
            writer.finish().unwrap().into_inner()
        };
        let limits = Limits::default();
        assert!(unpack(&build(CARD, CompressionMethod::Stored), &limits).is_ok());
        let unknown = build("../card.json", CompressionMethod::Stored);
        assert!(matches!(unpack(&unknown, &limits), Err(ArtifactError::Foreign { .. })));
        let mut deflated = build(CARD, CompressionMethod::Stored);
        // The method stands at byte 8 of the local header and at byte 10 of the central one.
        let central = deflated.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
        deflated[8] = 8;
        deflated[central + 10] = 8;
        assert!(unpack(&deflated, &limits).is_err());
    }

    /// Where each record that starts with `signature` stands.
    fn records(bytes: &[u8], signature: &[u8]) -> Vec<usize> {
        (0..bytes.len() - 3).filter(|&place| bytes[place..].starts_with(signature)).collect()
    }

    #[test]
    fn two_entries_of_one_name_are_refused() {
        let mut bytes = {
            let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
            let plain = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            for name in ["card.json", "card.jsoN"] {
                writer.start_file(name, plain).unwrap();
                writer.write_all(b"x").unwrap();
            }
            writer.finish().unwrap().into_inner()
        };
        // Both names become `card.json`, in the local and in the central headers.
        for place in records(&bytes, b"jsoN") {
            bytes[place + 3] = b'n';
        }
        let found = unpack(&bytes, &Limits::default());
        assert!(matches!(&found, Err(ArtifactError::Foreign { why }) if why.contains("twice")), "{found:?}");
    }

    #[test]
    fn two_entries_over_the_same_bytes_are_refused() {
        let mut bytes = pack(&Entries::from([(CARD, b"12".as_slice()), (REPORT, b"12")])).unwrap();
        let [_, second] = records(&bytes, b"PK\x01\x02")[..] else { panic!("there are two entries") };
        // The offset of the local header stands at byte 42 of a central one (APPNOTE, section 4.3.12).
        bytes[second + 42..second + 46].fill(0);
        let found = unpack(&bytes, &Limits::default());
        assert!(
            matches!(&found, Err(ArtifactError::Foreign { why }) if why.contains("overlap")),
            "{found:?}"
        );
    }
}
