//! What training is given, and whether it fits together.

use crate::bins::{Bins, FeatureData};
use crate::ensemble::Ensemble;
use crate::error::{Result, TreesError};
use crate::params::BoostParams;

/// Where boosting starts.
#[derive(Clone, Copy, Debug, Default)]
pub enum Start<'a> {
    /// At the best constant.
    #[default]
    Constant,
    /// At given raw scores `[table rows, outputs]`; the ensemble then predicts what is to be added to them.
    Scores(&'a [f64]),
    /// At an ensemble trained on the same binned table; the result contains its trees.
    Ensemble(&'a Ensemble),
}

/// A loss of raw scores `[valid rows, outputs]`; lower is better.
pub type Evaluate<'a> = &'a (dyn Fn(&[f64]) -> f64 + Sync);

/// What to learn from. Arrays are indexed by row of the binned table; only the listed rows are looked at.
#[derive(Clone, Copy)]
pub struct TrainInput<'a> {
    /// The binned table.
    pub bins: &'a Bins,
    /// Rows to learn from, each at most once.
    pub rows: &'a [u32],
    /// Rows on which the loss is followed and the best round is chosen.
    pub valid_rows: Option<&'a [u32]>,
    /// Target of each table row; a class index for softmax.
    pub target: &'a [f64],
    /// Weight of each table row, finite and not negative; `None` is 1.
    pub weights: Option<&'a [f64]>,
    /// Where boosting starts.
    pub start: Start<'a>,
    /// Raw values of the features of `bins`, which only linear leaves look at; `None` if there are none such.
    pub values: Option<&'a [FeatureData<'a>]>,
    /// Features that may be used, ascending; `None` is all.
    pub features: Option<&'a [u32]>,
    /// Loss of raw validation scores `[valid rows, outputs]`, lower is better; `None` is the objective's own.
    pub evaluate: Option<Evaluate<'a>>,
}

impl<'a> TrainInput<'a> {
    /// All features, equal weights, no validation rows, a constant start.
    pub fn new(bins: &'a Bins, rows: &'a [u32], target: &'a [f64]) -> Self {
        Self {
            bins,
            rows,
            valid_rows: None,
            target,
            weights: None,
            start: Start::Constant,
            values: None,
            features: None,
            evaluate: None,
        }
    }
}

/// Refuses arrays that do not fit the table, the objective or each other.
pub(crate) fn check_input(input: &TrainInput<'_>, params: &BoostParams) -> Result<()> {
    let table_rows = input.bins.row_count();
    let shape = |what, expected, found| Err(TreesError::Shape { what, expected, found });
    if input.target.len() < table_rows {
        return shape("target", table_rows, input.target.len());
    }
    if input.rows.is_empty() {
        return Err(TreesError::NoRows);
    }
    for rows in [Some(input.rows), input.valid_rows].into_iter().flatten() {
        if let Some(row) = rows.iter().find(|row| **row as usize >= table_rows) {
            return shape("row", table_rows, *row as usize);
        }
        params.objective.check_targets(input.target, rows)?;
    }
    if let Some(weights) = input.weights {
        if weights.len() < table_rows {
            return shape("weights", table_rows, weights.len());
        }
        for row in input.rows.iter().chain(input.valid_rows.unwrap_or_default()) {
            let value = weights[*row as usize];
            if !(value >= 0.0 && value.is_finite()) {
                return Err(TreesError::Weight { row: *row as usize, value });
            }
        }
        if input.rows.iter().all(|row| weights[*row as usize] == 0.0) {
            return Err(TreesError::NoRows);
        }
    }
    let features = input.bins.feature_count();
    if let Some(feature) = input.features.unwrap_or_default().iter().find(|f| **f as usize >= features) {
        return shape("feature", features, *feature as usize);
    }
    if !params.monotone.is_empty() && params.monotone.len() != features {
        return shape("monotone", features, params.monotone.len());
    }
    if let Some(feature) = params.interactions.iter().flatten().find(|f| **f as usize >= features) {
        return shape("interaction", features, *feature as usize);
    }
    check_values(input, params)?;
    let outputs = params.objective.output_count();
    match input.start {
        Start::Scores(scores) if scores.len() < table_rows * outputs => {
            shape("starting scores", table_rows * outputs, scores.len())
        }
        Start::Ensemble(ensemble) if ensemble.output_count != outputs => {
            shape("outputs of the starting ensemble", outputs, ensemble.output_count)
        }
        _ => Ok(()),
    }
}

/// Linear leaves need raw values of the very table that was binned.
fn check_values(input: &TrainInput<'_>, params: &BoostParams) -> Result<()> {
    let Some(values) = input.values else {
        let continues_linear =
            matches!(input.start, Start::Ensemble(ensemble) if ensemble.has_linear_leaves());
        return if params.linear.is_some() || continues_linear {
            Err(TreesError::ValuesNeeded)
        } else {
            Ok(())
        };
    };
    let (features, rows) = (input.bins.feature_count(), input.bins.row_count());
    let shape = |what, expected, found| Err(TreesError::Shape { what, expected, found });
    if values.len() != features {
        return shape("features with raw values", features, values.len());
    }
    for (feature, value) in values.iter().enumerate() {
        if value.len() != rows {
            return shape("raw values of a feature", rows, value.len());
        }
        if matches!(value, FeatureData::Category { .. }) != input.bins.is_category(feature) {
            return shape("kind of a feature with raw values", feature, feature);
        }
    }
    Ok(())
}
