//! Which rows a tree learns from, and with what factor.

use std::ops::Range;

use kaizen_base::{Seed, math};

use crate::derivatives::Derivatives;
use crate::objective::CHUNK;
use crate::params::RowSampling;

/// A factor for each training position; 0 leaves the row out.
#[derive(Debug)]
pub(crate) struct Draw {
    factors: Option<Vec<f64>>,
}

impl Draw {
    /// Whether every row takes part with factor 1.
    pub(crate) fn is_all(&self) -> bool {
        self.factors.is_none()
    }

    #[inline]
    pub(crate) fn factor(&self, position: usize) -> f64 {
        self.factors.as_ref().map_or(1.0, |factors| factors[position])
    }

    /// The rows that take part.
    pub(crate) fn rows(&self, rows: &[u32]) -> Vec<u32> {
        match &self.factors {
            None => rows.to_vec(),
            Some(factors) => {
                rows.iter().zip(factors).filter(|(_, factor)| **factor > 0.0).map(|(row, _)| *row).collect()
            }
        }
    }
}

/// Draws the rows of one tree.
pub(crate) fn draw(
    sampling: &RowSampling,
    derivatives: &Derivatives,
    outputs: Range<usize>,
    seed: Seed,
) -> Draw {
    let count = derivatives.row_count();
    let mut rng = seed.child("rows", 0).rng();
    let factors = match *sampling {
        RowSampling::All => return Draw { factors: None },
        RowSampling::Uniform { share } => {
            let wanted = ((count as f64 * share).round() as usize).clamp(1, count);
            let mut factors = vec![0.0; count];
            for index in rng.sample_sorted(count, wanted) {
                factors[index as usize] = 1.0;
            }
            factors
        }
        RowSampling::Bayesian { temperature } => (0..count)
            .map(|_| {
                // One minus a number in [0, 1) is in (0, 1].
                let exponential = -math::ln(1.0 - rng.uniform());
                if temperature == 1.0 { exponential } else { math::pow(exponential, temperature) }
            })
            .collect(),
        RowSampling::Goss { top, other } => {
            let sizes = sizes(derivatives, outputs, 0.0);
            let mut order: Vec<u32> = (0..count as u32).collect();
            order.sort_unstable_by(|a, b| sizes[*b as usize].total_cmp(&sizes[*a as usize]).then(a.cmp(b)));
            let top_count = ((count as f64 * top).round() as usize).clamp(1, count);
            let other_count = ((count as f64 * other).round() as usize).min(count - top_count);
            let mut factors = vec![0.0; count];
            for index in &order[..top_count] {
                factors[*index as usize] = 1.0;
            }
            let rest = &order[top_count..];
            let factor = rest.len() as f64 / other_count.max(1) as f64;
            for index in rng.sample_sorted(rest.len(), other_count) {
                factors[rest[index as usize] as usize] = factor;
            }
            factors
        }
        RowSampling::Mvs { share } => {
            let mean = mean_gradient(derivatives, outputs.clone());
            let sizes = sizes(derivatives, outputs, mean * mean);
            let threshold = mvs_threshold(&sizes, share * count as f64);
            sizes
                .iter()
                .map(|size| {
                    let chance = if threshold > 0.0 { (size / threshold).min(1.0) } else { 1.0 };
                    if rng.uniform() < chance { 1.0 / chance } else { 0.0 }
                })
                .collect()
        }
    };
    Draw { factors: Some(factors) }
}

/// Root of the squared gradients plus `regularisation` for each position.
fn sizes(derivatives: &Derivatives, outputs: Range<usize>, regularisation: f64) -> Vec<f64> {
    let mut sizes = vec![regularisation; derivatives.row_count()];
    for (chunk, sizes) in sizes.chunks_mut(CHUNK).enumerate() {
        for output in outputs.clone() {
            let (gradients, _) = derivatives.chunk(chunk, output);
            for (size, gradient) in sizes.iter_mut().zip(gradients) {
                *size += gradient * gradient;
            }
        }
        for size in sizes.iter_mut() {
            *size = size.sqrt();
        }
    }
    sizes
}

/// Mean absolute gradient, the scale of the regulariser.
fn mean_gradient(derivatives: &Derivatives, outputs: Range<usize>) -> f64 {
    let mut sum = 0.0;
    for chunk in 0..derivatives.chunk_count() {
        for output in outputs.clone() {
            sum += derivatives.chunk(chunk, output).0.iter().map(|g| g.abs()).sum::<f64>();
        }
    }
    sum / derivatives.row_count() as f64
}

/// The threshold at which the chances min(1, size / threshold) add up to `wanted` (Ibragimov and Gusev 2019, theorem 1).
fn mvs_threshold(sizes: &[f64], wanted: f64) -> f64 {
    let mut sorted = sizes.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut rest: f64 = sorted.iter().sum();
    // With the `certain` largest rows taken for sure, the others share what is left in proportion to their size.
    for (certain, size) in sorted.iter().enumerate() {
        let left = wanted - certain as f64;
        if left <= 0.0 {
            return *size;
        }
        let threshold = rest / left;
        if *size <= threshold {
            return threshold;
        }
        rest -= size;
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threshold_meets_the_wanted_number() {
        let sizes = [10.0, 1.0, 1.0, 1.0, 1.0];
        let threshold = mvs_threshold(&sizes, 3.0);
        let expected: f64 = sizes.iter().map(|size| (size / threshold).min(1.0)).sum();
        assert!((expected - 3.0).abs() < 1e-12);
        assert!((threshold - 2.0).abs() < 1e-12);
    }
}
