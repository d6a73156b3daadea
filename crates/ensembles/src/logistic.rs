//! Logistic regression on a handful of features, for the calibrators that are one.

use kaizen_base::math;

/// Newton steps; the fits here end after about six.
const MOST_STEPS: usize = 50;
/// Halvings of a step that does not lower the loss.
const MOST_HALVINGS: usize = 30;
/// A relative decrease of the loss below this ends the fit.
const SMALLEST_DECREASE: f64 = 1e-12;
/// Penalty on squared coefficients in units of one row: keeps separable data finite, moves others by less than their
/// standard error.
const RIDGE: f64 = 1e-3;

/// One row of a fit: features, the probability to reach, and the weight.
#[derive(Clone, Copy)]
pub(crate) struct Row<const D: usize> {
    pub(crate) features: [f64; D],
    pub(crate) target: f64,
    pub(crate) weight: f64,
}

/// Coefficients of the maximum-likelihood fit from `start`, penalised towards `start`, by Newton's method with step
/// halving (Lin, Lin and Weng 2007, A note on Platt's probabilistic outputs, algorithm 1, for any number of features).
pub(crate) fn fit<const D: usize>(rows: &[Row<D>], start: [f64; D]) -> [f64; D] {
    let loss_of = |coefficients: &[f64; D]| {
        let penalty: f64 = coefficients.iter().zip(&start).map(|(c, s)| (c - s) * (c - s)).sum();
        let loss: f64 =
            rows.iter().map(|row| row.weight * row_loss(dot(coefficients, &row.features), row.target)).sum();
        loss + 0.5 * RIDGE * penalty
    };
    let mut coefficients = start;
    let mut loss = loss_of(&coefficients);
    for _ in 0..MOST_STEPS {
        let mut slopes = [0.0; D];
        let mut curvatures = [[0.0; D]; D];
        for row in rows {
            let p = math::sigmoid(dot(&coefficients, &row.features));
            let (slope, curvature) = (row.weight * (p - row.target), row.weight * p * (1.0 - p));
            for i in 0..D {
                slopes[i] += slope * row.features[i];
                for (entry, feature) in curvatures[i].iter_mut().zip(&row.features) {
                    *entry += curvature * row.features[i] * feature;
                }
            }
        }
        for i in 0..D {
            slopes[i] += RIDGE * (coefficients[i] - start[i]);
            curvatures[i][i] += RIDGE;
        }
        let step = solve(curvatures, slopes);
        let mut scale = 1.0;
        let mut moved = None;
        for _ in 0..MOST_HALVINGS {
            let mut trial = coefficients;
            for i in 0..D {
                trial[i] -= scale * step[i];
            }
            let found = loss_of(&trial);
            if found < loss {
                moved = Some((trial, found));
                break;
            }
            scale *= 0.5;
        }
        let Some((trial, found)) = moved else { break };
        let is_done = loss - found <= SMALLEST_DECREASE * loss.abs();
        (coefficients, loss) = (trial, found);
        if is_done {
            break;
        }
    }
    coefficients
}

/// Cross-entropy of the score `z` against the probability `target`, without overflow.
fn row_loss(z: f64, target: f64) -> f64 {
    z.max(0.0) - z * target + math::log1p(math::exp(-z.abs()))
}

fn dot<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Solves a symmetric positive definite system by elimination; the ridge keeps every pivot positive.
fn solve<const D: usize>(mut matrix: [[f64; D]; D], mut right: [f64; D]) -> [f64; D] {
    for pivot in 0..D {
        for row in pivot + 1..D {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            let pivot_row = matrix[pivot];
            for (entry, above) in matrix[row].iter_mut().zip(&pivot_row) {
                *entry -= factor * above;
            }
            right[row] -= factor * right[pivot];
        }
    }
    for pivot in (0..D).rev() {
        let known: f64 = (pivot + 1..D).map(|column| matrix[pivot][column] * right[column]).sum();
        right[pivot] = (right[pivot] - known) / matrix[pivot][pivot];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_solved() {
        let x = solve([[4.0, 1.0], [1.0, 3.0]], [1.0, 2.0]);
        assert!((x[0] - 1.0 / 11.0).abs() < 1e-15 && (x[1] - 7.0 / 11.0).abs() < 1e-15);
    }

    #[test]
    fn an_intercept_alone_is_the_log_odds_of_the_mean() {
        let rows: Vec<Row<1>> = (0..4000)
            .map(|row| Row { features: [1.0], target: f64::from(row % 4 / 3), weight: 1.0 })
            .collect();
        let [intercept] = fit(&rows, [0.0]);
        assert!((intercept + math::ln(3.0)).abs() < 1e-5, "{intercept}");
    }

    #[test]
    fn separable_data_stay_finite() {
        let rows =
            [-1.0, 1.0].map(|x| Row { features: [x], target: f64::from(u8::from(x > 0.0)), weight: 1.0 });
        let [slope] = fit(&rows, [1.0]);
        assert!(slope.is_finite() && slope > 3.0, "{slope}");
    }
}
