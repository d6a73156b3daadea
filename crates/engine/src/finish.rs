//! From trials to one model: which to blend, by how much, how good the blend is, and what matters to it.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_ensembles::Strategy;
use kaizen_explain::{Importance, PermutationRequest, permutation_importance};
use kaizen_metrics::{Bootstrap, Interval};
use kaizen_model::{Model as _, Predictions};
use kaizen_table::{Table, Values};
use kaizen_tabular::ensemble::fit_temperature;
use kaizen_tabular::scoring::with_wrapped;
use kaizen_tabular::stacking::extended;
use kaizen_tabular::{Calibration, Ensemble, FittedPipeline, Member, TabularProblem};

use crate::bagging;
use crate::blend::{self, Choice, Entries, Form};
use crate::clock::Alarms;
use crate::error::EngineError;
use crate::plan::Plan;
use crate::request::FitRequest;
use crate::search_loop::Searched;
use crate::stack;

/// Bootstrap samples behind an interval: fewer on many rows, where the interval is narrow anyway.
const BOOTSTRAP_CELLS: usize = 2_000_000;
const BOOTSTRAP_REPLICATES: (usize, usize) = (40, 400);

/// Rows, at least and at most, on which importance is measured, and shuffles of each column.
const IMPORTANCE_ROWS: (usize, usize) = (200, 2_000);

/// Microseconds that one prediction of all these rows should take, so that a deadline is seen in time.
const IMPORTANCE_MICROSECONDS: f64 = 100_000.0;
const IMPORTANCE_REPEATS: usize = 5;

/// Microseconds that all of it may take by this reckoning, where no time limit ends it, and what copying a cell takes;
/// predictions, at least and at most. A fixed figure and not a clock, so that the result is reproducible.
const IMPORTANCE_TOTAL_MICROSECONDS: f64 = 60_000_000.0;
const CELL_MICROSECONDS: f64 = 0.01;
const IMPORTANCE_PREDICTIONS: (usize, usize) = (120, 2_000);

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
    /// Its members with the models of all folds, in their order.
    pub fold_members: Vec<Member>,
    /// The first layer with the models of all folds, where there is a second one.
    pub fold_base: Vec<Member>,
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
    pub form: Form,
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

/// The shares of the time then left that the parts of the end may take: a choice among blends, a second layer, refits.
const CHOICE_SHARE: f64 = 0.3;
const STACK_SHARE: f64 = 0.75;
const REFIT_SHARE: f64 = 0.4;

/// The time after the search.
pub(crate) struct Rest<'a> {
    pub alarms: &'a Alarms,
    pub limit_seconds: Option<f64>,
}

impl Rest<'_> {
    /// A signal that is raised to `flow` when `share` of the time left now is over; never in a run without a limit, which
    /// takes the time it needs: a clock must not decide on results that are to be reproducible.
    pub(crate) fn signal(&self, share: f64, flow: Flow) -> Signal {
        let signal = Signal::new();
        if let Some(limit) = self.limit_seconds {
            let now = self.alarms.now_seconds();
            self.alarms.raise_at(now + share * (limit - now).max(0.0), &signal, flow);
        }
        signal
    }
}

