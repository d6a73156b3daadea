//! What a metric compares: the truth, the predictions and the weights, each checked once, when it is wrapped.

use std::borrow::Cow;

use crate::error::MetricError;
use crate::metric::TaskKind;

/// How far a row of probabilities may be from summing to 1: well above what 32-bit models lose in rounding over
/// thousands of classes, well below what a forgotten normalisation leaves.
const SUM_TOLERANCE: f64 = 1e-4;
/// How far one probability may leave [0, 1]: rounding of a weighted mean of thousands of models.
const ROUNDING: f64 = 1e-12;

/// What really happened, one entry a row.
#[derive(Clone, Debug)]
pub struct Truth<'a>(pub(crate) TruthKind<'a>);

#[derive(Clone, Debug)]
pub(crate) enum TruthKind<'a> {
    /// Labels `[rows]`, each below `count`.
    Classes { labels: Cow<'a, [u32]>, count: usize },
    /// Finite numbers `[rows]`.
    Values(&'a [f64]),
}

impl<'a> Truth<'a> {
    /// Class indices `[rows]`, each in `0..count`. In a binary task class 1 is the positive one.
    ///
    /// # Errors
    /// [`MetricError::NoRows`], [`MetricError::Label`].
    pub fn classes(labels: &'a [u32], count: usize) -> Result<Self, MetricError> {
        if labels.is_empty() {
            return Err(MetricError::NoRows);
        }
        match labels.iter().position(|&label| label as usize >= count) {
            Some(row) => Err(MetricError::Label { row, label: f64::from(labels[row]), classes: count }),
            None => Ok(Self(TruthKind::Classes { labels: Cow::Borrowed(labels), count })),
        }
    }

    /// Class indices `[rows]` stored as numbers, each a whole number in `0..count`.
    ///
    /// # Errors
    /// [`MetricError::NoRows`], [`MetricError::Label`] (also for NaN and fractions).
    pub fn classes_from_numbers(labels: &[f64], count: usize) -> Result<Self, MetricError> {
        if labels.is_empty() {
            return Err(MetricError::NoRows);
        }
        let whole: Result<Vec<u32>, MetricError> = labels
            .iter()
            .enumerate()
            .map(|(row, &label)| {
                if label >= 0.0 && label < count as f64 && label.floor() == label {
                    Ok(label as u32)
                } else {
                    Err(MetricError::Label { row, label, classes: count })
                }
            })
            .collect();
        Ok(Self(TruthKind::Classes { labels: Cow::Owned(whole?), count }))
    }

    /// Numbers `[rows]`, all finite.
    ///
    /// # Errors
    /// [`MetricError::NoRows`], [`MetricError::NotFinite`].
    pub fn values(values: &'a [f64]) -> Result<Self, MetricError> {
        if values.is_empty() {
            return Err(MetricError::NoRows);
        }
        check_finite("the truth", values, 1)?;
        Ok(Self(TruthKind::Values(values)))
    }

    /// Number of rows, at least 1.
    pub fn rows(&self) -> usize {
        match &self.0 {
            TruthKind::Classes { labels, .. } => labels.len(),
            TruthKind::Values(values) => values.len(),
        }
    }

    /// The class indices, or nothing when the truth is numbers.
    pub fn labels(&self) -> Option<&[u32]> {
        match &self.0 {
            TruthKind::Classes { labels, .. } => Some(labels),
            TruthKind::Values(_) => None,
        }
    }

    /// Number of classes, or nothing when the truth is numbers.
    pub fn class_count(&self) -> Option<usize> {
        match &self.0 {
            TruthKind::Classes { count, .. } => Some(*count),
            TruthKind::Values(_) => None,
        }
    }

    /// The numbers, or nothing when the truth is classes.
    pub fn numbers(&self) -> Option<&[f64]> {
        match &self.0 {
            TruthKind::Classes { .. } => None,
            TruthKind::Values(values) => Some(values),
        }
    }
}

/// What a model said, row-major.
#[derive(Clone, Debug)]
pub struct Scores<'a>(pub(crate) ScoresKind<'a>);

