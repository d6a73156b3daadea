//! Measures of predicted numbers, and the pinball loss of predicted quantiles.
//!
//! ```
//! use kaizen_metrics::{Scores, Truth, by_name};
//! let truth = Truth::values(&[3.0, 0.5, 2.0, 7.0])?;
//! let scores = Scores::values(&[2.5, 0.5, 2.0, 8.0])?;
//! for (name, expected) in [("mse", 0.3125), ("mae", 0.375), ("max_error", 1.0), ("median_ae", 0.25)] {
//!     assert_eq!(by_name(name)?.value(&truth, &scores, None)?, expected);
//! }
//! let r2 = by_name("r2")?.value(&truth, &scores, None)?;
//! assert!((r2 - (1.0 - 1.25 / 23.1875)).abs() < 1e-12);
//! # Ok::<(), kaizen_metrics::MetricError>(())
//! ```

use kaizen_base::{Card, math};

use crate::error::MetricError;
use crate::input::{Scores, ScoresKind, Truth, TruthKind};
use crate::mean::{RowMean, identity, sum_in_chunks};
use crate::metric::{
    Direction, Metric, Needs, Preparation, Prepare, Statistic, Structure, TaskKind, value_input,
};

const REGRESSION: &[TaskKind] = &[TaskKind::Regression];

/// The two steps of a row differ; all else of a loss on numbers is alike.
const fn loss(card: Card, aliases: &'static [&'static str], largest: f64, prepare: Prepare) -> Metric {
    Metric {
        card,
        aliases,
        tasks: REGRESSION,
        direction: Direction::Lower,
        range: (0.0, largest),
        needs: Needs::Values,
        multiclass: None,
        structure: Structure::Other,
        prepare,
    }
}

const fn explained(card: Card, aliases: &'static [&'static str], prepare: Prepare) -> Metric {
    Metric {
        direction: Direction::Higher,
        range: (f64::NEG_INFINITY, 1.0),
        ..loss(card, aliases, 0.0, prepare)
    }
}

