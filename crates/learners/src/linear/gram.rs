//! Squares with few terms: everything follows from the matrix of products of terms.
//!
//! The Gram matrix of the centred terms is summed once over fixed chunks of rows; each penalty then costs a Cholesky
//! factorisation (square penalty; Golub and Van Loan 2013, algorithm 4.2.1) or a few sweeps of coordinate descent with
//! covariance updates (absolute penalty; Friedman, Hastie and Tibshirani 2010, section 2.2), whatever the number of rows.

use rayon::prelude::*;

use super::design::Design;
use super::solver::Penalty;

/// Rows densified together.
const BLOCK: usize = 64;

/// Parts whose sums are added in order.
pub(crate) const PARTS: usize = 32;

/// Sweeps of coordinate descent for one penalty.
const SWEEP_LIMIT: usize = 2_000;

/// Weighted products of centred terms and target; weights sum to one.
pub(crate) struct Gram {
    size: usize,
    /// [terms, terms].
    products: Vec<f64>,
    /// Products of terms and target.
    with_target: Vec<f64>,
    /// Mean of each term.
    means: Vec<f64>,
    target_mean: f64,
    /// Weighted mean square of the centred target.
    target_square: f64,
}

impl Gram {
    /// Sums all products.
    pub(crate) fn new(design: &Design, target: &[f64], weights: &[f64]) -> Self {
        let size = design.term_count();
        // The target stands as one more term behind the others.
        let width = size + 1;
        let share = design.rows.count.div_ceil(PARTS).max(BLOCK);
        let starts: Vec<usize> = (0..design.rows.count).step_by(share).collect();
        let parts: Vec<(Vec<f64>, Vec<f64>)> = starts
            .into_par_iter()
            .map(|start| part_sums(design, target, weights, start, (start + share).min(design.rows.count)))
            .collect();
        let (mut sums, mut products) = (vec![0.0; width], vec![0.0; width * width]);
        for (part_sums, part_products) in parts {
            sums.iter_mut().zip(part_sums).for_each(|(sum, part)| *sum += part);
            products.iter_mut().zip(part_products).for_each(|(sum, part)| *sum += part);
        }
        let centred = |i: usize, j: usize| products[i.max(j) * width + i.min(j)] - sums[i] * sums[j];
        Self {
            size,
            products: (0..size)
                .flat_map(|i| (0..size).map(move |j| (i, j)))
                .map(|(i, j)| centred(i, j))
                .collect(),
            with_target: (0..size).map(|i| centred(i, size)).collect(),
            target_mean: sums[size],
            target_square: centred(size, size).max(0.0),
            means: {
                sums.truncate(size);
                sums
            },
        }
    }

    /// The smallest absolute penalty under which all weights are zero, for an absolute part of one.
    pub(crate) fn largest_slope(&self) -> f64 {
        self.with_target.iter().fold(0.0, |largest, slope| largest.max(slope.abs()))
    }

    /// Intercept and weights of the minimum for a penalty, starting from `start` (intercept first).
    ///
    /// Coordinate descent ends when no weight moves the mean square by more than `tolerance` of the target's.
    pub(crate) fn minimise(&self, penalty: Penalty, start: &[f64], tolerance: f64) -> Vec<f64> {
        let weights = if penalty.absolute > 0.0 {
            self.descend(penalty, start[1..].to_vec(), tolerance)
        } else {
            self.factor(penalty.square).solve(&self.with_target)
        };
        let shift: f64 = weights.iter().zip(&self.means).map(|(weight, mean)| weight * mean).sum();
        std::iter::once(self.target_mean - shift).chain(weights).collect()
    }

    /// Generalised cross-validation (Golub, Heath and Wahba 1979, equation 1.4) of weights found for a penalty:
    /// mean square of the residuals over the squared share of degrees of freedom left. For an absolute penalty, the
    /// degrees of freedom are the non-zero weights (Zou, Hastie and Tibshirani 2007).
    pub(crate) fn cross_validation(&self, penalty: Penalty, weights: &[f64], row_count: usize) -> f64 {
        let weights = &weights[1..];
        let (mut residual, mut nonzero) = (self.target_square, 0.0);
        for (i, weight) in weights.iter().enumerate() {
            if *weight != 0.0 {
                nonzero += 1.0;
                let row = &self.products[i * self.size..(i + 1) * self.size];
                let product: f64 = row.iter().zip(weights).map(|(a, b)| a * b).sum();
                residual += weight * (product - 2.0 * self.with_target[i]);
            }
        }
        let freedom = if penalty.absolute > 0.0 {
            nonzero
        } else {
            self.factor(penalty.square).freedom(penalty.square)
        };
        let left = (1.0 - (freedom + 1.0) / row_count as f64).max(1e-3);
        residual.max(0.0) / (left * left)
    }

    fn factor(&self, square: f64) -> Cholesky {
        let mut matrix = self.products.clone();
        let trace: f64 = (0..self.size).map(|i| matrix[i * self.size + i]).sum();
        for i in 0..self.size {
            matrix[i * self.size + i] += square;
        }
        Cholesky::new(matrix, self.size, trace * 1e-14)
    }

