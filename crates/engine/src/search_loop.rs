//! The outer loop: ask the study for a job, run it under its deadline, tell the study, until time or trials are up.
//!
//! One trial at a time, its folds in parallel: the search is then a pure function of seed and results, on any number
//! of threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use kaizen_base::{Clock, Seed, Signal};
use kaizen_learners::LEARNERS;
use kaizen_model::Shape;
use kaizen_search::journal::Durability;
use kaizen_search::samplers::{Portfolio, Tpe};
use kaizen_search::{
    Budget, Event as SearchEvent, Failure, Fidelity, FileJournal, History, Journal, JournalError,
    MemoryJournal, Plan as StudyPlan, Problem as _, State, Step, Study, StudyError, Task, TrialId,
};
use kaizen_space::Config;
use kaizen_table::Values;
use kaizen_tabular::pipeline_space::Columns;
use kaizen_tabular::{
    FirstLook, FoldOutcome, InMemory, Keeper, Ladder, MemoryBudget, PipelineSpace, Scoring, TabularProblem,
    portfolio,
};

use crate::clock::Timekeeper;
use crate::error::EngineError;
use crate::observer::{Event, Observer};
use crate::plan::Plan;
use crate::request::{FitRequest, Preset};
use crate::run_folder::RunFolder;
use crate::trial_run::{Bench, Deadlines, JobEnd, Pace, SharedPace, run};

/// Share of the time left that one job may take; the first ones leave room for others, whatever their learner.
const JOB_SHARE: f64 = 0.4;

/// Time between being asked to finish and being stopped, and again until being left behind: a share of the limit,
/// within bounds in seconds. A busy machine is slow to answer.
const GRACE_SHARE: f64 = 0.02;
const GRACE_SECONDS: (f64, f64) = (0.05, 1.0);

/// The search ends when less is left: nothing could be begun and finished.
const LAST_SECONDS: f64 = 0.05;

/// How much longer than the average job one may take whatever the time left.
const USUAL_FACTOR: f64 = 2.0;

/// Near the end no job begins with less time than this share of what an average job took.
const LAST_SHARE: f64 = 0.5;

/// Training rows below which a first look takes a whole repeat.
const FEW_ROWS: usize = 4_000;

/// Rows of a sampled first look, and the most by which it thins a fold out: beyond it a sample says too little of the whole.
const SAMPLE_ROWS: usize = 8_000;
const MOST_SAMPLING: usize = 16;

/// The most of the search's time that is left for what comes after it.
const AFTER_SHARE: f64 = 0.3;

/// Trials refused for memory one after the other after which no more are begun: by then every learner has been asked.
const MEMORY_REFUSALS: usize = 30;

/// Trials of a run without any limit.
const DEFAULT_TRIALS: usize = 60;

/// What a search leaves.
pub(crate) struct Searched {
    pub problem: Arc<TabularProblem>,
    pub history: History,
    /// What the leaderboard calls a trial.
    pub labels: BTreeMap<TrialId, String>,
    /// Clock seconds at which the first model was there.
    pub first_model_seconds: Option<f64>,
    /// Clock seconds and best value after each ended job.
    pub curve: Vec<CurvePoint>,
    /// The last failure, for the case that nothing came of anything.
    pub last_failure: String,
}

/// One step of the learning curve of the search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct CurvePoint {
    pub trial: TrialId,
    pub at_seconds: f64,
    pub value: f64,
    pub best: f64,
}

struct FolderKeeper(Arc<RunFolder>);

impl Keeper for FolderKeeper {
    fn keep(&self, trial: TrialId, from: usize, folds: &[FoldOutcome]) -> Result<bool, String> {
        self.0.keep(u64::from(trial.0), from, folds).map_err(|error| error.to_string())?;
        Ok(true)
    }

    fn restore(&self, trial: TrialId, from: usize) -> Option<Vec<FoldOutcome>> {
        self.0.restore(u64::from(trial.0), from)
    }
}

/// Where and until when.
pub(crate) struct Setting<'a> {
    pub clock: Arc<dyn Clock>,
    pub keeper: &'a Timekeeper,
    pub threads: usize,
    /// When the search is to end, on the clock; infinity without a limit.
    pub end_seconds: f64,
    pub limit_seconds: Option<f64>,
    /// Whole repeats for which time is to be left, on average ones, 0 or more.
    pub jobs_after: f64,
    pub folder: Option<Arc<RunFolder>>,
    pub memory: MemoryBudget,
}