/// The rows of this family.
pub(crate) const METRICS: &[Metric] = &[
    Metric {
        structure: Structure::RootMeanSquare,
        ..loss(
            Card {
                name: "rmse",
                summary: "square root of the mean squared error",
                source: "Gauss (1821), Theoria combinationis; as scikit-learn's root_mean_squared_error",
            },
            &["root_mean_squared_error", "neg_root_mean_squared_error"],
            f64::INFINITY,
            |_, truth, predictions| {
                let (y, p) = value_input(truth, predictions);
                Ok(RowMean::boxed(y.len(), |row| (y[row] - p[row]) * (y[row] - p[row]), f64::sqrt))
            },
        )
    },
    Metric {
        structure: Structure::MeanSquare,
        ..loss(
            Card {
                name: "mse",
                summary: "mean squared error",
                source: "Gauss (1821), Theoria combinationis; as scikit-learn's mean_squared_error",
            },
            &["mean_squared_error", "neg_mean_squared_error"],
            f64::INFINITY,
            |_, truth, predictions| {
                let (y, p) = value_input(truth, predictions);
                Ok(RowMean::boxed(y.len(), |row| (y[row] - p[row]) * (y[row] - p[row]), identity))
            },
        )
    },
    loss(
        Card {
            name: "mae",
            summary: "mean absolute error",
            source: "Laplace (1774), Mémoire sur la probabilité; as scikit-learn's mean_absolute_error",
        },
        &["mean_absolute_error", "neg_mean_absolute_error"],
        f64::INFINITY,
        |_, truth, predictions| {
            let (y, p) = value_input(truth, predictions);
            Ok(RowMean::boxed(y.len(), |row| (y[row] - p[row]).abs(), identity))
        },
    ),
    loss(
        Card {
            name: "median_ae",
            summary: "weighted median of the absolute error",
            source: "Hyndman and Fan (1996), Sample Quantiles, definition 2; as scikit-learn's median_absolute_error",
        },
        &["median_absolute_error", "neg_median_absolute_error"],
        f64::INFINITY,
        |_, truth, predictions| Ok(Box::new(MedianError::new(truth, predictions))),
    ),
    loss(
        Card {
            name: "mape",
            summary: "mean absolute error relative to the truth (1 is 100 %); huge where the truth is zero",
            source: "Armstrong (1978), Long-Range Forecasting; as scikit-learn's mean_absolute_percentage_error",
        },
        &["mean_absolute_percentage_error", "neg_mean_absolute_percentage_error"],
        f64::INFINITY,
        |_, truth, predictions| {
            let (y, p) = value_input(truth, predictions);
            Ok(RowMean::boxed(
                y.len(),
                |row| (y[row] - p[row]).abs() / y[row].abs().max(f64::EPSILON),
                identity,
            ))
        },
    ),
    loss(
        Card {
            name: "smape",
            summary: "mean absolute error relative to the mean size of truth and prediction, in [0, 2]; 0 where both are 0",
            source: "Makridakis (1993), Accuracy measures: theoretical and practical concerns",
        },
        &["symmetric_mean_absolute_percentage_error"],
        2.0,
        |_, truth, predictions| {
            let (y, p) = value_input(truth, predictions);
            Ok(RowMean::boxed(y.len(), |row| symmetric_relative_error(y[row], p[row]), identity))
        },
    ),
    loss(
        Card {
            name: "rmsle",
            summary: "root mean squared error of ln(1 + value), for values above -1",
            source: "as scikit-learn's root_mean_squared_log_error",
        },
        &["root_mean_squared_log_error", "neg_root_mean_squared_log_error"],
        f64::INFINITY,
        prepare_rmsle,
    ),
    Metric {
        structure: Structure::ShareOfSquares,
        ..explained(
            Card {
                name: "r2",
                summary: "share of the truth's variance that the prediction explains; 0 for the best constant",
                source: "Wright (1921), Correlation and Causation; as scikit-learn's r2_score",
            },
            &["r2_score", "r_squared", "coefficient_of_determination"],
            |metric, truth, predictions| Ok(Box::new(Explained::new(metric, truth, predictions, false))),
        )
    },
    explained(
        Card {
            name: "explained_variance",
            summary: "share of the truth's variance explained, a constant offset forgiven",
            source: "as scikit-learn's explained_variance_score",
        },
        &["explained_variance_score"],
        |metric, truth, predictions| Ok(Box::new(Explained::new(metric, truth, predictions, true))),
    ),
    loss(
        Card {
            name: "poisson_deviance",
            summary: "mean Poisson deviance, for counts of 0 or more and predictions above 0",
            source: "McCullagh and Nelder (1989), Generalized Linear Models, table 2.1; as scikit-learn's mean_poisson_deviance",
        },
        &["mean_poisson_deviance", "neg_mean_poisson_deviance"],
        f64::INFINITY,
        prepare_poisson,
    ),
    loss(
        Card {
            name: "gamma_deviance",
            summary: "mean gamma deviance, for truths and predictions above 0",
            source: "McCullagh and Nelder (1989), Generalized Linear Models, table 2.1; as scikit-learn's mean_gamma_deviance",
        },
        &["mean_gamma_deviance", "neg_mean_gamma_deviance"],
        f64::INFINITY,
        prepare_gamma,
    ),
    loss(
        Card {
            name: "max_error",
            summary: "largest absolute error among rows of positive weight",
            source: "as scikit-learn's max_error, which takes no weights",
        },
        &["neg_max_error"],
        f64::INFINITY,
        |_, truth, predictions| Ok(Box::new(MaxError(absolute_errors(truth, predictions)))),
    ),
    Metric {
        tasks: &[TaskKind::Quantile, TaskKind::Regression],
        needs: Needs::Quantiles,
        ..loss(
            Card {
                name: "pinball",
                summary: "mean pinball loss over rows and quantile levels; a single number counts as the median",
                source: "Koenker and Bassett (1978), Regression Quantiles; mean over levels of scikit-learn's mean_pinball_loss",
            },
            &["mean_pinball_loss", "pinball_loss", "quantile_loss"],
            f64::INFINITY,
            prepare_pinball,
        )
    },
];

fn symmetric_relative_error(y: f64, p: f64) -> f64 {
    let size = y.abs() + p.abs();
    if size == 0.0 { 0.0 } else { 2.0 * (y - p).abs() / size }
}

fn absolute_errors(truth: &Truth<'_>, predictions: &Scores<'_>) -> Vec<f64> {
    let (y, p) = value_input(truth, predictions);
    y.iter().zip(p).map(|(y, p)| (y - p).abs()).collect()
}

fn check_domain(
    metric: &'static str,
    what: &'static str,
    values: &[f64],
    allowed: &'static str,
    is_allowed: impl Fn(f64) -> bool,
) -> Result<(), MetricError> {
    match values.iter().position(|&value| !is_allowed(value)) {
        Some(row) => Err(MetricError::Domain { metric, what, row, value: values[row], allowed }),
        None => Ok(()),
    }
}

