//! Moments turned into numbers.

pub mod parts;
