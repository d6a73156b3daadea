//! What the estimator remembers of a history: for each group of parameters the trials that have it, as columns, and
//! their order from best to worst. All of it follows from the history alone.

use kaizen_space::{Domain, Param, Space};

use super::mixture::{Axis, Columns, Mixture};
use crate::history::{Cursor, History};
use crate::pareto;
use crate::trial::{State, Trial, TrialId};

/// Stands for "not in this group" in [`Group::row_of`].
const NO_ROW: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Observations {
    cursor: Cursor,
    pub(super) groups: Vec<Group>,
    is_measured: Vec<bool>,
    measured_count: usize,
}

/// Parameters that are always active together, with the trials in which they are.
#[derive(Debug)]
pub(super) struct Group {
    /// Indices of the parameters that have more than one value, in the order of the columns' axes.
    pub(super) params: Vec<usize>,
    names: Vec<String>,
    /// The name by whose presence the group is known to be active, one of all its parameters.
    probe: String,
    pub(super) columns: Columns,
    /// Kept from one suggestion to the next, because few kernels change.
    pub(super) bad: Mixture,
    row_of: Vec<u32>,
    trial_of: Vec<TrialId>,
    /// Measured rows, best first.
    ranked: Vec<Rank>,
    rank_of: Vec<Option<Rank>>,
}

/// A row's place among the measured ones; compared field by field.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank {
    /// By how much limits are broken.
    violation: f64,
    /// Less the fidelity, so that who went further comes first.
    less_fidelity: f64,
    loss: f64,
    row: u32,
}

impl Rank {
    fn order(&self, other: &Self) -> std::cmp::Ordering {
        self.violation
            .total_cmp(&other.violation)
            .then(self.less_fidelity.total_cmp(&other.less_fidelity))
            .then(self.loss.total_cmp(&other.loss))
            .then(self.row.cmp(&other.row))
    }
}

impl Observations {
    /// Brings everything up to the history; cost proportional to the events since last time.
    pub(super) fn follow(&mut self, history: &History) {
        let changes = history.changed_since(&mut self.cursor);
        if changes.is_new_history {
            self.groups = groups_of(history.space());
            self.is_measured.clear();
            self.measured_count = 0;
        }
        for id in changes.trials {
            let trial = &history.trials()[id.index()];
            if id.index() == self.is_measured.len() {
                self.is_measured.push(false);
                for group in &mut self.groups {
                    group.add(trial, history.space());
                }
            }
            let is_measured = counts_as_measured(trial);
            if is_measured != self.is_measured[id.index()] {
                self.is_measured[id.index()] = is_measured;
                self.measured_count =
                    if is_measured { self.measured_count + 1 } else { self.measured_count - 1 };
            }
            for group in &mut self.groups {
                group.rank(trial, history);
            }
        }
    }

    /// Trials that were measured and are not running or failed.
    pub(super) fn measured_count(&self) -> usize {
        self.measured_count
    }
}

impl Group {
    /// Trials of the group that were measured and are not running or failed.
    pub(super) fn measured_count(&self) -> usize {
        self.ranked.len()
    }

    /// The rows of the best trials, in the order in which they were started.
    pub(super) fn good_rows(&self, history: &History, count: usize) -> Vec<usize> {
        let goal_count = history.objectives().iter().filter(|objective| objective.is_goal).count();
        let mut rows: Vec<usize> = if goal_count <= 1 {
            self.ranked.iter().take(count).map(|rank| rank.row as usize).collect()
        } else {
            self.ranked_by_fronts(history).into_iter().take(count).collect()
        };
        rows.sort_unstable();
        rows
    }

    /// Measured rows, best first: by broken limits, fidelity, front, then the more isolated point.
    fn ranked_by_fronts(&self, history: &History) -> Vec<usize> {
        let losses = |rank: &Rank| {
            let trial = &history.trials()[self.trial_of[rank.row as usize].index()];
            trial.last().map(|last| history.goal_losses(last)).unwrap_or_default()
        };
        let points: Vec<Vec<f64>> = self.ranked.iter().map(losses).collect();
        let fronts = pareto::fronts(&points);
        let crowding = pareto::crowding(&points, &fronts);
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|a, b| {
            let (one, two) = (&self.ranked[*a], &self.ranked[*b]);
            one.violation
                .total_cmp(&two.violation)
                .then(one.less_fidelity.total_cmp(&two.less_fidelity))
                .then(fronts[*a].cmp(&fronts[*b]))
                .then(crowding[*b].total_cmp(&crowding[*a]))
                .then(one.row.cmp(&two.row))
        });
        order.into_iter().map(|place| self.ranked[place].row as usize).collect()
    }

    /// Moves the coordinates of discrete values that are treated as lines onto the places of those values, where their
    /// observations lie too.
    pub(super) fn snap(&self, point: &mut [f64], space: &Space) {
        for ((param, axis), place) in self.params.iter().zip(self.columns.axes()).zip(point) {
            let domain = space.params()[*param].domain();
            if *axis == Axis::Line && domain.value_count().is_some() {
                *place = domain.to_unit(&domain.from_unit(*place));
            }
        }
    }

    fn add(&mut self, trial: &Trial, space: &Space) {
        if !trial.config.contains(&self.probe) {
            self.row_of.push(NO_ROW);
            return;
        }
        self.row_of.push(self.trial_of.len() as u32);
        self.trial_of.push(trial.id);
        self.rank_of.push(None);
        let places =
            self.params.iter().zip(&self.names).zip(self.columns.axes()).map(|((param, name), axis)| {
                let unit = trial
                    .config
                    .get(name)
                    .map_or(0.5, |value| space.params()[*param].domain().to_unit(value));
                axis.of_unit(unit)
            });
        let places: Vec<f64> = places.collect();
        self.columns.push(&places);
    }

    fn rank(&mut self, trial: &Trial, history: &History) {
        let row = self.row_of[trial.id.index()];
        if row == NO_ROW {
            return;
        }
        let measured = if counts_as_measured(trial) { trial.last() } else { None };
        let new = measured.map(|last| Rank {
            violation: history.violation(last),
            less_fidelity: -last.fidelity.share(),
            loss: history.goal_losses(last).first().copied().unwrap_or(0.0),
            row,
        });
        let old = std::mem::replace(&mut self.rank_of[row as usize], new);
        if old == new {
            return;
        }
        if let Some(Ok(place)) = old.map(|old| self.ranked.binary_search_by(|rank| rank.order(&old))) {
            self.ranked.remove(place);
        }
        if let Some(new) = new {
            let place = self.ranked.partition_point(|rank| rank.order(&new).is_lt());
            self.ranked.insert(place, new);
        }
    }
}

