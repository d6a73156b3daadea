//! What a metric is: one row of a table, holding data that others read and the function that measures.
//!
//! A metric is a struct with a function pointer, not a trait: the set is closed, a row is a constant, and everything
//! but the computation is data. The computation has two steps. *Preparing* does once what does not depend on
//! weights (losses of each row, sorting for a ranking, predicted labels); *measuring* takes weights. A bootstrap of
//! hundreds of samples is then hundreds of cheap second steps.

use std::fmt;

use kaizen_base::Card;

use crate::confusion::Confusion;
use crate::error::MetricError;
use crate::input::{Scores, ScoresKind, Truth, TruthKind, check_weights};

/// Kinds of supervised task, by the shape of their predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// Two classes, of which class 1 is the positive one.
    Binary,
    /// Three classes or more.
    Multiclass,
    /// One number a row.
    Regression,
    /// Several quantiles of one number a row.
    Quantile,
}

impl fmt::Display for TaskKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Binary => "binary classification",
            Self::Multiclass => "multiclass classification",
            Self::Regression => "regression",
            Self::Quantile => "quantile regression",
        })
    }
}

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A larger value is better.
    Higher,
    /// A smaller value is better.
    Lower,
}

/// What of a prediction a metric looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The most probable class alone.
    Labels,
    /// The probability of each class.
    Probabilities,
    /// The predicted number.
    Values,
    /// The predicted quantiles.
    Quantiles,
}

/// What the formula of a metric lets a search over *blends* of predictions reuse from one blend to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Structure {
    /// Only the blended probability of the true class matters, through its logarithm.
    LogOfTrueClass,
    /// Mean of squared distances to the truth: quadratic in the weights of the blend.
    MeanSquare,
    /// Square root of a mean of squared distances.
    RootMeanSquare,
    /// One less a mean of squared distances in units of the truth's variance.
    ShareOfSquares,
    /// Only the order of the probabilities of class 1 matters, by its area under the ROC curve.
    Area,
    /// Nothing: each blend is measured afresh.
    Other,
}

/// One measure of predictive quality.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Name, summary, source.
    pub card: Card,
    /// Other names under which it is known, among them scikit-learn's function and scorer.
    pub aliases: &'static [&'static str],
    /// Kinds of task it applies to.
    pub tasks: &'static [TaskKind],
    /// Which way it improves.
    pub direction: Direction,
    /// Smallest and largest possible value, in this order. The better end is always finite.
    pub range: (f64, f64),
    /// What of a prediction it looks at.
    pub needs: Needs,
    /// The metric that means the same for three classes or more, where this one is for two only.
    pub multiclass: Option<&'static str>,
    /// What a search over blends may exploit.
    pub structure: Structure,
    pub(crate) prepare: Prepare,
}

/// The first step of a metric: of its own name (for errors), the truth and the predictions, which fit each other.
pub(crate) type Prepare = fn(&'static str, &Truth<'_>, &Scores<'_>) -> Preparation;

/// What the first step leaves. Every family has the same signature, so some never fail.
pub(crate) type Preparation = Result<Box<dyn Statistic>, MetricError>;

/// The second step of a metric. `weights` are checked, `[rows]`, or absent for all ones.
pub(crate) trait Statistic: Send + Sync {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError>;

    /// The value at another confusion matrix, for metrics that are a function of one.
    fn of_confusion(&self, _: &Confusion) -> Option<Result<f64, MetricError>> {
        None
    }
}

/// A metric that has seen truth and predictions, and can be measured many times under different weights.
pub struct Prepared {
    statistic: Box<dyn Statistic>,
    rows: usize,
}

impl Prepared {
    /// The value under `weights` `[rows]` (all ones where absent); same definition as [`Metric::value`].
    ///
    /// # Errors
    /// Those of [`Metric::value`].
    pub fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        if let Some(weights) = weights {
            check_weights(weights, self.rows)?;
        }
        self.statistic.value(weights)
    }

    /// The value under weights known to be good.
    pub(crate) fn value_unchecked(&self, weights: &[f64]) -> Result<f64, MetricError> {
        self.statistic.value(Some(weights))
    }

    pub(crate) fn of_confusion(&self, matrix: &Confusion) -> Option<Result<f64, MetricError>> {
        self.statistic.of_confusion(matrix)
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }
}

