//! A fitted weighted sum.

use kaizen_base::math;
use kaizen_model::{LoadError, Model, PredictError, Predictions, State, Task, Tensor, View};
use kaizen_table::Table;
use rayon::prelude::*;

use super::design::Encoder;
use crate::features::{Cells, Features, Kind};
use crate::outcome::{Classes, finite};
use crate::tasks::{load_task, save_task};

/// Rows that one task predicts.
const CHUNK: usize = 1024;

/// Weights and what they weigh.
pub(crate) struct LinearModel {
    pub(crate) features: Features,
    pub(crate) encoder: Encoder,
    pub(crate) task: Task,
    /// Classes that have scores.
    pub(crate) classes: Classes,
    /// [1 + terms, outputs]; outputs is 1 for binary and regression, else the number of classes with scores.
    pub(crate) weights: Vec<f64>,
    /// Mean and spread of the target of a regression, 0 and 1 otherwise.
    pub(crate) target_scale: (f64, f64),
    /// In the units of the columns, one for each output of a prediction.
    intercepts: Vec<f64>,
}

impl LinearModel {
    /// Rounds the weights of indexed terms to single precision (they are many and are stored so), drops indexed terms
    /// without weight, and works out the intercepts in the units of the columns.
    pub(crate) fn new(
        features: Features,
        mut encoder: Encoder,
        task: Task,
        classes: Classes,
        mut weights: Vec<f64>,
        target_scale: (f64, f64),
    ) -> Self {
        let outputs = outputs(&task, &classes);
        let indexed = weights.split_off((1 + encoder.dense.len()) * outputs);
        let rounded: Vec<f64> = indexed.iter().map(|&weight| f64::from(weight as f32)).collect();
        let kept: Vec<usize> = (0..encoder.used.len())
            .filter(|place| {
                rounded[place * outputs..(place + 1) * outputs].iter().any(|&weight| weight != 0.0)
            })
            .collect();
        for &place in &kept {
            weights.extend_from_slice(&rounded[place * outputs..(place + 1) * outputs]);
        }
        encoder.keep(&kept);
        let mut model =
            Self { features, encoder, task, classes, weights, target_scale, intercepts: Vec::new() };
        model.intercepts = model.plain_intercepts();
        model
    }

