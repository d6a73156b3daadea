//! From a request to an artifact on disk, in time.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kaizen_artifact::{Artifact, DataSource, Manifest, SigningKey};
use kaizen_base::{Clock, Flow};
use kaizen_data::ReadOptions;
use kaizen_explain::Importance;
use kaizen_model::Model as _;
use kaizen_search::State;
use serde_json::{Value, json};

use crate::clock::Timekeeper;
use crate::error::EngineError;
use crate::finish::{self, Finished, Rest};
pub use crate::finish::{Score, Standing};
use crate::loaded::LoadedModel;
use crate::memory::MemoryLimit;
use crate::observer::{Event, Observer, Stretch, Timeline};
use crate::plan::{self, Plan};
use crate::request::{FitRequest, Judge};
use crate::run_folder::{Earlier, RunFolder};
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
    /// Learners of which trials came to nothing, by name.
    pub left_out: Vec<LeftOut>,
    /// Columns by importance, largest first.
    pub importances: Vec<Importance>,
    /// Trials that ended.
    pub trial_count: usize,
    /// Clock seconds at which the first model was there.
    pub first_model_seconds: Option<f64>,
    /// Clock seconds at the end.
    pub seconds: f64,
}

/// Trials of one learner that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The learner's name.
    pub learner: String,
    /// Trials that failed, and all of it.
    pub trials: (usize, usize),
    /// What the first of them said.
    pub why: String,
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
    if request.out.is_dir() {
        return Err(EngineError::OutIsFolder(request.out.clone()));
    }
    let keeper = Timekeeper::new(Arc::clone(clock));
    let mut timeline = Timeline::new(observer, Arc::clone(clock));
    let observer = &mut timeline;
    let earlier = match &request.resume {
        Some(path) => RunFolder::earlier(path, &request.out)?,
        None => None,
    };
    let memory = MemoryLimit::of(request, earlier.as_ref().and_then(|earlier| earlier.memory_bytes));
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
        memory_limit_bytes: memory.bytes,
        sheet: request.sheet.clone(),
        ..ReadOptions::default()
    };
    let signer = signer(request)?;
    let loaded = read(request, &options, &pool, observer)?;
    memory.check_table(request, &loaded.table)?;
    let limit = request.limits.time_seconds;
    let left = limit.map(|limit| (limit - clock.now_seconds()).max(0.0));
    let plan = plan(request, &loaded, left, threads, earlier.as_ref(), &pool, observer)?;
    let folder = Arc::new(open_folder(request, &loaded, &plan, &memory, earlier.is_some(), observer)?);
    let setting = Setting {
        clock: Arc::clone(clock),
        keeper: &keeper,
        threads,
        end_seconds: limit.map_or(f64::INFINITY, |limit| limit - closing_seconds(limit, &plan)),
        jobs_after: if stack::applies(request, &plan) { stack::JOBS } else { 0.0 },
        limit_seconds: limit,
        folder: Some(Arc::clone(&folder)),
        memory: memory.budget(request, &loaded.table, &plan, threads),
    };
    let searched = search_loop::search(request, &plan, &setting, observer)?;
    if let Some(why) = searched.nothing_fitted() {
        return Err(memory.nothing_fits(request, &why));
    }
    let finished = close(request, &plan, &searched, &options, &keeper, &pool, observer)?;
    observer.on(Event::Stage("writing"));
    let stretches = timeline.stretches();
    let run = Run {
        request,
        loaded: &loaded,
        plan: &plan,
        searched: &searched,
        signer: signer.as_ref(),
        threads,
        stretches: &stretches,
    };
    let outcome = save(&run, finished, &**clock)?;
    folder.remove();
    timeline.on(Event::Saved { path: outcome.path.clone(), size_bytes: outcome.size_bytes });
    Ok(outcome)
}

/// A key that cannot be used must not cost a finished model.
fn signer(request: &FitRequest) -> Result<Option<SigningKey>, EngineError> {
    let open = |path: &PathBuf| {
        SigningKey::open_or_create(path).map_err(|source| EngineError::Key(Box::new(source)))
    };
    request.signing_key.as_ref().map(open).transpose()
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
    earlier: Option<&Earlier>,
    pool: &rayon::ThreadPool,
    observer: &mut dyn Observer,
) -> Result<Plan, EngineError> {
    observer.on(Event::Stage("inspecting"));
    let kept_validation = earlier.and_then(|earlier| earlier.validation.clone());
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
    memory: &MemoryLimit,
    is_resumed: bool,
    observer: &mut dyn Observer,
) -> Result<RunFolder, EngineError> {
    let identity = identity(request, &loaded.digest.to_string(), plan);
    match &request.resume {
        Some(path) if is_resumed => return RunFolder::open(path, &identity),
        Some(path) => observer.on(Event::Notice {
            warning: false,
            text: format!("nothing was interrupted in {}; the run begins", path.display()),
        }),
        None => {}
    }
    let path = RunFolder::beside(&request.out);
    let (folder, aside) = RunFolder::create(&path, &identity, memory.bytes)?;
    if let Some(aside) = aside {
        let aside = aside.display();
        let text = format!(
            "an interrupted run of this --out was moved to {aside}; `--resume {aside}` would go on with it, and it may be deleted"
        );
        observer.on(Event::Notice { warning: true, text });
    }
    Ok(folder)
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
    stretches: &'a [Stretch],
}

fn save(run: &Run<'_>, finished: Finished, clock: &dyn Clock) -> Result<FitOutcome, EngineError> {
    let Run { request, loaded, plan, searched, signer, threads, stretches } = *run;
    let left_out = left_out(searched);
    let manifest = manifest(request, loaded, plan, &finished, &left_out);
    let report_html = crate::page::render(request, loaded, plan, searched, &finished, threads, stretches);
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
        left_out,
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
    left_out: &[LeftOut],
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
    manifest.sections.insert("left_out".to_owned(), left_out_json(left_out));
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

/// Learners with trials that came to nothing, and why, by name.
fn left_out(searched: &Searched) -> Vec<LeftOut> {
    let mut by_learner: BTreeMap<&str, (usize, usize, Option<String>)> = BTreeMap::new();
    for trial in searched.history.trials() {
        let learner = searched.problem.pipelines.learner_of(&trial.config);
        let (failed, all, why) = by_learner.entry(learner).or_default();
        *all += 1;
        if let State::Failed(failure) = &trial.state {
            *failed += 1;
            why.get_or_insert_with(|| failure.to_string());
        }
    }
    by_learner
        .into_iter()
        .filter_map(|(learner, (failed, all, why))| {
            Some(LeftOut { learner: learner.to_owned(), trials: (failed, all), why: why? })
        })
        .collect()
}

fn left_out_json(left_out: &[LeftOut]) -> Value {
    left_out
        .iter()
        .map(|each| {
            json!({ "learner": each.learner, "failed": each.trials.0, "tried": each.trials.1, "why": each.why })
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
