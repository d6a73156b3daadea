//! The weighted blend of bagged pipelines that is shipped.
//!
//! Each member is a bag: the mean of the pipelines fitted on the folds, or one pipeline refitted on all rows. The
//! blend is the weighted mean of its members on the scale of the predictions, then calibrated.

use kaizen_base::math;
use kaizen_model::{LoadError, Model, PredictError, Predictions, State, Task};
use kaizen_table::Table;
use rayon::prelude::*;
use serde_json::json;

use crate::pipeline::{FittedPipeline, FittedSteps, StepPool};
use crate::preparation::Preparation;

/// Rows below which members are asked one after the other: handing work to other threads would cost more.
const PARALLEL_ROWS: usize = 256;

/// Rows that are predicted together, so that memory stays bounded on tables of any length.
const BATCH_ROWS: usize = 16_384;

/// One bag of pipelines in the blend.
#[derive(Clone)]
pub struct Member {
    /// What the leaderboard calls it.
    pub label: String,
    /// Its share of the blend, positive; the shares of all members sum to one.
    pub weight: f64,
    /// The pipelines whose mean it is, at least one.
    pub pipelines: Vec<FittedPipeline>,
}

/// How class probabilities are corrected after the blend.
#[derive(Clone, Debug, PartialEq)]
pub enum Calibration {
    /// Not at all.
    None,
    /// Logarithms of probabilities are divided by this positive temperature, then renormalised (Guo et al. 2017).
    Temperature(f64),
}

/// A prepared, blended and calibrated model: takes rows as the schema reads them.
pub struct Ensemble {
    /// What is predicted.
    pub task: Task,
    /// What happens to rows first.
    pub preparation: Preparation,
    /// The blend, at least one member.
    pub members: Vec<Member>,
    /// The correction at the end.
    pub calibration: Calibration,
}

impl Member {
    /// The mean of the member's pipelines on prepared rows.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn predict_prepared(&self, table: &Table) -> Result<Predictions, PredictError> {
        let share = 1.0 / self.pipelines.len() as f64;
        let mut mean: Option<Predictions> = None;
        for predicted in predict_all(&self.pipelines, table)? {
            if let Some(mean) = &mut mean {
                mean.add_scaled(&predicted, share);
            } else {
                let mut first = predicted;
                first.values.iter_mut().for_each(|value| *value *= share);
                mean = Some(first);
            }
        }
        mean.ok_or_else(|| PredictError::NoColumn("a member without pipelines".to_owned()))
    }
}

fn predict_all(pipelines: &[FittedPipeline], table: &Table) -> Result<Vec<Predictions>, PredictError> {
    if table.row_count() < PARALLEL_ROWS {
        pipelines.iter().map(|pipeline| pipeline.predict(table)).collect()
    } else {
        pipelines.par_iter().map(|pipeline| pipeline.predict(table)).collect()
    }
}

impl Calibration {
    /// Corrects probabilities in place.
    pub fn apply(&self, predictions: &mut Predictions) {
        let Self::Temperature(temperature) = *self else { return };
        for row in predictions.values.chunks_exact_mut(predictions.outputs) {
            for p in row.iter_mut() {
                *p = math::ln(p.max(SMALLEST_PROBABILITY)) / temperature;
            }
            math::softmax(row);
        }
    }
}

/// The temperature that minimises the log loss of the predictions, by golden-section search on its logarithm;
/// [`Calibration::None`] where that gains less than a thousandth of the loss.
///
/// `truth` holds class indices `[rows]`.
///
/// Source: Guo, Pleiss, Sun and Weinberger 2017, "On calibration of modern neural networks", section 4.2.
pub fn fit_temperature(truth: &[f64], predictions: &Predictions) -> Calibration {
    /// Temperatures from 1/4 to 4: beyond them the model, not its scale, is wrong.
    const LOG_BOUND: f64 = 1.3862943611198906;
    /// Enough for three digits of the temperature.
    const STEPS: usize = 24;
    const GOLDEN: f64 = 0.6180339887498949;
    // Rows at even distances are enough for one number, and bound the time on large tables.
    const ROWS: usize = 10_000;
    let step = predictions.row_count().div_ceil(ROWS).max(1);
    let truth: Vec<f64> = truth.iter().step_by(step).copied().collect();
    let rows = (0..predictions.row_count()).step_by(step);
    let values = rows.flat_map(|row| predictions.row(row).iter().copied()).collect();
    let predictions = &Predictions::new(predictions.outputs, values);
    let truth = truth.as_slice();
    let loss = |log_temperature: f64| {
        let mut corrected = predictions.clone();
        Calibration::Temperature(math::exp(log_temperature)).apply(&mut corrected);
        mean_log_loss(truth, &corrected)
    };
    let (mut low, mut high) = (-LOG_BOUND, LOG_BOUND);
    let mut inner = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let mut losses = (loss(inner.0), loss(inner.1));
    for _ in 0..STEPS {
        if losses.0 <= losses.1 {
            high = inner.1;
            inner = (high - GOLDEN * (high - low), inner.0);
            losses = (loss(inner.0), losses.0);
        } else {
            low = inner.0;
            inner = (inner.1, low + GOLDEN * (high - low));
            losses = (losses.1, loss(inner.1));
        }
    }
    let plain = mean_log_loss(truth, predictions);
    let best = losses.0.min(losses.1);
    // NaN compares false and leaves the predictions as they are.
    if best < plain * (1.0 - 1e-3) {
        Calibration::Temperature(math::exp(0.5 * (low + high)))
    } else {
        Calibration::None
    }
}

