//! Weighted sums of features.
//!
//! [`learner`] is the plug-in; `design` turns columns into terms (numbers on one scale, categories as implicit one-hot
//! terms, sparse blocks as they are); `loss` and `solver` minimise; `gram` is the faster way for squares and few
//! terms; `path` walks the penalties from strong to weak; `model` predicts.

pub(crate) mod design;
pub(crate) mod gram;
pub mod learner;
pub(crate) mod loss;
pub(crate) mod model;
pub(crate) mod path;
pub(crate) mod solver;
