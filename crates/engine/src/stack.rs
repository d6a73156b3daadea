//! The second layer, for the preset that wants the best that the time allows: tried, and believed only on evidence that
//! nothing leaked into it.

use kaizen_base::{Seed, Signal};
use kaizen_model::{Predictions, Shape};
use kaizen_table::SplitPlan;
use kaizen_tabular::pipeline_space::Columns;
use kaizen_tabular::stacking::{Base, honest_fold, second_layer};
use kaizen_tabular::{CrossValidation, Member, Pipeline, PipelineSpace, portfolio};

use crate::bagging::Footprint;
use crate::blend::{Entries, Entry, Models};
use crate::plan::Plan;
use crate::request::{FitRequest, Preset};
use crate::search_loop::Searched;

/// Models of the first layer that the second one sees: the best of as many learners.
const BASE_COUNT: usize = 3;

/// Rows below which the first fold is too small to judge a second layer by.
const LEAST_ROWS: usize = 1_000;

/// Folds below which what a second layer learns from comes from too different models.
const LEAST_FOLDS: usize = 3;

/// Whole repeats that a second layer takes about as long as: its own, and those of the proof.
pub(crate) const JOBS: f64 = 12.0;

/// A second layer that has proved itself.
pub(crate) struct Stacked {
    /// The first layer, with the models of all folds.
    pub base: Vec<Member>,
    /// Its pipelines, as candidates for the blend.
    pub entries: Vec<Entry>,
}

/// Whether a second layer is to be tried: every row must have an out-of-fold prediction.
pub(crate) fn applies(request: &FitRequest, plan: &Plan) -> bool {
    let covers_all = matches!(plan.validation.plan, SplitPlan::Shuffled { .. } | SplitPlan::Grouped { .. });
    request.preset == Preset::Best
        && covers_all
        && plan.cv.folds_per_repeat >= LEAST_FOLDS
        && plan.cv.data.target.len() >= LEAST_ROWS
        // Constraints hold for features, not for predictions of other models.
        && plan.monotone.is_empty()
}

/// Fits second layers on the best entries and keeps them if two layers that never met the first fold predict it better
/// than `blend`, the out-of-fold predictions of the first layer's blend. `None` where they do not, or time is up.
pub(crate) fn stack(
    request: &FitRequest,
    plan: &Plan,
    searched: &Searched,
    entries: &Entries,
    blend: &Predictions,
    signal: &Signal,
) -> Option<Stacked> {
    let problem = &searched.problem;
    if entries.done < plan.cv.folds_per_repeat {
        return None;
    }
    let chosen = best_of_learners(entries);
    let out_of_fold: Vec<Predictions> = chosen.iter().map(|entry| entry.predictions.clone()).collect();
    let cv = second_layer(&plan.cv, &out_of_fold).ok()?;
    let base: Vec<Member> = chosen
        .iter()
        .map(|entry| Member {
            label: entry.label.clone(),
            weight: 1.0,
            pipelines: entry.models.all(searched, entry.fold_count),
            is_stacked: false,
        })
        .collect();
    let base_cost = chosen.iter().fold(Footprint::default(), |sum, entry| sum.plus(entry.footprint));
    let seed = Seed(request.seed).child("stack", 0);
    let rows = plan.cv.covered_rows(entries.done);
    let bound = problem.scoring.loss(&rows, blend).ok()?;
    let mut stacked: Vec<(Entry, Pipeline)> = Vec::new();
    for (index, (label, pipeline)) in pipelines(searched, plan, &cv)?.into_iter().enumerate() {
        if !problem.has_room(&pipeline, cv.folds_per_repeat) {
            continue;
        }
        let seed = seed.child("layer", index as u64);
        let Some(entry) = layer_entry(searched, &cv, &pipeline, label, base_cost, seed, signal) else {
            continue;
        };
        if problem.scoring.metric.loss_of(entry.value) < bound {
            stacked.push((entry, pipeline));
        }
    }
    let metric = problem.scoring.metric;
    stacked.sort_by(|(a, _), (b, _)| metric.loss_of(a.value).total_cmp(&metric.loss_of(b.value)));
    let (_, best) = stacked.first()?;
    let bases = chosen.iter().map(|entry| first_fold(searched, entry)).collect::<Option<Vec<Base>>>()?;
    let first = &plan.cv.folds[0].valid;
    let honest = honest_fold(&plan.cv, &bases, best, seed.child("honest", 0), signal).ok()?;
    let (layered, plain) = (
        problem.scoring.loss(first, &honest).ok()?,
        problem.scoring.loss(first, &taken(blend, &rows, first)).ok()?,
    );
    (layered < plain)
        .then(|| Stacked { base, entries: stacked.into_iter().map(|(entry, _)| entry).collect() })
}

