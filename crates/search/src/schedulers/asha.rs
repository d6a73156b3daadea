//! Asynchronous successive halving with promotion by resuming.
//!
//! Source: Li, Jamieson, Rostamizadeh, Gonina, Ben-tzur, Hardt, Recht and Talwalkar 2020, *A System for Massively
//! Parallel Hyperparameter Tuning*, Algorithm 2, with one bracket. A promoted trial goes on from where it was paused;
//! the road not taken starts it again from nothing and pays for the lower rungs twice.

use std::collections::BTreeSet;

use kaizen_base::{Card, Flow};

use super::{Job, Scheduler};
use crate::fidelity::Fidelity;
use crate::history::{Cursor, History};
use crate::pareto;
use crate::trial::{State, TrialId};

pub(super) const CARD: Card = Card {
    name: "asha",
    summary: "starts trials at a low fidelity and takes the best share of each rung further, never waiting for a rung",
    source: "Li et al. 2020, A System for Massively Parallel Hyperparameter Tuning, Algorithm 2",
};

/// Rungs of the default: 1/9, 1/3 and the full effort, for the reduction factor 3 (Li et al. 2017 and 2020 use 3 and 4).
const DEFAULT_MIN_FIDELITY: f64 = 1.0 / 9.0;
const DEFAULT_REDUCTION: u32 = 3;

/// More rungs than this are a mistake in the options.
const MAX_RUNGS: usize = 40;

/// Why these options make no ladder.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AshaError {
    /// The reduction factor keeps everything.
    #[error("a reduction factor of {0} keeps everything: allowed is 2 or more")]
    Reduction(u32),
    /// The lowest fidelity gives too many rungs.
    #[error("a lowest fidelity of {0} gives more than {MAX_RUNGS} rungs")]
    MinFidelity(Fidelity),
}

/// Asynchronous successive halving with promotion by resuming.
///
/// Trials are ranked within a rung by the limits they break, then by the front of their goals (with one goal, by its
/// loss), then by number.
///
/// ```
/// use kaizen_search::{Fidelity, schedulers::Asha};
///
/// let rungs = Asha::new(Fidelity::of(1, 16).unwrap(), 4)?;
/// assert_eq!(rungs.fidelities().map(Fidelity::share).collect::<Vec<_>>(), [0.0625, 0.25, 1.0]);
/// # Ok::<(), kaizen_search::schedulers::AshaError>(())
/// ```
#[derive(Debug)]
pub struct Asha {
    reduction: usize,
    rungs: Vec<Rung>,
    cursor: Cursor,
}

#[derive(Debug)]
struct Rung {
    fidelity: Fidelity,
    /// Trials measured at this rung's fidelity or above: the best share, rounded down, and all others. A standing never
    /// changes, since it is that of the first measurement at the rung.
    top: BTreeSet<Standing>,
    rest: BTreeSet<Standing>,
    /// Those of both that are paused and never were asked to go beyond this rung.
    promotable: BTreeSet<Standing>,
}

/// A trial's place in its rung. Ordered by violation, then loss, then number.
#[derive(Clone, Debug, PartialEq)]
struct Standing {
    violation: f64,
    losses: Vec<f64>,
    trial: TrialId,
}

impl Asha {
    /// Rungs from `min_fidelity` up to full fidelity, each `reduction` times the one below; the best
    /// 1/`reduction` of each rung goes on to the next.
    ///
    /// # Errors
    /// [`AshaError`] when the options make no ladder.
    pub fn new(min_fidelity: Fidelity, reduction: u32) -> Result<Self, AshaError> {
        if reduction < 2 {
            return Err(AshaError::Reduction(reduction));
        }
        let mut rungs = Vec::new();
        let mut share = min_fidelity.share();
        // A rung within rounding of the top is the top.
        while let Some(fidelity) = Fidelity::new(share).filter(|fidelity| fidelity.share() < 1.0 - 1e-9) {
            rungs.push(Rung::at(fidelity));
            share *= f64::from(reduction);
        }
        rungs.push(Rung::at(Fidelity::FULL));
        if rungs.len() > MAX_RUNGS {
            return Err(AshaError::MinFidelity(min_fidelity));
        }
        Ok(Self { reduction: reduction as usize, rungs, cursor: Cursor::default() })
    }