    fn descend(&self, penalty: Penalty, mut weights: Vec<f64>, tolerance: f64) -> Vec<f64> {
        let size = self.size;
        // Products of each term with the present residual.
        let mut slopes = self.with_target.clone();
        for (i, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0) {
            let row = &self.products[i * size..(i + 1) * size];
            slopes.iter_mut().zip(row).for_each(|(slope, product)| *slope -= weight * product);
        }
        for _ in 0..SWEEP_LIMIT {
            let mut largest = 0.0_f64;
            for i in 0..size {
                let own = self.products[i * size + i];
                if own <= 1e-14 {
                    continue;
                }
                let pull = slopes[i] + own * weights[i];
                let next = pull.signum() * (pull.abs() - penalty.absolute).max(0.0) / (own + penalty.square);
                let change = next - weights[i];
                if change != 0.0 {
                    weights[i] = next;
                    let row = &self.products[i * size..(i + 1) * size];
                    slopes.iter_mut().zip(row).for_each(|(slope, product)| *slope -= change * product);
                    largest = largest.max(own * change * change);
                }
            }
            if largest <= tolerance * self.target_square {
                break;
            }
        }
        weights
    }
}

fn part_sums(
    design: &Design,
    target: &[f64],
    weights: &[f64],
    start: usize,
    end: usize,
) -> (Vec<f64>, Vec<f64>) {
    let size = design.term_count();
    let width = size + 1;
    let (mut sums, mut products) = (vec![0.0; width], vec![0.0; width * width]);
    let mut block = vec![0.0; width * BLOCK];
    for first in (start..end).step_by(BLOCK) {
        let rows = BLOCK.min(end - first);
        block.fill(0.0);
        // [terms, rows of the block], times the square root of the weights.
        for term in 0..design.dense_count {
            let values = &design.dense_column(term)[first..first + rows];
            block[term * BLOCK..term * BLOCK + rows].copy_from_slice(values);
        }
        for row in 0..rows {
            for &(place, value) in
                &design.rows.cells[design.rows.starts[first + row]..design.rows.starts[first + row + 1]]
            {
                block[(design.dense_count + place as usize) * BLOCK + row] = f64::from(value);
            }
            block[size * BLOCK + row] = target[first + row];
        }
        for i in 0..width {
            let mut weighted = [0.0; BLOCK];
            for (row, out) in weighted[..rows].iter_mut().enumerate() {
                *out = block[i * BLOCK + row] * weights[first + row];
            }
            sums[i] += weighted.iter().sum::<f64>();
            for j in 0..=i {
                products[i * width + j] += super::design::dot(&weighted, &block[j * BLOCK..(j + 1) * BLOCK]);
            }
        }
    }
    (sums, products)
}

/// A lower triangle whose product with its transpose is a matrix.
struct Cholesky {
    size: usize,
    lower: Vec<f64>,
}

impl Cholesky {
    /// Factors a symmetric matrix; pivots are kept above `least`, which gives directions without data no weight.
    fn new(mut matrix: Vec<f64>, size: usize, least: f64) -> Self {
        for i in 0..size {
            let (above, rest) = matrix.split_at_mut(i * size);
            let row = &mut rest[..size];
            for j in 0..i {
                let other = &above[j * size..j * size + j];
                let sum = super::design::dot(&row[..j], other);
                row[j] = (row[j] - sum) / above[j * size + j];
            }
            let pivot = row[i] - super::design::dot(&row[..i], &row[..i]);
            row[i] = pivot.max(least).max(f64::MIN_POSITIVE).sqrt();
        }
        Self { size, lower: matrix }
    }

    fn solve(&self, right: &[f64]) -> Vec<f64> {
        let size = self.size;
        let mut x = right.to_vec();
        for i in 0..size {
            let sum = super::design::dot(&self.lower[i * size..i * size + i], &x[..i]);
            x[i] = (x[i] - sum) / self.lower[i * size + i];
        }
        for i in (0..size).rev() {
            let value = x[i] / self.lower[i * size + i];
            x[i] = value;
            for (x, lower) in x[..i].iter_mut().zip(&self.lower[i * size..i * size + i]) {
                *x -= value * lower;
            }
        }
        x
    }

    /// Effective degrees of freedom: size less `square` times the trace of the inverse.
    fn freedom(&self, square: f64) -> f64 {
        let size = self.size;
        let mut trace = 0.0;
        // The trace of the inverse is the sum of squares of the inverse triangle, column by column.
        let mut column = vec![0.0; size];
        for start in 0..size {
            column[start..].fill(0.0);
            column[start] = 1.0 / self.lower[start * size + start];
            trace += column[start] * column[start];
            for i in start + 1..size {
                let sum = super::design::dot(&self.lower[i * size + start..i * size + i], &column[start..i]);
                column[i] = -sum / self.lower[i * size + i];
                trace += column[i] * column[i];
            }
        }
        size as f64 - square * trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_solve_and_count_degrees_of_freedom() {
        // [[4, 2], [2, 3]] x = [2, 5] has x = [-0.5, 2].
        let factor = Cholesky::new(vec![4.0, 2.0, 2.0, 3.0], 2, 0.0);
        let x = factor.solve(&[2.0, 5.0]);
        assert!((x[0] + 0.5).abs() < 1e-14 && (x[1] - 2.0).abs() < 1e-14);
        // Its inverse has the trace (3 + 4) / 8.
        assert!((factor.freedom(1.0) - (2.0 - 7.0 / 8.0)).abs() < 1e-14);
    }
}
