//! Why a model predicts what it predicts, seen through its predictions alone.

pub mod permutation;

pub use permutation::{Importance, PermutationRequest, permutation_importance};
