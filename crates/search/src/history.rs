//! All trials of a study and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kaizen_base::Digest;
use kaizen_space::{Config, Space};

use crate::event::{Event, EventError};
use crate::fidelity::Fidelity;
use crate::objective::Objective;
use crate::pareto;
use crate::trial::{Measurement, State, Trial, TrialId};

/// All trials of a study. It changes through [`History::apply`] alone, so equal events give equal histories.
///
/// Whoever keeps something computed from a history (a sampler its kernels, a scheduler its rungs) follows it with a
/// [`Cursor`], which tells what changed since last time and whether it is still the same history at all.
#[derive(Debug)]
pub struct History {
    space: Arc<Space>,
    objectives: Arc<[Objective]>,
    trials: Vec<Trial>,
    /// The trial of each event, in the order of events.
    touched: Vec<TrialId>,
    by_digest: BTreeMap<Digest, TrialId>,
    running: BTreeSet<TrialId>,
    waiting: BTreeSet<TrialId>,
    /// Its address stands for this very history; a clone gets another.
    lineage: Arc<()>,
}

/// A place in the events of one history; see [`History::changed_since`].
#[derive(Debug, Default)]
pub struct Cursor {
    lineage: Option<Arc<()>>,
    seen: usize,
}

/// What changed in a history since a [`Cursor`] was there.
#[derive(Debug)]
pub struct Changes<'a> {
    /// Whether the cursor came from another history, so that everything remembered must be forgotten first.
    pub is_new_history: bool,
    /// The trials of the events since then, in order; a trial appears once for each event.
    pub trials: &'a [TrialId],
}

impl History {
    /// A history without trials.
    pub fn new(space: Space, objectives: Vec<Objective>) -> Self {
        Self {
            space: Arc::new(space),
            objectives: objectives.into(),
            trials: Vec::new(),
            touched: Vec::new(),
            by_digest: BTreeMap::new(),
            running: BTreeSet::new(),
            waiting: BTreeSet::new(),
            lineage: Arc::default(),
        }
    }

    /// What may be chosen.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// What every measurement holds, in this order.
    pub fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    /// All trials, in the order in which they were started.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// One trial, if there is one of this number.
    pub fn trial(&self, id: TrialId) -> Option<&Trial> {
        self.trials.get(id.index())
    }

    /// Trials that somebody is evaluating, by number.
    pub fn running(&self) -> impl Iterator<Item = &Trial> {
        self.running.iter().map(|id| &self.trials[id.index()])
    }

    /// Trials whose jobs were cut off and are to be given out again, by number.
    pub fn waiting(&self) -> impl Iterator<Item = &Trial> {
        self.waiting.iter().map(|id| &self.trials[id.index()])
    }

    /// The first trial of this configuration, if it was ever started.
    pub fn trial_of(&self, config: &Config) -> Option<&Trial> {
        self.by_digest.get(&config.digest()).map(|id| &self.trials[id.index()])
    }

    /// Number of events so far.
    pub fn event_count(&self) -> usize {
        self.touched.len()
    }

