//! What can go wrong between a request and its artifact, by who can mend it.

use std::path::{Path, PathBuf};

use kaizen_artifact::ArtifactError;
use kaizen_data::DataError;
use kaizen_metrics::MetricError;
use kaizen_model::LoadError;
use kaizen_model::PredictError;

/// Why there is no model, or no prediction.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The rows cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The table cannot give a model.
    #[error("{file}: {why}")]
    Table {
        /// The source as the person wrote it.
        file: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// An option does not fit the data.
    #[error("{option}: {why}")]
    Option {
        /// The option as typed, for instance `--metric`.
        option: &'static str,
        /// What is wrong and what is allowed.
        why: String,
    },
    /// A run cannot be resumed.
    #[error("cannot resume {}: {why}", path.display())]
    Resume {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The artifact was to replace a folder.
    #[error("{}: this is a folder; --out names the file of the model", .0.display())]
    OutIsFolder(PathBuf),
    /// Another process works on the same run.
    #[error("{}: another run is writing here; wait for it, or choose another --out", .0.display())]
    Busy(PathBuf),
    /// The work does not fit into the memory that it may take.
    #[error("{what}; {cure}")]
    Memory {
        /// What takes how much, and how much there may be.
        what: String,
        /// What to do.
        cure: &'static str,
    },
    /// A file is no artifact, or cannot be read or written.
    #[error("{}: {source}", path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// What the artifact says.
        source: ArtifactError,
    },
    /// There is no artifact at this path.
    #[error("{}: there is no such file; check the path", .0.display())]
    NoArtifact(PathBuf),
    /// The artifact's contents do not make a model.
    #[error("{}: {source}", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: LoadError,
    },
    /// The journal of the search cannot be read or written.
    #[error("the journal of the run: {0}")]
    Journal(Box<kaizen_search::StudyError>),
    /// The signing key cannot be used.
    #[error("the signing key: {0}")]
    Key(Box<kaizen_artifact::KeyError>),
    /// The file system refuses.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Rows do not fit the model.
    #[error(transparent)]
    Predict(#[from] PredictError),
    /// The metric is undefined on these rows.
    #[error("{0}")]
    Metric(#[from] MetricError),
    /// A limit that the person set leaves nothing.
    #[error("{option}: {why}")]
    Gate {
        /// The option as typed.
        option: &'static str,
        /// What was found and what was allowed.
        why: String,
    },
    /// No trial gave a model: a bug, since the baseline always does.
    #[error("no trial gave a model; the last one said: {0}")]
    NoModel(String),
}

/// Who can mend it; each class has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The person: exit code 2.
    Input,
    /// The machine: exit code 3.
    Environment,
    /// A policy or gate refused: exit code 4.
    Gate,
    /// Kaizen: exit code 70.
    Bug,
}

impl EngineError {
    /// A file system error.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// An artifact error.
    pub fn artifact(path: &Path, source: ArtifactError) -> Self {
        match source {
            ArtifactError::Io { source, .. } => Self::io(path, source),
            source => Self::Artifact { path: path.to_owned(), source },
        }
    }

    /// Who can mend it.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Data(error) if !error.is_environment() => Blame::Input,
            Self::Artifact { source, .. } if !matches!(source, ArtifactError::Io { .. }) => Blame::Input,
            Self::Table { .. }
            | Self::Option { .. }
            | Self::Resume { .. }
            | Self::NoArtifact(_)
            | Self::OutIsFolder(_)
            | Self::Load { .. }
            | Self::Predict(_)
            | Self::Metric(_) => Blame::Input,
            Self::Data(_)
            | Self::Artifact { .. }
            | Self::Key(_)
            | Self::Journal(_)
            | Self::Io { .. }
            | Self::Busy(_)
            | Self::Memory { .. } => Blame::Environment,
            Self::Gate { .. } => Blame::Gate,
            Self::NoModel(_) => Blame::Bug,
        }
    }
}
