//! Pipelines over tables as a search problem.
//!
//! A [`Pipeline`] is a list of transforms and a learner, each with its configuration. [`CrossValidation`] fits it on
//! folds and keeps the out-of-fold predictions; [`PipelineSpace`] turns configurations of one conditional space into
//! pipelines; [`portfolio`] is the ordered list that a search starts from; [`Ensemble`] is the weighted blend that is
//! shipped. What decides, and how long, is the engine's affair.

pub mod cross_validation;
pub mod ensemble;
pub mod ladder;
pub mod memory;
pub mod pipeline;
pub mod pipeline_space;
pub mod portfolio;
pub mod preparation;
pub mod problem;
pub mod scoring;
pub mod stacking;

pub use cross_validation::{CrossValidation, FoldOutcome, TrialOutcome};
pub use ensemble::{Calibration, Ensemble, Member};
pub use ladder::{FirstLook, Ladder};
pub use memory::{MemoryBudget, Need};
pub use pipeline::{Effort, FittedPipeline, Pipeline, PipelineStep};
pub use pipeline_space::PipelineSpace;
pub use preparation::Preparation;
pub use problem::{InMemory, Keeper, Pacer, TabularProblem, Unhurried};
pub use scoring::Scoring;