    /// Predictions of some rows; a row's numbers do not depend on the rows beside it.
    pub(crate) fn predict_cells(&self, cells: &[Cells<'_>], rows: &[u32]) -> Predictions {
        let outputs = outputs(&self.task, &self.classes);
        let width = self.task.output_count();
        let mut values = vec![0.0; rows.len() * width];
        let work = |(rows, out): (&[u32], &mut [f64])| {
            let encoded = self.encoder.encode(cells, rows);
            let mut scores = vec![0.0; rows.len() * outputs];
            encoded.scores(&self.weights, outputs, &mut scores);
            for (scores, out) in scores.chunks_exact_mut(outputs).zip(out.chunks_exact_mut(width)) {
                self.finish(scores, out);
            }
        };
        if rows.len() <= CHUNK {
            work((rows, &mut values));
        } else {
            rows.par_chunks(CHUNK).zip(values.par_chunks_mut(CHUNK * width)).for_each(work);
        }
        Predictions::new(width, values)
    }

    fn finish(&self, scores: &mut [f64], out: &mut [f64]) {
        match self.task {
            Task::Binary => {
                let probability = math::sigmoid(finite(scores[0]));
                out.copy_from_slice(&[1.0 - probability, probability]);
            }
            Task::Multiclass { .. } => {
                for score in scores.iter_mut() {
                    *score = finite(*score);
                }
                math::softmax(scores);
                self.classes.spread(scores, out);
            }
            Task::Regression | Task::Quantile { .. } => {
                let (mean, spread) = self.target_scale;
                out[0] = finite(mean + spread * scores[0]);
            }
        }
    }

    /// A weight for each output of a prediction, from those of the scores.
    fn plain(&self, scores: impl Iterator<Item = f64>) -> Vec<f64> {
        match self.task {
            Task::Binary => std::iter::once(0.0).chain(scores).collect(),
            Task::Multiclass { class_count } => {
                let mut all = vec![0.0; class_count];
                for (weight, &class) in scores.zip(self.classes.list()) {
                    all[class as usize] = weight;
                }
                all
            }
            Task::Regression | Task::Quantile { .. } => {
                scores.map(|weight| weight * self.target_scale.1).collect()
            }
        }
    }

    fn plain_intercepts(&self) -> Vec<f64> {
        let outputs = outputs(&self.task, &self.classes);
        let shifted = (0..outputs).map(|output| {
            let shift: f64 = (self.encoder.dense.iter().enumerate())
                .map(|(term, scale)| {
                    self.weights[(1 + term) * outputs + output] * (scale.centre / scale.spread)
                })
                .sum();
            self.weights[output] - shift
        });
        let mut intercepts = self.plain(shifted);
        if matches!(self.task, Task::Regression) {
            intercepts[0] += self.target_scale.0;
        }
        intercepts
    }

    fn term_name(&self, term: usize) -> String {
        let dense = self.encoder.dense.len();
        if let Some(scale) = self.encoder.dense.get(term) {
            let name = &self.features.list()[scale.feature as usize].name;
            return if scale.missing { format!("{name} is missing") } else { name.clone() };
        }
        let (feature, index) = self.encoder.origin(term - dense);
        let feature = &self.features.list()[feature];
        match &feature.kind {
            Kind::Category(levels) => match levels.list().get(index) {
                Some(level) => format!("{} = {level}", feature.name),
                None => format!("{} is missing", feature.name),
            },
            _ => format!("{}[{index}]", feature.name),
        }
    }

    pub(crate) fn load(state: &State) -> Result<Self, LoadError> {
        let features = Features::load(state.part("features")?)?;
        let encoder = Encoder::load(state.part("encoder")?, &features)?;
        let task = load_task(state)?;
        let classes = Classes::load(state, &task)?;
        let outputs = outputs(&task, &classes);
        let weights: Vec<f64> = state
            .f64s("weights")?
            .iter()
            .copied()
            .chain(state.f32s("indexed_weights")?.iter().map(|&weight| f64::from(weight)))
            .collect();
        let split = (1 + encoder.dense.len()) * outputs;
        if state.f64s("weights")?.len() != split || weights.len() != (1 + encoder.term_count()) * outputs {
            return Err(LoadError::damaged("weights", "not one for each term and output"));
        }
        let target_scale = (state.number("target_mean")?, state.number("target_spread")?);
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(LoadError::damaged("weights", "not finite"));
        }
        Ok(Self::new(features, encoder, task, classes, weights, target_scale))
    }
}

/// Scores a row has.
pub(crate) fn outputs(task: &Task, classes: &Classes) -> usize {
    if matches!(task, Task::Multiclass { .. }) { classes.list().len() } else { 1 }
}

impl Model for LinearModel {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        let cells = self.features.read(table)?;
        let rows: Vec<u32> = (0..table.row_count() as u32).collect();
        Ok(self.predict_cells(&cells, &rows))
    }

    fn view(&self) -> View<'_> {
        let outputs = outputs(&self.task, &self.classes);
        let terms = (0..self.encoder.term_count())
            .map(|term| {
                let spread = self.encoder.dense.get(term).map_or(1.0, |scale| scale.spread);
                let weights = &self.weights[(1 + term) * outputs..(2 + term) * outputs];
                (self.term_name(term), self.plain(weights.iter().map(|weight| weight / spread)))
            })
            .collect();
        View::Linear { intercepts: &self.intercepts, terms }
    }

    fn save(&self) -> State {
        let split = (1 + self.encoder.dense.len()) * outputs(&self.task, &self.classes);
        let indexed = self.weights[split..].iter().map(|&weight| weight as f32).collect();
        let mut state = State::new(serde_json::json!({
            "target_mean": self.target_scale.0, "target_spread": self.target_scale.1,
        }));
        save_task(&self.task, &mut state);
        self.classes.save(&mut state);
        state
            .with("weights", Tensor::F64(self.weights[..split].to_vec()))
            .with("indexed_weights", Tensor::F32(indexed))
            .with_part("features", self.features.save())
            .with_part("encoder", self.encoder.save())
    }
}
