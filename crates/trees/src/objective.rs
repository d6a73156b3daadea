//! Gradients, starting values and losses of the objectives.

use kaizen_base::math;
use rayon::prelude::*;

use crate::error::{Result, TreesError};
use crate::kernel;
use crate::params::Objective;

/// Rows handled together; sums run over chunks of this size in order, so that thread count never changes a result.
pub(crate) const CHUNK: usize = 4096;

/// Probabilities are kept this far from 0 and 1 where their logarithm is taken.
const TINY: f64 = 1e-15;

impl Objective {
    /// Refuses targets that the objective has no meaning for.
    pub(crate) fn check_targets(&self, target: &[f64], rows: &[u32]) -> Result<()> {
        let (allowed, holds): (&'static str, fn(f64, f64) -> bool) = match self {
            Self::Squared | Self::Absolute | Self::Huber { .. } | Self::Quantile { .. } => {
                ("finite", |_, _| true)
            }
            Self::Poisson | Self::Tweedie { .. } => ("finite, >= 0", |y, _| y >= 0.0),
            Self::Gamma => ("finite, > 0", |y, _| y > 0.0),
            Self::Logistic | Self::Focal { .. } => ("0 to 1", |y, _| (0.0..=1.0).contains(&y)),
            Self::Softmax { .. } => ("a class index", |y, classes| y >= 0.0 && y < classes && y == y.floor()),
        };
        let classes = self.output_count() as f64;
        for row in rows {
            let value = target[*row as usize];
            if !value.is_finite() || !holds(value, classes) {
                return Err(TreesError::Target { row: *row as usize, value, allowed });
            }
        }
        Ok(())
    }

    /// Leaves hold a quantile of the residuals at this level instead of a Newton step.
    pub(crate) fn leaf_quantile(&self) -> Option<f64> {
        match self {
            Self::Absolute => Some(0.5),
            Self::Quantile { level } => Some(*level),
            _ => None,
        }
    }

    /// The best constant raw scores `[outputs]`.
    pub(crate) fn initial(&self, target: &[f64], weights: Option<&[f64]>, rows: &[u32]) -> Vec<f64> {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let mean = || {
            let mut sums = (0.0, 0.0);
            for row in rows {
                let row = *row as usize;
                sums.0 += weight(row) * target[row];
                sums.1 += weight(row);
            }
            sums.0 / sums.1
        };
        match self {
            Self::Squared => vec![mean()],
            Self::Absolute | Self::Huber { .. } => vec![weighted_quantile_of(target, &weight, rows, 0.5)],
            Self::Quantile { level } => vec![weighted_quantile_of(target, &weight, rows, *level)],
            Self::Poisson | Self::Gamma | Self::Tweedie { .. } => vec![math::ln(mean().max(1e-9))],
            Self::Logistic | Self::Focal { .. } => {
                let p = mean().clamp(1e-9, 1.0 - 1e-9);
                vec![math::ln(p / (1.0 - p))]
            }
            Self::Softmax { classes, .. } => {
                let mut counts = vec![0.0; *classes as usize];
                let mut total = 0.0;
                for row in rows {
                    let row = *row as usize;
                    counts[target[row] as usize] += weight(row);
                    total += weight(row);
                }
                // One pseudo-row shared by all classes keeps absent classes finite.
                let share = 1.0 / counts.len() as f64;
                counts.iter().map(|count| math::ln((count + share) / (total + 1.0))).collect()
            }
        }
    }

    /// First and second derivatives by the raw score for one output per row; all slices have equal lengths.
    pub(crate) fn derivatives(
        &self,
        scores: &[f64],
        targets: &[f64],
        gradients: &mut [f64],
        hessians: &mut [f64],
    ) {
        match self {
            Self::Logistic => kernel::logistic_gradients(scores, targets, gradients, hessians),
            Self::Softmax { .. } => unreachable!("softmax has its own loop"),
            _ => {
                for i in 0..scores.len() {
                    (gradients[i], hessians[i]) = self.derivative(scores[i], targets[i]);
                }
            }
        }
    }

