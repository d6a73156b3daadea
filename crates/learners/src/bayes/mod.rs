//! Classes by the product of one-column likelihoods.

pub mod gaussian;
