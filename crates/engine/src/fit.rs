//! From a request to an artifact on disk, in time.

use std::path::PathBuf;
use std::sync::Arc;

use kaizen_artifact::{Artifact, DataSource, Manifest, SigningKey};
use kaizen_base::{Clock, Flow};
use kaizen_data::ReadOptions;
use kaizen_explain::Importance;
use kaizen_model::Model as _;
use serde_json::{Value, json};

use crate::clock::Timekeeper;
use crate::error::EngineError;
use crate::finish::{self, Finished, Rest};
pub use crate::finish::{Score, Standing};
use crate::loaded::LoadedModel;
use crate::observer::{Event, Observer};
use crate::plan::{self, Plan};
use crate::request::{FitRequest, Judge};
use crate::run_folder::RunFolder;
use crate::search_loop::{self, Searched, Setting};
use crate::stack;

/// What a finished run tells.
#[derive(Debug)]
pub struct FitOutcome {
    /// The artifact.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
    /// Digest of its contents.
    pub digest: String,
    /// Name of the metric.
    pub metric: &'static str,
    /// The task in words.
    pub task: String,
    /// How rows were validated, in words.
    pub validation: String,
    /// Value of the metric by cross-validation, corrected for the choice among models.
    pub score: Score,
    /// Value on held-out or test rows, where there are any.
    pub judged: Option<Score>,
    /// All that were tried, best first.
    pub leaderboard: Vec<Standing>,
    /// Columns by importance, largest first.
    pub importances: Vec<Importance>,
    /// Trials that ended.
    pub trial_count: usize,
    /// Clock seconds at which the first model was there.
    pub first_model_seconds: Option<f64>,
    /// Clock seconds at the end.
    pub seconds: f64,
}

/// Time that is kept for the end, besides a share of the limit: blending, importance and writing grow with the rows.
const CLOSING_SHARE: f64 = 0.05;
const CLOSING_SECONDS_PER_CELL: f64 = 3e-7;
const CLOSING_LEAST_SECONDS: f64 = 0.12;

/// The share of the time left that importance may take.
const IMPORTANCE_SHARE: f64 = 0.4;

/// Fits, blends, explains, signs and saves.
///
/// # Errors
/// [`EngineError`]; its [`blame`](EngineError::blame) says who can mend it.
pub fn fit(
    request: &FitRequest,
    clock: &Arc<dyn Clock>,
    observer: &mut dyn Observer,
) -> Result<FitOutcome, EngineError> {
    let keeper = Timekeeper::new(Arc::clone(clock));
    let threads = match request.limits.threads {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| EngineError::Io { path: "threads".into(), source: std::io::Error::other(error) })?;
    let options = ReadOptions {
        threads: Some(threads),
        memory_limit_bytes: request.limits.memory_bytes,
        sheet: request.sheet.clone(),
        ..ReadOptions::default()
    };
    // A key that cannot be used must not cost a finished model.
    let signer = match &request.signing_key {
        Some(path) => {
            Some(SigningKey::open_or_create(path).map_err(|source| EngineError::Key(Box::new(source)))?)
        }
        None => None,
    };
    let loaded = read(request, &options, &pool, observer)?;
    let limit = request.limits.time_seconds;
    let left = limit.map(|limit| (limit - clock.now_seconds()).max(0.0));
    let plan = plan(request, &loaded, left, threads, &pool, observer)?;
    let folder = Arc::new(open_folder(request, &loaded, &plan)?);
    let setting = Setting {
        clock: Arc::clone(clock),
        keeper: &keeper,
        threads,
        end_seconds: limit.map_or(f64::INFINITY, |limit| limit - closing_seconds(limit, &plan)),
        jobs_after: if stack::applies(request, &plan) { stack::JOBS } else { 0.0 },
        limit_seconds: limit,
        folder: Some(Arc::clone(&folder)),
    };
    let searched = search_loop::search(request, &plan, &setting, observer)?;
    let finished = close(request, &plan, &searched, &options, &keeper, &pool, observer)?;
    observer.on(Event::Stage("writing"));
    let run =
        Run { request, loaded: &loaded, plan: &plan, searched: &searched, signer: signer.as_ref(), threads };
    let outcome = save(&run, finished, &**clock)?;
    folder.remove();
    observer.on(Event::Saved { path: outcome.path.clone(), size_bytes: outcome.size_bytes });
    Ok(outcome)
}

fn read(
    request: &FitRequest,
    options: &ReadOptions,
    pool: &rayon::ThreadPool,
    observer: &mut dyn Observer,
) -> Result<kaizen_data::Loaded, EngineError> {
    observer.on(Event::Stage("reading"));
    let loaded = pool.install(|| kaizen_data::read(&request.source, options))?;
    for note in &loaded.notes {
        observer.on(Event::Notice {
            warning: note.severity() >= kaizen_data::Severity::Warning,
            text: note.to_string(),
        });
    }
    Ok(loaded)
}

