//! Tests of the learners through their public table.

mod conformance;
mod data;
