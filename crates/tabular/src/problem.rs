//! Pipelines as a problem that the search engine can drive: evaluating a configuration is fitting folds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kaizen_base::{Seed, Signal};
use kaizen_metrics::Direction;
use kaizen_model::FitError;
use kaizen_search::{Ctx, Failure, Fidelity, Objective, Problem, TrialId};
use kaizen_space::{Config, Space};

use crate::cross_validation::{CrossValidation, FoldOutcome, TrialOutcome};
use crate::pipeline::FittedPipeline;
use crate::pipeline_space::PipelineSpace;
use crate::scoring::Scoring;

/// Gives the folds of a stage their share of the time; the engine knows the clock, the problem does not.
pub trait Pacer: Send + Sync {
    /// A stage of `fold_count` folds begins. The answer is asked once for each fold, when the fold begins, and gives
    /// a signal below the one passed in.
    fn stage(&self, fold_count: usize) -> Box<dyn Fn(&Signal) -> Signal + Send + Sync>;
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
    fn stage(&self, _fold_count: usize) -> Box<dyn Fn(&Signal) -> Signal + Send + Sync> {
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
        let outcomes = Mutex::default();
        Self { cv, pipelines, scoring, objectives: [objective], pacer, keeper, outcomes }
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

    /// The pipeline of a configuration fitted on all rows, after its `folds`; `None` where it was rounded off early.
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
        let signal = self.pacer.stage(1)(ctx.signal);
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
                Some(stage) if !stage.is_empty() => folds.extend(stage),
                _ => break,
            }
        }
        folds.truncate(fold_count);
        folds
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
            let slice = self.pacer.stage(until - from);
            let signal = ctx.signal;
            let folds = self.cv.fit_folds(&pipeline, from, until, ctx.seed, &|| slice(signal));
            let mut folds = folds.map_err(failure)?;
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
