//! One search, question by question: ask for a task, report what it gives, leave it.
//!
//! Everything random comes from the seed by the number of a trial, and sampler and scheduler are pure functions of the
//! history; so a study opened again from its journal goes on exactly as the unbroken one would have. Events are
//! recorded before they count.

use std::collections::BTreeMap;
use std::sync::Arc;

use kaizen_base::{Clock, Flow, Seed, Signal};
use kaizen_space::{Config, Space};

use crate::budget::Budget;
use crate::event::{Event, EventError};
use crate::fidelity::Fidelity;
use crate::history::History;
use crate::journal::{Header, Journal, JournalError};
use crate::objective::Objective;
use crate::samplers::{Sampler, SuggestError};
use crate::schedulers::{Job, Scheduler};
use crate::trial::{Failure, Measurement, State, Trial, TrialId};

/// After the deadline, running trials have this share of the budget (and one second at most) to round off before they
/// are stopped. Half of what the command line promises to be late at most (5 %), so that the rest can be written.
const GRACE_SHARE: f64 = 0.025;
const MAX_GRACE_SECONDS: f64 = 1.0;

/// Everything a study needs.
pub struct Plan {
    /// What may be chosen.
    pub space: Space,
    /// What every measurement holds.
    pub objectives: Vec<Objective>,
    /// Which configuration comes next.
    pub sampler: Box<dyn Sampler>,
    /// How far each goes.
    pub scheduler: Box<dyn Scheduler>,
    /// What may be spent.
    pub budget: Budget,
    /// The seed of everything random in the study.
    pub seed: Seed,
    /// Where events are kept, and from where an interrupted study is taken up.
    pub journal: Box<dyn Journal>,
    /// Elapsed time.
    pub clock: Arc<dyn Clock>,
    /// Ends the study: [`Flow::Finish`] lets running trials round off, [`Flow::Stop`] does not.
    pub signal: Signal,
}

/// A job for one worker.
#[derive(Clone, Debug)]
pub struct Task {
    /// The trial.
    pub trial: TrialId,
    /// What is tried.
    pub config: Config,
    /// How far to go.
    pub until: Fidelity,
    /// How far earlier jobs of the trial came.
    pub reached: Option<Fidelity>,
    /// The trial whose learned state it begins from.
    pub from: Option<TrialId>,
    /// The seed for all randomness of the trial, the same in each of its jobs.
    pub seed: Seed,
    /// Tells the worker to finish or to stop.
    pub signal: Signal,
}

/// The answer to [`Study::ask`].
#[derive(Clone, Debug)]
pub enum Step {
    /// Do this.
    Run(Box<Task>),
    /// Ask again after a running trial reported or was left.
    Wait,
    /// There is nothing more to do; running trials may still be left.
    Done(End),
}

/// Why a study has nothing more to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every trial of the budget has been taken as far as it deserves.
    Complete,
    /// Every configuration of the finite space has been tried.
    Exhausted,
    /// The time is up.
    Deadline,
    /// It was told to end.
    Cancelled,
}

/// Why a study cannot go on. Trials that come to nothing are no reason.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// Events cannot be kept or read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was told cannot have happened.
    #[error(transparent)]
    Event(#[from] EventError),
    /// The journal holds an event that cannot have happened.
    #[error("event {index} of the journal cannot have happened: {source}")]
    Replay {
        /// Counted from 1.
        index: usize,
        /// Why.
        source: EventError,
    },
    /// The budget's time is NaN or negative.
    #[error("a time budget of {0} seconds is no time: allowed is 0 or more")]
    Seconds(f64),
    /// Two objectives have one name, or a limit is not finite.
    #[error("the objective `{0}` is unusable: names are unique, limits are finite, a constraint has one")]
    Objective(String),
}

/// One search.
pub struct Study {
    history: History,
    sampler: Box<dyn Sampler>,
    scheduler: Box<dyn Scheduler>,
    budget: Budget,
    seed: Seed,
    journal: Box<dyn Journal>,
    clock: Arc<dyn Clock>,
    /// Below the caller's signal; raised at the deadline too.
    signal: Signal,
    cancelled: Signal,
    deadline_seconds: f64,
    /// What is known of each trial that was given out in this session.
    given: BTreeMap<TrialId, Given>,
    is_exhausted: bool,
}