impl Setting<'_> {
    /// Deadlines of a job that begins now, with so many seconds left and jobs of so many seconds on average.
    fn deadlines(&self, now: f64, left: f64, mean: f64) -> Deadlines {
        // Near the end a job of the usual length may have all that is left: a cut-off fit is worth little.
        let finish = now + (left * JOB_SHARE).max(left.min(USUAL_FACTOR * mean));
        let limit = self.limit_seconds.unwrap_or(f64::INFINITY);
        let grace = (GRACE_SHARE * limit).clamp(GRACE_SECONDS.0, GRACE_SECONDS.1);
        Deadlines { finish, stop: finish + grace, abandon: finish + 2.0 * grace }
    }
}

impl Searched {
    /// What the last trial said, when not one gave a model and memory was the reason.
    pub(crate) fn nothing_fitted(&self) -> Option<String> {
        let trials = self.history.trials();
        if trials.iter().any(|trial| trial.last().is_some()) {
            return None;
        }
        trials.iter().rev().find_map(|trial| match &trial.state {
            State::Failed(Failure::Memory(why)) => Some(why.clone()),
            _ => None,
        })
    }
}

pub(crate) fn search(
    request: &FitRequest,
    plan: &Plan,
    setting: &Setting<'_>,
    observer: &mut dyn Observer,
) -> Result<Searched, EngineError> {
    let pace = Arc::new(Pace::new(setting.keeper.alarms().clone(), setting.threads));
    let keeper: Box<dyn Keeper> = match &setting.folder {
        Some(folder) => Box::new(FolderKeeper(Arc::clone(folder))),
        None => Box::new(InMemory),
    };
    let problem = problem(request, plan, Box::new(SharedPace(Arc::clone(&pace))), keeper)?;
    let problem = Arc::new(problem.within(setting.memory));
    let starts = portfolio::configs(&problem.pipelines, plan.cv.data.table.row_count());
    let mut study = study(request, plan, setting, &problem, starts)?;
    restore(&problem, &study);
    let mut pool = pool(setting.threads)?;
    let mut searched = Loop {
        labels: labels_of(&problem, &study),
        first_model_seconds: None,
        curve: Vec::new(),
        ended: 0,
        spent_seconds: 0.0,
        last_failure: String::new(),
        refused: 0,
    };
    observer.on(Event::Stage("searching"));
    let mut lost = lost_work(&problem, &study).into_iter();
    while searched.refused < MEMORY_REFUSALS {
        let now = setting.clock.now_seconds();
        let after = (setting.jobs_after * searched.mean_seconds()).min(AFTER_SHARE * setting.end_seconds);
        let left = setting.end_seconds - now - after;
        if left < LAST_SECONDS.max(LAST_SHARE * searched.mean_seconds()) {
            break;
        }
        let again = lost.next();
        let is_repeated = again.is_some();
        let Some(task) = again.map_or_else(|| next_task(&mut study), |task| Ok(Some(Box::new(task))))? else {
            break;
        };
        let label = searched.begin(&problem, &task, is_repeated, observer);
        let trial = task.trial;
        let deadlines = setting.deadlines(now, left, searched.mean_seconds());
        let bench = Bench {
            problem: &problem,
            pool: &pool,
            clock: &setting.clock,
            alarms: setting.keeper.alarms(),
            pace: &pace,
        };
        let end = run(&bench, *task, deadlines, observer, setting.limit_seconds);
        let seconds = setting.clock.now_seconds() - now;
        if matches!(end, JobEnd::Abandoned) {
            // Its threads may never come back: go on with fresh ones and leave the old pool to itself.
            std::mem::forget(std::mem::replace(&mut pool, self::pool(setting.threads)?));
        }
        if is_repeated {
            // The history has its value already.
            continue;
        }
        searched.end(&mut study, &problem, trial, label, end, seconds, setting, observer)?;
    }
    let Loop { labels, first_model_seconds, curve, last_failure, .. } = searched;
    let history = study.history().clone();
    Ok(Searched { problem, history, labels, first_model_seconds, curve, last_failure })
}

/// The next job of the study, if there is one: one trial runs at a time, so there is never one to wait for.
fn next_task(study: &mut Study) -> Result<Option<Box<Task>>, EngineError> {
    match study.ask().map_err(study_error)? {
        Step::Run(task) => Ok(Some(task)),
        Step::Wait | Step::Done(_) => Ok(None),
    }
}

