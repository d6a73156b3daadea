//! Everything that needs whole studies: conformance of the tables, crashes, restarts, workers.

#![allow(clippy::unwrap_used, reason = "a failing test may panic wherever it stands")]

mod conformance;
mod driver;
mod goals;
mod journal;
mod restart;
