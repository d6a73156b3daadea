//! `bundle.json`: OpenSSF Model Signing 1.0 with a plain key.
//!
//! The digests of all other entries stand in an in-toto statement (v1), the statement in a DSSE envelope (v1), the
//! envelope in a Sigstore bundle (v0.3), signed by ECDSA on P-256 over SHA-256 with the deterministic nonce of
//! RFC 6979. Unpacked with `unzip`, the folder passes `model_signing verify key DIR --signature DIR/bundle.json`.

use std::collections::BTreeMap;

use base64ct::{Base64, Encoding as _};
use kaizen_base::Digest;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use serde::{Deserialize, Serialize};

use crate::archive::{self, BUNDLE, Entries};
use crate::error::{ArtifactError, KeyError};
use crate::key::{SigningKey, VerifyingKey};
use crate::limits::Limits;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// The subject has this name whatever the file is called, for a name would change the signature of equal contents.
const SUBJECT: &str = "model.kaizen";

/// Digests of the signed entries by name.
pub(crate) type Digests = BTreeMap<String, Digest>;

/// Why a signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The artifact itself cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// There is no signature.
    #[error("the artifact is not signed")]
    Unsigned,
    /// The signature was made with another key, or what it signs was changed.
    #[error("the signature does not belong to this key")]
    WrongKey,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bundle {
    media_type: String,
    verification_material: VerificationMaterial,
    dsse_envelope: Envelope,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: PublicKey,
    tlog_entries: [(); 0],
}

#[derive(Serialize, Deserialize)]
struct PublicKey {
    hint: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeSignature {
    sig: String,
    keyid: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    allow_symlinks: bool,
    ignore_paths: Vec<String>,
}

/// The digest of the contents: over the digests of all entries but the signature, in the order of their names.
///
/// It is the subject of the signature and does not depend on the key.
pub(crate) fn content_digest(digests: &Digests) -> Digest {
    let joined: Vec<u8> = digests.values().flat_map(|digest| digest.0).collect();
    Digest::of(&joined)
}

/// Digests of all entries but the signature.
pub(crate) fn digests_of(entries: &Entries<'_>) -> Digests {
    entries
        .iter()
        .filter(|(name, _)| **name != BUNDLE)
        .map(|(name, bytes)| ((*name).to_owned(), Digest::of(bytes)))
        .collect()
}

/// Signs digests of entries.
///
/// # Errors
/// [`ArtifactError::Unstorable`] if the key cannot be written as PEM.
pub(crate) fn sign(digests: &Digests, key: &SigningKey) -> Result<Vec<u8>, ArtifactError> {
    let unstorable = |why: String| ArtifactError::unstorable(BUNDLE, why);
    let payload = serde_json::to_vec(&statement(digests)).map_err(|error| unstorable(error.to_string()))?;
    let signature: Signature = key.0.sign(&pre_authentication_encoding(&payload));
    let pem = key.verifying_key().to_pem().map_err(|error: KeyError| unstorable(error.to_string()))?;
    let bundle = Bundle {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: VerificationMaterial {
            public_key: PublicKey { hint: Digest::of(pem.as_bytes()).to_string() },
            tlog_entries: [],
        },
        dsse_envelope: Envelope {
            payload_type: PAYLOAD_TYPE.to_owned(),
            payload: Base64::encode_string(&payload),
            signatures: vec![EnvelopeSignature {
                sig: Base64::encode_string(signature.to_der().as_bytes()),
                keyid: String::new(),
            }],
        },
    };
    serde_json::to_vec(&bundle).map_err(|error| unstorable(error.to_string()))
}

fn statement(digests: &Digests) -> Statement {
    let resources = digests
        .iter()
        .map(|(name, digest)| Resource {
            name: name.clone(),
            algorithm: "sha256".to_owned(),
            digest: digest.to_string(),
        })
        .collect();
    Statement {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: SUBJECT.to_owned(),
            digest: BTreeMap::from([("sha256".to_owned(), content_digest(digests).to_string())]),
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            resources,
            serialization: Serialization {
                method: "files".to_owned(),
                hash_type: "sha256".to_owned(),
                allow_symlinks: false,
                ignore_paths: vec![BUNDLE.to_owned()],
            },
        },
    }
}