    /// The fidelities of the rungs, lowest first.
    pub fn fidelities(&self) -> impl Iterator<Item = Fidelity> {
        self.rungs.iter().map(|rung| rung.fidelity)
    }

    /// Brings the rungs up to the history; cost proportional to the events since last time.
    fn follow(&mut self, history: &History) {
        let changes = history.changed_since(&mut self.cursor);
        if changes.is_new_history {
            for rung in &mut self.rungs {
                *rung = Rung::at(rung.fidelity);
            }
        }
        for id in changes.trials {
            let trial = &history.trials()[id.index()];
            for rung in &mut self.rungs {
                let Some(measurement) = trial.at(rung.fidelity) else { break };
                let standing = Standing {
                    violation: history.violation(measurement),
                    losses: history.goal_losses(measurement),
                    trial: *id,
                };
                if trial.state == State::Paused && trial.until <= rung.fidelity {
                    rung.promotable.insert(standing.clone());
                } else {
                    rung.promotable.remove(&standing);
                }
                rung.insert(standing, self.reduction);
            }
        }
    }
}

impl Default for Asha {
    fn default() -> Self {
        let built = Fidelity::new(DEFAULT_MIN_FIDELITY).map(|lowest| Self::new(lowest, DEFAULT_REDUCTION));
        match built {
            Some(Ok(asha)) => asha,
            other => unreachable!("the default ladder is sound: {other:?}"),
        }
    }
}

impl Scheduler for Asha {
    fn next_job(&mut self, history: &History, may_start: bool) -> Job {
        self.follow(history);
        for pair in self.rungs.windows(2).rev() {
            if let Some(trial) = pair[0].promotion(history) {
                return Job::Resume { trial, until: pair[1].fidelity };
            }
        }
        if may_start {
            Job::Start { from: None, until: self.rungs[0].fidelity }
        } else if history.running().next().is_some() {
            Job::Wait
        } else {
            Job::Done
        }
    }

    fn on_measurement(&mut self, _history: &History, _trial: TrialId) -> Flow {
        // A job's own end is the rung; there is nothing to decide before it.
        Flow::Continue
    }
}

impl Rung {
    fn at(fidelity: Fidelity) -> Self {
        Self { fidelity, top: BTreeSet::new(), rest: BTreeSet::new(), promotable: BTreeSet::new() }
    }

    /// The best trial among the top share that never went beyond this rung.
    fn promotion(&self, history: &History) -> Option<TrialId> {
        let candidate = self.promotable.first()?;
        let worst = self.top.last()?;
        if history.objectives().iter().filter(|objective| objective.is_goal).count() <= 1 {
            return (candidate <= worst).then_some(candidate.trial);
        }
        let members: Vec<&Standing> = self.top.iter().chain(&self.rest).collect();
        let fronts = pareto::fronts(&members.iter().map(|member| member.losses.clone()).collect::<Vec<_>>());
        let mut ranked: Vec<(&Standing, usize)> = members.into_iter().zip(fronts).collect();
        ranked.sort_by(|(one, f), (two, g)| {
            one.violation.total_cmp(&two.violation).then(f.cmp(g)).then(one.cmp(two))
        });
        ranked
            .into_iter()
            .take(self.top.len())
            .map(|(member, _)| member)
            .find(|member| self.promotable.contains(member))
            .map(|found| found.trial)
    }

    /// Adds a trial if it is new, and moves the border so that the top is again the best share of all.
    fn insert(&mut self, standing: Standing, reduction: usize) {
        if self.top.contains(&standing) || !self.rest.insert(standing) {
            return;
        }
        if self.top.last().is_some_and(|worst| self.rest.first().is_some_and(|best| best < worst)) {
            let (worst, best) = (self.top.pop_last(), self.rest.pop_first());
            self.rest.extend(worst);
            self.top.extend(best);
        }
        if self.top.len() < (self.top.len() + self.rest.len()) / reduction {
            self.top.extend(self.rest.pop_first());
        }
    }
}

