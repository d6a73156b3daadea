//! Files as people really send them, and round trips of what no person would.

mod concat;
mod determinism;
mod dirty;
mod round_trip;
mod typed;
