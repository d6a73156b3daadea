//! From trials to one model: which to blend, by how much, how good the blend is, and what matters to it.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_ensembles::{Candidate, Outputs, Pool, Settings, Strategy};
use kaizen_explain::{Importance, PermutationRequest, permutation_importance};
use kaizen_metrics::{Bootstrap, Interval};
use kaizen_model::{Model as _, Predictions, Task};
use kaizen_search::TrialId;
use kaizen_table::{Table, Values};
use kaizen_tabular::ensemble::fit_temperature;
use kaizen_tabular::scoring::with_wrapped;
use kaizen_tabular::{Calibration, Effort, Ensemble, Member, TabularProblem, TrialOutcome};

use crate::error::EngineError;
use crate::plan::Plan;
use crate::request::{FitRequest, Preset};
use crate::search_loop::Searched;

/// Microseconds that one tree takes for one row, and one call of any model besides: what the example `latency` prints
/// for a blend, divided by its trees. A fixed figure and not a measurement, so that the choice is reproducible.
const TREE_MICROSECONDS: f64 = 0.05;
const LINEAR_MICROSECONDS: f64 = 2.0;
const OPAQUE_MICROSECONDS: f64 = 60.0;

/// Microseconds that one pipeline takes to read the words of one row, about.
const TEXT_MICROSECONDS: f64 = 150.0;

/// Microseconds a row that the default preset allows the blend.
const DEFAULT_LATENCY_MICROSECONDS: f64 = 400.0;

/// Most candidates that compete for the blend; the best of each learner always do.
const MAX_CANDIDATES: usize = 40;

/// Bootstrap samples behind an interval: fewer on many rows, where the interval is narrow anyway.
const BOOTSTRAP_CELLS: usize = 2_000_000;
const BOOTSTRAP_REPLICATES: (usize, usize) = (40, 400);

/// Rows, at least and at most, on which importance is measured, and shuffles of each column.
const IMPORTANCE_ROWS: (usize, usize) = (200, 2_000);

/// Microseconds that one prediction of all these rows should take, so that a deadline is seen in time.
const IMPORTANCE_MICROSECONDS: f64 = 100_000.0;
const IMPORTANCE_REPEATS: usize = 5;

/// One line of the leaderboard.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// What the trial is called.
    pub label: String,
    /// The learner's name.
    pub learner: String,
    /// Its configuration, as `name=value` pairs.
    pub config: String,
    /// Out-of-fold value of the metric.
    pub value: f64,
    /// Its bootstrap interval, for members of the blend and the best few.
    pub interval: Option<(f64, f64)>,
    /// Folds behind the value.
    pub folds: usize,
    /// Seconds of fitting; absent in reproducible runs.
    pub fit_seconds: Option<f64>,
    /// Estimated microseconds to predict one row.
    pub predict_microseconds: f64,
    /// Share of the blend.
    pub weight: f64,
}

/// The blend with all that is known of it.
pub(crate) struct Finished {
    pub ensemble: Ensemble,
    pub leaderboard: Vec<Standing>,
    /// Rows validated out of fold, and what the blend says of them.
    pub rows: Vec<u32>,
    pub out_of_fold: Predictions,
    /// Value of the metric out of fold. Where the blend was cross-fitted, on rows that did not choose it.
    pub score: Score,
    /// Value on held-out or test rows.
    pub judged: Option<Score>,
    pub importances: Vec<Importance>,
    pub strategy: Strategy,
    pub cost_microseconds: f64,
}

/// A value of the metric with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The value.
    pub value: f64,
    /// 95 % bootstrap interval over rows.
    pub interval: Option<(f64, f64)>,
}

struct Entry {
    trial: TrialId,
    learner: String,
    outcome: TrialOutcome,
    predictions: Predictions,
    value: f64,
    cost: f64,
}

