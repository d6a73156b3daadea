//! Files as people really send them, and round trips of what no person would.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "tests may, and say when they skip"
)]

mod concat;
mod determinism;
mod dirty;
mod round_trip;
mod typed;
