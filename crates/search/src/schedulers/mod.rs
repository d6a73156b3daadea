//! How far each trial goes. One file and one row of [`SCHEDULERS`] each.

mod asha;
mod fifo;

use kaizen_base::{Card, Flow};

use crate::fidelity::Fidelity;
use crate::history::History;
use crate::trial::TrialId;

pub use asha::{Asha, AshaError};
pub use fifo::Fifo;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Start a new trial, beginning from another one's learned state if there is one given.
    Start {
        /// Whose state it begins from.
        from: Option<TrialId>,
        /// How far it goes.
        until: Fidelity,
    },
    /// Take a paused trial further.
    Resume {
        /// Which.
        trial: TrialId,
        /// How far it goes.
        until: Fidelity,
    },
    /// Nothing until a running trial reports or ends.
    Wait,
    /// Nothing any more.
    Done,
}

/// Says how far each trial goes; a pure function of the history. It never sees a sampler.
pub trait Scheduler: Send {
    /// The next job. While `may_start` is false (the budget of trials is spent), it never is [`Job::Start`].
    ///
    /// It is [`Job::Wait`] only while a trial is running.
    fn next_job(&mut self, history: &History, may_start: bool) -> Job;

    /// How a trial goes on that was just measured: [`Flow::Finish`] pauses it, [`Flow::Stop`] ends it for good.
    fn on_measurement(&mut self, history: &History, trial: TrialId) -> Flow;
}

/// A row of [`SCHEDULERS`].
pub struct SchedulerRow {
    /// What it is.
    pub card: Card,
    /// Makes one with its default options.
    pub make: fn() -> Box<dyn Scheduler>,
    /// Whether it spends less on bad trials than on good ones.
    pub allocates: bool,
}

/// Every scheduler that can be asked for by name.
pub const SCHEDULERS: &[SchedulerRow] = &[
    SchedulerRow { card: fifo::CARD, make: || Box::new(Fifo), allocates: false },
    SchedulerRow { card: asha::CARD, make: || Box::new(Asha::default()), allocates: true },
];

/// The scheduler of this name with its default options.
pub fn by_name(name: &str) -> Option<Box<dyn Scheduler>> {
    SCHEDULERS.iter().find(|row| row.card.name == name).map(|row| (row.make)())
}
