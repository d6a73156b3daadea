//! Pipelines as a problem that the search engine can drive: evaluating a configuration is fitting folds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kaizen_base::{Seed, Signal};
use kaizen_metrics::Direction;
use kaizen_model::{Extent, FitError};
use kaizen_search::{Ctx, Failure, Fidelity, Objective, Problem, TrialId};
use kaizen_space::{Config, Space};

use crate::cross_validation::{CrossValidation, FoldOutcome, TrialOutcome};
use crate::memory::{self, MemoryBudget, Present, Retained, Room};
use crate::pipeline::{FittedPipeline, PREPARED, Pipeline};
use crate::pipeline_space::PipelineSpace;
use crate::scoring::Scoring;

/// Gives the folds of a stage their share of the time; the engine knows the clock, the problem does not.
pub trait Pacer: Send + Sync {
    /// A stage of `fold_count` folds begins, of which at most `at_once` run at a time. The answer is asked once for each
    /// fold, when the fold begins, and gives a signal below the one passed in.
    fn stage(&self, fold_count: usize, at_once: usize) -> Box<dyn Fn(&Signal) -> Signal + Send + Sync>;
}

/// Keeps the folds of a finished stage before it is reported.
pub trait Keeper: Send + Sync {
    /// Keeps folds `from..` of a trial. The answer says whether they can be had back: their pipelines then leave
    /// memory.
    ///
    /// # Errors
    /// What went wrong, in words; the trial then fails.
    fn keep(&self, trial: TrialId, from: usize, folds: &[FoldOutcome]) -> Result<bool, String>;

    /// The folds of the stage that starts at fold `from`, pipelines included, if they were kept.
    fn restore(&self, trial: TrialId, from: usize) -> Option<Vec<FoldOutcome>>;
}

/// By how much a share of the folds may miss one fold through rounding.
const WHOLE_FOLD: f64 = 1e-9;

/// Time without limit.
#[derive(Clone, Copy, Debug)]
pub struct Unhurried;

impl Pacer for Unhurried {
    fn stage(&self, _fold_count: usize, _at_once: usize) -> Box<dyn Fn(&Signal) -> Signal + Send + Sync> {
        Box::new(Signal::child)
    }
}

/// Keeps nothing beyond memory.
#[derive(Clone, Copy, Debug)]
pub struct InMemory;

impl Keeper for InMemory {
    fn keep(&self, _trial: TrialId, _from: usize, _folds: &[FoldOutcome]) -> Result<bool, String> {
        Ok(false)
    }

    fn restore(&self, _trial: TrialId, _from: usize) -> Option<Vec<FoldOutcome>> {
        None
    }
}

/// Pipelines over one data set, judged by cross-validation.
///
/// Nothing is forgotten when a trial is over: its out-of-fold predictions are what a blend is chosen from.
pub struct TabularProblem {
    /// Data and folds.
    pub cv: Arc<CrossValidation>,
    /// What may be chosen.
    pub pipelines: PipelineSpace,
    /// How predictions are judged.
    pub scoring: Scoring,
    objectives: [Objective; 1],
    pacer: Box<dyn Pacer>,
    keeper: Box<dyn Keeper>,
    outcomes: Mutex<BTreeMap<TrialId, TrialOutcome>>,
    memory: MemoryBudget,
    extent: Extent,
    retained: Mutex<Retained>,
}

impl TabularProblem {
    /// Puts the parts together.
    pub fn new(
        cv: Arc<CrossValidation>,
        pipelines: PipelineSpace,
        scoring: Scoring,
        pacer: Box<dyn Pacer>,
        keeper: Box<dyn Keeper>,
    ) -> Self {
        let name = scoring.metric.name();
        let objective = match scoring.metric.direction {
            Direction::Higher => Objective::maximise(name, ""),
            Direction::Lower => Objective::minimise(name, ""),
        };
        let memory = MemoryBudget::UNLIMITED;
        let extent = extent(&cv, &memory);
        Self {
            cv,
            pipelines,
            scoring,
            objectives: [objective],
            pacer,
            keeper,
            outcomes: Mutex::default(),
            memory,
            extent,
            retained: Mutex::default(),
        }
    }

    /// The same problem within a budget of memory: a trial that does not fit fails before it begins.
    #[must_use]
    pub fn within(self, memory: MemoryBudget) -> Self {
        let extent = extent(&self.cv, &memory);
        Self { memory, extent, ..self }
    }

