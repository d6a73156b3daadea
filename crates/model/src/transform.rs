//! What turns a table into a table.

use kaizen_base::Card;
use kaizen_space::{Config, Space};
use kaizen_table::Table;

use crate::dataset::Sample;
use crate::learner::{Ctx, FitError, PredictError, Shape};
use crate::state::{LoadError, State};

/// Learns from training rows how to change a table.
pub trait Transform: Sync {
    /// What it is.
    fn card(&self) -> &'static Card;

    /// What may be chosen; may depend on the shape of the data.
    fn space(&self, shape: &Shape) -> Space;

    /// Learns from `sample.train` alone.
    ///
    /// # Errors
    /// [`FitError::Stopped`] when told to, [`FitError::Unfit`] when the data cannot be handled.
    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError>;

    /// Brings back what [`FittedTransform::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`]; the state may come from a hostile file.
    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError>;
}

/// A fitted transform: immutable, row by row, in row order.
pub trait FittedTransform: Send + Sync {
    /// Changes a table with the columns it was fitted on; columns it does not know pass through unchanged.
    /// Unseen categories, missing cells and rows of any number are no error.
    ///
    /// # Errors
    /// [`PredictError`] when a column that it needs is missing or of another type.
    fn apply(&self, table: &Table) -> Result<Table, PredictError>;

    /// As plain data; loading it again transforms to the same bits.
    fn save(&self) -> State;
}
