//! Fits a pipeline fold by fold and keeps what it says of the rows it has not seen.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{Ctx, Dataset, FitError, Predictions, Sample};
use kaizen_table::Fold;
use rayon::prelude::*;

use crate::pipeline::{Effort, FittedPipeline, Pipeline};

/// A data set with the folds that every trial is judged on.
#[derive(Debug)]
pub struct CrossValidation {
    /// Features after the shared preparation, target and weights.
    pub data: Arc<Dataset>,
    /// The folds, in the order in which they are fitted; later repeats follow the first.
    pub folds: Vec<Fold>,
    /// Folds of the first repeat: after these every row has been validated as often as it ever is in one repeat.
    pub folds_per_repeat: usize,
}

/// One fold of one trial.
#[derive(Clone)]
pub struct FoldOutcome {
    /// Which fold.
    pub fold: usize,
    /// What it takes to predict with the pipeline.
    pub effort: Effort,
    /// Bytes of the pipeline's fitted numbers, its steps included.
    pub size_bytes: usize,
    /// The fitted pipeline; `None` once it is kept elsewhere.
    pub pipeline: Option<FittedPipeline>,
    /// Its predictions of the fold's validation rows, in their order.
    pub predictions: Predictions,
    /// Whether the fit was rounded off early.
    pub cut_short: bool,
}

/// The folds of one trial that are done, in fold order.
#[derive(Clone, Default)]
pub struct TrialOutcome {
    /// Done folds, ascending and without gaps.
    pub folds: Vec<FoldOutcome>,
}

impl CrossValidation {
    /// Fits folds `from..until` in parallel; `signal` is asked for a fold's signal when the fold begins.
    ///
    /// # Errors
    /// The error of the first fold that failed, in fold order.
    pub fn fit_folds(
        &self,
        pipeline: &Pipeline,
        from: usize,
        until: usize,
        seed: Seed,
        signal: &(dyn Fn() -> Signal + Sync),
    ) -> Result<Vec<FoldOutcome>, FitError> {
        let outcomes: Vec<Result<FoldOutcome, FitError>> = (from..until)
            .into_par_iter()
            .with_max_len(1)
            .map(|index| self.fit_fold(pipeline, index, seed, &signal()))
            .collect();
        outcomes.into_iter().collect()
    }

    /// Predictions of the first fold's validation rows by a fit on a share of its training rows, in (0, 1).
    ///
    /// The sample is the same for every pipeline, so that they can be compared, and share what they prepare.
    ///
    /// # Errors
    /// As [`CrossValidation::fit_folds`].
    pub fn sample_fold(
        &self,
        pipeline: &Pipeline,
        row_share: f64,
        seed: Seed,
        signal: &Signal,
    ) -> Result<Predictions, FitError> {
        let fold = &self.folds[0];
        let count = ((fold.train.len() as f64 * row_share) as usize).max(1);
        let places = Seed(0).child("sample", count as u64).rng().sample_sorted(fold.train.len(), count);
        let train: Vec<u32> = places.into_iter().map(|place| fold.train[place as usize]).collect();
        let sample = Sample { data: &self.data, train: &train, valid: Some(&fold.valid) };
        let ctx = Ctx { seed: seed.child("sample", 0), signal };
        let (fitted, outcome) = pipeline.fit(sample, &format!("sample{count}"), &ctx)?;
        self.valid_predictions(&fitted, outcome.valid_predictions, &fold.valid)
    }

    /// What the fit said of its validation rows, or what its pipeline says; finite in any case.
    fn valid_predictions(
        &self,
        fitted: &FittedPipeline,
        told: Option<Predictions>,
        valid: &[u32],
    ) -> Result<Predictions, FitError> {
        let predictions = match told {
            Some(predictions) => predictions,
            None => fitted
                .predict(&self.data.table.take(valid))
                .map_err(|error| FitError::Unfit(error.to_string()))?,
        };
        if predictions.values.iter().any(|value| !value.is_finite()) {
            return Err(FitError::Unfit("its predictions are not finite numbers".to_owned()));
        }
        Ok(predictions)
    }

    fn fit_fold(
        &self,
        pipeline: &Pipeline,
        index: usize,
        seed: Seed,
        signal: &Signal,
    ) -> Result<FoldOutcome, FitError> {
        let fold = &self.folds[index];
        let sample = Sample { data: &self.data, train: &fold.train, valid: Some(&fold.valid) };
        let ctx = Ctx { seed: seed.child("fold", index as u64), signal };
        let (fitted, outcome) = pipeline.fit(sample, &format!("fold{index}"), &ctx)?;
        let predictions = self.valid_predictions(&fitted, outcome.valid_predictions, &fold.valid)?;
        Ok(FoldOutcome {
            fold: index,
            effort: fitted.effort(),
            size_bytes: fitted.size_bytes(),
            pipeline: Some(fitted),
            predictions,
            cut_short: outcome.cut_short,
        })
    }

    /// Fits on all rows a pipeline that was fitted on folds before; `None` where it was rounded off early, which makes
    /// it worse than any of the folds' models.
    ///
    /// # Errors
    /// As [`Pipeline::refit`].
    pub fn refit(
        &self,
        pipeline: &Pipeline,
        folds: &[FittedPipeline],
        seed: Seed,
        signal: &Signal,
    ) -> Result<Option<FittedPipeline>, FitError> {
        let rows: Vec<u32> = (0..self.data.target.len() as u32).collect();
        let sample = Sample { data: &self.data, train: &rows, valid: None };
        let (fitted, outcome) = pipeline.refit(sample, "all", folds, &Ctx { seed, signal })?;
        Ok((!outcome.cut_short).then_some(fitted))
    }

    /// The rows validated by the first `done` folds, ascending.
    pub fn covered_rows(&self, done: usize) -> Vec<u32> {
        let mut rows: Vec<u32> =
            self.folds[..done].iter().flat_map(|fold| fold.valid.iter().copied()).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// Out-of-fold predictions of `rows` (each validated by at least one of the given folds): the mean over repeats.
    ///
    /// # Panics
    /// If no given fold validated one of the rows.
    pub fn out_of_fold(&self, outcome: &TrialOutcome, rows: &[u32]) -> Predictions {
        let outputs = self.data.task.output_count();
        let mut sums = vec![0.0; self.data.target.len() * outputs];
        let mut counts = vec![0_u32; self.data.target.len()];
        for fold in &outcome.folds {
            for (place, &row) in self.folds[fold.fold].valid.iter().enumerate() {
                counts[row as usize] += 1;
                let start = row as usize * outputs;
                for (sum, value) in sums[start..start + outputs].iter_mut().zip(fold.predictions.row(place)) {
                    *sum += value;
                }
            }
        }
        let values = rows
            .iter()
            .flat_map(|&row| {
                let count = f64::from(counts[row as usize]);
                assert!(count > 0.0, "row {row} was not validated");
                let start = row as usize * outputs;
                sums[start..start + outputs].iter().map(move |sum| sum / count).collect::<Vec<_>>()
            })
            .collect();
        Predictions::new(outputs, values)
    }
}