/// Chooses, calibrates and assembles the blend.
pub(crate) fn blend(
    request: &FitRequest,
    plan: &Plan,
    searched: &Searched,
    with_times: bool,
    signal: &Signal,
) -> Result<Finished, EngineError> {
    let problem = &searched.problem;
    let (done, entries) = candidates(searched)?;
    let rows = plan.cv.covered_rows(done);
    let truth = problem.scoring.truth(&rows);
    let weights = problem.scoring.weights(&rows);
    let (shares, strategy, cost, optimism) =
        choose(request, plan, &entries, &truth, weights.as_deref(), signal)?;
    let mut out_of_fold =
        Predictions::new(plan.task.output_count(), vec![0.0; rows.len() * plan.task.output_count()]);
    for (entry, &share) in entries.iter().zip(&shares) {
        if share > 0.0 {
            out_of_fold.add_scaled(&entry.predictions, share);
        }
    }
    let calibration = calibrate(plan, &truth, &mut out_of_fold);
    let mut score = score(plan, &truth, weights.as_deref(), &out_of_fold, request.seed)?;
    // What choosing on the same rows flattered the blend by is taken off again.
    score.value = plan.metric.value_of(plan.metric.loss_of(score.value) + optimism);
    score.interval = score.interval.map(|(low, high)| {
        let shift = |value: f64| plan.metric.value_of(plan.metric.loss_of(value) + optimism);
        (shift(low), shift(high))
    });
    let members = entries
        .iter()
        .zip(&shares)
        .filter(|(_, share)| **share > 0.0)
        .map(|(entry, &weight)| Member {
            label: searched.labels.get(&entry.trial).cloned().unwrap_or_default(),
            weight,
            pipelines: problem.pipelines_of(entry.trial, done),
        })
        .collect();
    let ensemble =
        Ensemble { task: plan.task.clone(), preparation: plan.preparation.clone(), members, calibration };
    let leaderboard =
        leaderboard(plan, searched, &entries, &shares, &truth, weights.as_deref(), with_times, request);
    let judged = match &plan.holdout {
        Some((table, truth)) => Some(judge(plan, &ensemble, table, truth, request.seed)?),
        None => None,
    };
    Ok(Finished {
        ensemble,
        leaderboard,
        rows,
        out_of_fold,
        score,
        judged,
        importances: Vec::new(),
        strategy,
        cost_microseconds: cost,
    })
}

/// The trials that are done with the most folds that any is done with, up to one repeat.
fn candidates(searched: &Searched) -> Result<(usize, Vec<Entry>), EngineError> {
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
    let mut entries: Vec<Entry> = trials
        .into_iter()
        .filter(|(_, outcome)| outcome.folds.len() >= done)
        .filter_map(|(trial, mut outcome)| {
            // Whole repeats only: a half-done one would weigh some rows' models twice.
            let usable = if done == whole { outcome.folds.len() / whole * whole } else { done };
            outcome.folds.truncate(usable);
            let predictions = problem.cv.out_of_fold(&outcome, &rows);
            let value = problem.scoring.value(&rows, &predictions).ok()?;
            // The blend is made of the first repeat's pipelines: more of them would cost more than they bring.
            let cost = outcome.folds.iter().take(done).map(|fold| cost_of(fold.effort)).sum();
            let learner = learner_of(searched, trial);
            Some(Entry { trial, learner, outcome, predictions, value, cost })
        })
        .collect();
    let metric = problem.scoring.metric;
    entries.sort_by(|a, b| {
        metric.loss_of(a.value).total_cmp(&metric.loss_of(b.value)).then(a.trial.cmp(&b.trial))
    });
    if entries.is_empty() {
        return Err(EngineError::NoModel(searched.last_failure.clone()));
    }
    let mut learners = std::collections::BTreeSet::new();
    let mut place = 0;
    entries.retain(|entry| {
        place += 1;
        learners.insert(entry.learner.clone()) || place <= MAX_CANDIDATES
    });
    Ok((done, entries))
}

/// Estimated microseconds for one row.
fn cost_of(effort: Effort) -> f64 {
    match effort {
        Effort::Trees(count) => LINEAR_MICROSECONDS + count as f64 * TREE_MICROSECONDS,
        Effort::Linear => LINEAR_MICROSECONDS,
        Effort::Opaque => OPAQUE_MICROSECONDS,
    }
}

fn learner_of(searched: &Searched, trial: TrialId) -> String {
    searched
        .history
        .trial(trial)
        .map_or_else(String::new, |trial| searched.problem.pipelines.learner_of(&trial.config).to_owned())
}

type Choice = (Vec<f64>, Strategy, f64, f64);