    /// What changed since `cursor` was last here; moves the cursor to the end.
    pub fn changed_since(&self, cursor: &mut Cursor) -> Changes<'_> {
        let is_new_history = !cursor.lineage.as_ref().is_some_and(|known| Arc::ptr_eq(known, &self.lineage));
        if is_new_history {
            *cursor = Cursor { lineage: Some(Arc::clone(&self.lineage)), seen: 0 };
        }
        let trials = &self.touched[cursor.seen..];
        cursor.seen = self.touched.len();
        Changes { is_new_history, trials }
    }

    /// By how much a measurement breaks the limits, summed over the objectives; 0 when it is feasible.
    pub fn violation(&self, measurement: &Measurement) -> f64 {
        let pairs = self.objectives.iter().zip(&measurement.losses);
        pairs.map(|(objective, loss)| objective.violation(*loss)).sum()
    }

    /// The losses of those objectives that are goals.
    pub fn goal_losses(&self, measurement: &Measurement) -> Vec<f64> {
        let pairs = self.objectives.iter().zip(&measurement.losses);
        pairs.filter(|(objective, _)| objective.is_goal).map(|(_, loss)| *loss).collect()
    }

    /// The best trial: feasible before infeasible, higher fidelity before lower, then the lower loss of the first goal,
    /// then the earlier start. Failed and unmeasured trials never are. For several goals see [`History::front`].
    pub fn best(&self) -> Option<&Trial> {
        let key = |trial: &Trial, last: &Measurement| {
            let loss = self.goal_losses(last).first().copied().unwrap_or(0.0);
            (self.violation(last), -last.fidelity.share(), loss, trial.id)
        };
        let measured = self.trials.iter().filter(|trial| !matches!(trial.state, State::Failed(_)));
        let keyed = measured.filter_map(|trial| trial.last().map(|last| (key(trial, last), trial)));
        let best = keyed.min_by(|((v, f, l, i), _), ((w, g, m, j), _)| {
            v.total_cmp(w).then(f.total_cmp(g)).then(l.total_cmp(m)).then(i.cmp(j))
        });
        best.map(|(_, trial)| trial)
    }

    /// Feasible finished trials that no other one beats in some goal without losing in another (the Pareto front),
    /// by number.
    ///
    /// Equal points all belong to it. Cost: quadratic in the number of finished trials.
    pub fn front(&self) -> Vec<TrialId> {
        let finished = self.trials.iter().filter(|trial| trial.state == State::Finished);
        let points: Vec<(TrialId, Vec<f64>)> = finished
            .filter_map(|trial| trial.last().map(|last| (trial.id, last)))
            .filter(|(_, last)| self.violation(last) == 0.0)
            .map(|(id, last)| (id, self.goal_losses(last)))
            .collect();
        let beaten = |point: &[f64]| points.iter().any(|(_, other)| pareto::dominates(other, point));
        points.iter().filter(|(_, point)| !beaten(point)).map(|(id, _)| *id).collect()
    }

    /// Whether [`History::apply`] would accept the event.
    ///
    /// # Errors
    /// [`EventError`]: why it cannot have happened.
    pub fn check(&self, event: &Event) -> Result<(), EventError> {
        match event {
            Event::Started { trial, config, from, .. } => self.check_start(*trial, config, *from),
            Event::Resumed { trial, until } => {
                let known = self.known(*trial)?;
                if !matches!(known.state, State::Paused | State::Waiting) {
                    return Err(refused(known, "be resumed"));
                }
                check_rise(known, *until)
            }
            Event::Measured { trial, measurement } => {
                let known = self.known(*trial)?;
                if known.state != State::Running {
                    return Err(refused(known, "be measured"));
                }
                check_rise(known, measurement.fidelity)?;
                self.check_losses(*trial, measurement)
            }
            Event::Left { trial, state } => {
                let known = self.known(*trial)?;
                let verb = match state {
                    _ if known.state != State::Running => "be left",
                    State::Running => "be left running",
                    State::Paused if known.measurements.is_empty() => "be paused before it was measured",
                    State::Finished if known.reached() != Some(Fidelity::FULL) => {
                        "be finished before it was measured at full fidelity"
                    }
                    _ => return Ok(()),
                };
                Err(refused(known, verb))
            }
        }
    }

    /// Adds one event.
    ///
    /// # Errors
    /// [`EventError`] when it cannot have happened; nothing is changed then.
    pub fn apply(&mut self, event: Event) -> Result<(), EventError> {
        self.check(&event)?;
        let id = event.trial();
        match event {
            Event::Started { trial, config, from, until } => {
                let digest = config.digest();
                self.by_digest.entry(digest).or_insert(trial);
                self.trials.push(Trial {
                    id: trial,
                    config,
                    digest,
                    from,
                    state: State::Running,
                    until,
                    measurements: Vec::new(),
                    measured_before: 0,
                });
            }
            Event::Resumed { trial, until } => {
                let trial = &mut self.trials[trial.index()];
                trial.state = State::Running;
                trial.until = until;
                trial.measured_before = trial.measurements.len();
            }
            Event::Measured { trial, measurement } => {
                self.trials[trial.index()].measurements.push(measurement);
            }
            Event::Left { trial, state } => self.trials[trial.index()].state = state,
        }
        self.touched.push(id);
        // Set membership follows from the state alone, so that no branch above can forget it.
        let state = &self.trials[id.index()].state;
        for (set, belongs) in
            [(&mut self.running, *state == State::Running), (&mut self.waiting, *state == State::Waiting)]
        {
            if belongs {
                set.insert(id);
            } else {
                set.remove(&id);
            }
        }
        Ok(())
    }

    fn known(&self, id: TrialId) -> Result<&Trial, EventError> {
        self.trial(id).ok_or(EventError::Unknown(id))
    }

    fn check_start(&self, trial: TrialId, config: &Config, from: Option<TrialId>) -> Result<(), EventError> {
        let next = TrialId(self.trials.len() as u32);
        if trial != next {
            return Err(EventError::Order { given: trial, next });
        }
        if let Some(from) = from {
            self.known(from)?;
        }
        self.space.check(config).map_err(|error| EventError::Config { trial, error })
    }

    fn check_losses(&self, trial: TrialId, measurement: &Measurement) -> Result<(), EventError> {
        let (given, expected) = (measurement.losses.len(), self.objectives.len());
        if given != expected {
            return Err(EventError::Count { trial, given, expected });
        }
        let named = self.objectives.iter().map(|objective| objective.name.as_str()).chain(["seconds"]);
        let values = measurement.losses.iter().copied().chain([measurement.seconds]);
        match named.zip(values).find(|(_, value)| !value.is_finite()) {
            Some((name, value)) => Err(EventError::NotFinite { trial, name: name.to_owned(), value }),
            None => Ok(()),
        }
    }
}

