//! What an ensemble is chosen from: the predictions of all candidates on the same rows, checked once.

use kaizen_base::Rng;
use kaizen_metrics::{Metric, MetricError, Scores, Truth};

use crate::error::EnsembleError;

/// One model, by what it said of each row when it had not seen it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Out-of-fold predictions `[rows, outputs]`, row-major.
    pub predictions: &'a [f64],
    /// What one prediction costs, in microseconds a row.
    pub cost: f64,
}

/// The shape of predictions, common to all candidates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outputs<'a> {
    /// A probability for each of so many classes.
    Probabilities(usize),
    /// One number.
    Values,
    /// One number for each of these quantile levels.
    Quantiles(&'a [f64]),
}

impl Outputs<'_> {
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Probabilities(classes) => *classes,
            Self::Values => 1,
            Self::Quantiles(levels) => levels.len(),
        }
    }

    pub(crate) fn scores<'b>(&'b self, values: &'b [f64]) -> Result<Scores<'b>, MetricError> {
        match self {
            Self::Probabilities(classes) => Scores::probabilities(values, *classes),
            Self::Values => Scores::values(values),
            Self::Quantiles(levels) => Scores::quantiles(values, levels),
        }
    }
}

/// Candidates, the truth, row weights and the metric: everything that a choice rests on, known to fit together.
pub struct Pool<'a> {
    pub(crate) truth: &'a Truth<'a>,
    pub(crate) outputs: Outputs<'a>,
    pub(crate) candidates: Vec<Candidate<'a>>,
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) metric: &'static Metric,
}

impl<'a> Pool<'a> {
    /// Checks every candidate: shape, finite numbers, probabilities that sum to 1, and that `metric` has a value.
    ///
    /// # Errors
    /// [`EnsembleError::NoCandidates`]; [`EnsembleError::Cost`]; [`EnsembleError::Candidate`] with the metric's reason.
    pub fn new(
        truth: &'a Truth<'a>,
        outputs: Outputs<'a>,
        candidates: Vec<Candidate<'a>>,
        weights: Option<&'a [f64]>,
        metric: &'static Metric,
    ) -> Result<Self, EnsembleError> {
        if candidates.is_empty() {
            return Err(EnsembleError::NoCandidates);
        }
        for (index, candidate) in candidates.iter().enumerate() {
            if !(candidate.cost.is_finite() && candidate.cost >= 0.0) {
                return Err(EnsembleError::Cost { index, cost: candidate.cost });
            }
            let source_of = |source| EnsembleError::Candidate { index, source };
            let scores = outputs.scores(candidate.predictions).map_err(source_of)?;
            if scores.rows() != truth.rows() {
                let (found, expected) = (candidate.predictions.len(), truth.rows() * outputs.count());
                return Err(source_of(MetricError::Length {
                    what: "the array of predictions",
                    found,
                    expected,
                }));
            }
            // Whether a value exists depends on truth and weights, not on the model, but for the domain of a metric.
            if index == 0 || metric.prepare(truth, &scores).is_err() {
                metric.value(truth, &scores, weights).map_err(source_of)?;
            }
        }
        Ok(Self { truth, outputs, candidates, weights, metric })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.truth.rows()
    }

    /// Number of candidates, at least 1.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Never: a pool holds at least one candidate.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// The blend of all candidates' predictions by `weights` `[candidates]`: `[rows, outputs]`.
    ///
    /// # Panics
    /// If there is not one weight a candidate.
    pub fn blend(&self, weights: &[f64]) -> Vec<f64> {
        assert_eq!(weights.len(), self.len(), "one weight a candidate");
        let mut blend = vec![0.0; self.rows() * self.outputs.count()];
        for (candidate, &weight) in self.candidates.iter().zip(weights).filter(|pair| *pair.1 != 0.0) {
            for (sum, prediction) in blend.iter_mut().zip(candidate.predictions) {
                *sum += weight * prediction;
            }
        }
        blend
    }

    /// All rows, dealt into `count` parts of nearly equal size, class by class; each part ascending.
    pub(crate) fn deal(&self, count: usize, rng: &mut Rng) -> Vec<Vec<u32>> {
        let mut parts = vec![Vec::new(); count];
        let mut dealt = 0;
        for mut stratum in self.strata() {
            rng.shuffle(&mut stratum);
            for row in stratum {
                parts[dealt % count].push(row);
                dealt += 1;
            }
        }
        for part in &mut parts {
            part.sort_unstable();
        }
        parts
    }

    /// Rows by class; all rows together where the truth is numbers.
    fn strata(&self) -> Vec<Vec<u32>> {
        match (self.truth.labels(), self.truth.class_count()) {
            (Some(labels), Some(classes)) => {
                let mut strata = vec![Vec::new(); classes];
                for (row, &label) in labels.iter().enumerate() {
                    strata[label as usize].push(row as u32);
                }
                strata
            }
            _ => vec![(0..self.rows() as u32).collect()],
        }
    }

    /// Rows of the rarest class that occurs; all rows where the truth is numbers.
    pub(crate) fn rarest(&self) -> usize {
        self.strata().iter().map(Vec::len).filter(|&rows| rows > 0).min().unwrap_or(0)
    }
}

/// The entries of `values` `[rows, columns]` that belong to `rows`.
pub(crate) fn gather(values: &[f64], columns: usize, rows: &[u32]) -> Vec<f64> {
    let mut gathered = Vec::with_capacity(rows.len() * columns);
    for &row in rows {
        gathered.extend_from_slice(&values[row as usize * columns..(row as usize + 1) * columns]);
    }
    gathered
}
