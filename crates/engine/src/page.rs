//! The report page: gathers what the run knows into the report's own structs.
//!
//! A run without a time limit must give the same bytes on any number of threads, interrupted or not, wherever the
//! artifact goes. So nothing of the clock, the threads, the run folder or the output path enters its page, and the
//! search is told from the history, which a resumed run shares, not from what this process saw of it.

mod diagnostics;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kaizen_data::Loaded;
use kaizen_ensembles::Strategy;
use kaizen_inspect::{Severity, SplitAdvice, words};
use kaizen_metrics::{Metric, MetricError};
use kaizen_model::{Predictions, Task};
use kaizen_report::{
    Command, Family, Headline, Importance, Interval, LeaderboardRow, ReportData, Reproduction, SearchPoint,
    Setting, Span,
};
use kaizen_search::{Failure, Fidelity, State, Trial};
use kaizen_tabular::scoring::with_wrapped;

use crate::finish::{Finished, Score, Standing};
use crate::observer::Stretch;
use crate::plan::Plan;
use crate::request::{FitRequest, Judge, Preset, TaskChoice};
use crate::search_loop::Searched;

/// What the artifact is called on the page of a run whose bytes must not depend on where it goes.
const MODEL_FILE: &str = "model.kaizen";

/// Confidence of the intervals that the run computes.
const LEVEL: f64 = 0.95;

/// Share of the whole time below which a part of the work is not drawn.
const LEAST_STRETCH: f64 = 0.001;

/// Renders the report of a run; the time it takes grows with the rows up to a fixed number of them.
pub(crate) fn render(
    request: &FitRequest,
    loaded: &Loaded,
    plan: &Plan,
    searched: &Searched,
    finished: &Finished,
    threads: usize,
    stretches: &[Stretch],
) -> String {
    let is_timed = request.limits.time_seconds.is_some();
    let mut inspection = plan.inspection.clone();
    // The engine may cut otherwise than a look at the table alone advises: the page tells what was done.
    inspection.split = inspection.split.map(|advice| SplitAdvice {
        plan: plan.validation.plan.clone(),
        reason: validation_words(plan, &advice),
        ..advice
    });
    kaizen_report::render(&ReportData {
        headline: headline(plan, searched, finished, stretches.last().filter(|_| is_timed)),
        usage: usage(request, plan, is_timed),
        inspection: Some(inspection),
        leaderboard: leaderboard(finished),
        search: search(plan, searched, is_timed),
        diagnostics: diagnostics::of(request, plan, searched, finished),
        importance: importance(finished),
        families: families(plan, searched, finished, is_timed),
        why: why(plan, searched, finished),
        timeline: if is_timed { timeline(stretches) } else { Vec::new() },
        reproduction: Some(reproduction(request, loaded, plan, searched, threads)),
    })
}

fn validation_words(plan: &Plan, advice: &SplitAdvice) -> String {
    let words = plan.validation.words();
    let is_structured = advice.group.is_some() || advice.time_column.is_some();
    if is_structured && !plan.reason.is_empty() {
        return format!("{words}. {}", plan.reason);
    }
    format!("{words}.")
}

fn interval((low, high): (f64, f64)) -> Interval {
    Interval { low, high, level: LEVEL }
}

fn members(finished: &Finished) -> impl Iterator<Item = &Standing> {
    finished.leaderboard.iter().filter(|standing| standing.weight > 0.0)
}

fn headline(plan: &Plan, searched: &Searched, finished: &Finished, last: Option<&Stretch>) -> Headline {
    let judged = |score: &Score| (score.value, score.interval.map(interval));
    Headline {
        target: plan.target.name.clone(),
        task: task_words(plan),
        metric: plan.metric.name().to_owned(),
        higher_is_better: plan.metric.is_better(1.0, 0.0),
        score: Some(finished.score.value),
        interval: finished.score.interval.map(interval),
        scored_on: format!("{}, on {}", plan.validation.words(), words::counted(finished.rows.len(), "row")),
        baseline: baseline(plan, searched, finished),
        test: finished.judged.as_ref().map(judged),
        model: model_words(finished),
        row_count: plan.raw.row_count(),
        feature_count: plan.raw.columns().len(),
        fit_seconds: last.map(|stretch| stretch.end_seconds),
        size_bytes: None,
        row_microseconds: Some(finished.cost_microseconds),
        cautions: cautions(plan, searched, finished),
    }
}

