//! What a whole study may spend.

/// What a whole study may spend; the study ends at whichever limit comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Configurations that may be started, over all sessions of the study.
    pub trials: u32,
    /// Seconds from the moment the study is made (or made again after an interruption); infinite for no limit.
    pub seconds: f64,
}

impl Budget {
    /// A number of configurations, however long they take.
    pub fn trials(trials: u32) -> Self {
        Self { trials, seconds: f64::INFINITY }
    }

    /// A time, for any number of configurations.
    pub fn seconds(seconds: f64) -> Self {
        Self { trials: u32::MAX, seconds }
    }
}
