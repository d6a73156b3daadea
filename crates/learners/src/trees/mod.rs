//! Trees: thin plug-ins over the tree engine.
//!
//! The table is cut into bins once (`data`) and every fold, trial and fidelity of a data set shares them;
//! `model` turns raw scores into predictions; the learners turn a configuration into parameters of the engine.

pub mod boosted;
pub(crate) mod boosting;
pub(crate) mod cart;
pub(crate) mod data;
pub mod extra_trees;
pub(crate) mod forest;
pub(crate) mod memory;
pub(crate) mod model;
pub mod random_forest;
pub mod readable;
pub(crate) mod storage;
pub mod symmetric;