struct Given {
    signal: Signal,
    verdict: Flow,
    began_seconds: f64,
    seconds_before: f64,
}

impl Study {
    /// Opens the journal and takes up what it holds.
    ///
    /// The time of the budget begins now. Sampler, scheduler and budget may differ from those of an earlier session;
    /// space, objectives and seed may not.
    ///
    /// # Errors
    /// [`StudyError`] when the plan is unusable or the journal cannot be read.
    pub fn new(plan: Plan) -> Result<Self, StudyError> {
        check_objectives(&plan.objectives)?;
        if plan.budget.seconds.is_nan() || plan.budget.seconds < 0.0 {
            return Err(StudyError::Seconds(plan.budget.seconds));
        }
        let mut history = History::new(plan.space.clone(), plan.objectives.clone());
        let mut journal = plan.journal;
        let header = Header { space: plan.space, objectives: plan.objectives, seed: plan.seed };
        for (index, event) in journal.open(Arc::new(header))?.into_iter().enumerate() {
            history.apply(event).map_err(|source| StudyError::Replay { index: index + 1, source })?;
        }
        Ok(Self {
            history,
            sampler: plan.sampler,
            scheduler: plan.scheduler,
            budget: plan.budget,
            seed: plan.seed,
            journal,
            deadline_seconds: plan.clock.now_seconds() + plan.budget.seconds,
            clock: plan.clock,
            signal: plan.signal.child(),
            cancelled: plan.signal,
            given: BTreeMap::new(),
            is_exhausted: false,
        })
    }

    /// What happened so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The clock's time at which the study ends; infinite without a limit.
    pub fn deadline_seconds(&self) -> f64 {
        self.deadline_seconds
    }

    /// The clock of the plan.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The signal that all tasks of the study obey: raised at the deadline and by the plan's signal.
    pub fn signal(&self) -> &Signal {
        &self.signal
    }

    /// The seed of all randomness of a trial, the same in each of its jobs: for whoever repeats one whose state was lost.
    pub fn seed_of(&self, trial: TrialId) -> Seed {
        self.seed.child("trial", u64::from(trial.0))
    }

    /// What to do next.
    ///
    /// A task is given out once, however often one asks; interrupted trials come first.
    ///
    /// # Errors
    /// [`StudyError::Journal`] when the start of the task cannot be recorded; nothing has changed then.
    pub fn ask(&mut self) -> Result<Step, StudyError> {
        if let Some(end) = self.ended() {
            return Ok(Step::Done(end));
        }
        while let Some(trial) = self.orphan() {
            let flow = self.verdict_before_crash(trial);
            if let Some(state) = self.settled(trial, flow) {
                self.tell(Event::Left { trial, state })?;
            } else {
                return Ok(self.give(trial));
            }
        }
        let waiting = self.history.waiting().next().map(|trial| (trial.id, trial.until));
        if let Some((trial, until)) = waiting {
            return self.resume(trial, until);
        }
        loop {
            let may_start =
                !self.is_exhausted && (self.history.trials().len() as u64) < u64::from(self.budget.trials);
            match self.scheduler.next_job(&self.history, may_start) {
                Job::Start { from, until } if may_start => {
                    let trial = TrialId(self.history.trials().len() as u32);
                    let mut rng = self.seed.child("suggest", u64::from(trial.0)).rng();
                    match self.sampler.suggest(&self.history, from, &mut rng) {
                        Ok(config) => {
                            self.tell(Event::Started { trial, config, from, until })?;
                            return Ok(self.give(trial));
                        }
                        Err(SuggestError::Exhausted) => self.is_exhausted = true,
                    }
                }
                Job::Resume { trial, until } => return self.resume(trial, until),
                Job::Wait if self.history.running().next().is_some() => return Ok(Step::Wait),
                // Waiting for nobody and starting without leave would go on for ever; either ends the study.
                Job::Wait | Job::Start { .. } | Job::Done => {
                    return Ok(Step::Done(if self.is_exhausted { End::Exhausted } else { End::Complete }));
                }
            }
        }
    }

