//! Missing cells filled in.

pub mod fill;
