//! Workbooks on hostile bytes.
//!
//! A zip archive is taken whole. Else the first byte chooses one entry of a small workbook, and the rest replaces it,
//! so that the parsers behind the archive's checksums are reached.

#![no_main]

use std::io::{Cursor, Write as _};

use kaizen_fuzz::{read_hostile, stop_on_own_panics};
use libfuzzer_sys::fuzz_target;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The entries of the workbook. As seeds they begin with the byte that chooses them.
const ENTRIES: [(&str, &[u8]); 5] = [
    ("xl/workbook.xml", include_bytes!("../seeds/xlsx/workbook.xml")),
    ("xl/_rels/workbook.xml.rels", include_bytes!("../seeds/xlsx/workbook.xml.rels")),
    ("xl/styles.xml", include_bytes!("../seeds/xlsx/styles.xml")),
    ("xl/sharedStrings.xml", include_bytes!("../seeds/xlsx/sharedStrings.xml")),
    ("xl/worksheets/sheet1.xml", include_bytes!("../seeds/xlsx/sheet1.xml")),
];

fuzz_target!(init: stop_on_own_panics(), |data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    if data.starts_with(b"PK") {
        read_hostile("x.xlsx", data);
    } else {
        read_hostile("x.xlsx", &with_entry(usize::from(choice) % ENTRIES.len(), rest));
    }
});

/// The workbook with one entry replaced.
fn with_entry(replaced: usize, bytes: &[u8]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (index, (name, entry)) in ENTRIES.into_iter().enumerate() {
        let bytes = if index == replaced { bytes } else { &entry[1..] };
        writer.start_file(name, options).expect("memory takes every file");
        writer.write_all(bytes).expect("memory takes every byte");
    }
    writer.finish().expect("memory takes the directory").into_inner()
}