fn problem(
    request: &FitRequest,
    plan: &Plan,
    pacer: Box<SharedPace>,
    keeper: Box<dyn Keeper>,
) -> Result<TabularProblem, EngineError> {
    let table = &plan.cv.data.table;
    let count = |wanted: fn(&Values) -> bool| table.columns().iter().filter(|c| wanted(&c.values)).count();
    let shape = Shape {
        row_count: plan.cv.folds.first().map_or(0, |fold| fold.train.len()),
        column_count: table.columns().len(),
        category_count: count(|values| matches!(values, Values::Category(_))),
        text_count: count(|values| matches!(values, Values::Text(_))),
        task: plan.task.clone(),
    };
    let learners = LEARNERS.iter().copied().filter(|learner| {
        let handles = learner.handles();
        (plan.monotone.is_empty() || handles.monotone)
            && (request.columns.weight.is_none() || handles.weights)
            && (request.preset != Preset::Interpretable || handles.readable)
    });
    let pipelines =
        PipelineSpace::new(learners, &shape, Columns::of(table)).map_err(|error| EngineError::Option {
            option: "--monotone, --weight, --preset",
            why: format!("no learner is left that can do all of this: {error}"),
        })?;
    let scoring = Scoring::new(plan.metric, &plan.cv.data);
    Ok(TabularProblem::new(Arc::clone(&plan.cv), pipelines, scoring, pacer, keeper))
}

fn study(
    request: &FitRequest,
    plan: &Plan,
    setting: &Setting<'_>,
    problem: &TabularProblem,
    starts: Vec<Config>,
) -> Result<Study, EngineError> {
    let trials = match (request.limits.max_trials, request.limits.time_seconds) {
        (Some(trials), _) => trials,
        (None, Some(_)) => usize::MAX,
        (None, None) => DEFAULT_TRIALS,
    };
    let full_starts = starts.len();
    let journal: Box<dyn Journal> = match &setting.folder {
        Some(folder) => Box::new(FileJournal::new(folder.journal(), Durability::Process)),
        None => Box::new(MemoryJournal::default()),
    };
    Study::new(StudyPlan {
        space: problem.space().clone(),
        objectives: problem.objectives().to_vec(),
        sampler: Box::new(Portfolio::new(starts, Box::new(Tpe::default()))),
        scheduler: Box::new(Ladder::new(
            plan.cv.folds_per_repeat,
            plan.validation.repeats,
            first_look(plan),
            full_starts,
        )),
        budget: Budget { trials: u32::try_from(trials).unwrap_or(u32::MAX), seconds: f64::INFINITY },
        seed: Seed(request.seed).child("study", 0),
        journal,
        clock: Arc::clone(&setting.clock),
        signal: Signal::new(),
    })
    .map_err(|error| unusable(request, error))
}

/// How a trial begins: with enough rows to rank it among others, and few enough to pay.
fn first_look(plan: &Plan) -> FirstLook {
    let rows = plan.cv.folds.first().map_or(0, |fold| fold.train.len());
    match rows / SAMPLE_ROWS {
        0 | 1 if rows < FEW_ROWS => FirstLook::Repeat,
        0 | 1 => FirstLook::Fold,
        sampling => FirstLook::Sample(sampling.min(MOST_SAMPLING)),
    }
}

/// The error of a journal that cannot be gone on with: a damaged one or another study's is for the person to decide on.
fn unusable(request: &FitRequest, error: StudyError) -> EngineError {
    let is_content = match &error {
        StudyError::Journal(error) => {
            !matches!(error, JournalError::Io { .. } | JournalError::Busy | JournalError::Closed)
        }
        StudyError::Replay { .. } => true,
        _ => false,
    };
    match &request.resume {
        Some(path) if is_content => EngineError::Resume {
            path: path.clone(),
            why: format!("{error}; without --resume the run begins anew"),
        },
        _ => study_error(error),
    }
}

fn study_error(error: StudyError) -> EngineError {
    EngineError::Journal(Box::new(error))
}

/// Puts back what an interrupted run kept.
fn restore(problem: &TabularProblem, study: &Study) {
    let total = problem.cv.folds.len();
    for trial in study.history().trials() {
        if let Some(reached) = trial.reached() {
            problem.restore(trial.id, reached.steps(total));
        }
    }
}

