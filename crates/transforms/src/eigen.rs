//! Eigenvalues and eigenvectors of small symmetric matrices.
//!
//! Written here instead of taken from a library because the result must have the same bits on every machine: no
//! dispatch on the processor, no fused multiplication.

/// Sweeps after which Jacobi's method has always converged in practice (it converges quadratically; ten suffice).
const SWEEP_LIMIT: usize = 40;

/// Eigenvalues in descending order and the eigenvectors as rows, of a symmetric matrix [size, size].
///
/// Source: cyclic Jacobi rotations (Golub and Van Loan 2013, algorithm 8.5.2). Cost grows with the cube of `size`.
pub(crate) fn symmetric_eigen(mut matrix: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; size * size];
    for index in 0..size {
        vectors[index * size + index] = 1.0;
    }
    let scale: f64 = matrix.iter().map(|value| value * value).sum();
    for _ in 0..SWEEP_LIMIT {
        let off: f64 = (0..size)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| matrix[i * size + j] * matrix[i * size + j])
            .sum();
        if off <= scale * 1e-30 {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                rotate(&mut matrix, &mut vectors, size, p, q);
            }
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| matrix[b * size + b].total_cmp(&matrix[a * size + a]).then(a.cmp(&b)));
    let values = order.iter().map(|&index| matrix[index * size + index]).collect();
    let sorted =
        order.iter().flat_map(|&index| vectors[index * size..(index + 1) * size].iter().copied()).collect();
    (values, sorted)
}

/// Makes the entry (p, q) zero.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], size: usize, p: usize, q: usize) {
    let entry = matrix[p * size + q];
    if entry == 0.0 {
        return;
    }
    let theta = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * entry);
    let tangent = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for k in 0..size {
        let (a, b) = (matrix[k * size + p], matrix[k * size + q]);
        matrix[k * size + p] = cosine * a - sine * b;
        matrix[k * size + q] = sine * a + cosine * b;
    }
    for k in 0..size {
        let (a, b) = (matrix[p * size + k], matrix[q * size + k]);
        matrix[p * size + k] = cosine * a - sine * b;
        matrix[q * size + k] = sine * a + cosine * b;
        let (a, b) = (vectors[p * size + k], vectors[q * size + k]);
        vectors[p * size + k] = cosine * a - sine * b;
        vectors[q * size + k] = sine * a + cosine * b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_with_known_eigenvalues() {
        let (values, vectors) = symmetric_eigen(vec![2.0, 1.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 5.0], 3);
        for (value, wanted) in values.iter().zip([5.0, 3.0, 1.0]) {
            assert!((value - wanted).abs() < 1e-12);
        }
        assert!((vectors[3].abs() - 0.5_f64.sqrt()).abs() < 1e-12);
        assert_eq!(symmetric_eigen(Vec::new(), 0), (Vec::new(), Vec::new()));
    }
}