    /// First and second derivative of one row.
    fn derivative(&self, score: f64, target: f64) -> (f64, f64) {
        let error = score - target;
        match *self {
            Self::Squared => (error, 1.0),
            Self::Absolute => (sign(error), 1.0),
            Self::Huber { delta } => (error.clamp(-delta, delta), 1.0),
            Self::Quantile { level } => (if error >= 0.0 { 1.0 - level } else { -level }, 1.0),
            Self::Poisson => {
                let mean = kernel::exp(score);
                (mean - target, mean)
            }
            Self::Gamma => {
                let ratio = target * kernel::exp(-score);
                (1.0 - ratio, ratio)
            }
            Self::Tweedie { power } => {
                let (a, b) = (kernel::exp((1.0 - power) * score), kernel::exp((2.0 - power) * score));
                (b - target * a, (2.0 - power) * b - (1.0 - power) * target * a)
            }
            Self::Focal { gamma } => focal(score, target, gamma),
            Self::Logistic | Self::Softmax { .. } => {
                let p = kernel::sigmoid(score);
                (p - target, p * (1.0 - p))
            }
        }
    }

    /// Loss of one row from its raw scores `[outputs]`; lower is better.
    pub(crate) fn loss(&self, scores: &[f64], target: f64) -> f64 {
        let score = scores[0];
        let error = score - target;
        match *self {
            Self::Squared => error * error,
            Self::Absolute => error.abs(),
            Self::Huber { delta } => {
                if error.abs() <= delta {
                    0.5 * error * error
                } else {
                    delta * (error.abs() - 0.5 * delta)
                }
            }
            Self::Quantile { level } => {
                if error >= 0.0 {
                    (1.0 - level) * error
                } else {
                    -level * error
                }
            }
            Self::Poisson => kernel::exp(score) - target * score,
            Self::Gamma => target * kernel::exp(-score) + score,
            Self::Tweedie { power } => {
                kernel::exp((2.0 - power) * score) / (2.0 - power)
                    - target * kernel::exp((1.0 - power) * score) / (1.0 - power)
            }
            // ln(1 + e^s) - y s, without overflow.
            Self::Logistic => score.max(0.0) - target * score + math::log1p(math::exp(-score.abs())),
            Self::Focal { gamma } => {
                let p = math::sigmoid(score).clamp(TINY, 1.0 - TINY);
                let of = |p: f64| -math::pow(1.0 - p, gamma) * math::ln(p);
                target * of(p) + (1.0 - target) * of(1.0 - p)
            }
            Self::Softmax { .. } => {
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|s| math::exp(s - largest)).sum();
                math::ln(sum) + largest - scores[target as usize]
            }
        }
    }

    /// Weighted mean loss; `scores` `[rows, outputs]` in the order of `rows`, target and weights by table row.
    pub(crate) fn mean_loss(
        &self,
        scores: &[f64],
        target: &[f64],
        weights: Option<&[f64]>,
        rows: &[u32],
    ) -> f64 {
        let outputs = self.output_count();
        let parts: Vec<(f64, f64)> = rows
            .par_chunks(CHUNK)
            .zip(scores.par_chunks(CHUNK * outputs))
            .map(|(rows, scores)| {
                let mut sums = (0.0, 0.0);
                for (row, scores) in rows.iter().zip(scores.chunks_exact(outputs)) {
                    let row = *row as usize;
                    let weight = weights.map_or(1.0, |weights| weights[row]);
                    sums.0 += weight * self.loss(scores, target[row]);
                    sums.1 += weight;
                }
                sums
            })
            .collect();
        let (sum, weight) = parts.iter().fold((0.0, 0.0), |sums, part| (sums.0 + part.0, sums.1 + part.1));
        sum / weight
    }
}

fn sign(x: f64) -> f64 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// Derivatives of the focal loss by the log-odds (Lin et al. 2017, appendix B), the second by the product rule; the
/// second is kept positive because the loss is not convex everywhere.
fn focal(score: f64, target: f64, gamma: f64) -> (f64, f64) {
    let one = |score: f64| {
        // Loss of a positive row: -(1-p)^g ln p.
        let p = kernel::sigmoid(score).clamp(TINY, 1.0 - TINY);
        let q = 1.0 - p;
        let log = math::ln(p);
        let power = math::pow(q, gamma);
        let first = power * (gamma * p * log - q);
        let second = power * p * (q * (1.0 + 2.0 * gamma) + gamma * log * (q - gamma * p));
        (first, second)
    };
    let positive = one(score);
    let negative = one(-score);
    let gradient = target * positive.0 - (1.0 - target) * negative.0;
    let hessian = target * positive.1 + (1.0 - target) * negative.1;
    (gradient, hessian.max(1e-6))
}