/// Whether the trial has a value that can be compared; running and failed ones count as bad without one.
fn counts_as_measured(trial: &Trial) -> bool {
    !matches!(trial.state, State::Running | State::Failed(_)) && !trial.measurements.is_empty()
}

fn groups_of(space: &Space) -> Vec<Group> {
    let with_freedom = |param: &&usize| space.params()[**param].domain().value_count() != Some(1);
    let made = space.groups().into_iter().filter_map(|members| {
        let probe = space.params()[*members.first()?].name().to_owned();
        let params: Vec<usize> = members.iter().filter(with_freedom).copied().collect();
        let axes: Vec<Axis> = params.iter().map(|param| axis_of(&space.params()[*param])).collect();
        Some(Group {
            names: params.iter().map(|param| space.params()[*param].name().to_owned()).collect(),
            params,
            probe,
            bad: Mixture::new(&axes),
            columns: Columns::new(axes),
            row_of: Vec::new(),
            trial_of: Vec::new(),
            ranked: Vec::new(),
            rank_of: Vec::new(),
        })
    });
    made.collect()
}

fn axis_of(param: &Param) -> Axis {
    match (param.domain(), param.domain().value_count()) {
        (Domain::Choice { ordered: false, .. }, Some(count)) => Axis::Options(count as u32),
        // The cells of a logarithmic grid differ in width; its density at the middle of a cell stands for the cell.
        (Domain::Int { log: true, .. }, _) => Axis::Line,
        (_, count) => Axis::of_cells(count),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Fidelity, Measurement, Objective};
    use kaizen_base::Seed;

    #[test]
    fn snapped_places_are_those_of_values() {
        let params =
            vec![Param::int("layers", 1, 9).log(), Param::float("rate", 0.0, 1.0), Param::int("width", 1, 9)];
        let space = Space::new(params).unwrap();
        let group = &groups_of(&space)[0];
        let mut point = [0.31, 0.31, 0.5];
        group.snap(&mut point, &space);
        let domain = space.params()[0].domain();
        assert_eq!(point[0], domain.to_unit(&domain.from_unit(0.31)));
        assert_ne!(point[0], 0.31);
        // A real number has no cells, and a small grid is drawn on its cells.
        assert_eq!(point[1..], [0.31, 0.5]);
    }

    #[test]
    fn order_is_by_limits_then_fidelity_then_loss_and_follows_the_history() {
        let objectives = vec![Objective::minimise("loss", ""), Objective::minimise("ms", "").with_limit(1.0)];
        let mut history = History::new(Space::new(vec![Param::float("x", 0.0, 1.0)]).unwrap(), objectives);
        let mut observations = Observations::default();
        let mut rng = Seed(1).rng();
        // (share, loss, milliseconds): trial 4 is still running, 2 breaks the limit, 1 went less far.
        let results = [(1.0, 3.0, 0.5), (0.5, 1.0, 0.5), (1.0, 0.0, 2.0), (1.0, 2.0, 1.0), (1.0, 0.0, 0.0)];
        for (number, (share, loss, milliseconds)) in results.into_iter().enumerate() {
            let trial = TrialId(number as u32);
            let config = history.space().sample(&mut rng);
            history.apply(Event::Started { trial, config, from: None, until: Fidelity::FULL }).unwrap();
            let fidelity = Fidelity::new(share).unwrap();
            let measurement = Measurement { fidelity, losses: vec![loss, milliseconds], seconds: 0.0 };
            history.apply(Event::Measured { trial, measurement }).unwrap();
            if number < 4 {
                let state = if share < 1.0 { State::Paused } else { State::Finished };
                history.apply(Event::Left { trial, state }).unwrap();
            }
            observations.follow(&history);
        }
        let order = |observations: &Observations| -> Vec<u32> {
            observations.groups[0].ranked.iter().map(|rank| rank.row).collect()
        };
        assert_eq!(order(&observations), [3, 0, 1, 2]);
        assert_eq!(observations.measured_count(), 4);
        history.apply(Event::Resumed { trial: TrialId(1), until: Fidelity::FULL }).unwrap();
        observations.follow(&history);
        assert_eq!(order(&observations), [3, 0, 2]);
        let fidelity = Fidelity::FULL;
        let measurement = Measurement { fidelity, losses: vec![1.0, 0.5], seconds: 0.0 };
        history.apply(Event::Measured { trial: TrialId(1), measurement }).unwrap();
        history.apply(Event::Left { trial: TrialId(1), state: State::Finished }).unwrap();
        observations.follow(&history);
        assert_eq!(order(&observations), [1, 3, 0, 2]);
    }
}
