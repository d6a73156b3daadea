//! Which trials make the model, by how much, and in what form each is shipped.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use kaizen_base::{Seed, Signal};
use kaizen_ensembles::{Candidate, Outputs, Pool, Settings, Strategy};
use kaizen_metrics::Metric;
use kaizen_model::{Predictions, Task};
use kaizen_search::TrialId;
use kaizen_table::{SplitPlan, Values};
use kaizen_tabular::scoring::with_wrapped;
use kaizen_tabular::{FittedPipeline, Member, TrialOutcome};

use crate::bagging::{self, Allowance, Footprint};
use crate::error::EngineError;
use crate::plan::Plan;
use crate::request::{FitRequest, Preset};
use crate::search_loop::Searched;

/// Most candidates that compete for the blend; the best of each learner always do.
const MAX_CANDIDATES: usize = 40;

/// Trials whose repeats are looked at for the spread of single models.
const SPREAD_TRIALS: usize = 5;

/// Where the fitted models of an entry are.
pub(crate) enum Models {
    /// With the trial that made them.
    Trial(TrialId),
    /// Here: those of a second layer.
    Stacked(Vec<FittedPipeline>),
}

impl Models {
    /// The models of the first `count` folds.
    pub(crate) fn all(&self, searched: &Searched, count: usize) -> Vec<FittedPipeline> {
        match self {
            Self::Trial(trial) => searched.problem.pipelines_of(*trial, count),
            Self::Stacked(pipelines) => pipelines.clone(),
        }
    }
}

/// Something that competes for a place in the blend.
pub(crate) struct Entry {
    /// What the leaderboard calls it.
    pub label: String,
    pub learner: String,
    /// The learner's configuration, as text.
    pub config: String,
    pub models: Models,
    /// Seconds of all its fits, where they were measured.
    pub fit_seconds: Option<f64>,
    /// Folds that are done, whole repeats.
    pub fold_count: usize,
    /// Out-of-fold predictions of the covered rows, the mean over repeats.
    pub predictions: Predictions,
    /// Value of the metric for them.
    pub value: f64,
    /// Repeats behind `value`; where there are several, what the first repeat alone said, and its value.
    pub repeats: usize,
    pub first_predictions: Option<Predictions>,
    pub first_value: f64,
    /// What the model of one fold takes, on average.
    pub footprint: Footprint,
}

impl Entry {
    /// What a bag of at most so many of its models takes.
    pub(crate) fn bagged(&self, size: usize) -> Footprint {
        self.footprint.times(size.min(self.fold_count))
    }
}

/// All that compete, best first.
pub(crate) struct Entries {
    /// Folds that all of them are done with: the models that may be shipped.
    pub done: usize,
    pub list: Vec<Entry>,
}

/// What was chosen.
pub(crate) struct Choice {
    /// Weight of each entry; they sum to one.
    pub weights: Vec<f64>,
    pub strategy: Strategy,
    /// By how much the blend's loss flatters it, having been chosen on the same rows.
    pub optimism: f64,
    /// Models of each member that are shipped.
    pub bag: usize,
}

impl Entries {
    /// Adds further candidates and puts all in order again.
    pub(crate) fn add(&mut self, more: Vec<Entry>, metric: &Metric) {
        self.list.extend(more);
        self.list.sort_by(|a, b| metric.loss_of(a.value).total_cmp(&metric.loss_of(b.value)));
    }
}

impl Choice {
    /// The blend's out-of-fold predictions in the form that is shipped: where bags have no more models than a repeat,
    /// each row's prediction is that of one model, not the calmer mean over repeats.
    pub(crate) fn blended(&self, entries: &Entries) -> Predictions {
        let Predictions { outputs, values } = &entries.list[0].predictions;
        let mut blended = Predictions::new(*outputs, vec![0.0; values.len()]);
        for (entry, &weight) in entries.list.iter().zip(&self.weights) {
            if weight > 0.0 {
                let alone = entry.first_predictions.as_ref().filter(|_| self.bag <= entries.done);
                blended.add_scaled(alone.unwrap_or(&entry.predictions), weight);
            }
        }
        blended
    }

    /// Estimated microseconds for one row.
    pub(crate) fn microseconds(&self, entries: &Entries) -> f64 {
        let chosen = entries.list.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0.0);
        chosen.map(|(entry, _)| entry.bagged(self.bag).microseconds).sum()
    }
}