/// What is signed in place of the payload (DSSE v1, "PAE").
fn pre_authentication_encoding(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// A bundle whose statement has been found to name exactly these entries; the signature is not yet checked.
pub(crate) struct Sealed {
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

/// Reads a bundle and compares its statement with the entries, without a key: this finds accidents, not forgers.
///
/// # Errors
/// [`ArtifactError::TooLarge`] or [`ArtifactError::Damaged`], naming the first entry that differs.
pub(crate) fn open(bundle: &[u8], digests: &Digests, limits: &Limits) -> Result<Sealed, ArtifactError> {
    let damaged = |why: &str| ArtifactError::damaged(BUNDLE, why);
    limits.check_json(bundle)?;
    let bundle: Bundle = serde_json::from_slice(bundle).map_err(|error| damaged(&error.to_string()))?;
    let envelope = bundle.dsse_envelope;
    if envelope.payload_type != PAYLOAD_TYPE || bundle.media_type != MEDIA_TYPE {
        return Err(damaged("it is of another type"));
    }
    let payload = Base64::decode_vec(&envelope.payload).map_err(|_| damaged("the payload is not base64"))?;
    limits.check_json(&payload)?;
    let found: Statement = serde_json::from_slice(&payload).map_err(|error| damaged(&error.to_string()))?;
    let expected = statement(digests);
    let pairs = |statement: &Statement| -> BTreeMap<String, String> {
        let resources = statement.predicate.resources.iter();
        resources.map(|resource| (resource.name.clone(), resource.digest.clone())).collect()
    };
    let (signed, present) = (pairs(&found), pairs(&expected));
    if let Some(name) = present.keys().find(|name| signed.get(*name) != present.get(*name)) {
        return Err(ArtifactError::damaged(name, "it was changed after it was signed"));
    }
    // Comparing the whole text closes every other door: added resources, other subjects, ignored paths, types.
    if serde_json::to_vec(&expected).ok().as_ref() != Some(&payload) {
        return Err(damaged("its statement is not about this artifact"));
    }
    let signatures = envelope
        .signatures
        .iter()
        .map(|signature| Signature::from_der(&Base64::decode_vec(&signature.sig).ok()?).ok())
        .collect::<Option<Vec<Signature>>>()
        .ok_or_else(|| damaged("a signature is no ECDSA signature"))?;
    Ok(Sealed { payload, signatures })
}

/// Checks the signature of an artifact, and that every entry is as it was signed.
///
/// The answer is the digest of the contents that the signature covers.
///
/// # Errors
/// [`SignatureError`].
pub fn verify(bytes: &[u8], key: &VerifyingKey) -> Result<Digest, SignatureError> {
    let limits = Limits::default();
    let entries = archive::unpack(bytes, &limits)?;
    let bundle = entries.get(BUNDLE).ok_or(SignatureError::Unsigned)?;
    let digests = digests_of(&entries);
    let sealed = open(bundle, &digests, &limits)?;
    let signed = pre_authentication_encoding(&sealed.payload);
    if sealed.signatures.iter().any(|signature| key.0.verify(&signed, signature).is_ok()) {
        Ok(content_digest(&digests))
    } else {
        Err(SignatureError::WrongKey)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        // DSSE v1, "PAE": lengths in decimal, one space between the parts.
        assert_eq!(pre_authentication_encoding(b"hello"), b"DSSEv1 28 application/vnd.in-toto+json 5 hello");
    }

    #[test]
    fn the_root_is_the_digest_of_the_joined_digests() {
        let digests = Digests::from([("b".to_owned(), Digest::of(b"2")), ("a".to_owned(), Digest::of(b"1"))]);
        let joined = [Digest::of(b"1").0, Digest::of(b"2").0].concat();
        assert_eq!(content_digest(&digests), Digest::of(&joined));
    }
}