/// Weights of the candidates, how they came about, their cost, and by how much their loss flatters them.
fn choose(
    request: &FitRequest,
    plan: &Plan,
    entries: &[Entry],
    truth: &[f64],
    weights: Option<&[f64]>,
    signal: &Signal,
) -> Result<Choice, EngineError> {
    let outputs = match &plan.task {
        Task::Regression => Outputs::Values,
        Task::Quantile { levels } => Outputs::Quantiles(levels),
        classes => Outputs::Probabilities(classes.output_count()),
    };
    let limit = request.limits.max_latency_microseconds.or(match request.preset {
        Preset::Best => None,
        _ => Some(DEFAULT_LATENCY_MICROSECONDS),
    });
    let mut settings = Settings::for_rows(truth.len(), Seed(request.seed).child("blend", 0));
    settings.cost_limit = limit.map(|limit| limit.max(cheapest(entries)));
    settings.signal = signal.clone();
    if request.preset == Preset::Interpretable {
        // One model that a person can read beats a blend of several that nobody can.
        settings.steps = 1;
        settings.initial = 1;
        settings.is_cross_fitted = false;
    }
    if let (Some(limit), true) = (request.limits.max_latency_microseconds, true) {
        let cheapest = cheapest(entries);
        if cheapest > limit {
            return Err(EngineError::Gate {
                option: "--max-latency",
                why: format!(
                    "the fastest model takes about {cheapest:.0} µs a row, allowed are {limit:.0} µs"
                ),
            });
        }
    }
    let predictions = Predictions::new(plan.task.output_count(), entries[0].predictions.values.clone());
    let chosen = with_wrapped(&plan.task, truth, &predictions, |truth, _| {
        let candidates = entries
            .iter()
            .map(|entry| Candidate { predictions: &entry.predictions.values, cost: entry.cost })
            .collect();
        Ok(Pool::new(truth, outputs, candidates, weights, plan.metric)
            .and_then(|pool| kaizen_ensembles::select(&pool, &settings)))
    })?;
    let chosen = chosen.map_err(|error| EngineError::NoModel(error.to_string()))?;
    let optimism = chosen.held_out.map_or(0.0, |held| (held.loss - chosen.loss).max(0.0));
    Ok((chosen.weights, chosen.strategy, chosen.cost, optimism))
}

fn cheapest(entries: &[Entry]) -> f64 {
    entries.iter().map(|entry| entry.cost).fold(f64::INFINITY, f64::min)
}

/// A temperature for class probabilities, where it lowers the log loss.
fn calibrate(plan: &Plan, truth: &[f64], out_of_fold: &mut Predictions) -> Calibration {
    if !plan.task.is_classification() {
        return Calibration::None;
    }
    let calibration = fit_temperature(truth, out_of_fold);
    calibration.apply(out_of_fold);
    calibration
}

fn score(
    plan: &Plan,
    truth: &[f64],
    weights: Option<&[f64]>,
    predictions: &Predictions,
    seed: u64,
) -> Result<Score, EngineError> {
    let replicates = (BOOTSTRAP_CELLS / truth.len()).clamp(BOOTSTRAP_REPLICATES.0, BOOTSTRAP_REPLICATES.1);
    let bootstrap = Bootstrap { replicates, ..Bootstrap::new(Seed(seed).child("interval", 0)) };
    with_wrapped(&plan.task, truth, predictions, |truth, scores| {
        let value = plan.metric.value(truth, scores, weights)?;
        let interval = bootstrap.interval(plan.metric, truth, scores, weights).ok();
        Ok(Score { value, interval: interval.map(|Interval { low, high, .. }| (low, high)) })
    })
    .map_err(EngineError::from)
}

/// Scores the finished blend on rows it has never seen.
pub(crate) fn judge(
    plan: &Plan,
    ensemble: &Ensemble,
    table: &Table,
    truth: &[f64],
    seed: u64,
) -> Result<Score, EngineError> {
    score(plan, truth, None, &ensemble.predict(table)?, seed)
}