/// The best entry of each learner, the best few of these.
fn best_of_learners(entries: &Entries) -> Vec<&Entry> {
    let mut learners = std::collections::BTreeSet::new();
    entries.list.iter().filter(|entry| learners.insert(&entry.learner)).take(BASE_COUNT).collect()
}

/// What the second layer is made of.
fn pipelines(searched: &Searched, plan: &Plan, cv: &CrossValidation) -> Option<Vec<(String, Pipeline)>> {
    let table = &cv.data.table;
    let columns = Columns::of(table);
    let before = Columns::of(&plan.cv.data.table);
    debug_assert!(columns.categories == before.categories && columns.text == before.text);
    let shape = Shape {
        row_count: cv.folds[0].train.len(),
        column_count: table.columns().len(),
        category_count: usize::from(columns.categories),
        text_count: usize::from(columns.text),
        task: plan.task.clone(),
    };
    let space = PipelineSpace::new(searched.problem.pipelines.learners(), &shape, columns).ok()?;
    let list = portfolio::second_layer(&space).into_iter().filter_map(|config| {
        let label = format!("{} on the predictions of others", space.learner_of(&config));
        Some((label, space.pipeline(&config).ok()?))
    });
    Some(list.collect())
}

fn layer_entry(
    searched: &Searched,
    cv: &CrossValidation,
    pipeline: &Pipeline,
    label: String,
    base: Footprint,
    seed: Seed,
    signal: &Signal,
) -> Option<Entry> {
    let folds = cv.fit_folds(pipeline, 0, cv.folds_per_repeat, seed, &|| signal.child()).ok()?;
    let footprints: Vec<Footprint> =
        folds.iter().map(|fold| Footprint::of(fold.effort, fold.size_bytes)).collect();
    let fold_count = folds.len();
    let outcome = kaizen_tabular::TrialOutcome { folds };
    let rows = cv.covered_rows(fold_count);
    let predictions = cv.out_of_fold(&outcome, &rows);
    let value = searched.problem.scoring.value(&rows, &predictions).ok()?;
    let pipelines = outcome.folds.into_iter().filter_map(|fold| fold.pipeline).collect();
    Some(Entry {
        label,
        learner: pipeline.learner.card().name.to_owned(),
        config: pipeline.config.to_string(),
        models: Models::Stacked(pipelines),
        fit_seconds: None,
        fold_count,
        predictions,
        value,
        repeats: 1,
        first_predictions: None,
        first_value: value,
        footprint: Footprint::mean(&footprints).plus(base),
    })
}

fn first_fold(searched: &Searched, entry: &Entry) -> Option<Base> {
    let Models::Trial(trial) = entry.models else { return None };
    let config = &searched.history.trial(trial)?.config;
    let pipeline = searched.problem.pipelines.pipeline(config).ok()?;
    let outcome = searched.problem.outcome(trial)?;
    Some(Base { pipeline, first_fold: outcome.folds.into_iter().next()?.predictions })
}

/// The predictions of `wanted`, which are among `rows`, both ascending.
fn taken(predictions: &Predictions, rows: &[u32], wanted: &[u32]) -> Predictions {
    let values = wanted
        .iter()
        .filter_map(|row| rows.binary_search(row).ok())
        .flat_map(|place| predictions.row(place).iter().copied())
        .collect();
    Predictions::new(predictions.outputs, values)
}
