//! What learns: each learner a file and a row of [`LEARNERS`], with its own search space and its abilities as data.
//!
//! A learner takes numbers, booleans and times as numbers, missing cells as they are, categories where its
//! [`kaizen_model::Handles`] say so (never densified), and refuses what they exclude with the cure. Fits are pure
//! functions of configuration, sample and seed, with the same bits on any number of threads.

pub mod baseline;
pub mod bayes;
mod features;
pub mod linear;
pub mod neighbors;
mod outcome;
mod parameters;
mod tasks;
pub mod trees;

use kaizen_model::{levels, moments};

use kaizen_model::Learner;

/// Every learner.
pub const LEARNERS: &[&dyn Learner] = &[
    &baseline::dummy::Dummy,
    &linear::learner::Linear,
    &bayes::gaussian::GaussianNaiveBayes,
    &neighbors::nearest::NearestNeighbors,
    &trees::readable::DecisionTree,
    &trees::boosted::BoostedTrees,
    &trees::symmetric::SymmetricTrees,
    &trees::random_forest::RandomForest,
    &trees::extra_trees::ExtraTrees,
];

/// The learner of a name, if there is one.
pub fn by_name(name: &str) -> Option<&'static dyn Learner> {
    LEARNERS.iter().copied().find(|learner| learner.card().name == name)
}
