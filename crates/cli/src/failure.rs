//! Why the program ends with another exit code than 0.

use std::fmt::Display;
use std::path::Path;

use kaizen_engine::{Blame, EngineError};

/// One line for the person and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub message: String,
    pub code: u8,
}

/// The input is at fault.
pub(crate) const INPUT: u8 = 2;
/// The machine is at fault: disk, memory, permission.
pub(crate) const ENVIRONMENT: u8 = 3;
/// A policy or gate refused.
pub(crate) const GATE: u8 = 4;
/// A bug in Kaizen.
pub(crate) const BUG: u8 = 70;

impl Failure {
    /// The machine refused something about `what`.
    pub(crate) fn environment(what: impl AsRef<Path>, error: &dyn Display) -> Self {
        Self { message: format!("{}: {error}", what.as_ref().display()), code: ENVIRONMENT }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = match error.blame() {
            Blame::Input => INPUT,
            Blame::Environment => ENVIRONMENT,
            Blame::Gate => GATE,
            Blame::Bug => BUG,
        };
        Self { message: error.to_string(), code }
    }
}
