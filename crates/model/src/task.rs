//! What is to be predicted.

/// The kind of prediction; it fixes the shape of [`crate::Predictions`].
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// One of two classes; predictions are [rows, 2] probabilities, the second one of the positive class.
    Binary,
    /// One of `class_count` (at least 3) classes; predictions are [rows, classes] probabilities.
    Multiclass {
        /// Number of classes.
        class_count: usize,
    },
    /// A number; predictions are [rows, 1].
    Regression,
    /// Quantiles of a number; predictions are [rows, levels], ascending along each row.
    Quantile {
        /// Levels in (0, 1), ascending.
        levels: Vec<f64>,
    },
}

impl Task {
    /// Numbers predicted for one row.
    pub fn output_count(&self) -> usize {
        match self {
            Self::Binary => 2,
            Self::Multiclass { class_count } => *class_count,
            Self::Regression => 1,
            Self::Quantile { levels } => levels.len(),
        }
    }

    /// Whether predictions are class probabilities.
    pub fn is_classification(&self) -> bool {
        matches!(self, Self::Binary | Self::Multiclass { .. })
    }

    /// The word used on the command line.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Multiclass { .. } => "multiclass",
            Self::Regression => "regression",
            Self::Quantile { .. } => "quantile",
        }
    }
}
