//! What can be wrong with a request for an ensemble or a calibration.

use kaizen_metrics::MetricError;
use thiserror::Error;

/// Why there is no ensemble or no calibration.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum EnsembleError {
    /// There is nothing to choose from.
    #[error("no candidates to choose from")]
    NoCandidates,
    /// The predictions of a candidate cannot be judged.
    #[error("candidate {index}: {source}")]
    Candidate {
        /// Position of the first such candidate.
        index: usize,
        /// What is wrong.
        source: MetricError,
    },
    /// The metric refuses truth or weights.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A prediction cost is negative or not finite.
    #[error("candidate {index} costs {cost} microseconds a row; a cost is finite and not negative")]
    Cost {
        /// Position of the first such candidate.
        index: usize,
        /// Its cost.
        cost: f64,
    },
    /// Every candidate alone costs more than the limit.
    #[error("the cheapest candidate costs {cheapest} microseconds a row, the limit is {limit}")]
    NoneAffordable {
        /// The limit, in microseconds a row.
        limit: f64,
        /// Cost of the cheapest candidate, in microseconds a row.
        cheapest: f64,
    },
    /// There is not one group number a row.
    #[error("{found} group numbers for {expected} rows")]
    Groups {
        /// How many were given.
        found: usize,
        /// Rows.
        expected: usize,
    },
    /// A setting is out of range.
    #[error("{setting} is {value}, allowed is {allowed}")]
    Setting {
        /// Its name.
        setting: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Stored numbers do not describe a calibrator.
    #[error("{found} numbers do not make a {kind} calibrator")]
    Numbers {
        /// Kind of the calibrator.
        kind: &'static str,
        /// How many numbers were given.
        found: usize,
    },
}