impl Clone for History {
    fn clone(&self) -> Self {
        Self {
            space: Arc::clone(&self.space),
            objectives: Arc::clone(&self.objectives),
            trials: self.trials.clone(),
            touched: self.touched.clone(),
            by_digest: self.by_digest.clone(),
            running: self.running.clone(),
            waiting: self.waiting.clone(),
            lineage: Arc::default(),
        }
    }
}

impl PartialEq for History {
    fn eq(&self, other: &Self) -> bool {
        // Everything else follows from these.
        self.space == other.space
            && self.objectives == other.objectives
            && self.trials == other.trials
            && self.touched == other.touched
    }
}

fn refused(trial: &Trial, verb: &'static str) -> EventError {
    EventError::State { trial: trial.id, state: trial.state.clone(), verb }
}

fn check_rise(trial: &Trial, given: Fidelity) -> Result<(), EventError> {
    match trial.reached() {
        Some(reached) if given <= reached => Err(EventError::Fidelity { trial: trial.id, reached, given }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Failure;
    use kaizen_space::Param;

    fn history() -> History {
        let space = Space::new(vec![Param::float("x", 0.0, 1.0)]).unwrap();
        History::new(space, vec![Objective::minimise("a", ""), Objective::maximise("b", "").with_limit(0.5)])
    }

    fn start(history: &History, number: u32, x: f64) -> Event {
        let config = Config::new(history.space(), [("x", x.into())]).unwrap();
        Event::Started { trial: TrialId(number), config, from: None, until: Fidelity::FULL }
    }

    fn measured(number: u32, share: f64, losses: &[f64]) -> Event {
        let fidelity = Fidelity::new(share).unwrap();
        let measurement = Measurement { fidelity, losses: losses.to_vec(), seconds: 1.0 };
        Event::Measured { trial: TrialId(number), measurement }
    }

    fn left(number: u32, state: State) -> Event {
        Event::Left { trial: TrialId(number), state }
    }

    #[test]
    fn what_cannot_have_happened_is_refused_and_changes_nothing() {
        let mut history = history();
        let resumed = Event::Resumed { trial: TrialId(0), until: Fidelity::FULL };
        assert_eq!(history.apply(resumed.clone()), Err(EventError::Unknown(TrialId(0))));
        let second = start(&history, 1, 0.5);
        assert!(matches!(history.apply(second), Err(EventError::Order { .. })));
        history.apply(start(&history, 0, 0.5)).unwrap();
        let refused = [
            resumed,
            measured(0, 0.5, &[1.0]),
            measured(0, 0.5, &[1.0, f64::NAN]),
            left(0, State::Running),
            left(0, State::Paused),
            left(0, State::Finished),
        ];
        for event in refused {
            let before = history.clone();
            assert!(history.apply(event.clone()).is_err(), "{event:?}");
            assert_eq!(history, before);
        }
        history.apply(measured(0, 0.5, &[1.0, -1.0])).unwrap();
        assert!(matches!(history.apply(measured(0, 0.5, &[1.0, 1.0])), Err(EventError::Fidelity { .. })));
        assert!(matches!(history.apply(left(0, State::Finished)), Err(EventError::State { .. })));
        history.apply(left(0, State::Paused)).unwrap();
        assert!(matches!(history.apply(measured(0, 0.8, &[1.0, 1.0])), Err(EventError::State { .. })));
    }

    #[test]
    fn best_and_front_respect_limits_fidelity_and_failure() {
        let mut history = history();
        // Trial 4 breaks the limit on b (at least 0.5), trial 5 is measured early only, trial 6 fails after measuring.
        let losses =
            [[3.0, -0.6], [2.0, -0.5], [2.5, -0.9], [3.5, -0.55], [0.1, -0.1], [0.0, -1.0], [0.0, -1.0]];
        for (number, losses) in losses.iter().enumerate() {
            let number = number as u32;
            history.apply(start(&history, number, 0.1 * f64::from(number))).unwrap();
            let share = if number == 5 { 0.5 } else { 1.0 };
            history.apply(measured(number, share, losses)).unwrap();
            let state = match number {
                5 => State::Paused,
                6 => State::Failed(Failure::Memory(String::new())),
                _ => State::Finished,
            };
            history.apply(left(number, state)).unwrap();
        }
        assert_eq!(history.best().unwrap().id, TrialId(1));
        assert_eq!(history.front(), [TrialId(1), TrialId(2)]);
    }

    #[test]
    fn cursors_see_each_change_once_and_notice_another_history() {
        let mut history = history();
        let mut cursor = Cursor::default();
        assert!(history.changed_since(&mut cursor).is_new_history);
        history.apply(start(&history, 0, 0.5)).unwrap();
        history.apply(left(0, State::Waiting)).unwrap();
        assert_eq!(history.waiting().count(), 1);
        let changes = history.changed_since(&mut cursor);
        assert_eq!((changes.is_new_history, changes.trials), (false, [TrialId(0); 2].as_slice()));
        assert!(history.changed_since(&mut cursor).trials.is_empty());
        let copy = history.clone();
        assert!(copy.changed_since(&mut cursor).is_new_history);
    }
}
