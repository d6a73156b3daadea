//! Behaviour of the tree engine as its callers see it.

#![allow(clippy::unwrap_used, reason = "a test that fails should say where")]

mod categories;
mod constraints;
mod dropout;
mod forests;
mod linear;
mod oracle;
mod spine;
mod tables;
