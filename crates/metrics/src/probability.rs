//! Proper scoring rules of probabilities: log loss and Brier score.
//!
//! ```
//! use kaizen_metrics::{Scores, Truth, by_name};
//! let truth = Truth::classes(&[1, 0, 0, 1], 2)?;
//! let scores = Scores::probabilities(&[0.1, 0.9, 0.9, 0.1, 0.8, 0.2, 0.35, 0.65], 2)?;
//! let log_loss = by_name("log_loss")?.value(&truth, &scores, None)?;
//! assert!((log_loss - 0.21616187468057912).abs() < 1e-12);
//! let brier = by_name("brier")?.value(&truth, &scores, None)?;
//! assert!((brier - 0.045625).abs() < 1e-12);
//! # Ok::<(), kaizen_metrics::MetricError>(())
//! ```

use kaizen_base::{Card, math};

use crate::input::{Scores, Truth};
use crate::mean::{RowMean, identity};
use crate::metric::{Direction, Metric, Needs, Preparation, Structure, TaskKind, class_input};

const CLASSIFICATION: &[TaskKind] = &[TaskKind::Binary, TaskKind::Multiclass];

/// The rows of this family.
pub(crate) const METRICS: &[Metric] = &[
    Metric {
        card: Card {
            name: "log_loss",
            summary: "mean negative logarithm of the probability given to the true class",
            source: "Good (1952), Rational Decisions; as scikit-learn's log_loss, probabilities clipped at 2^-52",
        },
        aliases: &["neg_log_loss", "logloss", "cross_entropy", "nll"],
        tasks: CLASSIFICATION,
        direction: Direction::Lower,
        range: (0.0, f64::INFINITY),
        needs: Needs::Probabilities,
        multiclass: None,
        structure: Structure::LogOfTrueClass,
        prepare: prepare_log_loss,
    },
    Metric {
        card: Card {
            name: "brier",
            summary: "mean squared distance of the probabilities from the truth; for two classes, of the positive class alone",
            source: "Brier (1950), Verification of Forecasts Expressed in Terms of Probability; scaled as scikit-learn's brier_score_loss",
        },
        aliases: &["brier_score", "brier_score_loss", "neg_brier_score"],
        tasks: CLASSIFICATION,
        direction: Direction::Lower,
        range: (0.0, 2.0),
        needs: Needs::Probabilities,
        multiclass: None,
        structure: Structure::MeanSquare,
        prepare: prepare_brier,
    },
];

/// The logarithmic loss of the probability `p` given to what happened: `-ln p`, with `p` clipped to
/// [2^-52, 1 - 2^-52] so that a wrong certainty costs 36.04 and not infinity.
///
/// ```
/// assert!((kaizen_metrics::log_loss_of(0.5) - 0.6931471805599453).abs() < 1e-15);
/// ```
#[inline]
pub fn log_loss_of(p: f64) -> f64 {
    -math::ln(p.clamp(f64::EPSILON, 1.0 - f64::EPSILON))
}

fn prepare_log_loss(_: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>) -> Preparation {
    let (labels, classes, values) = class_input(truth, predictions);
    let loss = |row: usize| log_loss_of(values[row * classes + labels[row] as usize]);
    Ok(RowMean::boxed(labels.len(), loss, identity))
}

fn prepare_brier(_: &'static str, truth: &Truth<'_>, predictions: &Scores<'_>) -> Preparation {
    let (labels, classes, values) = class_input(truth, predictions);
    let loss = |row: usize| {
        let label = labels[row] as usize;
        let probabilities = &values[row * classes..(row + 1) * classes];
        if classes == 2 {
            let distance = probabilities[1] - label as f64;
            return distance * distance;
        }
        let distances =
            probabilities.iter().enumerate().map(|(class, p)| p - f64::from(u8::from(class == label)));
        distances.map(|distance| distance * distance).sum()
    };
    Ok(RowMean::boxed(labels.len(), loss, identity))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certainty_that_is_wrong_is_finite() {
        assert!((log_loss_of(0.0) - 36.043_653_389_117_15).abs() < 1e-9);
        assert!(log_loss_of(1.0) >= 0.0);
    }

    #[test]
    fn brier_counts_all_classes_from_three_on() {
        let truth = Truth::classes(&[2], 3).unwrap();
        let scores = Scores::probabilities(&[0.2, 0.3, 0.5], 3).unwrap();
        let value = prepare_brier("brier", &truth, &scores).unwrap().value(None).unwrap();
        assert!((value - (0.04 + 0.09 + 0.25)).abs() < 1e-15);
    }
}
