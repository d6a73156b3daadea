//! Signatures: our own check, and those of OpenSSL and of a stock unzip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kaizen_artifact::{ArtifactError, SignatureError, SigningKey, to_bytes, verify};

use crate::sample;

const BUNDLE_START: &[u8] = b"{\"mediaType\"";

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("kaizen-artifact-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn position(bytes: &[u8], needle: &[u8]) -> usize {
    bytes.windows(needle.len()).position(|window| window == needle).unwrap()
}

#[test]
fn the_right_key_and_no_other_is_accepted() {
    let folder = folder("wrong-key");
    let packed = to_bytes(&sample::artifact(), Some(&sample::key())).unwrap();
    assert_eq!(verify(&packed.bytes, &sample::key().verifying_key()).unwrap(), packed.content);
    let other = SigningKey::open_or_create(&folder.join("other.pem")).unwrap().verifying_key();
    assert!(matches!(verify(&packed.bytes, &other), Err(SignatureError::WrongKey)));
    let unsigned = to_bytes(&sample::artifact(), None).unwrap();
    assert!(matches!(verify(&unsigned.bytes, &other), Err(SignatureError::Unsigned)));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn equal_contents_and_key_give_equal_signatures() {
    let make = || to_bytes(&sample::artifact(), Some(&sample::key())).unwrap();
    assert_eq!(make(), make());
}

#[test]
fn a_changed_entry_is_named() {
    let mut bytes = to_bytes(&sample::artifact(), Some(&sample::key())).unwrap().bytes;
    let place = position(&bytes, b"<title>Kaizen");
    bytes[place + 7] = b'X';
    let found = verify(&bytes, &sample::key().verifying_key());
    let Err(SignatureError::Artifact(ArtifactError::Damaged { entry, .. })) = found else {
        panic!("a changed report was accepted: {found:?}");
    };
    assert_eq!(entry, "report.html");
}

#[test]
fn a_bundle_of_another_artifact_is_refused() {
    let key = sample::key();
    let mut other = sample::artifact();
    other.manifest.target = "SPECIES".to_owned();
    let other = to_bytes(&other, Some(&key)).unwrap().bytes;
    let mut bytes = to_bytes(&sample::artifact(), Some(&key)).unwrap().bytes;
    let (from, to) = (position(&other, BUNDLE_START), position(&bytes, BUNDLE_START));
    // DER signatures vary by a byte or two, so the part up to the signature is moved: the payload.
    let length = position(&other, b"\"signatures\"") - from;
    assert_eq!(length, position(&bytes, b"\"signatures\"") - to);
    bytes[to..to + length].copy_from_slice(&other[from..from + length]);
    assert!(verify(&bytes, &key.verifying_key()).is_err());
    assert!(kaizen_artifact::from_bytes(&bytes, &kaizen_artifact::Limits::default()).is_err());
}

/// Whether a program can be started here.
fn available(program: &str, version: &str) -> bool {
    let status = Command::new(program).arg(version).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn decode(text: &str) -> Vec<u8> {
    use base64ct::{Base64, Encoding as _};
    Base64::decode_vec(text).unwrap()
}

/// What an auditor without any of our code does: unzip, then `openssl dgst`.
#[test]
fn openssl_verifies_the_envelope() {
    if !available("openssl", "version") || !available("unzip", "-v") {
        println!("skipped: openssl or unzip is not installed");
        return;
    }
    let folder = folder("openssl");
    let packed = to_bytes(&sample::artifact(), Some(&sample::key())).unwrap();
    fs::write(folder.join("model.kaizen"), &packed.bytes).unwrap();
    let unzipped = Command::new("unzip").arg("-q").arg("model.kaizen").current_dir(&folder).status().unwrap();
    assert!(unzipped.success(), "a stock unzip must read the file");
    let bundle: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("bundle.json")).unwrap()).unwrap();
    let envelope = &bundle["dsseEnvelope"];
    let payload = decode(envelope["payload"].as_str().unwrap());
    let signed =
        [format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(), &payload].concat();
    fs::write(folder.join("signed.bin"), &signed).unwrap();
    fs::write(folder.join("sig.der"), decode(envelope["signatures"][0]["sig"].as_str().unwrap())).unwrap();
    assert!(openssl_accepts(&folder), "openssl must accept the signature");
    fs::write(folder.join("signed.bin"), [&signed, b"x".as_slice()].concat()).unwrap();
    assert!(!openssl_accepts(&folder), "openssl must refuse other bytes");
    fs::remove_dir_all(&folder).unwrap();
}

fn openssl_accepts(folder: &Path) -> bool {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/key.pub.pem");
    Command::new("openssl")
        .args(["dgst", "-sha256", "-verify", key, "-signature", "sig.der", "signed.bin"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}
