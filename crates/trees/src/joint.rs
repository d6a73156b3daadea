//! The joint Newton step of leaves that hold one value a class.
//!
//! The second derivatives of the multinomial loss couple the classes: a leaf has H = sum of w (diag(p) - p pᵀ) over its
//! rows (Friedman, Hastie and Tibshirani 2000, section 4; Böhning 1992), and its step solves (H + l2 I) v = -g. A step by
//! the diagonal alone overshoots where two classes are rivals, up to twice, and is what engines with one tree a class
//! are left with.

use rayon::prelude::*;

use crate::derivatives::Derivatives;
use crate::input::TrainInput;
use crate::leaves::NO_LEAF;
use crate::objective::CHUNK;
use crate::splitter::shrunk;

/// With more classes the matrices (of classes x classes a leaf) cost more than the tree; the diagonal then does.
pub(crate) const MAX_CLASSES: usize = 32;

/// What the diagonal gains at least, relative to its mean, so that the matrix can be factored without l2: the loss does
/// not change when all classes move together.
const LEAST_RIDGE: f64 = 1e-9;

/// Sums over the rows of each leaf.
struct Sums {
    classes: usize,
    /// Gradients `[leaves, classes]`.
    gradients: Vec<f64>,
    /// Weighted probabilities `[leaves, classes]`.
    masses: Vec<f64>,
    /// Weighted products of probabilities `[leaves, classes, classes]`, lower triangle.
    products: Vec<f64>,
}

impl Sums {
    fn new(leaf_count: usize, classes: usize) -> Self {
        let len = leaf_count * classes;
        let (gradients, masses) = (vec![0.0; len], vec![0.0; len]);
        Self { classes, gradients, masses, products: vec![0.0; len * classes] }
    }

    fn add_row(&mut self, leaf: usize, weight: f64, gradients: &[f64], probabilities: &[f64]) {
        let classes = self.classes;
        let own = leaf * classes..(leaf + 1) * classes;
        for (slot, gradient) in self.gradients[own.clone()].iter_mut().zip(gradients) {
            *slot += gradient;
        }
        for (index, probability) in probabilities.iter().enumerate() {
            let mass = weight * probability;
            self.masses[own.start + index] += mass;
            let line = &mut self.products[(own.start + index) * classes..][..=index];
            for (slot, other) in line.iter_mut().zip(probabilities) {
                *slot += mass * other;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.gradients, &other.gradients),
            (&mut self.masses, &other.masses),
            (&mut self.products, &other.products),
        ];
        for (sums, parts) in pairs {
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part;
            }
        }
    }
}

/// Unshrunken values `[leaves, classes]`; a leaf without rows has zeros. Sums run over fixed chunks.
///
/// Cost: rows x classes² / 2 and leaves x classes³ / 3.
pub(crate) fn values(
    leaf_of: &[u32],
    input: &TrainInput<'_>,
    derivatives: &Derivatives,
    (leaf_count, classes): (usize, usize),
    (l1, l2): (f64, f64),
) -> Vec<f64> {
    let parts: Vec<Sums> = input
        .rows
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, rows)| chunk_sums(rows, chunk, leaf_of, input, derivatives, leaf_count, classes))
        .collect();
    let mut sums = Sums::new(leaf_count, classes);
    for part in &parts {
        sums.add(part);
    }
    let mut values: Vec<f64> = sums.gradients.iter().map(|gradient| -shrink(*gradient, l1)).collect();
    let matrices = sums.products.chunks_exact_mut(classes * classes);
    for ((matrix, masses), values) in
        matrices.zip(sums.masses.chunks_exact(classes)).zip(values.chunks_exact_mut(classes))
    {
        solve_leaf(matrix, masses, l2, values);
    }
    values
}

fn shrink(gradient: f64, l1: f64) -> f64 {
    shrunk(gradient, l1).copysign(gradient)
}