/// Parts of the work that took so long that they can be seen; the page itself is written in the last one.
fn timeline(stretches: &[Stretch]) -> Vec<Span> {
    let whole = stretches.last().map_or(0.0, |last| last.end_seconds);
    let is_seen = |stretch: &&Stretch| stretch.end_seconds - stretch.start_seconds >= LEAST_STRETCH * whole;
    let span = |stretch: &Stretch| Span {
        name: stretch.name.to_owned(),
        start_seconds: stretch.start_seconds,
        end_seconds: stretch.end_seconds,
    };
    stretches.iter().filter(is_seen).map(span).collect()
}

fn task_words(plan: &Plan) -> String {
    match (&plan.task, plan.target.class_names().last()) {
        (Task::Binary, Some(positive)) => format!("binary, for or against {positive}"),
        _ => crate::loaded::task_words(&plan.task, plan.target.class_names()),
    }
}

/// `one model: linear`, `blend of 4 models`.
fn model_words(finished: &Finished) -> String {
    match members(finished).count() {
        0 | 1 => members(finished)
            .next()
            .map_or_else(String::new, |member| format!("one model: {}", member.learner)),
        count => format!("blend of {count} models"),
    }
}

fn cautions(plan: &Plan, searched: &Searched, finished: &Finished) -> Vec<String> {
    let mut cautions: Vec<String> = plan
        .inspection
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Critical)
        .map(|finding| format!("{} {}", finding.what, finding.advice).trim_end().to_owned())
        .collect();
    let (scored, all) = (finished.rows.len(), plan.raw.row_count());
    let is_forward = plan.validation.folds_per_repeat > 1
        && matches!(plan.validation.plan, kaizen_table::SplitPlan::Forward { .. });
    if scored < all && plan.validation.folds_per_repeat > 1 && !is_forward {
        cautions.push(format!(
            "Time was up before all folds were done: the score rests on {} of {}.",
            words::count(scored),
            words::counted(all, "row")
        ));
    }
    let refused = refused(searched);
    if refused > 0 {
        cautions.push(format!(
            "{} of {} did not fit into memory and {} left out; what was tried tells which.",
            words::count(refused),
            words::counted(searched.history.trials().len(), "trial"),
            if refused == 1 { "was" } else { "were" },
        ));
    }
    cautions
}

/// Trials that did not fit into memory.
fn refused(searched: &Searched) -> usize {
    let is_refused = |trial: &&Trial| matches!(trial.state, State::Failed(Failure::Memory(_)));
    searched.history.trials().iter().filter(is_refused).count()
}

/// The metric of always giving the same answer: the shares of the classes, or the mean. `None` where it is undefined.
fn baseline(plan: &Plan, searched: &Searched, finished: &Finished) -> Option<f64> {
    let scoring = &searched.problem.scoring;
    let truth = scoring.truth(&finished.rows);
    let weights = scoring.weights(&finished.rows);
    constant_score(&plan.task, plan.metric, &truth, weights.as_deref()).ok().filter(|value| value.is_finite())
}

fn constant_score(
    task: &Task,
    metric: &Metric,
    truth: &[f64],
    weights: Option<&[f64]>,
) -> Result<f64, MetricError> {
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..truth.len()).map(weight).sum();
    let outputs = task.output_count();
    let mut answer = vec![0.0; outputs];
    for (row, &value) in truth.iter().enumerate() {
        if task.is_classification() {
            answer[value as usize] += weight(row) / total;
        } else {
            for mean in &mut answer {
                *mean += value * weight(row) / total;
            }
        }
    }
    let constant = Predictions::new(outputs, answer.repeat(truth.len()));
    with_wrapped(task, truth, &constant, |truth, scores| metric.value(truth, scores, weights))
}

