//! What can go wrong, and whose fault it is.

/// Why training, reading or predicting did not give a result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TreesError {
    /// Arrays that belong together differ in length, or an index points outside.
    #[error("{what}: expected {expected}, found {found}")]
    Shape {
        /// Which array or index.
        what: &'static str,
        /// What would have fitted.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// A parameter lies outside its range.
    #[error("parameter {name} is {value}; allowed: {allowed}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// The value that came.
        value: f64,
        /// The range, in words.
        allowed: &'static str,
    },
    /// A target value that the objective has no meaning for.
    #[error("target of row {row} is {value}; allowed: {allowed}")]
    Target {
        /// Row of the table, counted from 0.
        row: usize,
        /// The value that came.
        value: f64,
        /// The range, in words.
        allowed: &'static str,
    },
    /// A sample weight that is negative or not finite.
    #[error("weight of row {row} is {value}; allowed: finite and not negative")]
    Weight {
        /// Row of the table, counted from 0.
        row: usize,
        /// The value that came.
        value: f64,
    },
    /// There is nothing to learn from: no rows, or all weights are zero.
    #[error("no rows to learn from")]
    NoRows,
    /// The caller told the training to stop.
    #[error("stopped on request")]
    Stopped,
    /// Linear leaves look at raw values, but only bins were given.
    #[error("linear leaves need the raw values of the features, not only their bins")]
    ValuesNeeded,
    /// The parts of a stored ensemble contradict each other.
    #[error("stored ensemble is damaged: {what}")]
    Damaged {
        /// The first contradiction found.
        what: &'static str,
    },
}

/// Result with [`TreesError`].
pub type Result<T> = std::result::Result<T, TreesError>;
