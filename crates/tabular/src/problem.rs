//! Pipelines as a problem that the search engine can drive: evaluating a configuration is fitting folds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kaizen_base::Signal;
use kaizen_metrics::Direction;
use kaizen_model::FitError;
use kaizen_search::{Ctx, Failure, Fidelity, Objective, Problem, TrialId};
use kaizen_space::{Config, Space};

use crate::cross_validation::{CrossValidation, FoldOutcome, TrialOutcome};
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
    /// Keeps folds `from..` of a trial.
    ///
    /// # Errors
    /// What went wrong, in words; the trial then fails.
    fn keep(&self, trial: TrialId, from: usize, folds: &[FoldOutcome]) -> Result<(), String>;
}

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
    fn keep(&self, _trial: TrialId, _from: usize, _folds: &[FoldOutcome]) -> Result<(), String> {
        Ok(())
    }
}

/// Pipelines over one data set, judged by cross-validation.
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

    /// Puts back what an earlier run kept; folds follow those that are there.
    pub fn restore(&self, trial: TrialId, folds: Vec<FoldOutcome>) {
        self.locked().entry(trial).or_default().folds.extend(folds);
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<TrialId, TrialOutcome>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
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
        let until = until.steps(total);
        let mut outcome = self.outcome(ctx.trial).unwrap_or_default();
        let from = outcome.folds.len();
        if from < until {
            let pipeline =
                self.pipelines.pipeline(config).map_err(|error| Failure::Fit(error.to_string()))?;
            let slice = self.pacer.stage(until - from);
            let signal = ctx.signal;
            let folds = self.cv.fit_folds(&pipeline, from, until, ctx.seed, &|| slice(signal));
            let folds = folds.map_err(|error| match error {
                FitError::Stopped => Failure::Stopped,
                FitError::Unfit(why) => Failure::Fit(why),
            })?;
            self.keeper.keep(ctx.trial, from, &folds).map_err(Failure::Fit)?;
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

    fn forget(&self, trial: TrialId) {
        self.locked().remove(&trial);
    }
}
