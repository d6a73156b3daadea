//! The lines of a journal: versioned structs of their own.
//!
//! The first line is the header, every other line one event. Values are written as a person knows them (an accuracy is
//! 0.9, not -0.9); they become losses again when they are read.

use kaizen_base::Seed;
use kaizen_space::{Config, Space};
use serde::{Deserialize, Serialize};

use super::{Header, JournalError};
use crate::event::Event;
use crate::fidelity::Fidelity;
use crate::objective::{Direction, Objective};
use crate::trial::{Failure, Measurement, State, TrialId};

/// Version of the lines written here; readers accept this one and earlier ones.
pub(super) const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct HeaderWire {
    kaizen_study: u32,
    seed: u64,
    objectives: Vec<ObjectiveWire>,
    space: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct ObjectiveWire {
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    unit: String,
    direction: DirectionWire,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limit: Option<f64>,
    #[serde(default = "goal", skip_serializing_if = "is_true")]
    goal: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum DirectionWire {
    Minimise,
    Maximise,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum EventWire {
    Started {
        trial: u32,
        until: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<u32>,
        config: serde_json::Value,
    },
    Resumed {
        trial: u32,
        until: f64,
    },
    Measured {
        trial: u32,
        fidelity: f64,
        values: Vec<f64>,
        seconds: f64,
    },
    Left {
        trial: u32,
        state: StateWire,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StateWire {
    Paused,
    Waiting,
    Finished,
    Stopped,
    FailedFit,
    FailedPanic,
    FailedTimeout,
    FailedMemory,
    FailedStopped,
}

/// The first line, without its end.
pub(super) fn header_line(header: &Header) -> String {
    let objectives = header.objectives.iter().map(|objective| ObjectiveWire {
        name: objective.name.clone(),
        unit: objective.unit.clone(),
        direction: match objective.direction {
            Direction::Minimise => DirectionWire::Minimise,
            Direction::Maximise => DirectionWire::Maximise,
        },
        limit: objective.limit,
        goal: objective.is_goal,
    });
    let wire = HeaderWire {
        kaizen_study: VERSION,
        seed: header.seed.0,
        objectives: objectives.collect(),
        space: header.space.to_value(),
    };
    line_of(&wire)
}

/// Reads the first line.
pub(super) fn read_header(line: &str) -> Result<Header, JournalError> {
    let damaged = |reason: String| JournalError::Damaged { line: 1, reason };
    let wire: HeaderWire = serde_json::from_str(line).map_err(|error| damaged(error.to_string()))?;
    if wire.kaizen_study > VERSION {
        return Err(JournalError::Version { found: wire.kaizen_study, known: VERSION });
    }
    let objectives = wire.objectives.into_iter().map(|objective| Objective {
        name: objective.name,
        unit: objective.unit,
        direction: match objective.direction {
            DirectionWire::Minimise => Direction::Minimise,
            DirectionWire::Maximise => Direction::Maximise,
        },
        limit: objective.limit,
        is_goal: objective.goal,
    });
    Ok(Header {
        space: Space::from_json(&wire.space.to_string()).map_err(|error| damaged(error.to_string()))?,
        objectives: objectives.collect(),
        seed: Seed(wire.seed),
    })
}

/// The line of one event, without its end.
pub(super) fn event_line(event: &Event, header: &Header) -> String {
    let wire = match event {
        Event::Started { trial, config, from, until } => EventWire::Started {
            trial: trial.0,
            until: until.share(),
            from: from.map(|from| from.0),
            config: config.to_value(),
        },
        Event::Resumed { trial, until } => EventWire::Resumed { trial: trial.0, until: until.share() },
        Event::Measured { trial, measurement } => {
            let pairs = header.objectives.iter().zip(&measurement.losses);
            EventWire::Measured {
                trial: trial.0,
                fidelity: measurement.fidelity.share(),
                values: pairs.map(|(objective, loss)| objective.value(*loss)).collect(),
                seconds: measurement.seconds,
            }
        }
        Event::Left { trial, state } => {
            let (state, reason) = state_to_wire(state);
            EventWire::Left { trial: trial.0, state, reason }
        }
    };
    line_of(&wire)
}

/// Reads the line of an event; the reason why not otherwise.
pub(super) fn read_event(line: &str, header: &Header) -> Result<Event, String> {
    let wire: EventWire = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let share = |share: f64| Fidelity::new(share).ok_or_else(|| format!("{share} is no fidelity"));
    Ok(match wire {
        EventWire::Started { trial, until, from, config } => Event::Started {
            trial: TrialId(trial),
            config: Config::from_value(&header.space, config).map_err(|error| error.to_string())?,
            from: from.map(TrialId),
            until: share(until)?,
        },
        EventWire::Resumed { trial, until } => Event::Resumed { trial: TrialId(trial), until: share(until)? },
        EventWire::Measured { trial, fidelity, values, seconds } => {
            if values.len() != header.objectives.len() {
                return Err(format!("{} values for {} objectives", values.len(), header.objectives.len()));
            }
            let pairs = header.objectives.iter().zip(&values);
            let losses = pairs.map(|(objective, value)| objective.loss(*value)).collect();
            let measurement = Measurement { fidelity: share(fidelity)?, losses, seconds };
            Event::Measured { trial: TrialId(trial), measurement }
        }
        EventWire::Left { trial, state, reason } => {
            Event::Left { trial: TrialId(trial), state: state_from_wire(state, reason) }
        }
    })
}

fn line_of(wire: &impl Serialize) -> String {
    serde_json::to_string(wire)
        .unwrap_or_else(|error| unreachable!("numbers and text always serialise: {error}"))
}

fn state_to_wire(state: &State) -> (StateWire, Option<String>) {
    match state {
        // Refused by the history before it is recorded; to be given out again is the harmless reading.
        State::Running | State::Waiting => (StateWire::Waiting, None),
        State::Paused => (StateWire::Paused, None),
        State::Finished => (StateWire::Finished, None),
        State::Stopped => (StateWire::Stopped, None),
        State::Failed(Failure::Fit(reason)) => (StateWire::FailedFit, Some(reason.clone())),
        State::Failed(Failure::Panic(reason)) => (StateWire::FailedPanic, Some(reason.clone())),
        State::Failed(Failure::Timeout) => (StateWire::FailedTimeout, None),
        State::Failed(Failure::Memory(reason)) => (StateWire::FailedMemory, Some(reason.clone())),
        State::Failed(Failure::Stopped) => (StateWire::FailedStopped, None),
    }
}

fn state_from_wire(state: StateWire, reason: Option<String>) -> State {
    let reason = reason.unwrap_or_default();
    match state {
        StateWire::Paused => State::Paused,
        StateWire::Waiting => State::Waiting,
        StateWire::Finished => State::Finished,
        StateWire::Stopped => State::Stopped,
        StateWire::FailedFit => State::Failed(Failure::Fit(reason)),
        StateWire::FailedPanic => State::Failed(Failure::Panic(reason)),
        StateWire::FailedTimeout => State::Failed(Failure::Timeout),
        // Journals before the reason was recorded.
        StateWire::FailedMemory if reason.is_empty() => {
            State::Failed(Failure::Memory("needs more memory than there may be".to_owned()))
        }
        StateWire::FailedMemory => State::Failed(Failure::Memory(reason)),
        StateWire::FailedStopped => State::Failed(Failure::Stopped),
    }
}

fn goal() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_true(flag: &bool) -> bool {
    *flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_space::Param;

    fn header() -> Header {
        Header {
            space: Space::new(vec![Param::float("x", 0.0, 1.0), Param::flag("deep")]).unwrap(),
            objectives: vec![
                Objective::maximise("accuracy", ""),
                Objective::minimise("latency", "ms").with_limit(1.0).as_constraint(),
            ],
            seed: Seed(u64::MAX),
        }
    }

    #[test]
    fn every_event_survives() {
        let header = header();
        let trial = TrialId(3);
        let config = header.space.start();
        let fidelity = Fidelity::new(1.0 / 3.0).unwrap();
        let measurement = Measurement { fidelity, losses: vec![-0.1, 0.3], seconds: 1.0 / 7.0 };
        let states = [
            State::Paused,
            State::Waiting,
            State::Finished,
            State::Stopped,
            State::Failed(Failure::Fit("no \"rows\"\nleft".to_owned())),
            State::Failed(Failure::Panic(String::new())),
            State::Failed(Failure::Timeout),
            State::Failed(Failure::Memory("needs 3 GB".to_owned())),
            State::Failed(Failure::Stopped),
        ];
        let mut events = vec![
            Event::Started { trial, config, from: Some(TrialId(1)), until: fidelity },
            Event::Resumed { trial, until: Fidelity::FULL },
            Event::Measured { trial, measurement },
        ];
        events.extend(states.map(|state| Event::Left { trial, state }));
        for event in events {
            let line = event_line(&event, &header);
            assert!(!line.contains('\n'), "{line}");
            assert_eq!(read_event(&line, &header), Ok(event));
        }
        assert_eq!(read_header(&header_line(&header)).unwrap(), header);
    }

    #[test]
    fn the_written_form_is_fixed_and_natural() {
        // A change of this text breaks stored studies: it needs a new version.
        let header = header();
        let measurement = Measurement { fidelity: Fidelity::FULL, losses: vec![-0.875, 0.5], seconds: 2.5 };
        assert_eq!(
            event_line(&Event::Measured { trial: TrialId(0), measurement }, &header),
            r#"{"event":"measured","trial":0,"fidelity":1.0,"values":[0.875,0.5],"seconds":2.5}"#
        );
        let config = header.space.start();
        assert_eq!(
            event_line(
                &Event::Started { trial: TrialId(0), config, from: None, until: Fidelity::FULL },
                &header
            ),
            r#"{"event":"started","trial":0,"until":1.0,"config":{"deep":"false","x":0.5}}"#
        );
    }
}
