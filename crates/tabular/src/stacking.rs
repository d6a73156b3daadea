//! A second layer: pipelines that see, beside the features, what models of the first layer predict.
//!
//! Training rows of the second layer carry out-of-fold predictions, new rows the mean of the first layer's bags
//! (Wolpert 1992; Breiman 1996, "Stacked regressions"). With one set of folds for both layers something leaks: the
//! predictions that a second layer learns from were made by models that had seen the labels it is validated on. So the
//! out-of-fold score of a second layer is not evidence by itself. [`honest_fold`] gives what is: predictions of the
//! first fold by two layers that never met it, for which the first layer is cross-fitted again inside that fold's
//! training rows.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{Ctx, Dataset, FitError, PredictError, Predictions, Sample};
use kaizen_table::{Column, Table};
use rayon::prelude::*;

use crate::cross_validation::CrossValidation;
use crate::pipeline::Pipeline;

/// What the names of the columns that hold predictions begin with.
const PREFIX: &str = "prediction of model ";

/// The table with one more column for each output of each prediction `[rows, outputs]`; of two classes the second alone.
///
/// # Errors
/// [`PredictError::NoColumn`] naming a column of the table that has the name of an added one.
pub fn extended(table: &Table, predictions: &[Predictions]) -> Result<Table, PredictError> {
    let mut columns = table.columns().to_vec();
    for (model, predictions) in predictions.iter().enumerate() {
        let outputs = predictions.outputs;
        for output in usize::from(outputs == 2)..outputs {
            let values = predictions.values.iter().skip(output).step_by(outputs).copied().collect();
            columns.push(Arc::new(Column::number(format!("{PREFIX}{model}, output {output}"), values)));
        }
    }
    Table::new(columns, table.row_count()).map_err(|error| PredictError::NoColumn(error.to_string()))
}

/// The cross-validation of a second layer: the first repeat's folds, with the first layer's out-of-fold predictions
/// `[rows, outputs]` of every row as further columns.
///
/// # Errors
/// As [`extended`].
pub fn second_layer(
    cv: &CrossValidation,
    out_of_fold: &[Predictions],
) -> Result<CrossValidation, PredictError> {
    let table = extended(&cv.data.table, out_of_fold)?;
    Ok(CrossValidation {
        data: Arc::new(cv.data.with_table(table)),
        folds: cv.folds[..cv.folds_per_repeat].to_vec(),
        folds_per_repeat: cv.folds_per_repeat,
    })
}

/// A pipeline of the first layer with what its first fold's model says of that fold's validation rows.
pub struct Base {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// `[rows of the first fold's validation, outputs]`, in their order.
    pub first_fold: Predictions,
}

/// Predictions of the first fold's validation rows by a second layer that learned from a first layer which never saw
/// them: for each other fold, the first layer is fitted on the training rows that both folds have.
///
/// Takes `folds - 1` fits of each base and one of `second`. The folds of the first repeat must cover every row once.
///
/// # Errors
/// [`FitError`].
pub fn honest_fold(
    cv: &CrossValidation,
    bases: &[Base],
    second: &Pipeline,
    seed: Seed,
    signal: &Signal,
) -> Result<Predictions, FitError> {
    let outer = &cv.folds[0];
    let outputs = cv.data.task.output_count();
    let row_count = cv.data.target.len();
    let jobs: Vec<(usize, usize)> =
        (0..bases.len()).flat_map(|base| (1..cv.folds_per_repeat).map(move |fold| (base, fold))).collect();
    let inner: Vec<Result<Predictions, FitError>> = jobs
        .par_iter()
        .with_max_len(1)
        .map(|&(base, fold)| {
            inner_fold(cv, &bases[base].pipeline, fold, seed.child("base", base as u64), signal)
        })
        .collect();
    let mut columns: Vec<Predictions> =
        bases.iter().map(|_| Predictions::new(outputs, vec![0.0; row_count * outputs])).collect();
    for (&(base, fold), predictions) in jobs.iter().zip(inner) {
        scatter(&mut columns[base], &cv.folds[fold].valid, &predictions?);
    }
    for (column, base) in columns.iter_mut().zip(bases) {
        scatter(column, &outer.valid, &base.first_fold);
    }
    let table = extended(&cv.data.table, &columns).map_err(|error| FitError::Unfit(error.to_string()))?;
    let data: Dataset = cv.data.with_table(table);
    let sample = Sample { data: &data, train: &outer.train, valid: Some(&outer.valid) };
    let ctx = Ctx { seed: seed.child("second", 0), signal };
    let (fitted, outcome) = second.fit(sample, "honest", &ctx)?;
    match outcome.valid_predictions {
        Some(predictions) => Ok(predictions),
        None => {
            fitted.predict(&data.table.take(&outer.valid)).map_err(|error| FitError::Unfit(error.to_string()))
        }
    }
}

fn inner_fold(
    cv: &CrossValidation,
    pipeline: &Pipeline,
    fold: usize,
    seed: Seed,
    signal: &Signal,
) -> Result<Predictions, FitError> {
    let (outer, inner) = (&cv.folds[0], &cv.folds[fold]);
    let train: Vec<u32> =
        inner.train.iter().copied().filter(|row| outer.train.binary_search(row).is_ok()).collect();
    let sample = Sample { data: &cv.data, train: &train, valid: Some(&inner.valid) };
    let ctx = Ctx { seed: seed.child("fold", fold as u64), signal };
    let (fitted, outcome) = pipeline.fit(sample, &format!("nested{fold}"), &ctx)?;
    match outcome.valid_predictions {
        Some(predictions) => Ok(predictions),
        None => fitted
            .predict(&cv.data.table.take(&inner.valid))
            .map_err(|error| FitError::Unfit(error.to_string())),
    }
}

fn scatter(all: &mut Predictions, rows: &[u32], some: &Predictions) {
    let outputs = all.outputs;
    for (place, &row) in rows.iter().enumerate() {
        let start = row as usize * outputs;
        all.values[start..start + outputs].copy_from_slice(some.row(place));
    }
}