fn prepare_rmsle(metric: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>) -> Preparation {
    let (y, p) = value_input(truth, predictions);
    check_domain(metric, "the truth", y, "values above -1", |value| value > -1.0)?;
    check_domain(metric, "the prediction", p, "values above -1", |value| value > -1.0)?;
    let loss = |row: usize| {
        let distance = math::log1p(y[row]) - math::log1p(p[row]);
        distance * distance
    };
    Ok(RowMean::boxed(y.len(), loss, f64::sqrt))
}

fn prepare_poisson(metric: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>) -> Preparation {
    let (y, p) = value_input(truth, predictions);
    check_domain(metric, "the truth", y, "values of 0 or more", |value| value >= 0.0)?;
    check_domain(metric, "the prediction", p, "values above 0", |value| value > 0.0)?;
    let loss = |row: usize| {
        let (y, p) = (y[row], p[row]);
        let surprise = if y == 0.0 { 0.0 } else { y * math::ln(y / p) };
        2.0 * (surprise - y + p)
    };
    Ok(RowMean::boxed(y.len(), loss, identity))
}

fn prepare_gamma(metric: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>) -> Preparation {
    let (y, p) = value_input(truth, predictions);
    check_domain(metric, "the truth", y, "values above 0", |value| value > 0.0)?;
    check_domain(metric, "the prediction", p, "values above 0", |value| value > 0.0)?;
    Ok(RowMean::boxed(y.len(), |row| 2.0 * (math::ln(p[row] / y[row]) + y[row] / p[row] - 1.0), identity))
}

fn prepare_pinball(_: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>) -> Preparation {
    let (y, values, levels) = match (&truth.0, &predictions.0) {
        (TruthKind::Values(y), ScoresKind::Quantiles { values, levels }) => (*y, *values, *levels),
        (TruthKind::Values(y), ScoresKind::Values(values)) => (*y, *values, &[0.5][..]),
        _ => unreachable!("Metric::prepare lets only numbers meet numbers"),
    };
    let count = levels.len();
    let loss = |row: usize| {
        let predicted = &values[row * count..(row + 1) * count];
        let sum: f64 = levels.iter().zip(predicted).map(|(level, q)| pinball_of(*level, y[row] - q)).sum();
        sum / count as f64
    };
    Ok(RowMean::boxed(y.len(), loss, identity))
}

/// The pinball loss at quantile `level` of `excess`, the truth less the prediction.
///
/// ```
/// assert_eq!(kaizen_metrics::pinball_of(0.75, 2.0), 1.5);
/// assert_eq!(kaizen_metrics::pinball_of(0.75, -2.0), 0.5);
/// ```
#[inline]
pub fn pinball_of(level: f64, excess: f64) -> f64 {
    (level * excess).max((level - 1.0) * excess)
}

/// Largest absolute error.
struct MaxError(Vec<f64>);

impl Statistic for MaxError {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        Ok(match weights {
            None => self.0.iter().copied().fold(0.0, f64::max),
            Some(weights) => {
                let counted = self.0.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
                counted.map(|(error, _)| *error).fold(0.0, f64::max)
            }
        })
    }
}

/// Absolute errors in ascending order, each with its row.
struct MedianError {
    ascending: Vec<(f64, u32)>,
}

impl MedianError {
    fn new(truth: &Truth<'_>, predictions: &Scores<'_>) -> Self {
        let errors = absolute_errors(truth, predictions);
        let mut ascending: Vec<(f64, u32)> =
            errors.into_iter().enumerate().map(|(row, error)| (error, row as u32)).collect();
        ascending.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Self { ascending }
    }
}

impl Statistic for MedianError {
    /// The smallest error at which the cumulated weight passes half; its mean with the next where it meets half
    /// exactly.
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        let weight_of = |row: u32| weights.map_or(1.0, |weights| weights[row as usize]);
        let half = 0.5 * self.ascending.iter().map(|&(_, row)| weight_of(row)).sum::<f64>();
        let mut cumulated = 0.0;
        let mut lower = None;
        for &(error, row) in &self.ascending {
            let weight = weight_of(row);
            if weight == 0.0 {
                continue;
            }
            if let Some(lower) = lower {
                return Ok(0.5 * (lower + error));
            }
            cumulated += weight;
            if cumulated > half {
                return Ok(error);
            }
            if cumulated == half {
                lower = Some(error);
            }
        }
        // Rounding may leave the sum at exactly half of itself only when a single row carries all the weight.
        lower.ok_or(MetricError::NoWeight)
    }
}

/// One less the ratio of two sums of squares.
struct Explained {
    metric: &'static str,
    truth: Vec<f64>,
    residuals: Vec<f64>,
    /// Whether residuals are taken about their mean.
    is_centred: bool,
}

