//! Columns left out.

pub mod drop_useless;
