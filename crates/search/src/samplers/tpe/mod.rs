//! The tree-structured Parzen estimator.
//!
//! Two mixtures of kernels, one over the best configurations (`l`) and one over all others (`g`); of a few draws from
//! `l` the one with the largest `l / g` is proposed. Source: Bergstra, Bardenet, Bengio and Kegl 2011, section 4;
//! product kernels with a shared mixture index after Falkner, Klein and Hutter 2018; constants as Watanabe 2023,
//! *Tree-Structured Parzen Estimator*, gives them for Optuna, and as Optuna 5 has them by default.
//!
//! Where this differs: parameters that are always active together form a group with mixtures of its own, and the best
//! of a group are taken among the trials that have it, not among all. A learner that is rarely among the best overall
//! is then still tuned towards its own best whenever it is chosen. A configuration is never proposed twice. With
//! several goals, trials are ordered by front and crowding distance (Deb et al. 2002) in place of hypervolume subsets.

mod mixture;
mod observations;

use kaizen_base::{Card, Rng};
use kaizen_space::Config;

use self::mixture::Mixture;
use self::observations::{Group, Observations};
use super::unseen::unseen;
use super::{Random, Sampler, SuggestError};
use crate::history::History;
use crate::trial::TrialId;

pub(super) const CARD: Card = Card {
    name: "tpe",
    summary: "models good and bad configurations by mixtures of kernels and proposes where good ones are likelier",
    source: "Bergstra, Bardenet, Bengio and Kegl 2011, Algorithms for Hyper-Parameter Optimization, section 4",
};

/// Constants of the estimator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TpeOptions {
    /// Measured trials before the estimator is used; random sampling until then.
    pub startup_count: usize,
    /// Draws from the good mixture for each suggestion; at least one is made.
    pub candidate_count: usize,
    /// Share of the measured trials that count as good, rounded up.
    pub good_share: f64,
    /// At most so many trials count as good.
    pub max_good_count: usize,
}

impl Default for TpeOptions {
    /// Optuna 5's: 10, 24, 0.1 and 25.
    fn default() -> Self {
        Self { startup_count: 10, candidate_count: 24, good_share: 0.1, max_good_count: 25 }
    }
}

/// The tree-structured Parzen estimator.
///
/// Running trials count as bad (a constant liar, so that workers spread out), and so do failed ones. Trials below full
/// fidelity are ordered behind all that went further. Cost of a suggestion: proportional to trials times parameters.
///
/// ```
/// use kaizen_base::Seed;
/// use kaizen_search::samplers::{Sampler, Tpe};
/// use kaizen_search::{Event, Fidelity, History, Measurement, Objective, State, TrialId};
/// use kaizen_space::{Param, Space};
///
/// let space = Space::new(vec![Param::float("x", 0.0, 1.0)])?;
/// let mut history = History::new(space, vec![Objective::minimise("distance", "")]);
/// let mut sampler = Tpe::default();
/// for number in 0..40 {
///     let trial = TrialId(number);
///     let config = sampler.suggest(&history, None, &mut Seed(number.into()).rng())?;
///     let losses = vec![(config.float("x") - 0.7).abs()];
///     history.apply(Event::Started { trial, config, from: None, until: Fidelity::FULL })?;
///     let measurement = Measurement { fidelity: Fidelity::FULL, losses, seconds: 0.0 };
///     history.apply(Event::Measured { trial, measurement })?;
///     history.apply(Event::Left { trial, state: State::Finished })?;
/// }
/// assert!((history.best().expect("forty trials").config.float("x") - 0.7).abs() < 0.01);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Tpe {
    options: TpeOptions,
    observations: Observations,
}

impl Tpe {
    /// An estimator with these constants.
    pub fn new(options: TpeOptions) -> Self {
        Self { options, observations: Observations::default() }
    }

    /// How many of `measured_count` trials count as good.
    fn good_count(&self, measured_count: usize) -> usize {
        ((self.options.good_share * measured_count as f64).ceil() as usize)
            .min(self.options.max_good_count)
            .min(measured_count)
    }

    /// A point of the unit cube whose coordinates are filled for all groups, those that turn out inactive included.
    fn propose(&mut self, history: &History, rng: &mut Rng) -> Config {
        let mut point: Vec<Option<f64>> = vec![None; history.space().len()];
        for index in 0..self.observations.groups.len() {
            let count = self.good_count(self.observations.groups[index].measured_count());
            let group = &mut self.observations.groups[index];
            if count > 0 {
                suggest_group(group, history, count, self.options.candidate_count, rng, &mut point);
            }
        }
        // Groups without a measured trial, and constants.
        let point: Vec<f64> = point.into_iter().map(|place| place.unwrap_or_else(|| rng.uniform())).collect();
        history.space().decode(&point)
    }
}

impl Sampler for Tpe {
    fn suggest(
        &mut self,
        history: &History,
        from: Option<TrialId>,
        rng: &mut Rng,
    ) -> Result<Config, SuggestError> {
        self.observations.follow(history);
        if self.observations.measured_count() < self.options.startup_count.max(1) {
            return Random.suggest(history, from, rng);
        }
        unseen(history, rng, |rng| self.propose(history, rng))
    }
}

/// Fills the coordinates of one group's parameters with the best of a few draws from its good mixture.
fn suggest_group(
    group: &mut Group,
    history: &History,
    good_count: usize,
    candidate_count: usize,
    rng: &mut Rng,
    point: &mut [Option<f64>],
) {
    let good_rows = group.good_rows(history, good_count);
    let good_columns = group.columns.subset(&good_rows);
    let mut good = Mixture::new(group.columns.axes());
    good.refit(&good_columns, |_| true);
    let mut is_good = vec![false; group.columns.row_count()];
    for row in &good_rows {
        is_good[*row] = true;
    }
    group.bad.refit(&group.columns, |row| !is_good[row]);

    let mut candidates: Vec<Vec<f64>> =
        (0..candidate_count.max(1)).map(|_| good.draw(&good_columns, rng)).collect();
    for candidate in &mut candidates {
        group.snap(candidate, history.space());
    }
    let likelier = good.log_densities(&candidates);
    let best = &candidates[group.bad.best_gain(&candidates, &likelier)];
    for ((param, axis), place) in group.params.iter().zip(group.columns.axes()).zip(best) {
        point[*param] = Some(axis.to_unit(*place));
    }
}
