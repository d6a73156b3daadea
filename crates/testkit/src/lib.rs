//! Conformance suites and simulated problems.
//!
//! A suite takes one row of a plug-in table and panics with a sentence when the row breaks its contract, so a new row
//! needs no new test. Problems are simulated: they cost no time, and the clock they move is a parameter.

#![allow(
    clippy::missing_panics_doc,
    reason = "a suite panics when the contract is broken; that is its purpose"
)]

pub mod problems;
pub mod samplers;
pub mod schedulers;
pub mod simulation;
