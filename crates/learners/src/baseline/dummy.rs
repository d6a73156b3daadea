//! The same prediction for every row: shares of the classes, the mean or median, or the quantiles.
//!
//! Shares are smoothed by one row spread over all classes, so that no class has probability zero.

use kaizen_base::{Card, Flow};
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Inputs, Learner, LoadError, Memory, Model, PredictError,
    Predictions, Sample, Shape, State, Task, Tensor,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::Table;

use crate::moments::moments;
use crate::outcome::finite;
use crate::parameters::space;
use crate::tasks::{load_task, save_task};

static CARD: Card = Card {
    name: "dummy",
    summary: "Predicts class shares, the mean or median, or quantiles, whatever the row",
    source: "The no-information baseline (Kuhn and Johnson 2013, section 11.2)",
};

/// Parameters: `centre` (`mean` or `median`), used by regressions.
#[derive(Debug)]
pub struct Dummy;

impl Learner for Dummy {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn handles(&self) -> Handles {
        Handles {
            binary: true,
            multiclass: true,
            regression: true,
            quantile: true,
            inputs: Inputs { missing: true, categories: true, sparse: true, scaled: false },
            weights: true,
            monotone: true,
            readable: true,
        }
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::choice("centre", ["mean", "median"])])
    }

    fn memory(&self, _config: &Config, extent: &Extent) -> Memory {
        // A quantile sorts the targets with their weights.
        let fitted_bytes = 8 * extent.task.output_count() as u64;
        Memory { working_bytes: extent.train_bytes(2), shared_bytes: 0, fitted_bytes }
    }

    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError> {
        if ctx.signal.flow() == Flow::Stop {
            return Err(FitError::Stopped);
        }
        if sample.train.is_empty() {
            return Err(FitError::Unfit("there are no rows to learn from".to_owned()));
        }
        let values = match &sample.data.task {
            Task::Binary | Task::Multiclass { .. } => shares(sample),
            Task::Regression if config.choice("centre") == "mean" => {
                vec![moments(&sample.data.target, sample.train, |row| sample.data.weight(row)).mean]
            }
            Task::Regression => quantiles(sample, &[0.5]),
            Task::Quantile { levels } => quantiles(sample, levels),
        };
        let model = DummyModel { task: sample.data.task.clone(), values };
        let valid_predictions = sample.valid.map(|rows| model.repeat(rows.len()));
        Ok(Fitted { model: Box::new(model), valid_predictions, cut_short: false })
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        let task = load_task(state)?;
        let values = state.f64s("values")?.to_vec();
        let sum: f64 = values.iter().sum();
        let sound = if task.is_classification() {
            values.iter().all(|share| (0.0..=1.0).contains(share)) && (sum - 1.0).abs() < 1e-9
        } else {
            values.iter().all(|value| value.is_finite()) && values.windows(2).all(|pair| pair[0] <= pair[1])
        };
        if values.len() != task.output_count() || !sound {
            return Err(LoadError::damaged("values", "not a prediction of the task"));
        }
        Ok(Box::new(DummyModel { task, values }))
    }
}

fn shares(sample: Sample<'_>) -> Vec<f64> {
    let count = sample.data.task.output_count();
    let mut shares = vec![1.0 / count as f64; count];
    let mut total = 1.0;
    for &row in sample.train {
        shares[sample.data.target[row as usize] as usize] += sample.data.weight(row);
        total += sample.data.weight(row);
    }
    for share in &mut shares {
        *share /= total;
    }
    shares
}

/// Weighted quantiles: the middle of the values between which the share of weight is reached, as the median of an even
/// count is.
fn quantiles(sample: Sample<'_>, levels: &[f64]) -> Vec<f64> {
    let mut rows: Vec<(f64, f64)> =
        sample.train.iter().map(|&row| (sample.data.target[row as usize], sample.data.weight(row))).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = rows.iter().map(|(_, weight)| weight).sum();
    let quantile = |level: &f64| {
        let wanted = level * total;
        let mut reached = 0.0;
        for (index, (value, weight)) in rows.iter().enumerate() {
            reached += weight;
            if reached > wanted {
                return *value;
            }
            if reached == wanted {
                let next = rows.get(index + 1).map_or(*value, |(next, _)| *next);
                return value * 0.5 + next * 0.5;
            }
        }
        rows.last().map_or(0.0, |(value, _)| *value)
    };
    levels.iter().map(|level| finite(quantile(level))).collect()
}

struct DummyModel {
    task: Task,
    values: Vec<f64>,
}

impl DummyModel {
    fn repeat(&self, rows: usize) -> Predictions {
        Predictions::new(self.values.len(), self.values.repeat(rows))
    }
}

impl Model for DummyModel {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        Ok(self.repeat(table.row_count()))
    }

    fn save(&self) -> State {
        let mut state = State::default();
        save_task(&self.task, &mut state);
        state.with("values", Tensor::F64(self.values.clone()))
    }
}
