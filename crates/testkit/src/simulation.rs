//! Whole studies on a simulated clock.

use std::sync::Arc;

use kaizen_base::{ManualClock, Seed, Signal};
use kaizen_search::{
    Budget, Event, Header, History, Journal, MemoryJournal, Plan, Problem, Sampler, Scheduler, Study,
};
use kaizen_space::{Config, Space};

use crate::problems::{self, Simulated};

/// Steps to full fidelity in every simulated study; the rungs of the default ASHA are then 1, 3 and 9 steps.
pub const STEP_COUNT: usize = 9;

/// A named problem: its space and its formula.
pub type Case = (&'static str, fn() -> Space, fn(&Config) -> f64);

/// The problems that every suite goes through.
pub const CASES: &[Case] = &[
    ("bowl", problems::bowl_space, problems::bowl),
    ("learners", problems::learners_space, problems::learners),
    ("small", problems::small_space, problems::small),
];

/// A problem with its clock.
pub struct Simulation {
    /// The problem.
    pub problem: Simulated,
    /// The clock that it moves.
    pub clock: Arc<ManualClock>,
}

impl Simulation {
    /// A fresh simulation of one of the cases.
    pub fn of(case: &Case) -> Self {
        let clock = Arc::new(ManualClock::new());
        Self { problem: Simulated::new((case.1)(), case.2, STEP_COUNT, Arc::clone(&clock)), clock }
    }

    /// A plan for it.
    pub fn plan(
        &self,
        sampler: Box<dyn Sampler>,
        scheduler: Box<dyn Scheduler>,
        trials: u32,
        seed: u64,
        journal: Box<dyn Journal>,
    ) -> Plan {
        Plan {
            space: self.problem.space().clone(),
            objectives: self.problem.objectives().to_vec(),
            sampler,
            scheduler,
            budget: Budget::trials(trials),
            seed: Seed(seed),
            journal,
            clock: Arc::clone(&self.clock) as Arc<dyn kaizen_base::Clock>,
            signal: Signal::new(),
        }
    }

    /// The header that [`Simulation::plan`] gives a journal.
    pub fn header(&self, seed: u64) -> Header {
        Header {
            space: self.problem.space().clone(),
            objectives: self.problem.objectives().to_vec(),
            seed: Seed(seed),
        }
    }
}

/// Runs a case to its end on one worker, from the events that an earlier session left.
pub fn run(
    case: &Case,
    sampler: Box<dyn Sampler>,
    scheduler: Box<dyn Scheduler>,
    trials: u32,
    seed: u64,
    left: Vec<Event>,
) -> (History, Vec<Event>) {
    let simulation = Simulation::of(case);
    let journal = MemoryJournal::of(simulation.header(seed), left);
    let plan = simulation.plan(sampler, scheduler, trials, seed, Box::new(journal.clone()));
    let mut study = Study::new(plan).unwrap_or_else(|error| panic!("a simulated study opens: {error}"));
    study.run(&simulation.problem, 1).unwrap_or_else(|error| panic!("a simulated study runs: {error}"));
    (study.history().clone(), journal.events())
}
