//! Which trial gets more folds: a scheduler over the folds of a cross-validation.
//!
//! Rungs are a sample of the first fold's rows (where there are many), the first fold (where there are more than a few),
//! all folds of the first repeat, and each further repeat. The first `full_start_count` trials (the portfolio) go through a whole repeat at once, since
//! an ensemble wants different learners with complete out-of-fold predictions; later ones must first be among the best
//! third of each rung below. Further repeats go to the best quarter. Successive halving as in Li et al. 2020 (Algorithm
//! 2), with resuming in place of restarting.

use kaizen_base::Flow;
use kaizen_search::schedulers::{Job, Scheduler};
use kaizen_search::{Fidelity, History, State, Trial, TrialId};

/// One in this many goes on towards a whole repeat.
const FOLD_REDUCTION: usize = 3;

/// One in this many goes on from one repeat to the next.
const REPEAT_REDUCTION: usize = 4;

/// The lowest rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstLook {
    /// A whole repeat: a fold of few rows tells little and is asked too often, which overfits it.
    Repeat,
    /// The first fold.
    Fold,
    /// One in so many (at least 2) rows of the first fold.
    Sample(usize),
}

/// The fold ladder.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Vec<Fidelity>,
    /// The rung of one whole repeat.
    whole: usize,
    full_start_count: usize,
}

impl Ladder {
    /// Rungs for `repeats` repeats of `folds_per_repeat` folds (both at least 1); the first `full_start_count` trials
    /// start with a whole repeat, others with the first look.
    pub fn new(folds_per_repeat: usize, repeats: usize, first: FirstLook, full_start_count: usize) -> Self {
        let total = folds_per_repeat * repeats;
        let sample = match first {
            FirstLook::Sample(sampling) if sampling > 1 => Fidelity::of(1, total * sampling),
            _ => None,
        };
        let fold = (folds_per_repeat > 1 && first != FirstLook::Repeat).then_some(1);
        let counts = fold.into_iter().chain((1..=repeats).map(|repeat| repeat * folds_per_repeat));
        let rungs: Vec<Fidelity> =
            sample.into_iter().chain(counts.filter_map(|done| Fidelity::of(done, total))).collect();
        Self { whole: rungs.len() - repeats, rungs, full_start_count }
    }

    fn start(&self, number: usize) -> Fidelity {
        self.rungs[if number < self.full_start_count { self.whole } else { 0 }]
    }

    /// The best paused trial of a rung, if it is among the top share and has not gone on.
    fn promotion(&self, history: &History, rung: usize) -> Option<TrialId> {
        let fidelity = self.rungs[rung];
        let loss = |trial: &Trial| trial.at(fidelity).map(|measurement| measurement.losses[0]);
        let mut members: Vec<(f64, &Trial)> =
            history.trials().iter().filter_map(|trial| Some((loss(trial)?, trial))).collect();
        members.sort_by(|(a, one), (b, two)| a.total_cmp(b).then(one.id.cmp(&two.id)));
        let reduction = if rung < self.whole { FOLD_REDUCTION } else { REPEAT_REDUCTION };
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

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_search::{Event, Measurement, Objective};
    use kaizen_space::{Config, Space};

    fn run(losses: &[f64], mut ladder: Ladder) -> Vec<(u32, f64)> {
        let mut history = History::new(Space::default(), vec![Objective::minimise("loss", "")]);
        let mut jobs = Vec::new();
        loop {
            let started = history.trials().len();
            let (trial, until) = match ladder.next_job(&history, started < losses.len()) {
                Job::Start { from, until } => {
                    let trial = TrialId(started as u32);
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
    fn the_portfolio_takes_a_whole_repeat_and_the_rest_earns_it() {
        // Four start with four of eight folds; then the best quarter (trial 1) gets the second repeat. Trials 4 to 6
        // start with one fold: of the seven measured there the best two may go on, and trial 6 is among them.
        let jobs = run(&[3.0, 1.0, 2.0, 4.0, 5.0, 6.0, 0.5], Ladder::new(4, 2, FirstLook::Fold, 4));
        let expected = [
            (0, 0.5),
            (1, 0.5),
            (2, 0.5),
            (3, 0.5),
            (1, 1.0),
            (4, 0.125),
            (5, 0.125),
            (6, 0.125),
            (6, 0.5),
            (6, 1.0),
        ];
        assert_eq!(jobs, expected);
    }

    #[test]
    fn many_rows_are_sampled_first() {
        // Trial 0 takes the whole repeat of two folds, and counts at the rungs that it passed over. Of the others one in
        // three goes from the sample to the first fold: when six are measured there, two may, and trial 5 is among them.
        let jobs = run(&[1.0, 5.0, 4.0, 3.0, 6.0, 2.0], Ladder::new(2, 1, FirstLook::Sample(4), 1));
        let samples = (1..6).map(|trial| (trial, 0.125));
        assert_eq!(jobs, [(0, 1.0)].into_iter().chain(samples).chain([(5, 0.5)]).collect::<Vec<_>>());
    }

    #[test]
    fn a_whole_repeat_may_come_first() {
        let jobs = run(&[1.0, 2.0], Ladder::new(3, 1, FirstLook::Repeat, 0));
        assert_eq!(jobs, [(0, 1.0), (1, 1.0)]);
    }

    #[test]
    fn one_fold_and_one_repeat_are_one_rung() {
        let mut ladder = Ladder::new(1, 1, FirstLook::Fold, 0);
        let history = History::new(Space::default(), vec![Objective::minimise("loss", "")]);
        assert_eq!(ladder.next_job(&history, true), Job::Start { from: None, until: Fidelity::FULL });
        assert_eq!(ladder.next_job(&history, false), Job::Done);
    }
}
