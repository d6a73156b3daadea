//! What an artifact says of itself.

use std::collections::BTreeMap;

use kaizen_base::Digest;
use kaizen_model::Task;
use kaizen_table::Schema;
use serde_json::Value;

/// The typed part of `manifest.json`; the pipeline graph and the digests of the entries are added when it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Version of Kaizen that fitted it.
    pub kaizen_version: String,
    /// What is predicted.
    pub task: Task,
    /// Name of the target column.
    pub target: String,
    /// Class names in class order; empty unless the task is a classification.
    pub classes: Vec<String>,
    /// How input columns are read, with the category levels seen when fitting.
    pub inputs: Schema,
    /// Name of the metric that was optimised.
    pub metric: String,
    /// Scores by name of metric.
    pub scores: BTreeMap<String, Score>,
    /// Seeds by what they seed.
    pub seeds: BTreeMap<String, u64>,
    /// What it was fitted on.
    pub data: Vec<DataSource>,
    /// Whatever else the engine records, by section; kept as it is.
    pub sections: BTreeMap<String, Value>,
}

/// A score with its interval; NaN where unknown.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// The estimate, in the metric's own unit and direction.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl PartialEq for Score {
    /// Bit by bit, but all NaNs are one: the file has only one way to say "unknown".
    fn eq(&self, other: &Self) -> bool {
        let same = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        same(self.value, other.value) && same(self.low, other.low) && same(self.high, other.high)
    }
}

/// A table that went in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource {
    /// File name without folders: paths of a machine are nobody's business.
    pub name: String,
    /// Rows used.
    pub row_count: u64,
    /// Columns used, without the target.
    pub column_count: u64,
    /// Digest of the data.
    pub digest: Digest,
}

impl Manifest {
    /// A manifest of this version of Kaizen with nothing but a task and a target.
    pub fn new(task: Task, target: impl Into<String>) -> Self {
        Self {
            kaizen_version: env!("CARGO_PKG_VERSION").to_owned(),
            task,
            target: target.into(),
            classes: Vec::new(),
            inputs: Schema::default(),
            metric: String::new(),
            scores: BTreeMap::new(),
            seeds: BTreeMap::new(),
            data: Vec::new(),
            sections: BTreeMap::new(),
        }
    }
}