fn plan(
    request: &FitRequest,
    loaded: &kaizen_data::Loaded,
    seconds_left: Option<f64>,
    threads: usize,
    pool: &rayon::ThreadPool,
    observer: &mut dyn Observer,
) -> Result<Plan, EngineError> {
    observer.on(Event::Stage("inspecting"));
    let kept_validation = match &request.resume {
        Some(path) => RunFolder::validation(path)?,
        None => None,
    };
    let mut collected = Collected::default();
    let plan =
        pool.install(|| plan::make(request, loaded, seconds_left, threads, kept_validation, &mut collected));
    collected.replay(observer);
    plan
}

fn open_folder(
    request: &FitRequest,
    loaded: &kaizen_data::Loaded,
    plan: &Plan,
) -> Result<RunFolder, EngineError> {
    let identity = identity(request, &loaded.digest.to_string(), plan);
    match &request.resume {
        Some(path) => RunFolder::open(path, &identity),
        None => RunFolder::create(&RunFolder::beside(&request.out), &identity),
    }
}

/// Blends, judges and explains, each within its share of the time that is left.
fn close(
    request: &FitRequest,
    plan: &Plan,
    searched: &Searched,
    options: &ReadOptions,
    keeper: &Timekeeper,
    pool: &rayon::ThreadPool,
    observer: &mut dyn Observer,
) -> Result<Finished, EngineError> {
    observer.on(Event::Stage("blending"));
    let rest = Rest { alarms: keeper.alarms(), limit_seconds: request.limits.time_seconds };
    let mut finished = pool.install(|| finish::blend(request, plan, searched, &rest))?;
    if let Judge::Test(test) = &request.judge {
        finished.judged = Some(judge_by_test(request, plan, &finished, test, options)?);
    }
    observer.on(Event::Stage("explaining"));
    let signal = rest.signal(IMPORTANCE_SHARE, Flow::Finish);
    finished.importances =
        pool.install(|| finish::importances(plan, &searched.problem, &finished, request.seed, &signal));
    Ok(finished)
}

/// Keeps events of a part that runs on the pool, to be told on the caller's thread.
#[derive(Default)]
struct Collected(Vec<Event>);

impl Collected {
    fn replay(self, observer: &mut dyn Observer) {
        for event in self.0 {
            observer.on(event);
        }
    }
}

impl Observer for Collected {
    fn on(&mut self, event: Event) {
        self.0.push(event);
    }

    fn tick(&mut self, _now_seconds: f64, _limit_seconds: Option<f64>) {}
}

fn closing_seconds(limit: f64, plan: &Plan) -> f64 {
    let cells = plan.raw.row_count() as f64 * (plan.raw.columns().len() + plan.task.output_count()) as f64;
    let wanted = limit * CLOSING_SHARE + cells * CLOSING_SECONDS_PER_CELL;
    wanted.clamp(CLOSING_LEAST_SECONDS, (limit * 0.25).max(CLOSING_LEAST_SECONDS))
}

/// What must be equal for a run to be resumed.
fn identity(request: &FitRequest, digest: &str, plan: &Plan) -> Value {
    json!({
        "data": digest,
        "target": plan.target.name,
        "task": plan.task.word(),
        "metric": plan.metric.name(),
        "seed": request.seed,
        "group": request.columns.group,
        "time_column": request.columns.time,
        "weight": request.columns.weight,
        "ignore": request.columns.ignore,
        "monotone": request.columns.monotone,
        "validation": plan.validation.to_json(),
    })
}

fn judge_by_test(
    request: &FitRequest,
    plan: &Plan,
    finished: &Finished,
    test: &kaizen_data::Source,
    options: &ReadOptions,
) -> Result<Score, EngineError> {
    let manifest = bare_manifest(plan);
    let (table, truth) = LoadedModel::labelled_rows(&manifest, test, options)?;
    finish::judge(plan, &finished.ensemble, &table, &truth, request.seed)
}

/// Everything that a finished run is told from.
struct Run<'a> {
    request: &'a FitRequest,
    loaded: &'a kaizen_data::Loaded,
    plan: &'a Plan,
    searched: &'a Searched,
    signer: Option<&'a SigningKey>,
    threads: usize,
}

