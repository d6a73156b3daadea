//! One configuration and what became of it.

use kaizen_base::Digest;
use kaizen_space::Config;

use crate::fidelity::Fidelity;

/// Number of a trial in its study, from 0, in the order in which trials were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrialId(pub u32);

impl TrialId {
    /// Its place in [`History::trials`](crate::History::trials).
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl std::fmt::Display for TrialId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What a trial was found to be worth at some fidelity.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    /// The share of full training behind it.
    pub fidelity: Fidelity,
    /// One finite loss for each objective; lower is better, always.
    pub losses: Vec<f64>,
    /// Seconds spent on the trial up to here, over all its jobs.
    pub seconds: f64,
}

/// Why a trial came to nothing. It is data, not the end of the study.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The evaluation says that it cannot be done.
    #[error("{0}")]
    Fit(String),
    /// The evaluation panicked.
    #[error("panicked: {0}")]
    Panic(String),
    /// It took longer than it may.
    #[error("took too long")]
    Timeout,
    /// It needs more memory than it may have, in words with the figures.
    #[error("{0}")]
    Memory(String),
    /// It was told to stop before it had a result.
    #[error("stopped")]
    Stopped,
}

/// Where a trial stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Somebody is evaluating it.
    Running,
    /// It has done what it was asked for and may be taken further.
    Paused,
    /// Its job was cut off (the study ended, a worker was lost) and is to be given out again.
    Waiting,
    /// Measured at full fidelity.
    Finished,
    /// Not worth taking further.
    Stopped,
    /// Came to nothing.
    Failed(Failure),
}

impl State {
    /// Whether nothing will ever happen to the trial again.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Finished | Self::Stopped | Self::Failed(_))
    }
}

/// One configuration and what became of it. Made and changed by [`History`](crate::History) alone.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Trial {
    /// Its number.
    pub id: TrialId,
    /// What is tried.
    pub config: Config,
    /// Digest of the configuration, by which repetitions are found.
    pub digest: Digest,
    /// The trial whose learned state it began from, if any.
    pub from: Option<TrialId>,
    /// Where it stands.
    pub state: State,
    /// How far its latest job was to go.
    pub until: Fidelity,
    /// Its measurements, by rising fidelity.
    pub measurements: Vec<Measurement>,
    /// Number of measurements that it had when its latest job began.
    pub measured_before: usize,
}

impl Trial {
    /// The measurement at the highest fidelity.
    pub fn last(&self) -> Option<&Measurement> {
        self.measurements.last()
    }

    /// The highest fidelity measured.
    pub fn reached(&self) -> Option<Fidelity> {
        self.last().map(|measurement| measurement.fidelity)
    }

    /// The first measurement at `fidelity` or above.
    pub fn at(&self, fidelity: Fidelity) -> Option<&Measurement> {
        self.measurements.iter().find(|measurement| measurement.fidelity >= fidelity)
    }

    /// Seconds spent on it up to its last measurement.
    pub fn seconds(&self) -> f64 {
        self.last().map_or(0.0, |measurement| measurement.seconds)
    }
}