    /// Records the natural values of a running trial at a fidelity, and says how it goes on.
    ///
    /// `seconds` is the time that the trial took up to here, over all its jobs. A fidelity that the trial had already
    /// is passed over: whoever lost a trial's state repeats its first part.
    ///
    /// # Errors
    /// [`StudyError::Event`] when the values are not finite or not as many as objectives, or the trial is not running;
    /// [`StudyError::Journal`] when they cannot be recorded.
    pub fn report(
        &mut self,
        trial: TrialId,
        fidelity: Fidelity,
        values: &[f64],
        seconds: f64,
    ) -> Result<Flow, StudyError> {
        let known = self.history.trial(trial).ok_or(EventError::Unknown(trial))?;
        let is_repeated =
            known.state == State::Running && known.reached().is_some_and(|reached| fidelity <= reached);
        if !is_repeated {
            let objectives = self.history.objectives();
            if values.len() != objectives.len() {
                let (given, expected) = (values.len(), objectives.len());
                return Err(EventError::Count { trial, given, expected }.into());
            }
            let losses =
                objectives.iter().zip(values).map(|(objective, value)| objective.loss(*value)).collect();
            self.tell(Event::Measured { trial, measurement: Measurement { fidelity, losses, seconds } })?;
        }
        self.watch_deadline();
        let verdict = self.given.get(&trial).map_or(Flow::Continue, |given| given.verdict);
        Ok(verdict.max(self.signal.flow()))
    }

    /// As [`Study::report`], with the time measured by the study's own clock since the task was given out.
    ///
    /// # Errors
    /// As [`Study::report`].
    pub fn report_now(
        &mut self,
        trial: TrialId,
        fidelity: Fidelity,
        values: &[f64],
    ) -> Result<Flow, StudyError> {
        let now = self.clock.now_seconds();
        let seconds = self
            .given
            .get(&trial)
            .map_or(0.0, |given| given.seconds_before + (now - given.began_seconds).max(0.0));
        self.report(trial, fidelity, values, seconds)
    }

    /// Records that a running trial's job ended with this outcome.
    ///
    /// A trial that went as far as it was asked is paused, or finished at full fidelity. One that ended early is
    /// paused or stopped if the scheduler wanted that, kept waiting if the study ended under it, and failed otherwise.
    ///
    /// # Errors
    /// [`StudyError::Event`] when the trial is not running; [`StudyError::Journal`] when it cannot be recorded.
    pub fn leave(&mut self, trial: TrialId, outcome: Result<(), Failure>) -> Result<(), StudyError> {
        let verdict = self.given.get(&trial).map_or(Flow::Continue, |given| given.verdict);
        self.watch_deadline();
        let state = match outcome {
            Err(Failure::Stopped) | Ok(()) => self.settled(trial, verdict).unwrap_or_else(|| {
                let is_cut_off = !self.signal.may_continue();
                match (is_cut_off, outcome) {
                    (true, _) => State::Waiting,
                    (false, Err(failure)) => State::Failed(failure),
                    (false, Ok(())) => State::Failed(Failure::Fit(self.shortfall(trial))),
                }
            }),
            Err(failure) => State::Failed(failure),
        };
        self.tell(Event::Left { trial, state })
    }

    /// Records any event: for callers that know better than [`Study::report`] and [`Study::leave`], such as one whose
    /// worker was lost ([`State::Waiting`]).
    ///
    /// # Errors
    /// [`StudyError::Event`] when it cannot have happened; [`StudyError::Journal`] when it cannot be recorded.
    pub fn tell(&mut self, event: Event) -> Result<(), StudyError> {
        self.history.check(&event)?;
        self.journal.append(&event)?;
        let trial = event.trial();
        let is_measured = matches!(event, Event::Measured { .. });
        let is_left = matches!(event, Event::Left { .. });
        self.history.apply(event)?;
        if is_measured {
            let verdict = self.scheduler.on_measurement(&self.history, trial);
            if let Some(given) = self.given.get_mut(&trial) {
                given.verdict = given.verdict.max(verdict);
                given.signal.raise(verdict);
            }
        }
        if is_left {
            self.given.remove(&trial);
        }
        Ok(())
    }

