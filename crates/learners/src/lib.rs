//! What learns: each learner a file and a row of [`LEARNERS`], with its own search space and its abilities as data.
pub(crate) mod features;
pub(crate) mod levels;
pub mod linear;
pub(crate) mod moments;
pub(crate) mod outcome;
pub(crate) mod parameters;
pub(crate) mod tasks;

use kaizen_model::Learner;

/// Every learner.
pub const LEARNERS: &[&dyn Learner] = &[&linear::learner::Linear];
