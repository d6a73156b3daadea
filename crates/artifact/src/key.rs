//! Keys on the curve P-256, in the PEM files that every other tool reads.
//!
//! OpenSSF Model Signing admits ECDSA on the NIST curves only, so Ed25519 is no choice here. A private key is made
//! from the operating system's randomness: the one place below the engine where that is right, for a seeded key
//! would be no secret.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use p256::ecdsa;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::{
    DecodePrivateKey as _, DecodePublicKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding,
};

use crate::error::KeyError;

/// A private key that signs artifacts. Its bytes are wiped when it is dropped.
#[derive(Clone)]
pub struct SigningKey(pub(crate) ecdsa::SigningKey);

/// The public half, with which anyone can check a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey(pub(crate) ecdsa::VerifyingKey);

impl SigningKey {
    /// Reads the key at `path`, or makes one there (mode 0600, its folder 0700) if there is none.
    ///
    /// The public key is written beside it as `<path>.pub`, for those who are to check signatures.
    /// Of two processes or threads that do this at once, both end with the same key.
    ///
    /// # Errors
    /// [`KeyError::Io`], [`KeyError::Exposed`] or [`KeyError::Malformed`].
    pub fn open_or_create(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        match fs::read_to_string(path) {
            Ok(text) => {
                refuse_exposed(path)?;
                return Self::from_pem(&text);
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let key = Self(ecdsa::SigningKey::generate());
        let text = key.0.to_pkcs8_pem(LineEnding::LF).map_err(|error| malformed(&error))?;
        if create_private(path, text.as_bytes()).map_err(failed)? {
            let public = public_path(path);
            kaizen_base::write_atomically(&public, key.verifying_key().to_pem()?.as_bytes())
                .map_err(|source| KeyError::Io { path: public, source })?;
            return Ok(key);
        }
        // Another process was first; its key counts.
        let text = fs::read_to_string(path).map_err(failed)?;
        Self::from_pem(&text)
    }

    /// Reads a PKCS#8 private key in PEM, as `openssl genpkey` writes it.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Ok(Self(ecdsa::SigningKey::from_pkcs8_pem(text).map_err(|error| malformed(&error))?))
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(*self.0.verifying_key())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

impl VerifyingKey {
    /// Reads a public key in PEM (`SubjectPublicKeyInfo`), as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    /// [`KeyError::Malformed`].
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        Ok(Self(ecdsa::VerifyingKey::from_public_key_pem(text).map_err(|error| malformed(&error))?))
    }

    /// The key in PEM (`SubjectPublicKeyInfo`), lines ended by `\n`.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] if the encoder refuses, which no key made by this type leads to.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|error| malformed(&error))
    }
}

fn malformed(error: &impl std::fmt::Display) -> KeyError {
    KeyError::Malformed { why: error.to_string() }
}

fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Numbers temporary files, so that two threads of one process never share one.
static NEXT_PARTIAL: AtomicU64 = AtomicU64::new(0);

/// Creates the file whole and for its owner alone; answers false if there is one already.
fn create_private(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_folder(folder)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    let number = NEXT_PARTIAL.fetch_add(1, Ordering::Relaxed);
    temporary.push(format!(".{}.{number}.partial", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let linked = (|| {
        let mut file = open_private(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // Unlike a rename, a link never replaces a key that another process has made meanwhile.
        fs::hard_link(&temporary, path)
    })();
    let removed = fs::remove_file(&temporary);
    match linked {
        Ok(()) => removed.map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.exists() => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn open_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn create_private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}

#[cfg(unix)]
fn refuse_exposed(path: &Path) -> Result<(), KeyError> {
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
    let private = mode & !0o7700 == 0;
    if private { Ok(()) } else { Err(KeyError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path) -> Result<(), KeyError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("kaizen-artifact-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_key_is_made_once_and_then_read() {
        let folder = folder("key");
        let path = folder.join("deep").join("signing.pem");
        let first = SigningKey::open_or_create(&path).unwrap();
        let second = SigningKey::open_or_create(&path).unwrap();
        assert_eq!(first.verifying_key(), second.verifying_key());
        let public = fs::read_to_string(public_path(&path)).unwrap();
        assert_eq!(VerifyingKey::from_pem(&public).unwrap(), first.verifying_key());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2, "no partial file stays");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn threads_that_race_end_with_one_key() {
        let folder = folder("race");
        let path = folder.join("signing.pem");
        let keys: Vec<VerifyingKey> = std::thread::scope(|scope| {
            let open = || SigningKey::open_or_create(&path).unwrap().verifying_key();
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no partial file stays");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn two_new_keys_differ() {
        let folder = folder("two-keys");
        let a = SigningKey::open_or_create(&folder.join("a.pem")).unwrap();
        let b = SigningKey::open_or_create(&folder.join("b.pem")).unwrap();
        assert_ne!(a.verifying_key(), b.verifying_key());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = folder("exposed");
        let path = folder.join("signing.pem");
        SigningKey::open_or_create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SigningKey::open_or_create(&path), Err(KeyError::Exposed { mode: 0o644, .. })));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn garbage_is_no_key() {
        assert!(matches!(SigningKey::from_pem("hello"), Err(KeyError::Malformed { .. })));
        assert!(matches!(VerifyingKey::from_pem(""), Err(KeyError::Malformed { .. })));
    }
}