/// The trials that are done with the most folds that any is done with, up to one repeat.
pub(crate) fn entries(searched: &Searched) -> Result<Entries, EngineError> {
    let problem = &searched.problem;
    let whole = problem.cv.folds_per_repeat;
    let trials: Vec<(TrialId, TrialOutcome)> = searched
        .history
        .trials()
        .iter()
        .filter_map(|trial| Some((trial.id, problem.outcome(trial.id)?)))
        .filter(|(_, outcome)| !outcome.folds.is_empty())
        .collect();
    let done = trials.iter().map(|(_, outcome)| outcome.folds.len().min(whole)).max().unwrap_or(0);
    let rows = problem.cv.covered_rows(done);
    let mut list: Vec<Entry> = trials
        .into_iter()
        .filter(|(_, outcome)| outcome.folds.len() >= done)
        .filter_map(|(trial, outcome)| entry(searched, trial, outcome, done, &rows))
        .collect();
    let metric = problem.scoring.metric;
    // Trials come in the order of their numbers, and equal ones keep it.
    list.sort_by(|a, b| metric.loss_of(a.value).total_cmp(&metric.loss_of(b.value)));
    if list.is_empty() {
        return Err(EngineError::NoModel(searched.last_failure.clone()));
    }
    let mut learners = BTreeSet::new();
    let mut place = 0;
    list.retain(|entry| {
        place += 1;
        learners.insert(entry.learner.clone()) || place <= MAX_CANDIDATES
    });
    Ok(Entries { done, list })
}

fn entry(
    searched: &Searched,
    trial: TrialId,
    mut outcome: TrialOutcome,
    done: usize,
    rows: &[u32],
) -> Option<Entry> {
    let problem = &searched.problem;
    let whole = problem.cv.folds_per_repeat;
    // Whole repeats only: a half-done one would weigh some rows' models twice.
    let repeats = if done == whole { outcome.folds.len() / whole } else { 1 };
    outcome.folds.truncate(repeats * done);
    let fold_count = outcome.folds.len();
    let predictions = problem.cv.out_of_fold(&outcome, rows);
    let value = problem.scoring.value(rows, &predictions).ok()?;
    outcome.folds.truncate(done);
    let first_predictions = (repeats > 1).then(|| problem.cv.out_of_fold(&outcome, rows));
    let first_value = match &first_predictions {
        Some(first) => problem.scoring.value(rows, first).ok()?,
        None => value,
    };
    let footprints: Vec<Footprint> =
        outcome.folds.iter().map(|fold| Footprint::of(fold.effort, fold.size_bytes)).collect();
    let ended = searched.history.trial(trial)?;
    let learner = problem.pipelines.learner_of(&ended.config).to_owned();
    Some(Entry {
        label: searched.labels.get(&trial).cloned().unwrap_or_default(),
        config: ended.config.below(&learner).to_string(),
        learner,
        models: Models::Trial(trial),
        fit_seconds: Some(ended.seconds()),
        fold_count,
        predictions,
        value,
        repeats,
        first_predictions,
        first_value,
        footprint: Footprint::mean(&footprints),
    })
}

