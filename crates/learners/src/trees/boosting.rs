//! What all boosted learners do around the engine: targets, early stopping, predictions of the validation rows.

use kaizen_base::Flow;
use kaizen_model::{Ctx, FitError, Fitted, Model, Sample, Task, View};
use kaizen_trees::{Bins, BoostParams, Ensemble, FeatureData, Objective, TrainInput, train};

use super::data::unfit;
use super::model::{Link, Scores, TreeModel};
use crate::features::Features;
use crate::moments::moments;
use crate::outcome::Classes;

/// The target as trees take it, one number a row of the table.
pub(crate) struct TreeTarget {
    pub(crate) classes: Classes,
    /// Mean and spread of a regression's target, 0 and 1 for classes.
    pub(crate) scale: (f64, f64),
    /// Standardised numbers, or places of occurring classes; `None` where the data set's own target will do.
    values: Option<Vec<f64>>,
}

impl TreeTarget {
    pub(crate) fn of(sample: Sample<'_>) -> Self {
        let classes = Classes::of(sample);
        let target = &sample.data.target;
        match &sample.data.task {
            Task::Multiclass { class_count } if classes.list().len() < *class_count => {
                let place = |&class: &f64| classes.place(class).unwrap_or(0) as f64;
                let values = Some(target.iter().map(place).collect());
                Self { classes, scale: (0.0, 1.0), values }
            }
            Task::Binary | Task::Multiclass { .. } => Self { classes, scale: (0.0, 1.0), values: None },
            Task::Regression | Task::Quantile { .. } => {
                let found = moments(target, sample.train, |row| sample.data.weight(row));
                let spread = if found.deviation > 0.0 { found.deviation } else { 1.0 };
                // On one scale, gradients of any target neither overflow nor vanish in single precision.
                let value = |value: &f64| value / spread - found.mean / spread;
                Self {
                    classes,
                    scale: (found.mean, spread),
                    values: Some(target.iter().map(value).collect()),
                }
            }
        }
    }

    /// One number a row of the table.
    pub(crate) fn values<'a>(&'a self, sample: Sample<'a>) -> &'a [f64] {
        self.values.as_deref().unwrap_or(&sample.data.target)
    }
}

/// The objectives of a task: one, or one for each quantile level.
pub(crate) fn objectives(task: &Task, classes: &Classes, shared: bool) -> Vec<Objective> {
    match task {
        Task::Binary => vec![Objective::Logistic],
        // Softmax wants two classes; with one, the second is never seen and never predicted.
        Task::Multiclass { .. } => {
            vec![Objective::Softmax { classes: classes.list().len().max(2) as u32, shared }]
        }
        Task::Regression => vec![Objective::Squared],
        Task::Quantile { levels } => levels.iter().map(|&level| Objective::Quantile { level }).collect(),
    }
}

/// The mean number of rounds of the folds' models, one for each boosting of a model; empty without folds.
pub(crate) fn settled_rounds(folds: &[&dyn Model]) -> Vec<u32> {
    let mut sums: Vec<usize> = Vec::new();
    for fold in folds {
        if let View::Trees { rounds, .. } = fold.view() {
            sums.resize(sums.len().max(rounds.len()), 0);
            sums.iter_mut().zip(rounds).for_each(|(sum, rounds)| *sum += rounds);
        }
    }
    sums.into_iter().map(|sum| (sum as f64 / folds.len() as f64).round().max(1.0) as u32).collect()
}

/// What is boosted.
pub(crate) struct Plan<'a> {
    /// One for each ensemble of the model.
    pub(crate) params: Vec<BoostParams>,
    /// Columns that may be used, ascending; `None` is all.
    pub(crate) columns: Option<Vec<u32>>,
    /// Raw values of all columns, where leaves are linear.
    pub(crate) values: Option<Vec<FeatureData<'a>>>,
}

/// One boosting for each set of parameters, as a fitted model.
pub(crate) fn boost(
    features: Features,
    bins: &Bins,
    sample: Sample<'_>,
    target: TreeTarget,
    plan: &Plan<'_>,
    ctx: &Ctx<'_>,
) -> Result<Fitted, FitError> {
    let params = &plan.params;
    let values = target.values(sample);
    let judged: Option<Vec<u32>> = sample.valid.map(|rows| judged_rows(sample, &target.classes, rows));
    let mut ensembles = Vec::with_capacity(params.len());
    let mut valid_scores = Vec::with_capacity(params.len());
    let mut cut_short = false;
    for (index, params) in params.iter().enumerate() {
        let mut input = TrainInput::new(bins, sample.train, values);
        input.valid_rows = judged.as_deref().filter(|rows| !rows.is_empty());
        input.features = plan.columns.as_deref();
        input.values = plan.values.as_deref();
        input.weights = sample.data.weights.as_ref().map(|weights| weights.as_slice());
        let mut last_round = 0;
        let trained =
            train(&input, params, ctx.seed.child("boost", index as u64), ctx.signal, &mut |report| {
                last_round = report.round;
                Flow::Continue
            })
            .map_err(|error| unfit(&error))?;
        let stalled = params.patience.is_some_and(|patience| last_round >= trained.best_round + patience);
        cut_short |= ctx.signal.flow() == Flow::Finish && last_round < params.rounds && !stalled;
        if let (Some(rows), Some(judged)) = (sample.valid, &judged) {
            valid_scores.push(if judged.len() == rows.len() && !rows.is_empty() {
                trained.valid_scores
            } else {
                let scores = match &plan.values {
                    Some(values) => trained.ensemble.predict(values, rows),
                    None => trained.ensemble.predict_binned(bins, rows),
                };
                scores.map_err(|error| unfit(&error))?
            });
        }
        ensembles.push(trained.ensemble);
    }
    let link = Link {
        task: sample.data.task.clone(),
        classes: target.classes,
        scores: Scores::Boosted,
        target_scale: target.scale,
    };
    Ok(finish(features, link, ensembles, sample.valid.map(|_| valid_scores), cut_short))
}

/// A model with the predictions of its validation rows.
pub(crate) fn finish(
    features: Features,
    link: Link,
    ensembles: Vec<Ensemble>,
    valid_scores: Option<Vec<Vec<f64>>>,
    cut_short: bool,
) -> Fitted {
    let valid_predictions = valid_scores.map(|scores| link.predictions(&scores));
    Fitted { model: Box::new(TreeModel::new(features, link, ensembles)), valid_predictions, cut_short }
}

/// Validation rows whose class occurs in training: only these can tell rounds apart.
fn judged_rows(sample: Sample<'_>, classes: &Classes, rows: &[u32]) -> Vec<u32> {
    let known = |row: &&u32| {
        !matches!(sample.data.task, Task::Multiclass { .. })
            || classes.place(sample.data.target[**row as usize]).is_some()
    };
    rows.iter().filter(known).copied().collect()
}

/// Rounds without improvement after which boosting ends: what five full steps of shrinkage would cover.
pub(crate) fn patience(learning_rate: f64) -> u32 {
    ((5.0 / learning_rate) as u32).clamp(20, 300)
}