fn weighted_quantile_of(target: &[f64], weight: &dyn Fn(usize) -> f64, rows: &[u32], level: f64) -> f64 {
    let mut pairs: Vec<(f64, f64)> =
        rows.iter().map(|row| (target[*row as usize], weight(*row as usize))).collect();
    weighted_quantile(&mut pairs, level)
}

/// Weighted quantile of (value, weight) pairs: the smallest value with at least `level` of the weight at or below it,
/// the middle of it and the next one where the weight is met exactly (so that the median of an even count is the usual
/// one). Empty or weightless input gives 0. Sorts the pairs.
pub(crate) fn weighted_quantile(pairs: &mut [(f64, f64)], level: f64) -> f64 {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let total: f64 = pairs.iter().map(|pair| pair.1).sum();
    let wanted = level * total;
    let mut sum = 0.0;
    for (index, (value, weight)) in pairs.iter().enumerate() {
        sum += weight;
        if sum > wanted {
            return *value;
        }
        if sum == wanted && sum > 0.0 {
            let next = pairs[index + 1..].iter().find(|pair| pair.1 > 0.0).map_or(*value, |pair| pair.0);
            return value / 2.0 + next / 2.0;
        }
    }
    pairs.last().map_or(0.0, |pair| pair.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_equal_finite_differences() {
        let cases = [
            (Objective::Squared, 0.5, vec![1.0, -2.0]),
            (Objective::Huber { delta: 1.0 }, 1.0, vec![0.4, 3.0]),
            (Objective::Poisson, 1.0, vec![0.0, 3.0]),
            (Objective::Gamma, 1.0, vec![0.5, 3.0]),
            (Objective::Tweedie { power: 1.5 }, 1.0, vec![0.0, 3.0]),
            (Objective::Logistic, 1.0, vec![0.0, 1.0]),
            (Objective::Focal { gamma: 2.0 }, 1.0, vec![0.0, 1.0]),
        ];
        let step = 1e-4;
        for (objective, factor, targets) in cases {
            for target in targets {
                for score in [-0.7, 0.1, 0.9] {
                    let loss = |s: f64| factor * objective.loss(&[s], target);
                    let first = (loss(score + step) - loss(score - step)) / (2.0 * step);
                    let second =
                        (loss(score + step) - 2.0 * loss(score) + loss(score - step)) / (step * step);
                    let (g, h) = objective.derivative(score, target);
                    assert!((g - first).abs() < 1e-6, "{objective:?} {target} {score}: {g} {first}");
                    let linear = matches!(objective, Objective::Huber { .. });
                    assert!(linear || h == 1e-6 || (h - second).abs() < 1e-5, "{objective:?} {h} {second}");
                }
            }
        }
    }

    #[test]
    fn starting_values_are_the_best_constants() {
        let y = [0.0, 1.0, 1.0, 5.0];
        let rows = [0, 1, 2, 3];
        assert_eq!(Objective::Squared.initial(&y, None, &rows), [1.75]);
        assert_eq!(Objective::Absolute.initial(&y, None, &rows), [1.0]);
        assert_eq!(Objective::Absolute.initial(&y, Some(&[1.0, 0.0, 0.0, 3.0]), &rows), [5.0]);
        let log_odds = Objective::Logistic.initial(&[0.0, 1.0, 1.0, 1.0], None, &rows)[0];
        assert!((log_odds - math::ln(3.0)).abs() < 1e-12);
    }

    #[test]
    fn impossible_targets_are_refused_with_their_row() {
        let error = Objective::Gamma.check_targets(&[1.0, 0.0], &[0, 1]).unwrap_err();
        assert!(matches!(error, TreesError::Target { row: 1, .. }));
        assert!(Objective::Softmax { classes: 2, shared: true }.check_targets(&[2.0], &[0]).is_err());
        assert!(Objective::Squared.check_targets(&[f64::NAN], &[0]).is_err());
        assert!(Objective::Squared.check_targets(&[f64::NAN, 1.0], &[1]).is_ok());
    }

    #[test]
    fn quantiles_weigh_their_values() {
        let mut pairs = vec![(3.0, 1.0), (1.0, 1.0), (2.0, 2.0)];
        assert_eq!(weighted_quantile(&mut pairs, 0.5), 2.0);
        assert_eq!(weighted_quantile(&mut pairs, 0.25), 1.5);
        assert_eq!(weighted_quantile(&mut [], 0.5), 0.0);
    }
}