/// Weights of the entries and the size of their bags: what validates best within what is allowed.
pub(crate) fn choose(
    request: &FitRequest,
    plan: &Plan,
    entries: &Entries,
    truth: &[f64],
    weights: Option<&[f64]>,
    signal: &Signal,
) -> Result<Choice, EngineError> {
    let allowance = Allowance::of(request);
    check_gates(request, entries)?;
    let mut settings = Settings::for_rows(truth.len(), Seed(request.seed).child("blend", 0));
    settings.signal = signal.clone();
    if request.preset == Preset::Interpretable {
        // One model that a person can read beats a blend of several that nobody can.
        settings.steps = 1;
        settings.initial = 1;
        settings.is_cross_fitted = false;
    }
    let measured: Vec<(usize, f64, f64)> = entries
        .list
        .iter()
        .take(SPREAD_TRIALS)
        .map(|entry| (entry.repeats, entry.first_value, entry.value))
        .collect();
    let spread = bagging::spread(plan.metric, &measured);
    let columns = plan.cv.data.table.columns();
    let has_text = columns.iter().any(|column| matches!(column.values, Values::Text(_)));
    let mut best: Option<(f64, Choice)> = None;
    let most = entries.list.iter().map(|entry| entry.fold_count).max().unwrap_or(0);
    for bag in bagging::bag_sizes(entries.done, most) {
        let reading = if has_text { bagging::TEXT_MICROSECONDS * bag.min(entries.done) as f64 } else { 0.0 };
        let allowance = allowance.after(reading);
        let costs: Vec<f64> = entries.list.iter().map(|entry| allowance.share(entry.bagged(bag))).collect();
        let cheapest = costs.iter().copied().fold(f64::INFINITY, f64::min);
        settings.cost_limit = allowance.is_limited().then_some(cheapest.max(1.0));
        let chosen = select(plan, entries, &costs, truth, weights, &settings)?;
        let loss = chosen.held_out.map_or(chosen.loss, |held| held.loss);
        // Predictions that are means over repeats have the smaller loss of a bag already.
        let repeats: f64 = entries
            .list
            .iter()
            .zip(&chosen.weights)
            .map(|(entry, weight)| weight * entry.repeats as f64)
            .sum();
        let single = loss / bagging::bagged_loss(1.0, spread, repeats);
        let expected = bagging::bagged_loss(single, spread, bag as f64);
        // A blend that no limit would allow is only for want of another.
        let expected = if cheapest > 1.0 { f64::MAX } else { expected };
        if best.as_ref().is_none_or(|(least, _)| expected < *least || *least == f64::MAX) {
            let optimism = chosen.held_out.map_or(0.0, |held| (held.loss - chosen.loss).max(0.0));
            best = Some((
                expected,
                Choice { weights: chosen.weights, strategy: chosen.strategy, optimism, bag },
            ));
        }
        // Where everything may be taken, smaller bags make room for nothing.
        if costs.iter().sum::<f64>() <= 1.0 {
            break;
        }
    }
    best.map(|(_, choice)| choice).ok_or_else(|| EngineError::NoModel(String::new()))
}

/// A limit that the person set and that no model alone can keep is an error, not a wish.
fn check_gates(request: &FitRequest, entries: &Entries) -> Result<(), EngineError> {
    let Some(limit) = request.limits.max_latency_microseconds else { return Ok(()) };
    let cheapest =
        entries.list.iter().map(|entry| entry.footprint.microseconds).fold(f64::INFINITY, f64::min);
    if cheapest > limit {
        let why = format!("the fastest model takes about {cheapest:.0} µs a row, allowed are {limit:.0} µs");
        return Err(EngineError::Gate { option: "--max-latency", why });
    }
    Ok(())
}

fn select(
    plan: &Plan,
    entries: &Entries,
    costs: &[f64],
    truth: &[f64],
    weights: Option<&[f64]>,
    settings: &Settings,
) -> Result<kaizen_ensembles::Ensemble, EngineError> {
    let outputs = match &plan.task {
        Task::Regression => Outputs::Values,
        Task::Quantile { levels } => Outputs::Quantiles(levels),
        classes => Outputs::Probabilities(classes.output_count()),
    };
    let list = &entries.list;
    let groups = fold_groups(plan, entries.done);
    let chosen = with_wrapped(&plan.task, truth, &list[0].predictions, |truth, _| {
        let candidates = list
            .iter()
            .zip(costs)
            .map(|(entry, &cost)| Candidate { predictions: &entry.predictions.values, cost })
            .collect();
        let pool = Pool::new(truth, outputs, candidates, weights, plan.metric);
        let pool = match &groups {
            Some(groups) => pool.and_then(|pool| pool.with_groups(groups)),
            None => pool,
        };
        Ok(pool.and_then(|pool| kaizen_ensembles::select(&pool, settings)))
    })?;
    chosen.map_err(|error| EngineError::NoModel(error.to_string()))
}

/// The fold that validated each covered row, where folds were cut by group or by time: rows that were kept together
/// there must stay together when a blend is chosen on some of them and judged on the others.
fn fold_groups(plan: &Plan, done: usize) -> Option<Vec<u32>> {
    if !matches!(plan.validation.plan, SplitPlan::Grouped { .. } | SplitPlan::Forward { .. }) {
        return None;
    }
    let mut folds: Vec<(u32, u32)> = plan.cv.folds[..done]
        .iter()
        .enumerate()
        .flat_map(|(index, fold)| fold.valid.iter().map(move |&row| (row, index as u32)))
        .collect();
    folds.sort_unstable();
    folds.dedup_by_key(|(row, _)| *row);
    Some(folds.into_iter().map(|(_, fold)| fold).collect())
}

