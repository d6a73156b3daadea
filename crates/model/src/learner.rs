//! What learns from a table and what it leaves behind.

use kaizen_base::{Card, Seed, Signal};
use kaizen_space::{Config, Space};
use kaizen_table::Table;

use crate::dataset::Sample;
use crate::memory::{Extent, Memory};
use crate::predictions::Predictions;
use crate::state::{LoadError, State};
use crate::task::Task;

/// What a running fit is given besides its data.
#[derive(Clone, Copy, Debug)]
pub struct Ctx<'a> {
    /// The seed for all of its randomness, split by label.
    pub seed: Seed,
    /// Looked at often: finish with what is there, or stop.
    pub signal: &'a Signal,
}

/// Size of a problem, by which learners scale their search spaces.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Rows to train on.
    pub row_count: usize,
    /// Feature columns.
    pub column_count: usize,
    /// Columns that are categories.
    pub category_count: usize,
    /// Columns that are text.
    pub text_count: usize,
    /// What is to be predicted.
    pub task: Task,
}

/// Which columns a learner can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent abilities, read by planners as data")]
pub struct Inputs {
    /// Numbers with missing cells.
    pub missing: bool,
    /// Category columns (without this, only number columns).
    pub categories: bool,
    /// Sparse blocks.
    pub sparse: bool,
    /// Whether it wants numbers on one scale.
    pub scaled: bool,
}

/// What a learner can do: data, not methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent abilities, read by planners as data")]
pub struct Handles {
    /// Two classes.
    pub binary: bool,
    /// Three classes or more.
    pub multiclass: bool,
    /// Numbers.
    pub regression: bool,
    /// Quantiles.
    pub quantile: bool,
    /// Columns.
    pub inputs: Inputs,
    /// Row weights.
    pub weights: bool,
    /// Monotone constraints: predictions move only as [`Dataset::monotone`](crate::Dataset) allows.
    pub monotone: bool,
    /// Whether a person can read the model and see why it predicts what it does.
    pub readable: bool,
}

impl Handles {
    /// Whether the task is among them.
    pub fn task(&self, task: &Task) -> bool {
        match task {
            Task::Binary => self.binary,
            Task::Multiclass { .. } => self.multiclass,
            Task::Regression => self.regression,
            Task::Quantile { .. } => self.quantile,
        }
    }
}

/// A model fresh from its fit.
pub struct Fitted {
    /// The model.
    pub model: Box<dyn Model>,
    /// Its predictions of `sample.valid`, where there was one; equal to what `model` predicts for these rows.
    pub valid_predictions: Option<Predictions>,
    /// Whether the fit was rounded off early because it was told to.
    pub cut_short: bool,
}

/// Learns a model from a table.
pub trait Learner: Sync {
    /// What it is.
    fn card(&self) -> &'static Card;

    /// What it can do.
    fn handles(&self) -> Handles;

    /// What may be chosen; may depend on the shape of the data.
    fn space(&self, shape: &Shape) -> Space;

    /// About what one fit takes of memory, at most, said from sizes alone. `config` is one of [`Learner::space`].
    fn memory(&self, config: &Config, extent: &Extent) -> Memory {
        let _ = config;
        Memory::usual(extent)
    }

    /// Learns from `sample.train`; `sample.valid` serves early stopping.
    ///
    /// # Errors
    /// [`FitError::Stopped`] when told to, [`FitError::Unfit`] when the data cannot be handled.
    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError>;

    /// Learns from all rows at once, after `folds` were fitted with the same configuration: what validation rows
    /// decided there (the rounds of a boosting) is taken over, since `sample` has none.
    ///
    /// # Errors
    /// As [`Learner::fit`].
    fn refit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        _folds: &[&dyn Model],
        ctx: &Ctx<'_>,
    ) -> Result<Fitted, FitError> {
        self.fit(config, sample, ctx)
    }

    /// Brings back what [`Model::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`]; the state may come from a hostile file.
    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError>;
}

/// A fitted model: immutable, predicts rows in the order given.
pub trait Model: Send + Sync {
    /// Predictions of all rows of a table that has (at least) the columns it was fitted on, by name.
    ///
    /// # Errors
    /// [`PredictError`] when a column is missing or of another type.
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError>;

    /// What explanations may look into.
    fn view(&self) -> View<'_> {
        View::Opaque
    }

    /// As plain data; loading it again predicts the same bits.
    fn save(&self) -> State;
}

/// What explanations and compression may look into.
pub enum View<'a> {
    /// Nothing.
    Opaque,
    /// A weighted sum: an intercept for each output, then each term's weights.
    Linear {
        /// One for each output.
        intercepts: &'a [f64],
        /// Term names with a weight for each output.
        terms: Vec<(String, Vec<f64>)>,
    },
    /// Trees: how much each feature gained.
    Trees {
        /// Feature names with their total gain, non-negative.
        gains: Vec<(String, f64)>,
        /// Number of trees.
        tree_count: usize,
        /// Rounds of each boosting in the model, trees of an output of a forest.
        rounds: Vec<usize>,
    },
}

/// Why a fit gave no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FitError {
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
    /// This learner cannot handle this data.
    #[error("{0}")]
    Unfit(String),
}

/// Why rows cannot be predicted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// A column that the model needs is not there.
    #[error("column `{0}` is missing")]
    NoColumn(String),
    /// A column has another type than the model was fitted on.
    #[error("column `{name}` is not {expected}")]
    Type {
        /// The column.
        name: String,
        /// What the model needs.
        expected: &'static str,
    },
}
