//! Every trial goes all the way, in the order in which they come.

use kaizen_base::{Card, Flow};

use super::{Job, Scheduler};
use crate::fidelity::Fidelity;
use crate::history::History;
use crate::trial::TrialId;

pub(super) const CARD: Card = Card {
    name: "fifo",
    summary: "takes every trial to full fidelity, first come, first served",
    source: "the plain loop of Bergstra, Bardenet, Bengio and Kegl 2011, Figure 1",
};

/// Takes every trial to full fidelity, first come, first served.
///
/// ```
/// use kaizen_search::{Fidelity, History, Job, Scheduler, schedulers::Fifo};
///
/// let history = History::new(kaizen_space::Space::default(), Vec::new());
/// assert_eq!(Fifo.next_job(&history, true), Job::Start { from: None, until: Fidelity::FULL });
/// assert_eq!(Fifo.next_job(&history, false), Job::Done);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Fifo;

impl Scheduler for Fifo {
    fn next_job(&mut self, _history: &History, may_start: bool) -> Job {
        if may_start { Job::Start { from: None, until: Fidelity::FULL } } else { Job::Done }
    }

    fn on_measurement(&mut self, _history: &History, _trial: TrialId) -> Flow {
        Flow::Continue
    }
}