/// The members with the models of all folds that are done, by which rows can be predicted that those have not seen.
pub(crate) fn members(searched: &Searched, entries: &Entries, choice: &Choice) -> Vec<Member> {
    entries
        .list
        .iter()
        .zip(&choice.weights)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(entry, &weight)| Member {
            label: entry.label.clone(),
            weight,
            pipelines: entry.models.all(searched, entry.fold_count),
            is_stacked: matches!(entry.models, Models::Stacked(_)),
        })
        .collect()
}

/// In what form members are shipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Models of a member.
    pub bag: usize,
    /// Folds whose models could have been shipped.
    pub folds: usize,
    /// Members that were fitted again on all rows.
    pub refitted: usize,
}

impl Form {
    /// In a sentence, for the report.
    pub(crate) fn words(self) -> String {
        let Self { bag, folds, refitted } = self;
        match (bag, refitted) {
            _ if folds == 1 => "It was fitted on the rows that were not held out.".to_owned(),
            (1, 0) => format!(
                "Of {folds} folds the model of one is shipped: quick and small, and no time was left to fit it on all rows."
            ),
            (1, _) => "What is shipped was fitted once more on all rows, with what validation had settled."
                .to_owned(),
            _ if bag > folds => format!(
                "Each is the mean of the models of its folds, {bag} of them where it was validated as often."
            ),
            _ if bag == folds => format!("Each is the mean of the models of its {folds} folds."),
            _ => format!(
                "Each is the mean of the models of {bag} of its {folds} folds: more of them would be slower or larger than allowed."
            ),
        }
    }
}

/// The members as they are shipped. Where one model a member is enough and time allows, it is fitted again on all rows;
/// a fit that fails or is cut short gives way to the model of a fold.
pub(crate) fn shipped(
    searched: &Searched,
    entries: &Entries,
    choice: &Choice,
    members: &[Member],
    seed: u64,
    signal: &Signal,
) -> (Vec<Member>, Form) {
    let mut form = Form { bag: choice.bag, folds: entries.done, refitted: 0 };
    let trials = entries.list.iter().zip(&choice.weights).filter(|(_, weight)| **weight > 0.0);
    let shipped = trials
        .zip(members)
        .map(|((entry, _), member)| {
            let refitted = match entry.models {
                Models::Trial(trial) if choice.bag == 1 && entries.done > 1 => {
                    refit(searched, trial, &member.pipelines, seed, signal)
                }
                _ => None,
            };
            form.refitted += usize::from(refitted.is_some());
            let pipelines =
                refitted.map_or_else(|| spaced(&member.pipelines, choice.bag), |pipeline| vec![pipeline]);
            Member { pipelines, ..member.clone() }
        })
        .collect();
    (shipped, form)
}

fn refit(
    searched: &Searched,
    trial: TrialId,
    folds: &[FittedPipeline],
    seed: u64,
    signal: &Signal,
) -> Option<FittedPipeline> {
    let config = &searched.history.trial(trial)?.config;
    let seed = Seed(seed).child("refit", u64::from(trial.0));
    let fit = || searched.problem.refit(config, folds, seed, signal);
    // A learner that panics on all rows costs its refit and nothing else.
    catch_unwind(AssertUnwindSafe(fit)).ok()?.ok()?
}

/// The first layer with bags of at most `size` models, as its second layer ships them; empty where none is shipped.
pub(crate) fn shipped_base(base: &[Member], members: &[Member], size: usize) -> Vec<Member> {
    if !members.iter().any(|member| member.is_stacked) {
        return Vec::new();
    }
    base.iter()
        .map(|member| Member { pipelines: spaced(&member.pipelines, size), ..member.clone() })
        .collect()
}

/// `count` of the pipelines at even distances: all of them where there are no more.
fn spaced(pipelines: &[FittedPipeline], count: usize) -> Vec<FittedPipeline> {
    let count = count.min(pipelines.len());
    (0..count).map(|place| pipelines[place * pipelines.len() / count].clone()).collect()
}