fn usage(request: &FitRequest, plan: &Plan, is_timed: bool) -> Vec<Command> {
    let own_name = request.out.file_name().map(|name| words::argument(&name.to_string_lossy()));
    let model = own_name.filter(|_| is_timed).unwrap_or_else(|| MODEL_FILE.to_owned());
    let command = |title: &str, text: String| Command { title: title.to_owned(), text };
    let proba = if plan.task.is_classification() { " --proba" } else { "" };
    vec![
        command("Predict new rows", format!("kaizen predict {model} new.csv{proba} --out predictions.csv")),
        command("Score rows whose answer is known", format!("kaizen evaluate {model} labelled.csv")),
        command("All models that were tried", format!("kaizen leaderboard {model}")),
    ]
}

fn leaderboard(finished: &Finished) -> Vec<LeaderboardRow> {
    let count = members(finished).count();
    let blend = (count > 1).then(|| LeaderboardRow {
        name: model_words(finished),
        score: Some(finished.score.value),
        interval: finished.score.interval.map(interval),
        row_microseconds: Some(finished.cost_microseconds),
        weight: 1.0,
        ..LeaderboardRow::default()
    });
    let single = finished.leaderboard.iter().map(|standing| LeaderboardRow {
        name: standing.label.clone(),
        score: Some(standing.value),
        interval: standing.interval.map(interval),
        fit_seconds: standing.fit_seconds,
        row_microseconds: Some(standing.predict_microseconds),
        size_bytes: None,
        weight: standing.weight,
    });
    blend.into_iter().chain(single).collect()
}

/// The effort from which scores may be compared: all folds of one repeat, or as many as any trial reached.
fn comparable(plan: &Plan, searched: &Searched) -> Option<Fidelity> {
    let whole = Fidelity::of(plan.cv.folds_per_repeat, plan.cv.folds.len())?;
    searched.history.trials().iter().filter_map(Trial::reached).max().map(|most| most.min(whole))
}

/// A trial's value with the most folds up to the comparable effort, and whether it got that far.
fn value_of(searched: &Searched, trial: &Trial, comparable: Fidelity) -> Option<(f64, bool)> {
    let objective = &searched.history.objectives()[0];
    let complete = trial.at(comparable);
    let measurement = complete.or_else(|| trial.last())?;
    Some((objective.value(*measurement.losses.first()?), complete.is_some()))
}

/// Trials by number; by the end of the work that gave them their score where a clock may enter the page.
fn search(plan: &Plan, searched: &Searched, is_timed: bool) -> Vec<SearchPoint> {
    let Some(comparable) = comparable(plan, searched) else { return Vec::new() };
    let mut points: Vec<SearchPoint> = searched
        .history
        .trials()
        .iter()
        .filter(|trial| trial.last().is_some() || matches!(trial.state, State::Failed(_)))
        .map(|trial| {
            let value = value_of(searched, trial, comparable);
            let score = value.map(|(value, _)| value);
            let ended =
                searched.curve.iter().find(|point| point.trial == trial.id && Some(point.value) == score);
            SearchPoint {
                number: trial.id.0,
                seconds: ended.filter(|_| is_timed).map(|point| point.at_seconds),
                score,
                is_complete: value.is_some_and(|(_, is_complete)| is_complete),
                best: None,
            }
        })
        .collect();
    // Trials of an earlier process of the run have no time here and come first; failed ones stay where they were.
    points.sort_by(|a, b| match (a.seconds, b.seconds) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.number.cmp(&b.number),
    });
    let mut best: Option<f64> = None;
    for point in &mut points {
        if let Some(score) = point.score.filter(|_| point.is_complete) {
            best = Some(
                best.map_or(score, |best| if plan.metric.is_better(score, best) { score } else { best }),
            );
        }
        point.best = best;
    }
    points
}

fn importance(finished: &Finished) -> Vec<Importance> {
    finished
        .importances
        .iter()
        .map(|each| Importance {
            name: each.column.clone(),
            mean: each.mean,
            deviation: (each.repeats > 1).then_some(each.deviation),
        })
        .collect()
}

