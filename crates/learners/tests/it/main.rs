//! Tests of the learners through their public table.

#![allow(clippy::unwrap_used, reason = "in a test a failing unwrap is the failing check")]

mod conformance;
mod data;
mod linear;
mod oracle;