fn save(run: &Run<'_>, finished: Finished, clock: &dyn Clock) -> Result<FitOutcome, EngineError> {
    let Run { request, loaded, plan, searched, signer, threads } = *run;
    let manifest = manifest(request, loaded, plan, &finished);
    let report_html = crate::page::render(request, loaded, plan, searched, &finished, threads);
    let card = crate::card::render(plan, &finished);
    let artifact = Artifact {
        manifest,
        state: finished.ensemble.save(),
        report_html,
        card,
        history: history(searched, request),
    };
    let packed = kaizen_artifact::to_bytes(&artifact, signer)
        .map_err(|error| EngineError::artifact(&request.out, error))?;
    let size_bytes = packed.bytes.len() as u64;
    if let Some(limit) = request.limits.max_size_bytes.filter(|limit| *limit < size_bytes) {
        return Err(EngineError::Gate {
            option: "--max-size",
            why: format!("the model takes {size_bytes} bytes, allowed are {limit}"),
        });
    }
    kaizen_base::write_atomically(&request.out, &packed.bytes)
        .map_err(|source| EngineError::io(&request.out, source))?;
    Ok(FitOutcome {
        path: request.out.clone(),
        size_bytes,
        digest: packed.content.to_string(),
        metric: plan.metric.name(),
        task: crate::loaded::task_words(&plan.task, plan.target.class_names()),
        validation: plan.validation.words(),
        score: finished.score,
        judged: finished.judged,
        leaderboard: finished.leaderboard,
        importances: finished.importances,
        trial_count: searched.history.trials().len(),
        first_model_seconds: searched.first_model_seconds,
        seconds: clock.now_seconds(),
    })
}

/// What tells how rows are read and what is predicted.
fn bare_manifest(plan: &Plan) -> Manifest {
    Manifest {
        classes: plan.target.class_names().to_vec(),
        inputs: plan.inputs.clone(),
        metric: plan.metric.name().to_owned(),
        ..Manifest::new(plan.task.clone(), plan.target.name.clone())
    }
}

fn manifest(
    request: &FitRequest,
    loaded: &kaizen_data::Loaded,
    plan: &Plan,
    finished: &Finished,
) -> Manifest {
    let mut manifest = bare_manifest(plan);
    manifest.seeds.insert("run".to_owned(), request.seed);
    let stored = |score: &Score| {
        let (low, high) = score.interval.unwrap_or((f64::NAN, f64::NAN));
        kaizen_artifact::Score { value: score.value, low, high }
    };
    manifest.scores.insert(format!("{} (cross-validation)", plan.metric.name()), stored(&finished.score));
    if let Some(judged) = &finished.judged {
        manifest.scores.insert(format!("{} (unseen rows)", plan.metric.name()), stored(judged));
    }
    manifest.data.push(DataSource {
        name: file_name(request),
        row_count: plan.raw.row_count() as u64,
        column_count: plan.raw.columns().len() as u64,
        digest: loaded.digest,
    });
    manifest.sections.insert("leaderboard".to_owned(), leaderboard_json(&finished.leaderboard));
    manifest.sections.insert("importance".to_owned(), importance_json(&finished.importances));
    manifest.sections.insert("validation".to_owned(), json!(plan.validation.words()));
    manifest
}

/// The source without folders: paths of a machine are nobody's business.
fn file_name(request: &FitRequest) -> String {
    let text = request.source.text();
    std::path::Path::new(text)
        .file_name()
        .map_or_else(|| text.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn leaderboard_json(standings: &[Standing]) -> Value {
    standings
        .iter()
        .map(|standing| {
            json!({
                "label": standing.label,
                "learner": standing.learner,
                "config": standing.config,
                "value": standing.value,
                "interval": standing.interval,
                "folds": standing.folds,
                "fit_seconds": standing.fit_seconds,
                "predict_microseconds": standing.predict_microseconds,
                "weight": standing.weight,
            })
        })
        .collect()
}

fn importance_json(importances: &[Importance]) -> Value {
    importances
        .iter()
        .map(|importance| {
            json!({
                "column": importance.column,
                "mean": importance.mean,
                "deviation": importance.deviation,
                "repeats": importance.repeats,
            })
        })
        .collect()
}

/// The trials, one JSON object a line; without times in a reproducible run.
fn history(searched: &Searched, request: &FitRequest) -> String {
    let with_times = request.limits.time_seconds.is_some();
    let mut lines = String::new();
    for trial in searched.history.trials() {
        let objective = &searched.history.objectives()[0];
        let measured: Vec<Value> = trial
            .measurements
            .iter()
            .map(|measurement| {
                let mut value = json!({
                    "fidelity": measurement.fidelity.share(),
                    "value": objective.value(measurement.losses[0]),
                });
                if with_times {
                    value["seconds"] = json!(measurement.seconds);
                }
                value
            })
            .collect();
        let line = json!({
            "trial": trial.id.0,
            "label": searched.labels.get(&trial.id),
            "config": trial.config.to_string(),
            "state": format!("{:?}", trial.state),
            "measured": measured,
        });
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    lines
}