/// One line a learner, the best first.
fn families(plan: &Plan, searched: &Searched, finished: &Finished, is_timed: bool) -> Vec<Family> {
    let Some(comparable) = comparable(plan, searched) else { return Vec::new() };
    let mut by_learner: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in searched.history.trials() {
        by_learner.entry(searched.problem.pipelines.learner_of(&trial.config)).or_default().push(trial);
    }
    let mut families: Vec<Family> = by_learner
        .into_iter()
        .map(|(learner, trials)| {
            // The leaderboard's figure where there is one: it counts every fold that was done.
            let standing = finished.leaderboard.iter().find(|standing| standing.learner == learner);
            let measured = trials
                .iter()
                .filter_map(|trial| value_of(searched, trial, comparable))
                .filter(|(_, is_complete)| *is_complete)
                .map(|(value, _)| value)
                .reduce(|best, value| if plan.metric.is_better(value, best) { value } else { best });
            let best = standing.map(|standing| standing.value).or(measured);
            Family {
                name: learner.to_owned(),
                tried: trials.len(),
                failed: trials.iter().filter(|trial| matches!(trial.state, State::Failed(_))).count(),
                best,
                seconds: is_timed.then(|| trials.iter().map(|trial| trial.seconds()).sum()),
                outcome: outcome(learner, &trials, best, plan, finished),
            }
        })
        .collect();
    let loss = |family: &Family| family.best.map_or(f64::INFINITY, |best| plan.metric.loss_of(best));
    families.sort_by(|a, b| loss(a).total_cmp(&loss(b)).then_with(|| a.name.cmp(&b.name)));
    families
}

/// What came of a learner, in a sentence.
fn outcome(learner: &str, trials: &[&Trial], best: Option<f64>, plan: &Plan, finished: &Finished) -> String {
    let failure = trials.iter().find_map(|trial| match &trial.state {
        State::Failed(failure) => Some(failure.to_string()),
        _ => None,
    });
    let used: Vec<f64> = members(finished)
        .filter(|standing| standing.learner == learner)
        .map(|standing| standing.weight)
        .collect();
    let mut text = if !used.is_empty() {
        format!(
            "{} in the model, {} of its weight.",
            words::counted(used.len(), "trial"),
            words::percent(used.iter().sum())
        )
    } else if let (Some(best), Some(first)) = (best, finished.leaderboard.first()) {
        let behind = plan.metric.loss_of(best) - plan.metric.loss_of(first.value);
        if behind > 0.0 {
            format!("Not in the model; its best is {} behind the best trial.", words::number(behind))
        } else {
            "Not in the model, although the best trial is one of these.".to_owned()
        }
    } else if trials.iter().any(|trial| trial.last().is_some()) {
        "Given up early: on the first folds others were better.".to_owned()
    } else {
        String::new()
    };
    if let Some(failure) = failure {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str("A failure: ");
        text.push_str(&failure);
    }
    text
}

/// Why this model and no other, in sentences.
fn why(plan: &Plan, searched: &Searched, finished: &Finished) -> String {
    let tried = searched.history.trials().len();
    let count = members(finished).count();
    let Some(best) = finished.leaderboard.first() else { return String::new() };
    // The first of the leaderboard may be too slow for the model that was asked for.
    let is_slow = best.weight == 0.0 && best.predict_microseconds > finished.cost_microseconds;
    let any = if is_slow { "any one as quick" } else { "any one" };
    let chosen = members(finished).next().unwrap_or(best);
    let how = match finished.strategy {
        Strategy::Single if is_slow => format!("`{}` was chosen alone", chosen.label),
        Strategy::Single => {
            format!("`{}` alone validated as well as any blend of it with others", chosen.label)
        }
        Strategy::Uniform(_) => {
            format!("{count} together, all alike, validated better than {any}")
        }
        Strategy::Greedy => format!(
            "{} added one after the other, each because the blend validated better with it, did better than {any}",
            words::counted(count, "model")
        ),
        Strategy::Simplex => format!(
            "{} with the weights of least validated loss did better than {any}",
            words::counted(count, "model")
        ),
    };
    let mut text = format!("Of {}, {how}.", words::counted(tried, "trial"));
    if is_slow {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            " `{}` alone scores {}, but takes about {} µs a row where the model takes {}.",
            best.label,
            words::number(best.value),
            words::number(best.predict_microseconds.round()),
            words::number(finished.cost_microseconds.round())
        );
    } else if count > 1 {
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            " The best single one, `{}`, scores {}; that figure is flattered by having been picked, the blend's is corrected for it.",
            best.label,
            words::number(best.value)
        );
    }
    text.push(' ');
    text.push_str(&finished.form.words());
    if !plan.monotone.is_empty() {
        text.push_str(" Only learners that can keep the asked monotone directions were tried.");
    }
    text
}

