//! `kaizen fit`: the main job.

use std::path::PathBuf;
use std::sync::Arc;

use kaizen_base::Clock;
use kaizen_data::Source;
use kaizen_engine::request::{ColumnRoles, FitRequest, Judge, Limits, Preset, TaskChoice};
use kaizen_engine::{EngineError, FitOutcome, WallClock};
use serde_json::json;

use crate::arguments::{FitArguments, PresetArgument, TaskArgument};
use crate::failure::Failure;
use crate::output::print;
use crate::screen::{Live, Screen, score_text};
use crate::table::{Align, render};

/// Lines of the leaderboard on the screen; the report has them all.
const LINES: usize = 12;

pub(crate) fn run(
    arguments: &FitArguments,
    screen: &Screen,
    as_json: bool,
    head_start_seconds: f64,
) -> Result<(), Failure> {
    let clock: Arc<dyn Clock> = Arc::new(WallClock::starting_at(head_start_seconds));
    let request = request(arguments)?;
    let mut live = Live::new(screen, arguments.time_limit);
    let outcome = kaizen_engine::fit(&request, &clock, &mut live);
    live.finish();
    let outcome = outcome?;
    if as_json {
        return print_json(&outcome);
    }
    show(&outcome, screen);
    Ok(())
}

fn request(arguments: &FitArguments) -> Result<FitRequest, Failure> {
    let source = |text: &str| Source::parse(text).map_err(EngineError::from);
    let judge = match (&arguments.test, arguments.holdout) {
        (Some(test), _) => Judge::Test(source(test)?),
        (None, Some(share)) => Judge::Holdout(share),
        (None, None) => Judge::CrossValidation,
    };
    Ok(FitRequest {
        source: source(&arguments.data)?,
        target: arguments.target.clone(),
        task: match arguments.task {
            TaskArgument::Auto => TaskChoice::Auto,
            TaskArgument::Binary => TaskChoice::Binary,
            TaskArgument::Multiclass => TaskChoice::Multiclass,
            TaskArgument::Regression => TaskChoice::Regression,
        },
        metric: arguments.metric.clone(),
        limits: Limits {
            time_seconds: arguments.time_limit,
            memory_bytes: arguments.memory_limit,
            max_trials: arguments.max_trials,
            threads: arguments.threads,
            max_latency_microseconds: arguments.max_latency,
            max_size_bytes: arguments.max_size,
        },
        preset: match arguments.preset {
            PresetArgument::Fast => Preset::Fast,
            PresetArgument::Balanced => Preset::Balanced,
            PresetArgument::Best => Preset::Best,
            PresetArgument::Interpretable => Preset::Interpretable,
        },
        judge,
        columns: ColumnRoles {
            group: arguments.group.clone(),
            time: arguments.time_column.clone(),
            weight: arguments.weight.clone(),
            ignore: arguments.ignore.clone(),
            monotone: arguments.monotone.clone(),
        },
        seed: arguments.seed,
        out: arguments.out.clone(),
        resume: arguments.resume.clone(),
        signing_key: signing_key(),
        sheet: arguments.sheet.clone(),
        command: command(),
    })
}

/// The person's own key, made on first use; without a home folder artifacts stay unsigned.
fn signing_key() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "only the command line reads the environment")]
    let folder = std::env::var("XDG_CONFIG_HOME")
        .ok()
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".config")))?;
    Some(folder.join("kaizen").join("signing-key.pem"))
}