#[derive(Clone, Debug)]
pub(crate) enum ScoresKind<'a> {
    /// Probabilities `[rows, classes]`; two columns for a binary task.
    Probabilities { values: &'a [f64], classes: usize },
    /// Finite numbers `[rows]`.
    Values(&'a [f64]),
    /// Finite numbers `[rows, levels]`.
    Quantiles { values: &'a [f64], levels: &'a [f64] },
}

impl<'a> Scores<'a> {
    /// Probabilities `[rows, classes]`, row-major, each row in [0, 1] with sum 1 (to 1e-4). A binary task has two
    /// columns, of which column 1 belongs to the positive class.
    ///
    /// # Errors
    /// [`MetricError::NoRows`], [`MetricError::Length`], [`MetricError::NotFinite`],
    /// [`MetricError::NotProbabilities`], [`MetricError::Setting`] for fewer than two classes.
    pub fn probabilities(values: &'a [f64], classes: usize) -> Result<Self, MetricError> {
        if classes < 2 {
            return Err(MetricError::Setting {
                setting: "the number of classes",
                value: classes as f64,
                allowed: "2 or more",
            });
        }
        check_shape(values, classes)?;
        for (row, probabilities) in values.chunks_exact(classes).enumerate() {
            let sum: f64 = probabilities.iter().sum();
            // A NaN fails both comparisons and so is caught here, too.
            let is_distribution = (sum - 1.0).abs() <= SUM_TOLERANCE
                && probabilities.iter().all(|p| (-ROUNDING..=1.0 + ROUNDING).contains(p));
            if !is_distribution {
                check_finite("the prediction", probabilities, classes).map_err(|error| at_row(error, row))?;
                return Err(MetricError::NotProbabilities { row, sum });
            }
        }
        Ok(Self(ScoresKind::Probabilities { values, classes }))
    }

    /// Predicted numbers `[rows]`, all finite.
    ///
    /// # Errors
    /// [`MetricError::NoRows`], [`MetricError::NotFinite`].
    pub fn values(values: &'a [f64]) -> Result<Self, MetricError> {
        check_shape(values, 1)?;
        check_finite("the prediction", values, 1)?;
        Ok(Self(ScoresKind::Values(values)))
    }

    /// Predicted quantiles `[rows, levels]`, row-major, all finite; `levels` ascend strictly within (0, 1).
    ///
    /// # Errors
    /// [`MetricError::NoRows`], [`MetricError::Length`], [`MetricError::NotFinite`], [`MetricError::Level`].
    pub fn quantiles(values: &'a [f64], levels: &'a [f64]) -> Result<Self, MetricError> {
        let mut before = 0.0;
        for (position, &level) in levels.iter().enumerate() {
            if !(level > before && level < 1.0) {
                return Err(MetricError::Level { position, level });
            }
            before = level;
        }
        if levels.is_empty() {
            return Err(MetricError::Level { position: 0, level: f64::NAN });
        }
        check_shape(values, levels.len())?;
        check_finite("the prediction", values, levels.len())?;
        Ok(Self(ScoresKind::Quantiles { values, levels }))
    }

    /// Number of rows, at least 1.
    pub fn rows(&self) -> usize {
        match &self.0 {
            ScoresKind::Probabilities { values, classes } => values.len() / classes,
            ScoresKind::Values(values) => values.len(),
            ScoresKind::Quantiles { values, levels } => values.len() / levels.len(),
        }
    }

    /// The kind of task that such predictions answer.
    pub fn task(&self) -> TaskKind {
        match &self.0 {
            ScoresKind::Probabilities { classes: 2, .. } => TaskKind::Binary,
            ScoresKind::Probabilities { .. } => TaskKind::Multiclass,
            ScoresKind::Values(_) => TaskKind::Regression,
            ScoresKind::Quantiles { .. } => TaskKind::Quantile,
        }
    }
}

/// Checks that `weights` are one finite, non-negative number a row with a positive sum.
///
/// # Errors
/// [`MetricError::Length`], [`MetricError::Weight`], [`MetricError::NoWeight`].
pub(crate) fn check_weights(weights: &[f64], rows: usize) -> Result<(), MetricError> {
    if weights.len() != rows {
        return Err(MetricError::Length {
            what: "the array of weights",
            found: weights.len(),
            expected: rows,
        });
    }
    if let Some(row) = weights.iter().position(|weight| !(weight.is_finite() && *weight >= 0.0)) {
        return Err(MetricError::Weight { row, value: weights[row] });
    }
    if weights.iter().all(|&weight| weight == 0.0) {
        return Err(MetricError::NoWeight);
    }
    Ok(())
}

fn check_shape(values: &[f64], columns: usize) -> Result<(), MetricError> {
    if values.is_empty() {
        return Err(MetricError::NoRows);
    }
    if !values.len().is_multiple_of(columns) {
        let expected = (values.len() / columns + 1) * columns;
        return Err(MetricError::Length { what: "the array of predictions", found: values.len(), expected });
    }
    Ok(())
}

fn check_finite(what: &'static str, values: &[f64], columns: usize) -> Result<(), MetricError> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(MetricError::NotFinite { what, row: index / columns, value: values[index] }),
        None => Ok(()),
    }
}

