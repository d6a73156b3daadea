//! The whole: parts to bytes and back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use kaizen_base::{Digest, write_atomically};
use kaizen_model::{State, Tensor};
use serde_json::Value;

use crate::archive::{self, BUNDLE, CARD, Entries, HISTORY, MANIFEST, REPORT, TENSORS};
use crate::error::ArtifactError;
use crate::key::SigningKey;
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::signature::Digests;
use crate::wire::{self, EntryV1, STATE_ROOT};
use crate::{signature, tensors};

/// A fitted engine with all that it says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// What it is: task, target, schema, metrics, seeds, data.
    pub manifest: Manifest,
    /// The pipeline with everything that was fitted.
    pub state: State,
    /// One self-contained page for people.
    pub report_html: String,
    /// The model card.
    pub card: Value,
    /// The search's events, one JSON object a line.
    pub history: String,
}

/// An artifact as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The file.
    pub bytes: Vec<u8>,
    /// Digest of the contents. It is the same with any key and without one; it is what the signature is about.
    pub content: Digest,
}

/// Writes an artifact as bytes; equal artifacts and keys give equal bytes.
///
/// Numbers in tensors keep their bits, NaN too; JSON has no NaN, there a score that is not finite becomes unknown.
/// Takes time and memory linear in the size (about twice the size at the peak).
///
/// # Errors
/// [`ArtifactError::Unstorable`] or [`ArtifactError::TooLarge`]: what [`from_bytes`] would refuse is not written.
pub fn to_bytes(artifact: &Artifact, signer: Option<&SigningKey>) -> Result<Packed, ArtifactError> {
    let limits = Limits::default();
    let written = wire::write(&artifact.manifest, &artifact.state)?;
    let mut found: BTreeMap<String, &Tensor> = BTreeMap::new();
    tensors::collect(&artifact.state, STATE_ROOT, &mut found);
    found.extend(written.tensors.iter().map(|(name, tensor)| (name.clone(), tensor)));
    tensors::check_names(&found, &limits)?;
    let tensor_bytes = tensors::write(&found)?;
    drop(found);
    let card = serde_json::to_vec(&artifact.card)
        .map_err(|error| ArtifactError::unstorable(CARD, error.to_string()))?;
    limits.check_json(&card)?;
    let mut entries = Entries::from([
        (TENSORS, tensor_bytes.as_slice()),
        (CARD, &card),
        (REPORT, artifact.report_html.as_bytes()),
        (HISTORY, artifact.history.as_bytes()),
    ]);
    let manifest = written.finish(entry_digests(&entries))?;
    limits.check_json(&manifest)?;
    entries.insert(MANIFEST, &manifest);
    let digests = signature::digests_of(&entries);
    let content = signature::content_digest(&digests);
    let bundle = signer.map(|key| signature::sign(&digests, key)).transpose()?;
    if let Some(bundle) = &bundle {
        entries.insert(BUNDLE, bundle);
    }
    let bytes = archive::pack(&entries)?;
    Limits::check("the size (bytes)", bytes.len() as u64, limits.size_bytes)?;
    Ok(Packed { bytes, content })
}

/// Writes an artifact to a file, whole or not at all, and answers the digest of its contents.
///
/// # Errors
/// [`ArtifactError::Io`], and as [`to_bytes`].
pub fn write(artifact: &Artifact, path: &Path, signer: Option<&SigningKey>) -> Result<Digest, ArtifactError> {
    let packed = to_bytes(artifact, signer)?;
    write_atomically(path, &packed.bytes)
        .map_err(|source| ArtifactError::Io { path: path.to_owned(), source })?;
    Ok(packed.content)
}

/// Reads an artifact from a file with the default limits.
///
/// # Errors
/// [`ArtifactError::Io`], and as [`from_bytes`].
pub fn read(path: &Path) -> Result<Artifact, ArtifactError> {
    let failed = |source| ArtifactError::Io { path: path.to_owned(), source };
    let limits = Limits::default();
    let file = File::open(path).map_err(failed)?;
    let size_bytes = file.metadata().map_err(failed)?.len();
    Limits::check("the size (bytes)", size_bytes, limits.size_bytes)?;
    let mut bytes = Vec::with_capacity(size_bytes as usize);
    // The file may grow meanwhile, and a pipe has no length at all; one byte more shows that it is too long.
    file.take(limits.size_bytes + 1).read_to_end(&mut bytes).map_err(failed)?;
    from_bytes(&bytes, &limits)
}