/// The command as it was typed, for the report: file names without their folders would not repeat it.
fn command() -> String {
    let quoted = |argument: String| {
        let plain = argument.chars().all(|letter| letter.is_alphanumeric() || "-_./=+:,%".contains(letter));
        if plain && !argument.is_empty() {
            argument
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    };
    std::env::args().skip(1).fold("kaizen".to_owned(), |line, argument| line + " " + &quoted(argument))
}

fn show(outcome: &FitOutcome, screen: &Screen) {
    let mut rows = vec![vec![
        String::new(),
        "model".to_owned(),
        outcome.metric.to_owned(),
        "95 % interval".to_owned(),
        "fit s".to_owned(),
        "row µs".to_owned(),
        "share".to_owned(),
    ]];
    for (place, standing) in outcome.leaderboard.iter().take(LINES).enumerate() {
        rows.push(vec![
            (place + 1).to_string(),
            standing.label.clone(),
            score_text(standing.value),
            standing
                .interval
                .map_or(String::new(), |(low, high)| format!("{} … {}", score_text(low), score_text(high))),
            standing.fit_seconds.map_or(String::new(), |seconds| format!("{seconds:.1}")),
            format!("{:.0}", standing.predict_microseconds),
            if standing.weight > 0.0 { format!("{:.0} %", 100.0 * standing.weight) } else { String::new() },
        ]);
    }
    let right = Align::Right;
    screen.say("");
    screen.say(&render(&rows, &[right, Align::Left, right, right, right, right, right]));
    if outcome.leaderboard.len() > LINES {
        screen.say(&format!("      and {} more in the report", outcome.leaderboard.len() - LINES));
    }
    show_left_out(outcome, screen);
    screen.say("");
    let members = outcome.leaderboard.iter().filter(|standing| standing.weight > 0.0).count();
    let interval = |score: &kaizen_engine::Score| {
        score.interval.map_or(String::new(), |(low, high)| {
            format!(" (95 % interval {} to {})", score_text(low), score_text(high))
        })
    };
    screen.say(&format!(
        "{} of the {}: {}{} by {}",
        outcome.metric,
        if members > 1 { "blend" } else { "model" },
        screen.paint(&score_text(outcome.score.value), "1"),
        interval(&outcome.score),
        outcome.validation,
    ));
    if let Some(judged) = &outcome.judged {
        screen.say(&format!(
            "{} on unseen rows: {}{}",
            outcome.metric,
            screen.paint(&score_text(judged.value), "1"),
            interval(judged)
        ));
    }
    let path = outcome.path.display();
    screen.say(&format!(
        "saved {path} ({:.1} MB) after {:.1} s",
        outcome.size_bytes as f64 / 1e6,
        outcome.seconds
    ));
    screen.say(&format!(
        "next:  kaizen predict {path} NEW_ROWS --out predictions.csv{}   ·   kaizen report {path}",
        if outcome.task.starts_with("regression") { "" } else { " --proba" }
    ));
}

fn show_left_out(outcome: &FitOutcome, screen: &Screen) {
    for each in &outcome.left_out {
        let (failed, all) = each.trials;
        let trials =
            if failed == all { format!("all {all} trials") } else { format!("{failed} of {all} trials") };
        let trials = if (failed, all) == (1, 1) { "its only trial".to_owned() } else { trials };
        screen
            .say(&screen.paint(&format!("      left out: {trials} of {}: {}", each.learner, each.why), "2"));
    }
}

fn print_json(outcome: &FitOutcome) -> Result<(), Failure> {
    let score = |score: &kaizen_engine::Score| json!({ "value": score.value, "interval_95": score.interval });
    let leaderboard: Vec<_> = outcome
        .leaderboard
        .iter()
        .map(|standing| {
            json!({
                "label": standing.label,
                "learner": standing.learner,
                "config": standing.config,
                "value": standing.value,
                "interval_95": standing.interval,
                "folds": standing.folds,
                "fit_seconds": standing.fit_seconds,
                "predict_microseconds": standing.predict_microseconds,
                "weight": standing.weight,
            })
        })
        .collect();
    let importance: Vec<_> = outcome
        .importances
        .iter()
        .map(|each| json!({ "column": each.column, "mean": each.mean, "deviation": each.deviation }))
        .collect();
    let left_out: Vec<_> = outcome
        .left_out
        .iter()
        .map(|each| {
            let (failed, tried) = each.trials;
            json!({ "learner": each.learner, "failed": failed, "tried": tried, "why": each.why })
        })
        .collect();
    let json = json!({
        "model": outcome.path,
        "size_bytes": outcome.size_bytes,
        "digest": outcome.digest,
        "task": outcome.task,
        "metric": outcome.metric,
        "validation": outcome.validation,
        "score": score(&outcome.score),
        "unseen": outcome.judged.as_ref().map(score),
        "trials": outcome.trial_count,
        "first_model_seconds": outcome.first_model_seconds,
        "seconds": outcome.seconds,
        "leaderboard": leaderboard,
        "left_out": left_out,
        "importance": importance,
    });
    print(&format!("{json:#}"))
}