impl Metric {
    /// The name under which it is listed.
    pub fn name(&self) -> &'static str {
        self.card.name
    }

    /// Whether it can judge predictions of this kind of task.
    pub fn applies_to(&self, task: TaskKind) -> bool {
        self.tasks.contains(&task)
    }

    /// Does once what does not depend on weights, for many calls of [`Prepared::value`].
    ///
    /// # Errors
    /// [`MetricError::Kind`], [`MetricError::Length`], [`MetricError::Domain`].
    pub fn prepare(&self, truth: &Truth<'_>, predictions: &Scores<'_>) -> Result<Prepared, MetricError> {
        let task = predictions.task();
        if !self.applies_to(task) {
            return Err(self.wrong_kind(task));
        }
        let rows = predictions.rows();
        if truth.rows() != rows {
            return Err(MetricError::Length { what: "the truth", found: truth.rows(), expected: rows });
        }
        match (&truth.0, &predictions.0) {
            (TruthKind::Classes { count, .. }, ScoresKind::Probabilities { classes, .. })
                if count != classes =>
            {
                return Err(MetricError::Length {
                    what: "a row of probabilities",
                    found: *classes,
                    expected: *count,
                });
            }
            (TruthKind::Classes { .. }, ScoresKind::Probabilities { .. })
            | (TruthKind::Values(_), ScoresKind::Values(_) | ScoresKind::Quantiles { .. }) => {}
            _ => return Err(self.wrong_kind(task)),
        }
        Ok(Prepared { statistic: (self.prepare)(self.card.name, truth, predictions)?, rows })
    }

    /// The value, as scikit-learn defines it. A row of weight zero counts as absent, one of weight two as two rows.
    ///
    /// # Errors
    /// [`MetricError::Kind`] when the metric does not fit the task; [`MetricError::Length`] when the arrays do not
    /// fit each other; [`MetricError::Weight`] and [`MetricError::NoWeight`] for bad weights;
    /// [`MetricError::Domain`] for numbers at which the formula is undefined; [`MetricError::OneClass`],
    /// [`MetricError::AbsentClass`] and [`MetricError::ConstantTruth`] for truths at which it is.
    pub fn value(
        &self,
        truth: &Truth<'_>,
        predictions: &Scores<'_>,
        weights: Option<&[f64]>,
    ) -> Result<f64, MetricError> {
        self.prepare(truth, predictions)?.value(weights)
    }

    /// The value as a loss: 0 at best, lower is better, for every metric alike.
    ///
    /// # Errors
    /// Those of [`Metric::value`].
    pub fn error(
        &self,
        truth: &Truth<'_>,
        predictions: &Scores<'_>,
        weights: Option<&[f64]>,
    ) -> Result<f64, MetricError> {
        self.value(truth, predictions, weights).map(|value| self.loss_of(value))
    }

    /// Turns a value into a loss: the distance from the best possible value, so that 0 is best.
    ///
    /// ```
    /// let auc = kaizen_metrics::by_name("roc_auc").unwrap();
    /// assert_eq!(auc.loss_of(0.75), 0.25);
    /// assert_eq!(auc.value_of(0.25), 0.75);
    /// ```
    pub fn loss_of(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Higher => self.range.1 - value,
            Direction::Lower => value - self.range.0,
        }
    }

    /// Turns a loss of [`Metric::loss_of`] back into a value.
    pub fn value_of(&self, loss: f64) -> f64 {
        match self.direction {
            Direction::Higher => self.range.1 - loss,
            Direction::Lower => loss + self.range.0,
        }
    }

    /// Whether value `a` is strictly better than value `b`.
    pub fn is_better(&self, a: f64, b: f64) -> bool {
        self.loss_of(a) < self.loss_of(b)
    }

    pub(crate) fn wrong_kind(&self, found: TaskKind) -> MetricError {
        let tasks: Vec<String> = self.tasks.iter().map(ToString::to_string).collect();
        MetricError::Kind { metric: self.card.name, wanted: tasks.join(" or "), found }
    }
}

/// Borrowed labels `[rows]`, number of classes, and probabilities `[rows, classes]` of a classification task.
///
/// [`Metric::prepare`] has checked the pairing before any family sees it.
pub(crate) fn class_input<'a>(
    truth: &'a Truth<'_>,
    predictions: &'a Scores<'_>,
) -> (&'a [u32], usize, &'a [f64]) {
    match (&truth.0, &predictions.0) {
        (TruthKind::Classes { labels, count }, ScoresKind::Probabilities { values, .. }) => {
            (labels, *count, values)
        }
        _ => unreachable!("Metric::prepare lets only classes meet probabilities"),
    }
}

/// Borrowed truth and predictions, both `[rows]`, of a regression task.
///
/// [`Metric::prepare`] has checked the pairing before any family sees it.
pub(crate) fn value_input<'a>(truth: &'a Truth<'_>, predictions: &'a Scores<'_>) -> (&'a [f64], &'a [f64]) {
    match (&truth.0, &predictions.0) {
        (TruthKind::Values(truth), ScoresKind::Values(values)) => (truth, values),
        _ => unreachable!("Metric::prepare lets only numbers meet numbers"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_name;

    #[test]
    fn misfits_are_refused_in_words() {
        let truth = Truth::values(&[1.0]).unwrap();
        let scores = Scores::values(&[1.0]).unwrap();
        let error = by_name("roc_auc").unwrap().value(&truth, &scores, None).unwrap_err();
        assert_eq!(error.to_string(), "roc_auc judges binary classification, these are regression");
        let probabilities = Scores::probabilities(&[0.5, 0.5], 2).unwrap();
        assert!(by_name("log_loss").unwrap().value(&truth, &probabilities, None).is_err());
        let classes = Truth::classes(&[0], 3).unwrap();
        let error = by_name("log_loss").unwrap().value(&classes, &probabilities, None).unwrap_err();
        assert_eq!(error.to_string(), "a row of probabilities has 2 entries, expected 3");
        let long = Scores::values(&[1.0, 2.0]).unwrap();
        assert!(matches!(
            by_name("rmse").unwrap().value(&truth, &long, None),
            Err(MetricError::Length { found: 1, expected: 2, .. })
        ));
    }

    #[test]
    fn losses_are_zero_at_best_for_every_metric() {
        for metric in crate::all() {
            let best = match metric.direction {
                Direction::Higher => metric.range.1,
                Direction::Lower => metric.range.0,
            };
            assert_eq!(metric.loss_of(best), 0.0, "{}", metric.name());
            assert!(best.is_finite(), "{}", metric.name());
            assert!((metric.value_of(metric.loss_of(0.3)) - 0.3).abs() < 1e-15);
            let worse = if metric.direction == Direction::Higher { best - 0.1 } else { best + 0.1 };
            assert!(metric.is_better(best, worse) && !metric.is_better(worse, best), "{}", metric.name());
        }
    }
}