fn at_row(error: MetricError, row: usize) -> MetricError {
    match error {
        MetricError::NotFinite { what, value, .. } => MetricError::NotFinite { what, row, value },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_checked_once() {
        assert_eq!(Truth::classes(&[], 2).unwrap_err(), MetricError::NoRows);
        assert_eq!(
            Truth::classes(&[0, 2], 2).unwrap_err(),
            MetricError::Label { row: 1, label: 2.0, classes: 2 }
        );
        for wrong in [f64::NAN, -1.0, 0.5, 3.0] {
            let error = Truth::classes_from_numbers(&[0.0, wrong], 3).unwrap_err();
            assert!(matches!(error, MetricError::Label { row: 1, .. }), "{error}");
        }
        let truth = Truth::classes_from_numbers(&[2.0, 0.0], 3).unwrap();
        assert_eq!(truth.labels(), Some(&[2, 0][..]));
        assert!(matches!(Truth::values(&[1.0, f64::INFINITY]), Err(MetricError::NotFinite { row: 1, .. })));
    }

    #[test]
    fn predictions_are_checked_once() {
        let nan = Scores::probabilities(&[0.5, 0.5, f64::NAN, 1.0], 2).unwrap_err();
        assert!(matches!(nan, MetricError::NotFinite { row: 1, .. }), "{nan}");
        let unnormalised = Scores::probabilities(&[0.5, 0.5, 0.5, 0.6], 2).unwrap_err();
        assert!(matches!(unnormalised, MetricError::NotProbabilities { row: 1, .. }), "{unnormalised}");
        let negative = Scores::probabilities(&[1.5, -0.5], 2).unwrap_err();
        assert!(matches!(negative, MetricError::NotProbabilities { row: 0, .. }), "{negative}");
        assert!(Scores::probabilities(&[-1e-17, 1.0_f64.next_up()], 2).is_ok());
        let ragged = Scores::probabilities(&[0.5, 0.5, 1.0], 2).unwrap_err();
        assert_eq!(ragged.to_string(), "the array of predictions has 3 entries, expected 4");
        assert!(matches!(
            Scores::quantiles(&[1.0, 2.0], &[0.9, 0.1]),
            Err(MetricError::Level { position: 1, .. })
        ));
        assert!(Scores::quantiles(&[1.0, 2.0], &[]).is_err());
        assert_eq!(Scores::quantiles(&[1.0, 2.0, 3.0, 4.0], &[0.1, 0.9]).unwrap().rows(), 2);
        assert_eq!(Scores::values(&[]).unwrap_err(), MetricError::NoRows);
    }

    #[test]
    fn weights_are_finite_not_negative_and_not_all_zero() {
        assert_eq!(check_weights(&[0.0, 2.0], 2), Ok(()));
        assert_eq!(check_weights(&[0.0, 0.0], 2), Err(MetricError::NoWeight));
        assert_eq!(check_weights(&[1.0, -1.0], 2), Err(MetricError::Weight { row: 1, value: -1.0 }));
        assert!(matches!(check_weights(&[1.0, f64::NAN], 2), Err(MetricError::Weight { row: 1, .. })));
        assert!(matches!(check_weights(&[1.0], 2), Err(MetricError::Length { .. })));
    }
}
