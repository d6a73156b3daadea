//! What can be wrong with a question put to a metric.

use thiserror::Error;

use crate::metric::TaskKind;

/// Why a metric has no value. Every variant is an *input* error: the caller can fix it.
///
/// Rows and columns count from 0.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MetricError {
    /// There is nothing to average over.
    #[error("no rows to evaluate")]
    NoRows,
    /// Truth, predictions or weights differ in length, or the predictions do not fill whole rows.
    #[error("{what} has {found} entries, expected {expected}")]
    Length {
        /// Which array is at fault.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length that fits the other arrays.
        expected: usize,
    },
    /// A number is NaN or infinite.
    #[error("{what} is {value} in row {row}; only finite numbers can be evaluated")]
    NotFinite {
        /// Which array is at fault.
        what: &'static str,
        /// Row of the first such number.
        row: usize,
        /// The number.
        value: f64,
    },
    /// A row of class scores is not a probability distribution.
    #[error("the probabilities of row {row} are not in [0, 1] with sum 1 (sum {sum})")]
    NotProbabilities {
        /// First such row.
        row: usize,
        /// Sum over its classes.
        sum: f64,
    },
    /// A class label is not a whole number below the number of classes.
    #[error("label {label} in row {row} is not one of the {classes} classes 0..{classes}")]
    Label {
        /// First such row.
        row: usize,
        /// What stands there.
        label: f64,
        /// Number of classes.
        classes: usize,
    },
    /// A number lies outside the domain of the metric.
    #[error("{what} is {value} in row {row}; {metric} needs {allowed}")]
    Domain {
        /// The metric that was asked.
        metric: &'static str,
        /// Truth or prediction.
        what: &'static str,
        /// First such row.
        row: usize,
        /// The number.
        value: f64,
        /// What would be allowed.
        allowed: &'static str,
    },
    /// A weight is negative or not finite.
    #[error("the weight of row {row} is {value}; weights must be finite and not negative")]
    Weight {
        /// First such row.
        row: usize,
        /// The weight.
        value: f64,
    },
    /// All weights are zero.
    #[error("all weights are zero")]
    NoWeight,
    /// A quantile level is not strictly between 0 and 1, or levels do not ascend strictly.
    #[error("quantile level {level} at position {position} is not in (0, 1) and above the level before it")]
    Level {
        /// Position of the first such level.
        position: usize,
        /// The level.
        level: f64,
    },
    /// The metric compares classes, and (by weight) the truth holds only one.
    #[error("{metric} is undefined: only one class is present in the truth")]
    OneClass {
        /// The metric that was asked.
        metric: &'static str,
    },
    /// The metric averages over all classes, and (by weight) this one has no row in the truth.
    #[error("{metric} is undefined: class {class} has no row in the truth")]
    AbsentClass {
        /// The metric that was asked.
        metric: &'static str,
        /// Index of the first absent class.
        class: usize,
    },
    /// The metric divides by the spread of the truth, and the truth is constant.
    #[error("{metric} is undefined: the truth is constant")]
    ConstantTruth {
        /// The metric that was asked.
        metric: &'static str,
    },
    /// The metric cannot judge these predictions.
    #[error("{metric} judges {wanted}, these are {found}")]
    Kind {
        /// The metric that was asked.
        metric: &'static str,
        /// Kinds of task it applies to, in words.
        wanted: String,
        /// The kind of the predictions.
        found: TaskKind,
    },
    /// The metric judges probabilities or numbers, not decisions, so no threshold is best.
    #[error("{metric} does not depend on a threshold of class 1")]
    NoThreshold {
        /// The metric that was asked.
        metric: &'static str,
    },
    /// No metric has this name.
    #[error("unknown metric `{name}`{}", hint(.suggestions))]
    UnknownName {
        /// What was asked for.
        name: String,
        /// The nearest names, nearest first.
        suggestions: Vec<&'static str>,
    },
    /// A setting of an interval or a curve is out of range.
    #[error("{setting} is {value}, allowed is {allowed}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Too many bootstrap samples have no value to speak of an interval.
    #[error(
        "{metric} is undefined in {undefined} of {replicates} bootstrap samples: too few rows for an interval"
    )]
    Unstable {
        /// The metric that was asked.
        metric: &'static str,
        /// Samples without a value.
        undefined: usize,
        /// Samples drawn.
        replicates: usize,
    },
}

fn hint(suggestions: &[&str]) -> String {
    if suggestions.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = suggestions.iter().map(|name| format!("`{name}`")).collect();
    format!(": did you mean {}?", quoted.join(" or "))
}