    /// Raises the study's signal if its time is up; at the deadline to round off, a moment later to stop.
    ///
    /// Called by the study wherever it is asked or told something; a caller whose trials report rarely calls it too.
    pub fn watch_deadline(&self) {
        let late_seconds = self.clock.now_seconds() - self.deadline_seconds;
        if late_seconds >= self.grace_seconds() {
            self.signal.raise(Flow::Stop);
        } else if late_seconds >= 0.0 {
            self.signal.raise(Flow::Finish);
        }
    }

    /// Seconds between the deadline and the moment when trials are stopped.
    pub fn grace_seconds(&self) -> f64 {
        (GRACE_SHARE * self.budget.seconds).min(MAX_GRACE_SECONDS)
    }

    /// Forgets that a running trial was given out, so that it is given out again.
    pub(crate) fn abandon(&mut self, trial: TrialId) {
        self.given.remove(&trial);
    }

    /// Tells all tasks given out to stop, without ending the study.
    pub(crate) fn stop_tasks(&self) {
        for given in self.given.values() {
            given.signal.raise(Flow::Stop);
        }
    }

    fn ended(&self) -> Option<End> {
        self.watch_deadline();
        if !self.cancelled.may_continue() {
            Some(End::Cancelled)
        } else if self.signal.may_continue() {
            None
        } else {
            Some(End::Deadline)
        }
    }

    /// A trial that an earlier session left running and that nobody works on now.
    fn orphan(&self) -> Option<TrialId> {
        self.history.running().map(|trial| trial.id).find(|trial| !self.given.contains_key(trial))
    }

    /// What the scheduler said to the last measurement of an interrupted job. It is a pure function of the history, so
    /// it can be asked again.
    fn verdict_before_crash(&mut self, trial: TrialId) -> Flow {
        let known = &self.history.trials()[trial.index()];
        if known.measurements.len() > known.measured_before {
            self.scheduler.on_measurement(&self.history, trial)
        } else {
            Flow::Continue
        }
    }

    /// The state of a trial whose job is over because it went far enough or the scheduler said so; else `None`.
    fn settled(&self, trial: TrialId, verdict: Flow) -> Option<State> {
        let known = self.history.trial(trial)?;
        let reached = known.reached()?;
        match verdict {
            _ if reached == Fidelity::FULL => Some(State::Finished),
            Flow::Stop => Some(State::Stopped),
            Flow::Finish => Some(State::Paused),
            Flow::Continue => (reached >= known.until).then_some(State::Paused),
        }
    }

    fn shortfall(&self, trial: TrialId) -> String {
        let known = self.history.trial(trial);
        let until = known.map_or(Fidelity::FULL, |known| known.until);
        match known.and_then(Trial::reached) {
            Some(reached) => format!("ended at fidelity {reached} although asked to go on to {until}"),
            None => "ended without a measurement".to_owned(),
        }
    }

    fn resume(&mut self, trial: TrialId, until: Fidelity) -> Result<Step, StudyError> {
        self.tell(Event::Resumed { trial, until })?;
        Ok(self.give(trial))
    }

    fn give(&mut self, trial: TrialId) -> Step {
        let known = &self.history.trials()[trial.index()];
        let signal = self.signal.child();
        let began_seconds = self.clock.now_seconds();
        let given = Given {
            signal: signal.clone(),
            verdict: Flow::Continue,
            began_seconds,
            seconds_before: known.seconds(),
        };
        self.given.insert(trial, given);
        Step::Run(Box::new(Task {
            trial,
            config: known.config.clone(),
            until: known.until,
            reached: known.reached(),
            from: known.from,
            seed: self.seed_of(trial),
            signal,
        }))
    }
}

fn check_objectives(objectives: &[Objective]) -> Result<(), StudyError> {
    for (index, objective) in objectives.iter().enumerate() {
        let is_repeated = objectives[..index].iter().any(|other| other.name == objective.name);
        let has_bad_limit = objective.limit.is_some_and(|limit| !limit.is_finite());
        if is_repeated || has_bad_limit || (!objective.is_goal && objective.limit.is_none()) {
            return Err(StudyError::Objective(objective.name.clone()));
        }
    }
    Ok(())
}