#[expect(clippy::too_many_arguments, reason = "a line of the leaderboard draws on all of them")]
fn leaderboard(
    plan: &Plan,
    searched: &Searched,
    entries: &[Entry],
    shares: &[f64],
    truth: &[f64],
    weights: Option<&[f64]>,
    with_times: bool,
    request: &FitRequest,
) -> Vec<Standing> {
    /// Lines that get an interval besides those of members.
    const INTERVALS: usize = 3;
    entries
        .iter()
        .zip(shares)
        .enumerate()
        .filter_map(|(place, (entry, &weight))| {
            let trial = searched.history.trial(entry.trial)?;
            let interval = (weight > 0.0 || place < INTERVALS)
                .then(|| score(plan, truth, weights, &entry.predictions, request.seed).ok()?.interval)
                .flatten();
            Some(Standing {
                label: searched.labels.get(&entry.trial).cloned().unwrap_or_default(),
                learner: entry.learner.clone(),
                config: trial.config.below(&entry.learner).to_string(),
                value: entry.value,
                interval,
                folds: entry.outcome.folds.len(),
                fit_seconds: with_times.then(|| trial.seconds()),
                predict_microseconds: entry.cost,
                weight,
            })
        })
        .collect()
}

/// Permutation importance of the raw columns for the blend, on out-of-fold rows: each row is predicted by the
/// pipelines that have not seen it.
pub(crate) fn importances(
    plan: &Plan,
    problem: &TabularProblem,
    finished: &Finished,
    seed: u64,
    signal: &Signal,
) -> Vec<Importance> {
    let seed = Seed(seed).child("importance", 0);
    let has_text = plan.cv.data.table.columns().iter().any(|column| matches!(column.values, Values::Text(_)));
    let reading = if has_text { TEXT_MICROSECONDS * finished.ensemble.members.len() as f64 } else { 0.0 };
    let affordable = (IMPORTANCE_MICROSECONDS / (finished.cost_microseconds + reading).max(1.0)) as usize;
    let count = finished.rows.len().min(affordable.clamp(IMPORTANCE_ROWS.0, IMPORTANCE_ROWS.1));
    let chosen = seed.rng().sample_sorted(finished.rows.len(), count);
    let rows: Vec<u32> = chosen.iter().map(|&place| finished.rows[place as usize]).collect();
    let table = plan.raw.take(&rows);
    let folds = fold_places(plan, &rows);
    let predict = |table: &Table| predict_unseen(plan, &finished.ensemble, &folds, table);
    let loss = |predictions: &Predictions| problem.scoring.loss(&rows, predictions).unwrap_or(f64::NAN);
    let request = PermutationRequest {
        table: &table,
        predict: &predict,
        loss: &loss,
        repeats: IMPORTANCE_REPEATS,
        seed,
        signal,
    };
    permutation_importance(&request).unwrap_or_default()
}

/// For each fold of the first repeat, the places in `rows` that it validates.
fn fold_places(plan: &Plan, rows: &[u32]) -> Vec<Vec<u32>> {
    plan.cv.folds[..plan.cv.folds_per_repeat]
        .iter()
        .map(|fold| {
            (0..rows.len() as u32)
                .filter(|&place| fold.valid.binary_search(&rows[place as usize]).is_ok())
                .collect()
        })
        .collect()
}

fn predict_unseen(
    plan: &Plan,
    ensemble: &Ensemble,
    folds: &[Vec<u32>],
    table: &Table,
) -> Result<Predictions, kaizen_model::PredictError> {
    let prepared = plan.preparation.apply(table)?;
    let outputs = plan.task.output_count();
    let mut all = Predictions::new(outputs, vec![0.0; table.row_count() * outputs]);
    for (fold, places) in folds.iter().enumerate() {
        if places.is_empty() {
            continue;
        }
        let part = prepared.take(places);
        let mut blended = Predictions::new(outputs, vec![0.0; places.len() * outputs]);
        for member in &ensemble.members {
            let index = fold.min(member.pipelines.len() - 1);
            blended.add_scaled(&member.pipelines[index].predict(&part)?, member.weight);
        }
        ensemble.calibration.apply(&mut blended);
        for (index, &place) in places.iter().enumerate() {
            let start = place as usize * outputs;
            all.values[start..start + outputs].copy_from_slice(blended.row(index));
        }
    }
    Ok(all)
}

/// Asks for a rounding off at a moment; a signal that is never raised where there is none.
pub(crate) fn signal_at(alarms: &crate::clock::Alarms, seconds: f64) -> Signal {
    let signal = Signal::new();
    alarms.raise_at(seconds, &signal, Flow::Finish);
    signal
}
