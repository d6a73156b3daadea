//! Metrics that are a function of the weighted mean of one loss a row; and sums whose bits do not depend on threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::error::MetricError;
use crate::metric::Statistic;

/// Rows summed by one task. Fixed, so that the order of additions never depends on the number of threads; at this
/// size a task outlasts its scheduling a hundred times.
const CHUNK_ROWS: usize = 16_384;

/// The sum of `of(range)` over 0..`rows` in fixed chunks, added in order.
pub(crate) fn sum_in_chunks(rows: usize, of: impl Fn(Range<usize>) -> f64 + Sync) -> f64 {
    if rows <= CHUNK_ROWS {
        return of(0..rows);
    }
    let chunks: Vec<f64> = (0..rows.div_ceil(CHUNK_ROWS))
        .into_par_iter()
        .map(|chunk| of(chunk * CHUNK_ROWS..((chunk + 1) * CHUNK_ROWS).min(rows)))
        .collect();
    chunks.iter().sum()
}

/// The weighted mean of row losses, and what to make of it.
pub(crate) struct RowMean {
    losses: Vec<f64>,
    finish: fn(f64) -> f64,
}

impl RowMean {
    /// Evaluates `loss(row)` for each of `rows` rows, in parallel.
    pub(crate) fn boxed(
        rows: usize,
        loss: impl Fn(usize) -> f64 + Sync + Send,
        finish: fn(f64) -> f64,
    ) -> Box<dyn Statistic> {
        let losses = if rows <= CHUNK_ROWS {
            (0..rows).map(loss).collect()
        } else {
            (0..rows).into_par_iter().with_min_len(CHUNK_ROWS / 4).map(loss).collect()
        };
        Box::new(Self { losses, finish })
    }
}

impl Statistic for RowMean {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        let rows = self.losses.len();
        let mean = match weights {
            None => sum_in_chunks(rows, |range| self.losses[range].iter().sum()) / rows as f64,
            Some(weights) => {
                let weighted = sum_in_chunks(rows, |range| {
                    self.losses[range.clone()]
                        .iter()
                        .zip(&weights[range])
                        .map(|(loss, weight)| loss * weight)
                        .sum()
                });
                weighted / sum_in_chunks(rows, |range| weights[range].iter().sum())
            }
        };
        Ok((self.finish)(mean))
    }
}

pub(crate) fn identity(mean: f64) -> f64 {
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_do_not_depend_on_the_number_of_threads() {
        let numbers: Vec<f64> = (0..100_003).map(|i| 1.0 / f64::from(i + 1)).collect();
        let sum = || sum_in_chunks(numbers.len(), |range| numbers[range].iter().sum());
        let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(sum);
        let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap().install(sum);
        assert_eq!(one.to_bits(), four.to_bits());
        // The harmonic number H(n) is ln n + 0.5772156649015329 + 1/(2n) - O(1/n²).
        let n = 100_003.0_f64;
        assert!((one - (kaizen_base::math::ln(n) + 0.577_215_664_901_532_9 + 0.5 / n)).abs() < 1e-9);
    }

    #[test]
    fn weight_two_is_two_rows() {
        let once = RowMean::boxed(2, |row| [1.0, 4.0][row], f64::sqrt);
        let twice = RowMean::boxed(3, |row| [1.0, 4.0, 4.0][row], f64::sqrt);
        assert_eq!(once.value(Some(&[1.0, 2.0])).unwrap(), twice.value(None).unwrap());
    }
}
