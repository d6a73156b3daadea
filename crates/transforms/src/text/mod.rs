//! Words turned into numbers.

pub mod statistics;
pub mod tf_idf;
pub(crate) mod tokens;
pub mod truncated_svd;
