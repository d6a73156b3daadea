//! What a model says of rows.

/// Predicted numbers of shape [rows, outputs], row by row.
///
/// Class probabilities lie in [0, 1] and sum to one along a row; the second column of a binary task belongs to the
/// positive class. No value is NaN.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// Numbers a row.
    pub outputs: usize,
    /// `rows * outputs` numbers.
    pub values: Vec<f64>,
}

impl Predictions {
    /// Wraps row-major values.
    ///
    /// # Panics
    /// If the values do not fill whole rows.
    pub fn new(outputs: usize, values: Vec<f64>) -> Self {
        assert!(
            outputs > 0 && values.len().is_multiple_of(outputs),
            "{} values in rows of {outputs}",
            values.len()
        );
        Self { outputs, values }
    }

    /// Two-column probabilities from those of the positive class.
    pub fn binary(positive: impl IntoIterator<Item = f64>) -> Self {
        Self::new(2, positive.into_iter().flat_map(|p| [1.0 - p, p]).collect())
    }

    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.values.len() / self.outputs
    }

    /// The numbers of one row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.outputs..(row + 1) * self.outputs]
    }

    /// Adds `weight` times `other` to this, number by number.
    ///
    /// # Panics
    /// If shapes differ.
    pub fn add_scaled(&mut self, other: &Self, weight: f64) {
        assert_eq!((self.outputs, self.values.len()), (other.outputs, other.values.len()));
        for (sum, value) in self.values.iter_mut().zip(&other.values) {
            *sum += weight * value;
        }
    }
}
