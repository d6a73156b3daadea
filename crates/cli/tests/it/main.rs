//! The real binary, from the outside: on files as people send them, on mistakes as people make them, interrupted at
//! any moment, and twice with the same seed.

#![allow(clippy::unwrap_used, reason = "in a test a failing unwrap is the failing check")]
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

mod dirty;
mod memory;
mod mistakes;
mod predictions;
mod program;
mod reproducible;
mod shipping;