fn mean_log_loss(truth: &[f64], predictions: &Predictions) -> f64 {
    let sum: f64 = truth
        .iter()
        .enumerate()
        .map(|(row, &class)| -math::ln(predictions.row(row)[class as usize].max(SMALLEST_PROBABILITY)))
        .sum();
    sum / truth.len() as f64
}

/// Probabilities are kept away from zero by this much before their logarithm is taken.
const SMALLEST_PROBABILITY: f64 = 1e-15;

impl Ensemble {
    /// Predictions of prepared rows.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn predict_prepared(&self, table: &Table) -> Result<Predictions, PredictError> {
        let outputs = self.task.output_count();
        let mut blend = Predictions::new(outputs, vec![0.0; table.row_count() * outputs]);
        for member in &self.members {
            blend.add_scaled(&member.predict_prepared(table)?, member.weight);
        }
        self.calibration.apply(&mut blend);
        Ok(blend)
    }

    /// Brings back what [`Model::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(state: &State, task: Task) -> Result<Self, LoadError> {
        let preparation = Preparation::load(state.part("preparation")?)?;
        let labels: Vec<String> = state.read("labels")?;
        let weights: Vec<f64> = state.read("weights")?;
        let counts: Vec<usize> = state.read("pipeline_counts")?;
        if labels.is_empty() || labels.len() != weights.len() || labels.len() != counts.len() {
            return Err(LoadError::damaged("labels", "members do not match their weights"));
        }
        let steps = FittedSteps::load(state)?;
        let mut members = Vec::with_capacity(labels.len());
        for (index, ((label, weight), count)) in labels.into_iter().zip(weights).zip(counts).enumerate() {
            if count == 0 || !weight.is_finite() {
                return Err(LoadError::damaged(&label, "no pipeline, or no finite weight"));
            }
            let pipelines = (0..count)
                .map(|fold| {
                    FittedPipeline::load_sharing(state.part(&format!("member_{index}_{fold}"))?, &steps)
                })
                .collect::<Result<_, LoadError>>()?;
            members.push(Member { label, weight, pipelines });
        }
        let calibration = match state.value("temperature")?.as_f64() {
            Some(temperature) if temperature.is_finite() && temperature > 0.0 => {
                Calibration::Temperature(temperature)
            }
            Some(_) => return Err(LoadError::damaged("temperature", "not positive")),
            None => Calibration::None,
        };
        Ok(Self { task, preparation, members, calibration })
    }
}

impl Model for Ensemble {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        if table.row_count() <= BATCH_ROWS {
            return self.predict_prepared(&self.preparation.apply(table)?);
        }
        let outputs = self.task.output_count();
        let mut values = Vec::with_capacity(table.row_count() * outputs);
        let rows: Vec<u32> = (0..table.row_count() as u32).collect();
        for batch in rows.chunks(BATCH_ROWS) {
            let prepared = self.preparation.apply(&table.take(batch))?;
            values.extend(self.predict_prepared(&prepared)?.values);
        }
        Ok(Predictions::new(outputs, values))
    }

    fn save(&self) -> State {
        let temperature = match self.calibration {
            Calibration::None => None,
            Calibration::Temperature(temperature) => Some(temperature),
        };
        let labels: Vec<&str> = self.members.iter().map(|member| member.label.as_str()).collect();
        let weights: Vec<f64> = self.members.iter().map(|member| member.weight).collect();
        let counts: Vec<usize> = self.members.iter().map(|member| member.pipelines.len()).collect();
        let mut state = State::new(json!({
            "labels": labels,
            "weights": weights,
            "pipeline_counts": counts,
            "temperature": temperature,
        }))
        .with_part("preparation", self.preparation.save());
        let mut steps = StepPool::default();
        for (index, member) in self.members.iter().enumerate() {
            for (fold, pipeline) in member.pipelines.iter().enumerate() {
                let saved = pipeline.save_sharing(&mut steps);
                state = state.with_part(&format!("member_{index}_{fold}"), saved);
            }
        }
        steps.into_parts(state)
    }
}
