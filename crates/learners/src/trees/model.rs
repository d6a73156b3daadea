//! Fitted trees: raw scores turned into predictions.

use kaizen_base::math;
use kaizen_model::{LoadError, Model, PredictError, Predictions, State, Task, View};
use kaizen_table::Table;
use kaizen_trees::Ensemble;

use super::data::feature_data;
use super::storage;
use crate::features::Features;
use crate::outcome::{ABSENT, Classes, finite};
use crate::tasks::{load_task, save_task};

/// What raw scores are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scores {
    /// Log-odds, softmax scores or standardised values of a boosting.
    Boosted,
    /// Probabilities of the occurring classes or standardised means of a forest.
    Averaged,
}

/// Turns raw scores into predictions.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) task: Task,
    pub(crate) classes: Classes,
    pub(crate) scores: Scores,
    /// Mean and spread of a regression's target, 0 and 1 otherwise.
    pub(crate) target_scale: (f64, f64),
}

impl Link {
    /// Raw scores that one ensemble must have for a row.
    pub(crate) fn output_count(&self) -> usize {
        match (&self.task, self.scores) {
            (Task::Multiclass { .. }, Scores::Boosted) => self.classes.list().len().max(2),
            (Task::Multiclass { .. }, Scores::Averaged) => self.classes.list().len(),
            _ => 1,
        }
    }

    /// Ensembles of a model: one for each level of a quantile task.
    pub(crate) fn ensemble_count(&self) -> usize {
        if let Task::Quantile { levels } = &self.task { levels.len() } else { 1 }
    }

    /// Predictions from the raw scores [rows, outputs] of each ensemble.
    pub(crate) fn predictions(&self, scores: &[Vec<f64>]) -> Predictions {
        let width = self.task.output_count();
        let rows = scores.first().map_or(0, |scores| scores.len() / self.output_count());
        let mut values = vec![0.0; rows * width];
        let (mean, spread) = self.target_scale;
        match &self.task {
            Task::Regression | Task::Quantile { .. } => {
                for (output, scores) in scores.iter().enumerate() {
                    for (row, score) in scores.iter().enumerate() {
                        values[row * width + output] = finite(mean + spread * score);
                    }
                }
                // Quantiles fitted one by one may cross; sorting them lowers no pinball loss (Chernozhukov,
                // Fernandez-Val and Galichon 2010).
                values.chunks_exact_mut(width).for_each(|row| row.sort_unstable_by(f64::total_cmp));
            }
            Task::Binary | Task::Multiclass { .. } => {
                let outputs = self.output_count();
                let first = scores.first().map_or(&[][..], Vec::as_slice);
                for (row, out) in first.chunks_exact(outputs).zip(values.chunks_exact_mut(width)) {
                    self.probabilities(row, out);
                }
            }
        }
        Predictions::new(width, values)
    }

    fn probabilities(&self, scores: &[f64], out: &mut [f64]) {
        match self.scores {
            Scores::Boosted if self.task == Task::Binary => {
                let probability = math::sigmoid(finite(scores[0]));
                out.copy_from_slice(&[1.0 - probability, probability]);
            }
            Scores::Boosted => {
                // Softmax trees have at least two scores; with one class alone the second belongs to none.
                let occurring = &scores[..self.classes.list().len()];
                let mut shares: Vec<f64> = occurring.iter().map(|&score| finite(score)).collect();
                math::softmax(&mut shares);
                self.classes.spread(&shares, out);
            }
            Scores::Averaged if self.task == Task::Binary => {
                // The mean of a target of 0 and 1; a trace of doubt where all trees agree.
                let probability = finite(scores[0]).clamp(ABSENT, 1.0 - ABSENT);
                out.copy_from_slice(&[1.0 - probability, probability]);
            }
            Scores::Averaged => {
                // Leaves are kept in single precision, so that sums miss one by rounding.
                let mut shares: Vec<f64> =
                    scores.iter().map(|&share| finite(share).clamp(0.0, 1.0)).collect();
                let total: f64 = shares.iter().sum();
                let count = shares.len() as f64;
                for share in &mut shares {
                    *share = if total > 0.0 { *share / total } else { 1.0 / count };
                }
                self.classes.spread(&shares, out);
            }
        }
    }

    fn save(&self, state: &mut State) {
        save_task(&self.task, state);
        self.classes.save(state);
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let task = load_task(state)?;
        let scores = match state.text("scores")? {
            "boosted" => Scores::Boosted,
            "averaged" => Scores::Averaged,
            _ => return Err(LoadError::damaged("scores", "of no known kind")),
        };
        let target_scale = (state.number("target_mean")?, state.number("target_spread")?);
        Ok(Self { classes: Classes::load(state, &task)?, task, scores, target_scale })
    }
}

/// Trees and the columns they look at.
pub(crate) struct TreeModel {
    features: Features,
    link: Link,
    ensembles: Vec<Ensemble>,
}

impl TreeModel {
    /// Puts a model together.
    pub(crate) fn new(features: Features, link: Link, ensembles: Vec<Ensemble>) -> Self {
        Self { features, link, ensembles }
    }

    pub(crate) fn load(state: &State) -> Result<Self, LoadError> {
        let features = Features::load(state.part("features")?)?;
        let link = Link::load(state)?;
        let ensembles: Vec<Ensemble> = (0..link.ensemble_count())
            .map(|index| storage::load(state.part(&format!("ensemble{index}"))?))
            .collect::<Result<_, LoadError>>()?;
        for ensemble in &ensembles {
            let fits = ensemble.output_count() == link.output_count()
                && ensemble.feature_count() == features.list().len();
            if !fits {
                return Err(LoadError::damaged("ensemble", "not for these columns or this task"));
            }
        }
        Ok(Self { features, link, ensembles })
    }
}

impl Model for TreeModel {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        let cells = self.features.read(table)?;
        let data = feature_data(&self.features, &cells);
        let rows: Vec<u32> = (0..table.row_count() as u32).collect();
        let scores: Result<Vec<Vec<f64>>, _> =
            self.ensembles.iter().map(|ensemble| ensemble.predict(&data, &rows)).collect();
        // Only a column of another type can make the engine refuse, and those were refused by name when read.
        let scores = scores.map_err(|_| PredictError::Type {
            name: self.features.list().first().map_or_else(String::new, |feature| feature.name.clone()),
            expected: "what the trees were fitted on",
        })?;
        Ok(self.link.predictions(&scores))
    }

    fn view(&self) -> View<'_> {
        let mut gains = vec![0.0; self.features.list().len()];
        for ensemble in &self.ensembles {
            gains.iter_mut().zip(ensemble.feature_gains()).for_each(|(sum, gain)| *sum += gain);
        }
        View::Trees {
            gains: self.features.list().iter().map(|feature| feature.name.clone()).zip(gains).collect(),
            tree_count: self.ensembles.iter().map(Ensemble::tree_count).sum(),
            rounds: self.ensembles.iter().map(Ensemble::round_count).collect(),
        }
    }

    fn save(&self) -> State {
        let kind = if self.link.scores == Scores::Boosted { "boosted" } else { "averaged" };
        let (mean, spread) = self.link.target_scale;
        let mut state =
            State::new(serde_json::json!({ "scores": kind, "target_mean": mean, "target_spread": spread }));
        self.link.save(&mut state);
        state.parts.insert("features".to_owned(), self.features.save());
        for (index, ensemble) in self.ensembles.iter().enumerate() {
            state.parts.insert(format!("ensemble{index}"), storage::save(ensemble));
        }
        state
    }
}