fn chunk_sums(
    rows: &[u32],
    chunk: usize,
    leaf_of: &[u32],
    input: &TrainInput<'_>,
    derivatives: &Derivatives,
    leaf_count: usize,
    classes: usize,
) -> Sums {
    let mut sums = Sums::new(leaf_count, classes);
    let columns: Vec<&[f64]> = (0..classes).map(|class| derivatives.chunk(chunk, class).0).collect();
    let mut gradients = vec![0.0; classes];
    let mut probabilities = vec![0.0; classes];
    for (position, row) in rows.iter().enumerate() {
        let row = *row as usize;
        let weight = input.weights.map_or(1.0, |weights| weights[row]);
        if weight == 0.0 || leaf_of[row] == NO_LEAF {
            continue;
        }
        let own = input.target[row] as usize;
        for (class, column) in columns.iter().enumerate() {
            gradients[class] = column[position];
            // The gradient is the probability less one for the row's own class.
            probabilities[class] = column[position] / weight + f64::from(u8::from(class == own));
        }
        sums.add_row(leaf_of[row] as usize, weight, &gradients, &probabilities);
    }
    sums
}

/// Solves (diag(masses) - products + l2 I) v = values in place by a Cholesky factor; zeros if there is no curvature.
fn solve_leaf(matrix: &mut [f64], masses: &[f64], l2: f64, values: &mut [f64]) {
    let classes = masses.len();
    let mean = masses.iter().sum::<f64>() / classes as f64;
    let ridge = l2.max(LEAST_RIDGE * mean);
    if ridge <= 0.0 {
        values.fill(0.0);
        return;
    }
    for row in 0..classes {
        for column in 0..=row {
            let slot = &mut matrix[row * classes + column];
            *slot = -*slot;
        }
        matrix[row * classes + row] += masses[row] + ridge;
    }
    for row in 0..classes {
        for column in 0..=row {
            let (above, below) = matrix.split_at_mut(row * classes);
            let other = if column == row { &below[..column] } else { &above[column * classes..][..column] };
            let dot: f64 = below[..column].iter().zip(other).map(|(a, b)| a * b).sum();
            let rest = below[column] - dot;
            below[column] = if column == row {
                // Rounding may eat a curvature as small as the ridge.
                rest.max(LEAST_RIDGE * ridge).sqrt()
            } else {
                rest / above[column * classes + column]
            };
        }
    }
    for row in 0..classes {
        let dot: f64 = (0..row).map(|column| matrix[row * classes + column] * values[column]).sum();
        values[row] = (values[row] - dot) / matrix[row * classes + row];
    }
    for row in (0..classes).rev() {
        let dot: f64 = (row + 1..classes).map(|later| matrix[later * classes + row] * values[later]).sum();
        values[row] = (values[row] - dot) / matrix[row * classes + row];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_of_rivals_takes_half_of_the_diagonal_step() {
        // Eight rows, classes 0 and 1 at one half each, six of class 0: g = (4 - 6, 4 - 2), H = 2 [[1, -1], [-1, 1]].
        let mut products = vec![2.0, 0.0, 0.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0];
        let mut values = vec![2.0, -2.0, 0.0];
        solve_leaf(&mut products, &[4.0, 4.0, 0.0], 0.0, &mut values);
        // (1, -1, 0) / 2 moves both by one half; g / p (1 - p) n would move both by one.
        for (value, expected) in values.iter().zip([0.5, -0.5, 0.0]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }

    #[test]
    fn the_factor_solves_the_system() {
        let probabilities = [[0.2, 0.5, 0.3], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8]];
        let weights = [1.0, 2.0, 0.5];
        let mut sums = Sums::new(1, 3);
        for (row, weight) in probabilities.iter().zip(weights) {
            sums.add_row(0, weight, &[0.1, -0.3, 0.2], row);
        }
        let mut full = [[0.0; 3]; 3];
        for (row, weight) in probabilities.iter().zip(weights) {
            for j in 0..3 {
                for k in 0..3 {
                    full[j][k] += weight * (if j == k { row[j] } else { 0.0 } - row[j] * row[k]);
                }
            }
        }
        let right = [1.0, -2.0, 1.0];
        let mut values = right.to_vec();
        solve_leaf(&mut sums.products, &sums.masses, 3.0, &mut values);
        for j in 0..3 {
            let left: f64 = (0..3).map(|k| full[j][k] * values[k]).sum::<f64>() + 3.0 * values[j];
            assert!((left - right[j]).abs() < 1e-12, "{left} is not {}", right[j]);
        }
        // Gradients that add up to nothing move no class as a whole.
        assert!(values.iter().sum::<f64>().abs() < 1e-12);
    }

    #[test]
    fn a_leaf_without_rows_stays_at_zero() {
        let mut values = vec![0.0; 2];
        solve_leaf(&mut [0.0; 4], &[0.0; 2], 0.0, &mut values);
        assert_eq!(values, [0.0, 0.0]);
    }
}
