//! Predictions from the most similar training rows.

pub mod nearest;
pub(crate) mod search;