/// Chooses, calibrates and assembles the blend.
pub(crate) fn blend(
    request: &FitRequest,
    plan: &Plan,
    searched: &Searched,
    rest: &Rest<'_>,
) -> Result<Finished, EngineError> {
    let problem = &searched.problem;
    let mut entries = blend::entries(searched)?;
    let rows = plan.cv.covered_rows(entries.done);
    let truth = problem.scoring.truth(&rows);
    let weights = problem.scoring.weights(&rows);
    let choose = |entries: &Entries| {
        let signal = rest.signal(CHOICE_SHARE, Flow::Finish);
        blend::choose(request, plan, entries, &truth, weights.as_deref(), &signal)
    };
    let mut choice = choose(&entries)?;
    let mut fold_base = Vec::new();
    if stack::applies(request, plan) {
        let blended = choice.blended(&entries);
        let signal = rest.signal(STACK_SHARE, Flow::Stop);
        if let Some(stacked) = stack::stack(request, plan, searched, &entries, &blended, &signal) {
            entries.add(stacked.entries, plan.metric);
            fold_base = stacked.base;
            choice = choose(&entries)?;
        }
    }
    let mut out_of_fold = choice.blended(&entries);
    let calibration = calibrate(plan, &truth, &mut out_of_fold);
    let mut score = score(plan, &truth, weights.as_deref(), &out_of_fold, request.seed)?;
    // What choosing on the same rows flattered the blend by is taken off again.
    let honest = |value: f64| plan.metric.value_of(plan.metric.loss_of(value) + choice.optimism);
    score.value = honest(score.value);
    score.interval = score.interval.map(|(low, high)| (honest(low), honest(high)));
    let fold_members = blend::members(searched, &entries, &choice);
    let signal = rest.signal(REFIT_SHARE, Flow::Stop);
    let (members, form) = blend::shipped(searched, &entries, &choice, &fold_members, request.seed, &signal);
    let base = blend::shipped_base(&fold_base, &members, choice.bag);
    let (task, preparation) = (plan.task.clone(), plan.preparation.clone());
    let ensemble = Ensemble { task, preparation, members, base, calibration };
    let leaderboard = leaderboard(plan, &entries, &choice, &truth, weights.as_deref(), rest, request);
    let judged = match &plan.holdout {
        Some((table, truth)) => Some(judge(plan, &ensemble, table, truth, request.seed)?),
        None => None,
    };
    let cost_microseconds = choice.microseconds(&entries);
    Ok(Finished {
        ensemble,
        fold_members,
        fold_base,
        leaderboard,
        rows,
        out_of_fold,
        score,
        judged,
        importances: Vec::new(),
        strategy: choice.strategy,
        form,
        cost_microseconds,
    })
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

fn leaderboard(
    plan: &Plan,
    entries: &Entries,
    choice: &Choice,
    truth: &[f64],
    weights: Option<&[f64]>,
    rest: &Rest<'_>,
    request: &FitRequest,
) -> Vec<Standing> {
    /// Lines that get an interval besides those of members.
    const INTERVALS: usize = 3;
    entries
        .list
        .iter()
        .zip(&choice.weights)
        .enumerate()
        .map(|(place, (entry, &weight))| {
            let interval = (weight > 0.0 || place < INTERVALS)
                .then(|| score(plan, truth, weights, &entry.predictions, request.seed).ok()?.interval)
                .flatten();
            Standing {
                label: entry.label.clone(),
                learner: entry.learner.clone(),
                config: entry.config.clone(),
                value: entry.value,
                interval,
                folds: entry.fold_count,
                fit_seconds: entry.fit_seconds.filter(|_| rest.limit_seconds.is_some()),
                predict_microseconds: entry.bagged(choice.bag).microseconds,
                weight,
            }
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
    let reading =
        if has_text { bagging::TEXT_MICROSECONDS * finished.ensemble.members.len() as f64 } else { 0.0 };
    let row_microseconds =
        (finished.cost_microseconds + reading).max(1.0) + plan.raw.columns().len() as f64 * CELL_MICROSECONDS;
    let affordable = (IMPORTANCE_MICROSECONDS / row_microseconds) as usize;
    let count = finished.rows.len().min(affordable.clamp(IMPORTANCE_ROWS.0, IMPORTANCE_ROWS.1));
    let chosen = seed.rng().sample_sorted(finished.rows.len(), count);
    let rows: Vec<u32> = chosen.iter().map(|&place| finished.rows[place as usize]).collect();
    let table = plan.raw.take(&rows);
    let folds = fold_places(plan, &rows);
    let predict = |table: &Table| predict_unseen(plan, finished, &folds, table);
    let loss = |predictions: &Predictions| problem.scoring.loss(&rows, predictions).unwrap_or(f64::NAN);
    let request = PermutationRequest {
        table: &table,
        predict: &predict,
        loss: &loss,
        repeats: IMPORTANCE_REPEATS,
        most_predictions: ((IMPORTANCE_TOTAL_MICROSECONDS / (count.max(1) as f64 * row_microseconds))
            as usize)
            .clamp(IMPORTANCE_PREDICTIONS.0, IMPORTANCE_PREDICTIONS.1),
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
    finished: &Finished,
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
        let layered = match &finished.fold_base[..] {
            [] => None,
            base => {
                let predicted: Result<Vec<_>, _> =
                    base.iter().map(|member| of_fold(member, fold).predict(&part)).collect();
                Some(extended(&part, &predicted?)?)
            }
        };
        let mut blended = Predictions::new(outputs, vec![0.0; places.len() * outputs]);
        for member in &finished.fold_members {
            let part = layered.as_ref().filter(|_| member.is_stacked).unwrap_or(&part);
            blended.add_scaled(&of_fold(member, fold).predict(part)?, member.weight);
        }
        finished.ensemble.calibration.apply(&mut blended);
        for (index, &place) in places.iter().enumerate() {
            let start = place as usize * outputs;
            all.values[start..start + outputs].copy_from_slice(blended.row(index));
        }
    }
    Ok(all)
}

/// The pipeline that has not seen the rows of a fold.
fn of_fold(member: &Member, fold: usize) -> &FittedPipeline {
    &member.pipelines[fold.min(member.pipelines.len() - 1)]
}
