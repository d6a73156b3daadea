//! The weighted blend of bagged pipelines that is shipped.
//!
//! Each member is a bag: the mean of the pipelines fitted on the folds, or one pipeline refitted on all rows. The
//! blend is the weighted mean of its members on the scale of the predictions, then calibrated.

use kaizen_base::math;
use kaizen_model::{LoadError, Model, PredictError, Predictions, State, Task};
use kaizen_table::Table;
use rayon::prelude::*;
use serde_json::json;

use crate::pipeline::{FittedPipeline, FittedSteps, Passage, StepPool};
use crate::preparation::Preparation;
use crate::stacking::extended;

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
    /// Whether it belongs to the second layer and sees the predictions of [`Ensemble::base`] too.
    pub is_stacked: bool,
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
    /// The first layer of stacked members, whose weights mean nothing; empty where no member is stacked.
    pub base: Vec<Member>,
    /// The correction at the end.
    pub calibration: Calibration,
}

impl Member {
    /// Its pipelines, each with its share of the blend.
    fn shares(&self) -> impl Iterator<Item = (&FittedPipeline, f64)> {
        let share = self.weight / self.pipelines.len() as f64;
        self.pipelines.iter().map(move |pipeline| (pipeline, share))
    }
}

/// The predictions of all pipelines, in their order.
fn predict_all(pipelines: &[&FittedPipeline], table: &Table) -> Result<Vec<Predictions>, PredictError> {
    let mut passage = Passage::new(table.clone());
    let stages: Vec<usize> =
        pipelines.iter().map(|pipeline| passage.stage(pipeline)).collect::<Result<_, _>>()?;
    let predict =
        |(pipeline, stage): (&&FittedPipeline, usize)| pipeline.model().predict(passage.rows(stage));
    if table.row_count() < PARALLEL_ROWS {
        pipelines.iter().zip(stages).map(predict).collect()
    } else {
        pipelines.par_iter().zip(stages).map(predict).collect()
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
        for (is_stacked, table) in [(false, Some(table.clone())), (true, self.second_layer(table)?)] {
            let Some(table) = table else { continue };
            let layer = self.members.iter().filter(|member| member.is_stacked == is_stacked);
            let (pipelines, shares): (Vec<&FittedPipeline>, Vec<f64>) =
                layer.flat_map(Member::shares).unzip();
            for (predicted, share) in predict_all(&pipelines, &table)?.iter().zip(shares) {
                blend.add_scaled(predicted, share);
            }
        }
        self.calibration.apply(&mut blend);
        Ok(blend)
    }

    /// Prepared rows with the predictions of the first layer; `None` where there is no second one.
    fn second_layer(&self, table: &Table) -> Result<Option<Table>, PredictError> {
        if self.base.is_empty() {
            return Ok(None);
        }
        let pipelines: Vec<&FittedPipeline> = self.base.iter().flat_map(|member| &member.pipelines).collect();
        let mut predicted = predict_all(&pipelines, table)?.into_iter();
        let means: Vec<Predictions> =
            self.base.iter().map(|member| mean(predicted.by_ref().take(member.pipelines.len()))).collect();
        extended(table, &means).map(Some)
    }

    /// Brings back what [`Model::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(state: &State, task: Task) -> Result<Self, LoadError> {
        let preparation = Preparation::load(state.part("preparation")?)?;
        let steps = FittedSteps::load(state)?;
        let members = load_members(state, "member", &steps)?;
        let base = load_members(state, "base", &steps)?;
        if members.is_empty() || base.is_empty() && members.iter().any(|member| member.is_stacked) {
            return Err(LoadError::damaged("members", "none, or a second layer without a first"));
        }
        let calibration = match state.value("temperature")?.as_f64() {
            Some(temperature) if temperature.is_finite() && temperature > 0.0 => {
                Calibration::Temperature(temperature)
            }
            Some(_) => return Err(LoadError::damaged("temperature", "not positive")),
            None => Calibration::None,
        };
        Ok(Self { task, preparation, members, base, calibration })
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
        let describe = |members: &[Member]| -> serde_json::Value {
            let one = |member: &Member| {
                json!({
                    "label": member.label,
                    "weight": member.weight,
                    "pipelines": member.pipelines.len(),
                    "is_stacked": member.is_stacked,
                })
            };
            members.iter().map(one).collect()
        };
        let mut state = State::new(json!({
            "member": describe(&self.members),
            "base": describe(&self.base),
            "temperature": temperature,
        }))
        .with_part("preparation", self.preparation.save());
        let mut steps = StepPool::default();
        for (layer, members) in [("member", &self.members), ("base", &self.base)] {
            for (index, member) in members.iter().enumerate() {
                for (fold, pipeline) in member.pipelines.iter().enumerate() {
                    let saved = pipeline.save_sharing(&mut steps);
                    state = state.with_part(&format!("{layer}_{index}_{fold}"), saved);
                }
            }
        }
        steps.into_parts(state)
    }
}

/// What is stored of a member besides its pipelines.
#[derive(serde::Deserialize)]
struct StoredMember {
    label: String,
    weight: f64,
    pipelines: usize,
    is_stacked: bool,
}

fn load_members(state: &State, layer: &str, steps: &FittedSteps) -> Result<Vec<Member>, LoadError> {
    let stored: Vec<StoredMember> = state.read(layer)?;
    let load = |(index, stored): (usize, StoredMember)| {
        let StoredMember { label, weight, pipelines: count, is_stacked } = stored;
        if count == 0 || !weight.is_finite() {
            return Err(LoadError::damaged(&label, "no pipeline, or no finite weight"));
        }
        let pipelines = (0..count)
            .map(|fold| FittedPipeline::load_sharing(state.part(&format!("{layer}_{index}_{fold}"))?, steps))
            .collect::<Result<_, LoadError>>()?;
        Ok(Member { label, weight, pipelines, is_stacked })
    };
    stored.into_iter().enumerate().map(load).collect()
}

/// The mean of at least one prediction.
fn mean(predictions: impl ExactSizeIterator<Item = Predictions>) -> Predictions {
    let share = 1.0 / predictions.len() as f64;
    let mut sum = Predictions::new(1, Vec::new());
    for predicted in predictions {
        if sum.values.is_empty() {
            sum = Predictions::new(predicted.outputs, vec![0.0; predicted.values.len()]);
        }
        sum.add_scaled(&predicted, share);
    }
    sum
}