/// Reads an artifact from bytes that nobody vouches for.
///
/// Every entry is checked against the manifest's length and digest, and the manifest against the signature's statement
/// if there is one. Whose signature it is, [`crate::verify`] tells.
///
/// # Errors
/// [`ArtifactError::Foreign`], [`ArtifactError::TooNew`], [`ArtifactError::TooLarge`] or [`ArtifactError::Damaged`].
pub fn from_bytes(bytes: &[u8], limits: &Limits) -> Result<Artifact, ArtifactError> {
    let entries = archive::unpack(bytes, limits)?;
    let manifest_text = *entries
        .get(MANIFEST)
        .ok_or_else(|| ArtifactError::Foreign { why: "it has no manifest".to_owned() })?;
    let manifest = wire::parse(manifest_text, limits)?;
    check_lengths(&entries, &manifest.entries)?;
    let digests = signature::digests_of(&entries);
    check_digests(&digests, &manifest.entries)?;
    if let Some(bundle) = entries.get(BUNDLE) {
        signature::open(bundle, &digests, limits)?;
    }
    let mut found = tensors::read(required(&entries, TENSORS)?, limits)?;
    let (manifest, mut state) = manifest.restore(&mut found, limits)?;
    tensors::distribute(found, STATE_ROOT, &mut state)?;
    let card = required(&entries, CARD)?;
    limits.check_json(card)?;
    Ok(Artifact {
        manifest,
        state,
        report_html: text(&entries, REPORT)?,
        card: serde_json::from_slice(card)
            .map_err(|error| ArtifactError::damaged(CARD, error.to_string()))?,
        history: text(&entries, HISTORY)?,
    })
}

/// Lengths and digests of all entries that are not the manifest or the signature.
fn entry_digests(entries: &Entries<'_>) -> BTreeMap<String, EntryV1> {
    entries
        .iter()
        .filter(|(name, _)| ![MANIFEST, BUNDLE].contains(*name))
        .map(|(name, bytes)| {
            let sha256 = Digest::of(bytes).to_string();
            ((*name).to_owned(), EntryV1 { size_bytes: bytes.len() as u64, sha256 })
        })
        .collect()
}

/// Compares which entries there are and how long they are, before anything is digested.
fn check_lengths(entries: &Entries<'_>, expected: &BTreeMap<String, EntryV1>) -> Result<(), ArtifactError> {
    for (name, entry) in expected {
        match entries.get(name.as_str()).map(|bytes| bytes.len() as u64) {
            None => return Err(ArtifactError::damaged(name, "it is missing")),
            Some(length) if length != entry.size_bytes => {
                let why = format!("it has {length} bytes instead of {}", entry.size_bytes);
                return Err(ArtifactError::damaged(name, why));
            }
            Some(_) => {}
        }
    }
    let unlisted =
        entries.keys().find(|name| ![MANIFEST, BUNDLE].contains(*name) && !expected.contains_key(**name));
    match unlisted {
        Some(name) => Err(ArtifactError::damaged(*name, "the manifest does not know it")),
        None => Ok(()),
    }
}

fn check_digests(digests: &Digests, expected: &BTreeMap<String, EntryV1>) -> Result<(), ArtifactError> {
    let changed = expected
        .iter()
        .find(|(name, entry)| digests.get(*name).map(Digest::to_string).as_ref() != Some(&entry.sha256));
    match changed {
        Some((name, _)) => Err(ArtifactError::damaged(name, "its digest is not that of the manifest")),
        None => Ok(()),
    }
}

fn required<'a>(entries: &Entries<'a>, name: &'static str) -> Result<&'a [u8], ArtifactError> {
    entries.get(name).copied().ok_or_else(|| ArtifactError::damaged(name, "it is missing"))
}