    /// Bytes that the process may take; `None` without a limit.
    pub fn memory_limit_bytes(&self) -> Option<u64> {
        self.memory.limit_bytes
    }

    /// What the trial's folds gave so far.
    pub fn outcome(&self, trial: TrialId) -> Option<TrialOutcome> {
        self.locked().get(&trial).cloned()
    }

    /// Puts back the predictions of up to `fold_count` folds that an earlier run kept.
    pub fn restore(&self, trial: TrialId, fold_count: usize) {
        let mut folds = self.kept(trial, fold_count);
        for fold in &mut folds {
            fold.pipeline = None;
        }
        self.locked().insert(trial, TrialOutcome { folds });
    }

    /// The pipelines of the first `fold_count` folds of a trial; fewer when some were not kept.
    pub fn pipelines_of(&self, trial: TrialId, fold_count: usize) -> Vec<FittedPipeline> {
        let in_memory: Vec<FittedPipeline> = self
            .outcome(trial)
            .into_iter()
            .flat_map(|outcome| outcome.folds)
            .take(fold_count)
            .map_while(|fold| fold.pipeline)
            .collect();
        if in_memory.is_empty() {
            self.kept(trial, fold_count).into_iter().filter_map(|fold| fold.pipeline).collect()
        } else {
            in_memory
        }
    }

    /// The pipeline of a configuration fitted on all rows, after its `folds`; `None` where it was rounded off early, or
    /// where there is no room for it beside what the search has left.
    ///
    /// # Errors
    /// [`FitError`].
    pub fn refit(
        &self,
        config: &Config,
        folds: &[FittedPipeline],
        seed: Seed,
        signal: &Signal,
    ) -> Result<Option<FittedPipeline>, FitError> {
        let pipeline = self.pipelines.pipeline(config).map_err(|error| FitError::Unfit(error.to_string()))?;
        if self.make_room(&pipeline, 1).is_err() {
            return Ok(None);
        }
        self.cv.refit(&pipeline, folds, seed, signal)
    }

    /// A first look: the first fold with a share of its training rows, the same for every trial. Nothing of it is kept.
    fn evaluate_sample(
        &self,
        config: &Config,
        row_share: f64,
        until: Fidelity,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), Failure> {
        let pipeline = self.pipelines.pipeline(config).map_err(|error| Failure::Fit(error.to_string()))?;
        // What does not fit as a whole must not begin.
        self.make_room(&pipeline, 1)?;
        let signal = self.pacer.stage(1, 1)(ctx.signal);
        let predictions = self.cv.sample_fold(&pipeline, row_share, ctx.seed, &signal).map_err(failure)?;
        let rows = &self.cv.folds[0].valid;
        let value =
            self.scoring.value(rows, &predictions).map_err(|error| Failure::Fit(error.to_string()))?;
        ctx.report(until, &[value]);
        Ok(())
    }

    fn kept(&self, trial: TrialId, fold_count: usize) -> Vec<FoldOutcome> {
        let mut folds: Vec<FoldOutcome> = Vec::new();
        while folds.len() < fold_count {
            match self.keeper.restore(trial, folds.len()) {
                Some(stage) if self.is_stage(&stage, folds.len()) => folds.extend(stage),
                _ => break,
            }
        }
        folds.truncate(fold_count);
        folds
    }

    /// Whether these can be the folds from `from` on of a trial on this data: what was kept comes from a disk.
    fn is_stage(&self, stage: &[FoldOutcome], from: usize) -> bool {
        let fits = |(place, outcome): (usize, &FoldOutcome)| {
            let Some(fold) = self.cv.folds.get(from + place) else { return false };
            outcome.fold == from + place
                && outcome.predictions.outputs == self.cv.data.task.output_count()
                && outcome.predictions.row_count() == fold.valid.len()
                && outcome.predictions.values.iter().all(|value| value.is_finite())
        };
        !stage.is_empty() && stage.iter().enumerate().all(fits)
    }

    /// Whether so many folds of a pipeline fit into memory together, as many at once as there are threads.
    pub fn has_room(&self, pipeline: &Pipeline, fold_count: usize) -> bool {
        let at_once = fold_count.min(self.memory.thread_count);
        self.make_room(pipeline, fold_count).is_ok_and(|room| room.at_once >= at_once)
    }