/// Jobs that do again what an interrupted run had finished and the disk has lost since: no trial may stand with fewer
/// folds than its value rests on.
fn lost_work(problem: &TabularProblem, study: &Study) -> Vec<Task> {
    let total = problem.cv.folds.len();
    let trials = study.history().trials().iter();
    trials
        .filter_map(|trial| {
            // Of a first look with a share of the first fold nothing is ever kept.
            let until = trial
                .reached()
                .filter(|reached| Fidelity::of(1, total).is_some_and(|one| *reached >= one))?;
            let kept = problem.outcome(trial.id).map_or(0, |outcome| outcome.folds.len());
            let task = Task {
                trial: trial.id,
                config: trial.config.clone(),
                until,
                reached: None,
                from: None,
                seed: study.seed_of(trial.id),
                signal: Signal::new(),
            };
            (kept < until.steps(total)).then_some(task)
        })
        .collect()
}

fn labels_of(problem: &TabularProblem, study: &Study) -> BTreeMap<TrialId, String> {
    study.history().trials().iter().map(|trial| (trial.id, label(problem, trial.id, &trial.config))).collect()
}

fn label(problem: &TabularProblem, trial: TrialId, config: &Config) -> String {
    format!("{} #{}", problem.pipelines.learner_of(config), trial.0)
}

fn pool(threads: usize) -> Result<rayon::ThreadPool, EngineError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|error| EngineError::Io { path: "threads".into(), source: std::io::Error::other(error) })
}

struct Loop {
    labels: BTreeMap<TrialId, String>,
    first_model_seconds: Option<f64>,
    curve: Vec<CurvePoint>,
    ended: usize,
    spent_seconds: f64,
    last_failure: String,
    /// Trials refused for memory since the last one that was not.
    refused: usize,
}

impl Loop {
    /// Seconds of an average job so far, zero before the first.
    fn mean_seconds(&self) -> f64 {
        self.spent_seconds / self.ended.max(1) as f64
    }

    fn begin(
        &mut self,
        problem: &TabularProblem,
        task: &Task,
        is_repeated: bool,
        observer: &mut dyn Observer,
    ) -> String {
        let label =
            self.labels.entry(task.trial).or_insert_with(|| label(problem, task.trial, &task.config)).clone();
        observer.on(Event::Started { label: label.clone() });
        if is_repeated {
            let text = format!("`{label}` is fitted again: what was kept of it is gone or damaged");
            observer.on(Event::Notice { warning: true, text });
        }
        label
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one step of one loop")]
    fn end(
        &mut self,
        study: &mut Study,
        problem: &TabularProblem,
        trial: TrialId,
        label: String,
        end: JobEnd,
        seconds: f64,
        setting: &Setting<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), EngineError> {
        if matches!(end, JobEnd::Failed(Failure::Memory(_))) {
            // It took no time, and says nothing of how long the next one takes.
            self.refused += 1;
        } else {
            self.refused = 0;
            self.ended += 1;
            self.spent_seconds += seconds;
        }
        let now = setting.clock.now_seconds();
        let total = problem.cv.folds.len();
        let folds = if let JobEnd::Measured(fidelity, _) = &end { fidelity.steps(total) } else { 0 };
        let outcome = match end {
            JobEnd::Measured(fidelity, value) => {
                study.report(trial, fidelity, &[value], seconds).map_err(study_error)?;
                study.leave(trial, Ok(())).map_err(study_error)?;
                self.first_model_seconds.get_or_insert(now);
                Ok(value)
            }
            JobEnd::Failed(failure) => {
                // At the end of the search a stopped trial waits for a resumed run; before it, it took more than its share.
                let state = match failure.clone() {
                    Failure::Stopped if now >= setting.end_seconds - LAST_SECONDS => State::Waiting,
                    Failure::Stopped => State::Failed(Failure::Timeout),
                    failure => State::Failed(failure),
                };
                study.tell(SearchEvent::Left { trial, state }).map_err(study_error)?;
                Err(failure.to_string())
            }
            JobEnd::Abandoned => {
                study
                    .tell(SearchEvent::Left { trial, state: State::Failed(Failure::Timeout) })
                    .map_err(study_error)?;
                Err("it did not stop when its time was up".to_owned())
            }
        };
        let metric = problem.scoring.metric;
        let best = study.history().best().and_then(|best| {
            let loss = best.last()?.losses[0];
            Some((self.labels.get(&best.id)?.clone(), problem.objectives()[0].value(loss)))
        });
        match &outcome {
            Ok(value) => {
                let so_far = self.curve.last().map_or(*value, |point| point.best);
                let best = if metric.is_better(*value, so_far) { *value } else { so_far };
                self.curve.push(CurvePoint { trial, at_seconds: now, value: *value, best });
            }
            Err(why) => self.last_failure.clone_from(why),
        }
        let folds = (folds, total);
        observer.on(Event::Ended { label, outcome, folds, seconds, trials: self.ended, best });
        Ok(())
    }
}
