//! The three losses that a search measures thousands of times, on bare slices: log loss, RMSE, and (beside the other
//! rankings) [`crate::roc_auc`]. Same definitions as the table's, to rounding; only lengths and the result are
//! checked.

use kaizen_base::math;

use crate::error::MetricError;
use crate::mean::sum_in_chunks;

/// Probabilities multiplied before one logarithm is taken. Each is at least 2^-52, so the product of sixteen is at
/// least 2^-832 and stays a normal number.
const FACTORS: usize = 16;

/// Mean log loss of `probabilities` `[rows, classes]` (row-major, each in [0, 1]) against labels `[rows]`; clipped
/// as [`crate::log_loss_of`]. Takes one logarithm for sixteen rows.
///
/// # Errors
/// [`MetricError::NoRows`]; [`MetricError::Length`]; [`MetricError::NotFinite`] for a NaN at a true class.
///
/// # Panics
/// If a label is not below `classes`.
///
/// ```
/// let loss = kaizen_metrics::log_loss(&[1, 0], &[0.2, 0.8, 0.5, 0.5], 2)?;
/// assert!((loss - 0.458_145_365_937_077_5).abs() < 1e-12);
/// # Ok::<(), kaizen_metrics::MetricError>(())
/// ```
pub fn log_loss(labels: &[u32], probabilities: &[f64], classes: usize) -> Result<f64, MetricError> {
    let rows = labels.len();
    if rows == 0 {
        return Err(MetricError::NoRows);
    }
    if probabilities.len() != rows * classes {
        let found = probabilities.len();
        return Err(MetricError::Length {
            what: "the array of predictions",
            found,
            expected: rows * classes,
        });
    }
    let of_row = |row: usize| {
        let label = labels[row] as usize;
        assert!(label < classes, "label {label} of row {row} is not one of {classes} classes");
        probabilities[row * classes + label]
    };
    let sum = sum_in_chunks(rows, |range| {
        let mut sum = 0.0;
        for start in range.clone().step_by(FACTORS) {
            let group = start..(start + FACTORS).min(range.end);
            let product: f64 = group.map(|row| of_row(row).clamp(f64::EPSILON, 1.0 - f64::EPSILON)).product();
            sum -= math::ln(product);
        }
        sum
    });
    finite(sum / rows as f64, rows, of_row)
}

/// Root mean squared error of predictions `[rows]` against the truth `[rows]`.
///
/// # Errors
/// [`MetricError::NoRows`]; [`MetricError::Length`]; [`MetricError::NotFinite`] where a difference or its square is
/// not finite.
///
/// ```
/// assert_eq!(kaizen_metrics::rmse(&[1.0, 2.0], &[1.0, 5.0])?, 4.5_f64.sqrt());
/// # Ok::<(), kaizen_metrics::MetricError>(())
/// ```
pub fn rmse(truth: &[f64], predictions: &[f64]) -> Result<f64, MetricError> {
    let rows = truth.len();
    if rows == 0 {
        return Err(MetricError::NoRows);
    }
    if predictions.len() != rows {
        let found = predictions.len();
        return Err(MetricError::Length { what: "the array of predictions", found, expected: rows });
    }
    let of_row = |row: usize| (truth[row] - predictions[row]) * (truth[row] - predictions[row]);
    let sum = sum_in_chunks(rows, |range| {
        let (truth, predictions) = (&truth[range.clone()], &predictions[range]);
        // Four sums break the chain of additions; their order is fixed.
        let mut lanes = [0.0; 4];
        let (head, tail) = (truth.len() / 4 * 4, truth.len() % 4);
        for (y, p) in truth.chunks_exact(4).zip(predictions.chunks_exact(4)) {
            for lane in 0..4 {
                let distance = y[lane] - p[lane];
                lanes[lane] += distance * distance;
            }
        }
        for row in head..head + tail {
            lanes[0] += (truth[row] - predictions[row]) * (truth[row] - predictions[row]);
        }
        (lanes[0] + lanes[1]) + (lanes[2] + lanes[3])
    });
    finite((sum / rows as f64).sqrt(), rows, of_row)
}

/// Passes a finite result on; else names the first row that spoilt it.
fn finite(result: f64, rows: usize, of_row: impl Fn(usize) -> f64) -> Result<f64, MetricError> {
    if result.is_finite() {
        return Ok(result);
    }
    let row = (0..rows).find(|&row| !of_row(row).is_finite()).unwrap_or(0);
    Err(MetricError::NotFinite { what: "the prediction", row, value: of_row(row) })
}

#[cfg(test)]
mod tests {
    use kaizen_base::Seed;

    use super::*;
    use crate::{Scores, Truth, by_name, roc_auc};

    #[test]
    fn fast_paths_agree_with_the_table() {
        let mut rng = Seed(3).rng();
        let rows = 40_001;
        let labels: Vec<u32> = (0..rows).map(|_| rng.below(2) as u32).collect();
        // A coarse grid makes ties, and certainties that are wrong.
        let positive: Vec<f64> = (0..rows).map(|_| rng.below(101) as f64 / 100.0).collect();
        let values: Vec<f64> = positive.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let numbers: Vec<f64> = labels.iter().map(|&label| f64::from(label)).collect();
        let truth = Truth::classes(&labels, 2).unwrap();
        let scores = Scores::probabilities(&values, 2).unwrap();
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        let table = |name: &str| by_name(name).unwrap().value(&truth, &scores, None).unwrap();
        near(log_loss(&labels, &values, 2).unwrap(), table("log_loss"));
        near(roc_auc(&labels, &positive).unwrap(), table("roc_auc"));
        let rmse_of_table = by_name("rmse")
            .unwrap()
            .value(&Truth::values(&numbers).unwrap(), &Scores::values(&positive).unwrap(), None)
            .unwrap();
        near(rmse(&numbers, &positive).unwrap(), rmse_of_table);
    }

    #[test]
    fn what_is_not_a_number_is_named() {
        let error = rmse(&[1.0, 2.0], &[1.0, f64::NAN]).unwrap_err();
        assert!(matches!(error, MetricError::NotFinite { row: 1, .. }), "{error}");
        let error = log_loss(&[0, 1], &[1.0, 0.0, 0.5, f64::NAN], 2).unwrap_err();
        assert!(matches!(error, MetricError::NotFinite { row: 1, .. }), "{error}");
        assert_eq!(rmse(&[], &[]), Err(MetricError::NoRows));
        assert!(matches!(log_loss(&[0], &[1.0], 2), Err(MetricError::Length { .. })));
    }
}