fn reproduction(
    request: &FitRequest,
    loaded: &Loaded,
    plan: &Plan,
    searched: &Searched,
    threads: usize,
) -> Reproduction {
    let is_timed = request.limits.time_seconds.is_some();
    let setting = |name: &str, value: String| Setting { name: name.to_owned(), value };
    let mut settings = vec![
        setting("version", format!("kaizen {}", env!("CARGO_PKG_VERSION"))),
        setting("seed", request.seed.to_string()),
        setting("validation", plan.validation.words()),
        setting("trials", searched.history.trials().len().to_string()),
    ];
    if is_timed {
        settings.push(setting("threads", threads.to_string()));
    }
    Reproduction {
        command: command(request, plan, searched, is_timed),
        exact: !is_timed,
        settings,
        digests: vec![setting("data", loaded.digest.to_string())],
    }
}

/// The command that repeats the run: as typed where time decides anyway; else made from what the result rests on, so
/// that threads, folders and the output path stay out.
fn command(request: &FitRequest, plan: &Plan, searched: &Searched, is_timed: bool) -> String {
    if is_timed {
        return request.command.clone();
    }
    let mut line = vec!["kaizen fit".to_owned(), words::argument(&last_part(request.source.text()))];
    let mut add = |option: &str, value: String| line.push(format!("--{option} {}", words::argument(&value)));
    add("target", plan.target.name.clone());
    if request.task != TaskChoice::Auto {
        add("task", plan.task.word().to_owned());
    }
    add("metric", plan.metric.name().to_owned());
    let limits = &request.limits;
    if let Some(trials) = limits.max_trials {
        add("max-trials", trials.to_string());
    }
    // A limit that nobody asked for is part of the command once it has left something out.
    let found = searched.problem.memory_limit_bytes().filter(|_| refused(searched) > 0);
    if let Some(bytes) = limits.memory_bytes.or(found) {
        add("memory-limit", bytes.to_string());
    }
    if let Some(microseconds) = limits.max_latency_microseconds {
        add("max-latency", format!("{microseconds}us"));
    }
    if let Some(bytes) = limits.max_size_bytes {
        add("max-size", bytes.to_string());
    }
    add("seed", request.seed.to_string());
    match request.preset {
        Preset::Fast => add("preset", "fast".to_owned()),
        Preset::Balanced => {}
        Preset::Best => add("preset", "best".to_owned()),
        Preset::Interpretable => add("preset", "interpretable".to_owned()),
    }
    match &request.judge {
        Judge::CrossValidation => {}
        Judge::Test(source) => add("test", last_part(source.text())),
        Judge::Holdout(share) => add("holdout", share.to_string()),
    }
    let columns = &request.columns;
    for (option, name) in
        [("group", &columns.group), ("time-column", &columns.time), ("weight", &columns.weight)]
    {
        if let Some(name) = name {
            add(option, name.clone());
        }
    }
    for name in &columns.ignore {
        add("ignore", name.clone());
    }
    for (name, sign) in &columns.monotone {
        add("monotone", format!("{name}={sign:+}"));
    }
    if let Some(sheet) = &request.sheet {
        add("sheet", sheet.clone());
    }
    line.join(" ")
}

/// A path without its folders.
fn last_part(path: &str) -> String {
    std::path::Path::new(path)
        .file_name()
        .map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}