impl Eq for Standing {}

impl PartialOrd for Standing {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Standing {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let by_losses = || {
            let pairs = self.losses.iter().zip(&other.losses);
            pairs.map(|(one, two)| one.total_cmp(two)).find(|order| order.is_ne())
        };
        self.violation
            .total_cmp(&other.violation)
            .then_with(|| by_losses().unwrap_or(std::cmp::Ordering::Equal))
            .then(self.trial.cmp(&other.trial))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Measurement, Objective};
    use kaizen_space::{Config, Space};

    fn run(history: &mut History, asha: &mut Asha, losses: &[f64]) -> Vec<(u32, f64)> {
        let mut jobs = Vec::new();
        let mut started = 0;
        loop {
            let (trial, until) = match asha.next_job(history, started < losses.len()) {
                Job::Start { from, until } => {
                    let trial = TrialId(started as u32);
                    started += 1;
                    history.apply(Event::Started { trial, config: Config::default(), from, until }).unwrap();
                    (trial, until)
                }
                Job::Resume { trial, until } => {
                    history.apply(Event::Resumed { trial, until }).unwrap();
                    (trial, until)
                }
                Job::Wait => panic!("nothing is running"),
                Job::Done => return jobs,
            };
            jobs.push((trial.0, until.share()));
            let measurement =
                Measurement { fidelity: until, losses: vec![losses[trial.index()]], seconds: 0.0 };
            history.apply(Event::Measured { trial, measurement }).unwrap();
            let state = if until == Fidelity::FULL { State::Finished } else { State::Paused };
            history.apply(Event::Left { trial, state }).unwrap();
        }
    }

    #[test]
    fn promotes_as_the_paper_does_by_hand() {
        let mut history = History::new(Space::default(), vec![Objective::minimise("y", "")]);
        let mut asha = Asha::new(Fidelity::new(0.25).unwrap(), 2).unwrap();
        let jobs = run(&mut history, &mut asha, &[3.0, 1.0, 2.0, 0.0]);
        // After trials 0 and 1, the better (1) is half of rung 0 and goes to 0.5. Trial 2 makes no new half (3 / 2 = 1);
        // trial 3 is best of 4 and goes up; of two at 0.5 it is the better and goes on to the top. Trial 1 is still
        // among the best two of rung 0 but was promoted already.
        let expected = [(0, 0.25), (1, 0.25), (1, 0.5), (2, 0.25), (3, 0.25), (3, 0.5), (3, 1.0)];
        assert_eq!(jobs, expected);
    }

    #[test]
    fn the_top_of_a_rung_is_its_best_share_at_any_time() {
        let mut rng = kaizen_base::Seed(1).rng();
        let mut rung = Rung::at(Fidelity::FULL);
        let mut all = Vec::new();
        for number in 0..200 {
            let losses = vec![rng.below(40) as f64];
            let standing = Standing { violation: 0.0, losses, trial: TrialId(number) };
            all.push(standing.clone());
            all.sort();
            rung.insert(standing.clone(), 3);
            rung.insert(standing, 3);
            let top: Vec<Standing> = rung.top.iter().cloned().collect();
            assert_eq!(top, all[..all.len() / 3]);
        }
    }

    #[test]
    fn options_that_make_no_ladder_are_refused() {
        assert_eq!(Asha::new(Fidelity::FULL, 1).unwrap_err(), AshaError::Reduction(1));
        assert!(matches!(Asha::new(Fidelity::new(1e-300).unwrap(), 2), Err(AshaError::MinFidelity(_))));
        let single = Asha::new(Fidelity::FULL, 3).unwrap();
        assert_eq!(single.fidelities().collect::<Vec<_>>(), [Fidelity::FULL]);
        let default: Vec<f64> = Asha::default().fidelities().map(Fidelity::share).collect();
        assert_eq!(default, [1.0 / 9.0, 3.0 / 9.0, 1.0]);
    }
}
