//! The narrow waist: what a learner and a transform take and give, and how a fitted thing becomes bytes.
//!
//! Learners and transforms implement these traits; pipelines, ensembles, explanations and the server see nothing else
//! of them. A fitted [`Model`] is immutable and predicts rows in the order given. Abilities are data ([`Handles`]),
//! so that planners and checks read them instead of matching on names.

pub mod dataset;
pub mod learner;
pub mod levels;
pub mod memo;
pub mod memory;
pub mod moments;
pub mod predictions;
pub mod state;
pub mod task;
pub mod transform;

pub use dataset::{Dataset, Sample};
pub use learner::{Ctx, FitError, Fitted, Handles, Inputs, Learner, Model, PredictError, Shape, View};
pub use levels::Levels;
pub use memo::Memo;
pub use memory::{Extent, Memory};
pub use predictions::Predictions;
pub use state::{LoadError, State, Tensor};
pub use task::Task;
pub use transform::{FittedTransform, Transform};
