//! The artifact as others see it: round trips, the golden files, and the stock tools of the field.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on has failed; clippy sees only #[test] functions as tests"
)]

mod golden;
mod round_trip;
mod sample;
mod signature;
