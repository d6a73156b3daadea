//! How good predictions of some rows are, by the metric that the person chose.

use std::sync::Arc;

use kaizen_metrics::{Metric, MetricError, Scores, TaskKind, Truth};
use kaizen_model::{Dataset, Predictions, Task};

/// A metric with the truth it compares to.
#[derive(Clone, Debug)]
pub struct Scoring {
    /// The metric.
    pub metric: &'static Metric,
    task: Task,
    target: Arc<Vec<f64>>,
    weights: Option<Arc<Vec<f64>>>,
}

/// The metrics' word for a task.
pub fn task_kind(task: &Task) -> TaskKind {
    match task {
        Task::Binary => TaskKind::Binary,
        Task::Multiclass { .. } => TaskKind::Multiclass,
        Task::Regression => TaskKind::Regression,
        Task::Quantile { .. } => TaskKind::Quantile,
    }
}

impl Scoring {
    /// Scores predictions of the rows of `data`.
    pub fn new(metric: &'static Metric, data: &Dataset) -> Self {
        Self {
            metric,
            task: data.task.clone(),
            target: Arc::clone(&data.target),
            weights: data.weights.clone(),
        }
    }

    /// The true values of `rows`.
    pub fn truth(&self, rows: &[u32]) -> Vec<f64> {
        rows.iter().map(|&row| self.target[row as usize]).collect()
    }

    /// The weights of `rows`, if rows have weights.
    pub fn weights(&self, rows: &[u32]) -> Option<Vec<f64>> {
        self.weights.as_ref().map(|weights| rows.iter().map(|&row| weights[row as usize]).collect())
    }

    /// The value of the metric for predictions of `rows`.
    ///
    /// # Errors
    /// [`MetricError`] where the metric is undefined, for instance one class only.
    pub fn value(&self, rows: &[u32], predictions: &Predictions) -> Result<f64, MetricError> {
        let truth = self.truth(rows);
        let weights = self.weights(rows);
        with_wrapped(&self.task, &truth, predictions, |truth, scores| {
            self.metric.value(truth, scores, weights.as_deref())
        })
    }

    /// As [`Scoring::value`], as a loss: 0 is best.
    ///
    /// # Errors
    /// As [`Scoring::value`].
    pub fn loss(&self, rows: &[u32], predictions: &Predictions) -> Result<f64, MetricError> {
        self.value(rows, predictions).map(|value| self.metric.loss_of(value))
    }
}

/// Wraps truth and predictions as the metrics want them for this task.
///
/// # Errors
/// [`MetricError`] of the wrapping or of `judge`.
pub fn with_wrapped<T>(
    task: &Task,
    truth: &[f64],
    predictions: &Predictions,
    judge: impl FnOnce(&Truth<'_>, &Scores<'_>) -> Result<T, MetricError>,
) -> Result<T, MetricError> {
    let values = &predictions.values;
    match task {
        Task::Binary | Task::Multiclass { .. } => {
            let classes = task.output_count();
            judge(&Truth::classes_from_numbers(truth, classes)?, &Scores::probabilities(values, classes)?)
        }
        Task::Regression => judge(&Truth::values(truth)?, &Scores::values(values)?),
        Task::Quantile { levels } => judge(&Truth::values(truth)?, &Scores::quantiles(values, levels)?),
    }
}
