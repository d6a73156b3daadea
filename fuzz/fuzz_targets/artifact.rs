//! The reader of `model.kaizen` on hostile bytes: every input ends in an artifact or an error.
//!
//! The first byte chooses: 0 takes the rest as a whole file; another takes it as one entry of a valid file, whose
//! manifest then gets fitting digests, so that the parsers behind the digests are reached. What loads is written and
//! read again, and must be the same.

#![no_main]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::sync::LazyLock;

use kaizen_artifact::{Limits, from_bytes, to_bytes};
use kaizen_base::Digest;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const GOLDEN: &[u8] = include_bytes!("../../crates/artifact/tests/golden/v1.kaizen");
/// A few short tensors instead of the golden ones: hashing those would take most of the time. Byte 0 is the choice.
const TENSORS: &[u8] = include_bytes!("../seeds/artifact/tensors.safetensors");
const NAMES: [&str; 5] =
    ["manifest.json", "tensors.safetensors", "card.json", "history.jsonl", "bundle.json"];

/// The entries of the golden file, with short tensors.
static ENTRIES: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let mut archive = ZipArchive::new(Cursor::new(GOLDEN)).expect("the golden file is a zip");
    let mut entries = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).expect("the golden file is sound");
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).expect("the golden file is sound");
        entries.insert(file.name().expect("the golden file has plain names").into_owned(), bytes);
    }
    entries.insert("tensors.safetensors".to_owned(), TENSORS[1..].to_vec());
    entries
});

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let file = match usize::from(choice) % (NAMES.len() + 1) {
        0 => rest.to_vec(),
        entry => with_entry(NAMES[entry - 1], rest),
    };
    let Ok(artifact) = from_bytes(&file, &Limits::default()) else { return };
    // A file may hold more than the writer would make (limits differ in a few places); what is written must come back.
    if let Ok(packed) = to_bytes(&artifact, None) {
        let back = from_bytes(&packed.bytes, &Limits::default()).expect("what was written loads");
        let again = to_bytes(&back, None).expect("what was read can be written");
        assert!(again == packed, "writing is not stable");
    }
});

/// The golden file with one entry replaced and all digests made to fit.
fn with_entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut entries = ENTRIES.clone();
    if name != "bundle.json" {
        entries.remove("bundle.json");
    }
    entries.insert(name.to_owned(), bytes.to_vec());
    let digests: Value = entries
        .iter()
        .filter(|(name, _)| !["manifest.json", "bundle.json"].contains(&name.as_str()))
        .map(|(name, bytes)| {
            let digest = json!({"size_bytes": bytes.len(), "sha256": Digest::of(bytes).to_string()});
            (name.clone(), digest)
        })
        .collect::<serde_json::Map<String, Value>>()
        .into();
    if let Ok(Value::Object(mut manifest)) = serde_json::from_slice(&entries["manifest.json"]) {
        manifest.insert("entries".to_owned(), digests);
        let text = serde_json::to_vec(&manifest).expect("a value is always JSON");
        entries.insert("manifest.json".to_owned(), text);
    }
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in &entries {
        writer.start_file(name.as_str(), options).expect("memory takes every file");
        writer.write_all(bytes).expect("memory takes every byte");
    }
    writer.finish().expect("memory takes the directory").into_inner()
}
