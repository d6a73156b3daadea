//! What a weighted sum is fitted to: squares, log-odds, or softmax scores.

use kaizen_base::math;
use rayon::prelude::*;

use super::design::CHUNK;

/// Cells below which one thread does all.
const PARALLEL_CELLS: usize = 1 << 13;

/// The mean of a row's loss times its weight, where weights sum to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// Half the squared difference.
    Squared,
    /// Negative log-likelihood of a class 0 or 1 whose log-odds are the score.
    Logistic,
    /// Negative log-likelihood of one of several classes by softmax.
    Softmax(usize),
}

impl Loss {
    /// Scores a row has.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Self::Squared | Self::Logistic => 1,
            Self::Softmax(classes) => classes,
        }
    }

    /// An upper bound (for softmax, the value at equal probabilities) of the second derivative by a score.
    pub(crate) fn curvature(self) -> f64 {
        match self {
            Self::Squared => 1.0,
            Self::Logistic => 0.25,
            Self::Softmax(classes) => (classes.max(2) - 1) as f64 / (classes * classes).max(4) as f64,
        }
    }

    /// Sum of weighted losses.
    pub(crate) fn value(self, scores: &[f64], target: &[f64], weights: &[f64]) -> f64 {
        let outputs = self.outputs();
        let chunk = |(scores, (target, weights)): (&[f64], (&[f64], &[f64]))| -> f64 {
            scores
                .chunks_exact(outputs)
                .zip(target.iter().zip(weights))
                .map(|(row, (&target, &weight))| weight * self.row_value(row, target))
                .sum()
        };
        let rows = CHUNK;
        let parts: Vec<f64> = if scores.len() < PARALLEL_CELLS {
            scores
                .chunks(rows * outputs)
                .zip(target.chunks(rows).zip(weights.chunks(rows)))
                .map(chunk)
                .collect()
        } else {
            scores
                .par_chunks(rows * outputs)
                .zip(target.par_chunks(rows).zip(weights.par_chunks(rows)))
                .map(chunk)
                .collect()
        };
        parts.iter().sum()
    }

    /// Sum of weighted losses, and in place of the scores their derivatives.
    pub(crate) fn value_and_slopes(self, scores: &mut [f64], target: &[f64], weights: &[f64]) -> f64 {
        let outputs = self.outputs();
        let chunk = |(scores, (target, weights)): (&mut [f64], (&[f64], &[f64]))| -> f64 {
            scores
                .chunks_exact_mut(outputs)
                .zip(target.iter().zip(weights))
                .map(|(row, (&target, &weight))| self.row_slopes(row, target, weight))
                .sum()
        };
        let rows = CHUNK;
        let parts: Vec<f64> = if scores.len() < PARALLEL_CELLS {
            scores
                .chunks_mut(rows * outputs)
                .zip(target.chunks(rows).zip(weights.chunks(rows)))
                .map(chunk)
                .collect()
        } else {
            scores
                .par_chunks_mut(rows * outputs)
                .zip(target.par_chunks(rows).zip(weights.par_chunks(rows)))
                .map(chunk)
                .collect()
        };
        parts.iter().sum()
    }

    fn row_value(self, scores: &[f64], target: f64) -> f64 {
        match self {
            Self::Squared => 0.5 * (scores[0] - target) * (scores[0] - target),
            // ln(1 + e^s) - t s, where the exponent is never positive.
            Self::Logistic => {
                scores[0].max(0.0) + math::log1p(math::exp(-scores[0].abs())) - target * scores[0]
            }
            Self::Softmax(_) => {
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|score| math::exp(score - largest)).sum();
                largest + math::ln(sum) - scores[target as usize]
            }
        }
    }

    fn row_slopes(self, scores: &mut [f64], target: f64, weight: f64) -> f64 {
        match self {
            Self::Squared => {
                let difference = scores[0] - target;
                scores[0] = weight * difference;
                weight * 0.5 * difference * difference
            }
            Self::Logistic => {
                let score = scores[0];
                // One exponential serves both the probability and the loss.
                let small = math::exp(-score.abs());
                let probability = if score >= 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
                scores[0] = weight * (probability - target);
                weight * (score.max(0.0) + math::log1p(small) - target * score)
            }
            Self::Softmax(_) => {
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let wanted = scores[target as usize] - largest;
                let mut sum = 0.0;
                for score in scores.iter_mut() {
                    *score = math::exp(*score - largest);
                    sum += *score;
                }
                let scale = weight / sum;
                for score in scores.iter_mut() {
                    *score *= scale;
                }
                scores[target as usize] -= weight;
                weight * (math::ln(sum) - wanted)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_the_derivatives() {
        for (loss, scores, target) in [
            (Loss::Squared, vec![0.3], 1.5),
            (Loss::Logistic, vec![-0.7], 1.0),
            (Loss::Softmax(3), vec![0.2, -1.0, 0.4], 2.0),
        ] {
            let mut slopes = scores.clone();
            let value = loss.value_and_slopes(&mut slopes, &[target], &[2.0]);
            assert!((value - loss.value(&scores, &[target], &[2.0])).abs() < 1e-12);
            for output in 0..scores.len() {
                let shifted = |by: f64| {
                    let mut moved = scores.clone();
                    moved[output] += by;
                    loss.value(&moved, &[target], &[2.0])
                };
                let difference = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                assert!((difference - slopes[output]).abs() < 1e-8, "{loss:?} {output}");
            }
        }
    }

    #[test]
    fn huge_scores_stay_finite() {
        assert_eq!(Loss::Logistic.value(&[1e6], &[1.0], &[1.0]), 0.0);
        assert_eq!(Loss::Logistic.value(&[-1e6], &[1.0], &[1.0]), 1e6);
        assert!(Loss::Softmax(2).value(&[1e6, -1e6], &[1.0], &[1.0]).is_finite());
    }
}