    /// Fits folds `from..until`, as many at once as there is room for.
    fn fit(
        &self,
        pipeline: &Pipeline,
        from: usize,
        until: usize,
        ctx: &Ctx<'_>,
    ) -> Result<Vec<FoldOutcome>, Failure> {
        let room = self.make_room(pipeline, until - from)?;
        let at_once = room.at_once.min(until - from);
        let slice = self.pacer.stage(until - from, at_once);
        let mut folds = Vec::with_capacity(until - from);
        for start in (from..until).step_by(at_once) {
            let end = (start + at_once).min(until);
            let fitted = self.cv.fit_folds(pipeline, start, end, ctx.seed, &|| slice(ctx.signal));
            folds.extend(fitted.map_err(failure)?);
            if !room.keeps {
                self.cv.data.memo.forget(PREPARED);
            }
        }
        Ok(folds)
    }

    /// Room for a stage, made by forgetting what can be made anew where that is needed.
    fn make_room(&self, pipeline: &Pipeline, fold_count: usize) -> Result<Room, Failure> {
        let need = pipeline.memory(&self.extent);
        let key = pipeline.steps_key(pipeline.learner.card().name);
        let mut retained = self.retained.lock().unwrap_or_else(PoisonError::into_inner);
        let present = Present {
            predictions: self.predictions_size(),
            score_bytes: 8 * (self.cv.data.target.len() * self.cv.data.task.output_count()) as u64,
            retained_bytes: retained.besides(&key),
        };
        let room = memory::room(&self.memory, &need, fold_count, &present)?;
        if room.clears {
            self.cv.data.memo.forget("");
            retained.clear();
        }
        if room.keeps {
            let all_folds = self.cv.folds.len() as u64 * need.prepared_bytes;
            retained.add(key, all_folds + need.shared_bytes);
        }
        Ok(room)
    }

    /// Bytes of the predictions of all trials, and the number of trials that have some.
    fn predictions_size(&self) -> (u64, u64) {
        let outcomes = self.locked();
        let folds = outcomes.values().flat_map(|outcome| &outcome.folds);
        let numbers: usize = folds.map(|fold| fold.predictions.values.len()).sum();
        (8 * numbers as u64, outcomes.len() as u64)
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<TrialId, TrialOutcome>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn failure(error: FitError) -> Failure {
    match error {
        FitError::Stopped => Failure::Stopped,
        FitError::Unfit(why) => Failure::Fit(why),
    }
}

/// The size of the data as its largest training part sees it.
fn extent(cv: &CrossValidation, memory: &MemoryBudget) -> Extent {
    let train_count = cv.folds.iter().map(|fold| fold.train.len()).max().unwrap_or(0);
    Extent::of(&cv.data.table, cv.data.task.clone(), train_count, memory.thread_count)
}

impl Problem for TabularProblem {
    fn space(&self) -> &Space {
        self.pipelines.space()
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn evaluate(&self, config: &Config, until: Fidelity, ctx: &mut Ctx<'_>) -> Result<(), Failure> {
        let total = self.cv.folds.len();
        let row_share = until.share() * total as f64;
        if row_share < 1.0 - WHOLE_FOLD {
            return self.evaluate_sample(config, row_share, until, ctx);
        }
        let until = until.steps(total);
        let mut outcome = self.outcome(ctx.trial).unwrap_or_default();
        let from = outcome.folds.len();
        if from < until {
            let pipeline =
                self.pipelines.pipeline(config).map_err(|error| Failure::Fit(error.to_string()))?;
            let mut folds = self.fit(&pipeline, from, until, ctx)?;
            if self.keeper.keep(ctx.trial, from, &folds).map_err(Failure::Fit)? {
                for fold in &mut folds {
                    fold.pipeline = None;
                }
            }
            outcome.folds.extend(folds);
            self.locked().insert(ctx.trial, outcome.clone());
        }
        let rows = self.cv.covered_rows(until);
        let predictions = self.cv.out_of_fold(&outcome, &rows);
        let value =
            self.scoring.value(&rows, &predictions).map_err(|error| Failure::Fit(error.to_string()))?;
        if let Some(fidelity) = Fidelity::of(until, total) {
            ctx.report(fidelity, &[value]);
        }
        Ok(())
    }
}