fn text(entries: &Entries<'_>, name: &'static str) -> Result<String, ArtifactError> {
    match std::str::from_utf8(required(entries, name)?) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => Err(ArtifactError::damaged(name, "it is not UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use kaizen_model::Task;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn packed() -> Vec<u8> {
        let mut manifest = Manifest::new(Task::Binary, "y");
        manifest.classes = vec!["no".to_owned(), "yes".to_owned()];
        let levels: Vec<String> = (0..600).map(|index| format!("level {index}")).collect();
        let kind = kaizen_table::FieldKind::Category { levels: std::sync::Arc::new(levels) };
        manifest.inputs.fields.push(kaizen_table::Field { name: "c".to_owned(), kind });
        let part = State::new(json!({"depth": 3})).with("weights", Tensor::F64(vec![1.0, 2.0]));
        let artifact = Artifact {
            manifest,
            state: State::default().with_part("part", part).with("codes", Tensor::U16(vec![1, 2, 3])),
            report_html: "<p>".to_owned(),
            card: json!({"a": [1, null]}),
            history: "{}\n".to_owned(),
        };
        to_bytes(&artifact, None).unwrap().bytes
    }

    /// Packs entries again after `change`, with digests that fit, so that the parsers behind the digests are reached.
    fn resealed(bytes: &[u8], change: impl FnOnce(&mut BTreeMap<&'static str, Vec<u8>>)) -> Vec<u8> {
        let entries = archive::unpack(bytes, &Limits::default()).unwrap();
        let mut owned: BTreeMap<&'static str, Vec<u8>> =
            entries.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect();
        change(&mut owned);
        let slices: Entries<'_> = owned.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        let digests = serde_json::to_value(entry_digests(&slices)).unwrap();
        // A manifest that is no longer JSON stays as it is: that path is worth a try too.
        let manifest = serde_json::from_slice::<Value>(&owned[MANIFEST]).ok().map(|mut manifest| {
            manifest["entries"] = digests;
            serde_json::to_vec(&manifest).unwrap()
        });
        if let Some(manifest) = manifest {
            owned.insert(MANIFEST, manifest);
        }
        archive::pack(&owned.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect()).unwrap()
    }

    fn load(bytes: &[u8]) -> Result<Artifact, ArtifactError> {
        from_bytes(bytes, &Limits::default())
    }

    #[test]
    fn resealing_without_a_change_still_loads() {
        let bytes = packed();
        assert_eq!(load(&resealed(&bytes, |_| {})).unwrap(), load(&bytes).unwrap());
    }

    #[test]
    fn each_entry_is_guarded_by_its_digest() {
        for name in [TENSORS, CARD, REPORT, HISTORY] {
            let bytes = packed();
            let entries = archive::unpack(&bytes, &Limits::default()).unwrap();
            let last = entries[name].as_ptr() as usize - bytes.as_ptr() as usize + entries[name].len() - 1;
            let mut changed = bytes.clone();
            changed[last] ^= 1;
            let Err(ArtifactError::Damaged { entry, .. }) = load(&changed) else {
                panic!("a change of {name} went unseen");
            };
            assert_eq!(entry, name);
        }
    }

    #[test]
    fn missing_and_unlisted_entries_are_named() {
        let bytes = packed();
        let mut entries = archive::unpack(&bytes, &Limits::default()).unwrap();
        entries.remove(REPORT);
        let without = archive::pack(&entries).unwrap();
        assert!(matches!(load(&without), Err(ArtifactError::Damaged { entry, .. }) if entry == REPORT));
        let consistent = resealed(&bytes, |entries| drop(entries.remove(REPORT)));
        assert!(matches!(load(&consistent), Err(ArtifactError::Damaged { entry, .. }) if entry == REPORT));
        let headless = {
            let mut entries = archive::unpack(&bytes, &Limits::default()).unwrap();
            entries.remove(MANIFEST);
            archive::pack(&entries).unwrap()
        };
        assert!(matches!(load(&headless), Err(ArtifactError::Foreign { .. })));
    }

    #[test]
    fn lies_behind_valid_digests_are_refused() {
        let bytes = packed();
        let with_manifest = |change: fn(&mut Value)| {
            resealed(&bytes, |entries| {
                let mut manifest: Value = serde_json::from_slice(&entries[MANIFEST]).unwrap();
                change(&mut manifest);
                entries.insert(MANIFEST, serde_json::to_vec(&manifest).unwrap());
            })
        };
        let lies: [fn(&mut Value); 6] = [
            |manifest| manifest["classes"] = json!(["only one"]),
            |manifest| manifest["unknown"] = json!(1),
            |manifest| manifest["pipeline"]["parts"] = json!({}),
            |manifest| manifest["inputs"][0]["kind"]["category"]["levels"]["tensor"] = json!("state/part"),
            |manifest| manifest["seeds"]["fit"] = json!("-1"),
            |manifest| manifest["task"] = json!({"kind": "multiclass", "class_count": u64::MAX}),
        ];
        for (index, lie) in lies.into_iter().enumerate() {
            let found = load(&with_manifest(lie));
            assert!(matches!(found, Err(ArtifactError::Damaged { .. })), "lie {index}: {found:?}");
        }
        assert!(load(&with_manifest(|_| {})).is_ok());
    }

    #[test]
    fn nesting_bombs_are_refused_before_they_are_parsed() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        for name in [CARD, MANIFEST] {
            let bytes = resealed(&packed(), |entries| drop(entries.insert(name, deep.clone())));
            assert!(matches!(load(&bytes), Err(ArtifactError::TooLarge { .. })));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

        #[test]
        fn mutated_files_never_panic(edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..8), cut in any::<u16>()) {
            let mut bytes = packed();
            let length = bytes.len();
            for (place, value) in edits {
                bytes[usize::from(place) % length] = value;
            }
            if cut % 4 == 0 {
                bytes.truncate(usize::from(cut) % length);
            }
            let _ = load(&bytes);
        }

        #[test]
        fn mutated_entries_never_panic(which in 0usize..5, edits in proptest::collection::vec((any::<u16>(), any::<u8>()), 1..6)) {
            let bytes = resealed(&packed(), |entries| {
                let name = [MANIFEST, TENSORS, CARD, HISTORY, REPORT][which];
                let entry = entries.get_mut(name).unwrap();
                let length = entry.len();
                for (place, value) in edits {
                    entry[usize::from(place) % length] = value;
                }
            });
            let _ = load(&bytes);
        }
    }
}
