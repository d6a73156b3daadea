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
    check_entries(&entries, &manifest.entries)?;
    if let Some(bundle) = entries.get(BUNDLE) {
        signature::open(bundle, &signature::digests_of(&entries), limits)?;
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

fn check_entries(entries: &Entries<'_>, expected: &BTreeMap<String, EntryV1>) -> Result<(), ArtifactError> {
    let found = entry_digests(entries);
    for (name, entry) in expected {
        match found.get(name) {
            None => return Err(ArtifactError::damaged(name, "it is missing")),
            Some(other) if other.size_bytes != entry.size_bytes => {
                let why = format!("it has {} bytes instead of {}", other.size_bytes, entry.size_bytes);
                return Err(ArtifactError::damaged(name, why));
            }
            Some(other) if other != entry => {
                return Err(ArtifactError::damaged(name, "its digest is not that of the manifest"));
            }
            Some(_) => {}
        }
    }
    match found.keys().find(|name| !expected.contains_key(*name)) {
        Some(name) => Err(ArtifactError::damaged(name, "the manifest does not know it")),
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
