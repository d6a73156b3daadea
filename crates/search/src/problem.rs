//! What a study evaluates, and how an evaluation talks back.

use kaizen_base::{Clock, Flow, Rng, Seed, Signal};
use kaizen_space::{Config, Space};

use crate::fidelity::Fidelity;
use crate::objective::Objective;
use crate::study::Task;
use crate::trial::{Failure, TrialId};

/// Anything that can be evaluated at configurations of a space.
pub trait Problem: Sync {
    /// What may be chosen.
    fn space(&self) -> &Space;

    /// What every report holds, in this order.
    fn objectives(&self) -> &[Objective];

    /// Evaluates `config` up to the fidelity `until`, reporting at least there, through [`Ctx::report`].
    ///
    /// A job may continue an earlier one of the same trial: [`Ctx::reached`] says how far that came. Whoever has kept
    /// the state of `ctx.trial` goes on from it; whoever has not (another process may have done the first part) begins
    /// again, and reports up to `reached` are passed over. The same configuration and `ctx.seed` must give the same
    /// values either way.
    ///
    /// When a report or `ctx.signal` says [`Flow::Finish`], it returns `Ok` soon, keeping what is needed to go on;
    /// at [`Flow::Stop`] it returns at once, `Ok` or [`Failure::Stopped`] alike.
    ///
    /// # Errors
    /// [`Failure`] ends the trial, not the study. So does a panic.
    fn evaluate(&self, config: &Config, until: Fidelity, ctx: &mut Ctx<'_>) -> Result<(), Failure>;

    /// Told once when nothing will happen to the trial any more, so that its state can be dropped.
    fn forget(&self, trial: TrialId) {
        let _ = trial;
    }
}

/// What an evaluation is given besides its configuration.
pub struct Ctx<'a> {
    /// The trial.
    pub trial: TrialId,
    /// How far earlier jobs of the trial came.
    pub reached: Option<Fidelity>,
    /// The trial whose learned state this one begins from.
    pub from: Option<TrialId>,
    /// The seed for all randomness of the trial, the same in each of its jobs; split it by label and step.
    pub seed: Seed,
    /// Looked at often: finish with what is there, or stop.
    pub signal: &'a Signal,
    /// Elapsed time.
    pub clock: &'a dyn Clock,
    sink: &'a mut dyn FnMut(Fidelity, &[f64]) -> Flow,
}

impl<'a> Ctx<'a> {
    /// The context for a task whose reports go to `sink`; for callers that own their loop.
    pub fn new(
        task: &'a Task,
        clock: &'a dyn Clock,
        sink: &'a mut dyn FnMut(Fidelity, &[f64]) -> Flow,
    ) -> Self {
        Self {
            trial: task.trial,
            reached: task.reached,
            from: task.from,
            seed: task.seed,
            signal: &task.signal,
            clock,
            sink,
        }
    }

    /// Reports the natural value of each objective at a fidelity, above all earlier ones, and says how to go on.
    ///
    /// NaN, an infinity or a wrong number of values fails the trial; the answer is then [`Flow::Stop`].
    pub fn report(&mut self, fidelity: Fidelity, values: &[f64]) -> Flow {
        (self.sink)(fidelity, values)
    }

    /// A fresh stream from the trial's seed.
    pub fn rng(&self) -> Rng {
        self.seed.rng()
    }
}