impl Explained {
    fn new(metric: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>, is_centred: bool) -> Self {
        let (y, p) = value_input(truth, predictions);
        let residuals = y.iter().zip(p).map(|(y, p)| y - p).collect();
        Self { metric, truth: y.to_vec(), residuals, is_centred }
    }
}

impl Statistic for Explained {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        let rows = self.truth.len();
        let weight_of = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let total = sum_in_chunks(rows, |range| range.map(weight_of).sum());
        let mean_of = |values: &[f64]| {
            sum_in_chunks(rows, |range| range.map(|row| weight_of(row) * values[row]).sum()) / total
        };
        let squares_about = |values: &[f64], centre: f64| {
            let square = |row: usize| (values[row] - centre) * (values[row] - centre);
            sum_in_chunks(rows, |range| range.map(|row| weight_of(row) * square(row)).sum())
        };
        // A constant has no spread, whatever the rounding of its mean leaves.
        let mut counted = (0..rows).filter(|&row| weight_of(row) > 0.0).map(|row| self.truth[row]);
        let first = counted.next();
        if counted.all(|value| Some(value) == first) {
            return Err(MetricError::ConstantTruth { metric: self.metric });
        }
        let centre = if self.is_centred { mean_of(&self.residuals) } else { 0.0 };
        let spread = squares_about(&self.truth, mean_of(&self.truth));
        Ok(1.0 - squares_about(&self.residuals, centre) / spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_name;

    fn value(name: &str, y: &[f64], p: &[f64], weights: Option<&[f64]>) -> Result<f64, MetricError> {
        by_name(name)?.value(&Truth::values(y)?, &Scores::values(p)?, weights)
    }

    #[test]
    fn weighted_median_meets_half_between_rows() {
        let (y, p) = ([0.0; 4], [1.0, 2.0, 3.0, 10.0]);
        assert_eq!(value("median_ae", &y, &p, None).unwrap(), 2.5);
        assert_eq!(value("median_ae", &y, &p, Some(&[1.0, 1.0, 1.0, 5.0])).unwrap(), 10.0);
        assert_eq!(value("median_ae", &y, &p, Some(&[2.0, 1.0, 0.0, 1.0])).unwrap(), 1.5);
        assert_eq!(value("median_ae", &y, &p, Some(&[2.0, 0.0, 0.0, 2.0])).unwrap(), 5.5);
        assert_eq!(value("median_ae", &[1.0], &[4.0], None).unwrap(), 3.0);
    }

    #[test]
    fn weight_zero_is_an_absent_row() {
        assert_eq!(value("max_error", &[0.0, 0.0], &[1.0, 9.0], Some(&[1.0, 0.0])).unwrap(), 1.0);
        let error = value("r2", &[2.0, 2.0, 5.0], &[1.0, 2.0, 3.0], Some(&[1.0, 1.0, 0.0])).unwrap_err();
        assert_eq!(error, MetricError::ConstantTruth { metric: "r2" });
    }

    #[test]
    fn domains_are_enforced_with_the_row() {
        let error = value("gamma_deviance", &[1.0, 0.0], &[1.0, 1.0], None).unwrap_err();
        assert_eq!(error.to_string(), "the truth is 0 in row 1; gamma_deviance needs values above 0");
        assert!(value("poisson_deviance", &[0.0], &[1.0], None).is_ok());
        assert!(value("poisson_deviance", &[0.0], &[0.0], None).is_err());
        assert!(value("rmsle", &[-1.0], &[0.0], None).is_err());
    }

    #[test]
    fn an_offset_is_forgiven_by_explained_variance_alone() {
        let (y, p) = ([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]);
        assert!((value("explained_variance", &y, &p, None).unwrap() - 1.0).abs() < 1e-15);
        assert!((value("r2", &y, &p, None).unwrap() - (1.0 - 3.0 / 2.0)).abs() < 1e-15);
    }

    #[test]
    fn pinball_averages_levels_and_takes_a_number_for_the_median() {
        let truth = Truth::values(&[10.0]).unwrap();
        let scores = Scores::quantiles(&[8.0, 11.0], &[0.1, 0.9]).unwrap();
        let pinball = by_name("pinball").unwrap();
        assert!(
            (pinball.value(&truth, &scores, None).unwrap() - 0.5 * (0.1 * 2.0 + 0.1 * 1.0)).abs() < 1e-15
        );
        assert!((value("pinball", &[10.0], &[8.0], None).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(value("smape", &[0.0, 1.0], &[0.0, 3.0], None).unwrap(), 0.5);
    }
}
