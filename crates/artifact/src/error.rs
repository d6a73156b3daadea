//! What can be wrong with an artifact or a key.

use std::path::PathBuf;

/// Why an artifact cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no artifact at all.
    #[error("this is not a Kaizen artifact: {why}")]
    Foreign {
        /// How that was seen.
        why: String,
    },
    /// A later version of Kaizen wrote it.
    #[error(
        "the artifact has format {found}, this version of Kaizen reads formats up to {supported}; it was written by Kaizen {writer}: use that version or a later one"
    )]
    TooNew {
        /// Format of the file.
        found: u32,
        /// The newest format that this version reads.
        supported: u32,
        /// Version of Kaizen that wrote the file.
        writer: String,
    },
    /// Reading it would pass a limit.
    #[error("{what} of the artifact is {found}, more than the limit of {limit}")]
    TooLarge {
        /// Which size or count.
        what: &'static str,
        /// Its value.
        found: u64,
        /// The limit.
        limit: u64,
    },
    /// An entry contradicts itself or the manifest; the file was cut, changed or badly copied.
    #[error("`{entry}` of the artifact is damaged: {why}; copy the file again or fit again")]
    Damaged {
        /// The entry.
        entry: String,
        /// In what way.
        why: String,
    },
    /// What is to be written cannot be stored in this format.
    #[error("`{name}` cannot be stored in an artifact: {why}")]
    Unstorable {
        /// The part.
        name: String,
        /// The reason.
        why: String,
    },
}

impl ArtifactError {
    pub(crate) fn damaged(entry: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { entry: entry.into(), why: why.into() }
    }

    pub(crate) fn unstorable(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Unstorable { name: name.into(), why: why.into() }
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read the private key.
    #[error("the private key {} may be read by others (mode {mode:04o}); run `chmod 600` on it", path.display())]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The text is no P-256 key in PEM.
    #[error("not a P-256 key in PEM: {why}")]
    Malformed {
        /// What the parser said.
        why: String,
    },
}
