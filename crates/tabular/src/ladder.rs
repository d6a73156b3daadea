//! Which trial gets more folds: a scheduler over the folds of a cross-validation.
//!
//! Rungs are the first fold, all folds of the first repeat, and each further repeat. The first `full_start_count`
//! trials (the portfolio) go through a whole repeat at once, since an ensemble wants different learners with complete
//! out-of-fold predictions; later ones must first be among the best third on the first fold. Further repeats go to the
//! best quarter. Successive halving as in Li et al. 2020 (Algorithm 2), with resuming in place of restarting.

use kaizen_base::Flow;
use kaizen_search::schedulers::{Job, Scheduler};
use kaizen_search::{Fidelity, History, State, Trial, TrialId};

/// One in this many goes on from the first fold to a whole repeat.
const FOLD_REDUCTION: usize = 3;

/// One in this many goes on from one repeat to the next.
const REPEAT_REDUCTION: usize = 4;

/// The fold ladder.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Vec<Fidelity>,
    full_start_count: usize,
}

impl Ladder {
    /// Rungs for `repeats` repeats of `folds_per_repeat` folds (both at least 1); the first `full_start_count` trials
    /// start with a whole repeat.
    pub fn new(folds_per_repeat: usize, repeats: usize, full_start_count: usize) -> Self {
        let total = folds_per_repeat * repeats;
        let first = (folds_per_repeat > 1).then_some(1);
        let counts = first.into_iter().chain((1..=repeats).map(|repeat| repeat * folds_per_repeat));
        Self { rungs: counts.filter_map(|done| Fidelity::of(done, total)).collect(), full_start_count }
    }

    fn start(&self, number: usize) -> Fidelity {
        let rung = usize::from(number < self.full_start_count).min(self.rungs.len() - 1);
        self.rungs[rung]
    }

    /// The best paused trial of a rung, if it is among the top share and has not gone on.
    fn promotion(&self, history: &History, rung: usize) -> Option<TrialId> {
        let fidelity = self.rungs[rung];
        let loss = |trial: &Trial| trial.at(fidelity).map(|measurement| measurement.losses[0]);
        let mut members: Vec<(f64, &Trial)> =
            history.trials().iter().filter_map(|trial| Some((loss(trial)?, trial))).collect();
        members.sort_by(|(a, one), (b, two)| a.total_cmp(b).then(one.id.cmp(&two.id)));
        let reduction = if rung == 0 && self.rungs.len() > 1 && fidelity < self.start(0) {
            FOLD_REDUCTION
        } else {
            REPEAT_REDUCTION
        };
        members
            .iter()
            .take(members.len() / reduction)
            .find(|(_, trial)| trial.state == State::Paused && trial.until <= fidelity)
            .map(|(_, trial)| trial.id)
    }
}

impl Scheduler for Ladder {
    fn next_job(&mut self, history: &History, may_start: bool) -> Job {
        let started = history.trials().len();
        let portfolio_done = started >= self.full_start_count || !may_start;
        if portfolio_done {
            for rung in (0..self.rungs.len() - 1).rev() {
                if let Some(trial) = self.promotion(history, rung) {
                    return Job::Resume { trial, until: self.rungs[rung + 1] };
                }
            }
        }
        if may_start {
            Job::Start { from: None, until: self.start(started) }
        } else if history.running().next().is_some() {
            Job::Wait
        } else {
            Job::Done
        }
    }

    fn on_measurement(&mut self, _history: &History, _trial: TrialId) -> Flow {
        Flow::Continue
    }
}
