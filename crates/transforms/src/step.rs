//! What a pipeline must know of a transform besides what every transform tells.

use kaizen_model::{Ctx, Extent, FitError, FittedTransform, Sample, Transform};
use kaizen_space::Config;
use kaizen_table::Table;

/// What a transform learns from, and so how widely one fit of it can be shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uses {
    /// Column types only, besides which parts vary: the values of a row depend on that row alone. One application to
    /// the whole table serves every fold without leakage.
    Types,
    /// The features of the training rows: fitted anew in each fold.
    Features,
    /// Features and target of the training rows: fitted anew in each fold, and training rows must be transformed by
    /// [`Step::fit_apply`], which never lets a row see its own target.
    Target,
}

/// About what a transform does to the size of a table, at most.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMemory {
    /// The table that comes out.
    pub after: Extent,
    /// Bytes of the columns that are made; the others are shared with the table that came in.
    pub made_bytes: u64,
    /// Bytes that the fit takes and frees again.
    pub working_bytes: u64,
    /// Bytes of the fitted transform.
    pub fitted_bytes: u64,
}

impl StepMemory {
    /// For a transform that may change the numbers of every column and keeps a few figures of each column and level.
    pub fn usual(extent: &Extent) -> Self {
        Self {
            after: extent.clone(),
            made_bytes: extent.row_bytes(extent.number_count),
            working_bytes: extent.thread_count as u64 * extent.train_bytes(2),
            fitted_bytes: 64 * (extent.column_count() + extent.level_total()) as u64,
        }
    }
}

/// A transform as a row of [`crate::TRANSFORMS`].
pub trait Step: Transform {
    /// What it learns from.
    fn uses(&self) -> Uses;

    /// About what one fit and its application to the whole table take of memory, at most, said from sizes alone.
    fn memory(&self, config: &Config, extent: &Extent) -> StepMemory {
        let _ = config;
        StepMemory::usual(extent)
    }

    /// Fits on `sample.train` and transforms *all* rows of `sample.data.table`.
    ///
    /// For transforms that use the target, training rows get cross-fitted values (each computed without the row's own
    /// fold), all other rows get what the fitted transform gives; for all others this equals fit, then apply.
    ///
    /// # Errors
    /// As [`Transform::fit`]; [`FitError::Unfit`] when the fitted transform cannot be applied.
    fn fit_apply(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<(Box<dyn FittedTransform>, Table), FitError> {
        let fitted = self.fit(config, sample, ctx)?;
        let table = fitted.apply(&sample.data.table).map_err(|error| FitError::Unfit(error.to_string()))?;
        Ok((fitted, table))
    }
}
