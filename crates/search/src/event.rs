//! What can happen in a study. A history is the sum of its events.

use kaizen_space::{Config, SpaceError};

use crate::fidelity::Fidelity;
use crate::trial::{Measurement, State, TrialId};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A new trial began its first job.
    Started {
        /// The next number.
        trial: TrialId,
        /// What is tried.
        config: Config,
        /// The trial whose learned state it begins from.
        from: Option<TrialId>,
        /// How far it is to go.
        until: Fidelity,
    },
    /// A paused or waiting trial began another job.
    Resumed {
        /// Which.
        trial: TrialId,
        /// How far it is to go.
        until: Fidelity,
    },
    /// A running trial was measured.
    Measured {
        /// Which.
        trial: TrialId,
        /// What was found; above all earlier fidelities of the trial.
        measurement: Measurement,
    },
    /// A running trial's job ended.
    Left {
        /// Which.
        trial: TrialId,
        /// Where the trial stands now; anything but [`State::Running`].
        state: State,
    },
}

impl Event {
    /// The trial that it happened to.
    pub fn trial(&self) -> TrialId {
        match self {
            Self::Started { trial, .. }
            | Self::Resumed { trial, .. }
            | Self::Measured { trial, .. }
            | Self::Left { trial, .. } => *trial,
        }
    }
}

/// Why an event cannot have happened; the history is unchanged.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EventError {
    /// A new trial does not have the next number.
    #[error("trial {given} cannot start, the next one is trial {next}")]
    Order {
        /// The event's trial.
        given: TrialId,
        /// The only one that can start.
        next: TrialId,
    },
    /// There is no such trial.
    #[error("there is no trial {0}")]
    Unknown(TrialId),
    /// This cannot happen to a trial that stands where this one stands.
    #[error("trial {trial} is {state:?} and cannot {verb}")]
    State {
        /// The trial.
        trial: TrialId,
        /// Where it stands.
        state: State,
        /// What was to happen.
        verb: &'static str,
    },
    /// A fidelity is not above what the trial has already.
    #[error("trial {trial} stands at fidelity {reached} and cannot go on to {given}")]
    Fidelity {
        /// The trial.
        trial: TrialId,
        /// What it has.
        reached: Fidelity,
        /// What was to come.
        given: Fidelity,
    },
    /// Not one value for each objective.
    #[error("trial {trial} reports {given} values, but there are {expected} objectives")]
    Count {
        /// The trial.
        trial: TrialId,
        /// Number of values.
        given: usize,
        /// Number of objectives.
        expected: usize,
    },
    /// A value (or the time) is NaN or infinite.
    #[error("trial {trial} reports {value} for `{name}`")]
    NotFinite {
        /// The trial.
        trial: TrialId,
        /// The objective, or `seconds`.
        name: String,
        /// The value.
        value: f64,
    },
    /// The configuration does not fit the space.
    #[error("trial {trial} cannot start: {error}")]
    Config {
        /// The trial.
        trial: TrialId,
        /// Why.
        error: SpaceError,
    },
}
