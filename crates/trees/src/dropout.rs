//! Rounds left out at random while the next one is learned.
//!
//! Source: Vinayak and Gilad-Bachrach (2015), "DART: Dropouts meet Multiple Additive Regression Trees", algorithm 1: a new
//! tree learns what the ensemble without the dropped trees misses; both then share the gap, k dropped ones and the new one
//! weighted k / (k + 1) and 1 / (k + 1). With a learning rate the one becomes the rate, as in XGBoost: the new round weighs
//! rate / (k + rate), the dropped ones lose the rest. A round is dropped as a whole, with the trees of all classes.
//!
//! Because later rounds shrink earlier ones, the first n rounds of a finished ensemble are not the ensemble of round n.
//! So the weights of the best round are kept, and early stopping gives back exactly that ensemble.

use kaizen_base::Seed;

use crate::params::Dropout;

/// The weight of each round on what its leaves were given at birth.
#[derive(Clone, Debug)]
pub(crate) struct RoundWeights {
    dropout: Dropout,
    present: Vec<f64>,
    best: Vec<f64>,
}

/// What a round leaves out.
#[derive(Debug, Default)]
pub(crate) struct Dropped {
    /// Rounds, from 0, ascending.
    pub(crate) rounds: Vec<usize>,
    /// What they add to the scores of the training rows `[rows, outputs]`, for each order of the rows.
    pub(crate) training: Vec<Vec<f64>>,
    /// And to those of the validation rows.
    pub(crate) valid: Vec<f64>,
}

/// Weight of a new round beside `count` dropped ones, on leaves that carry the rate already.
pub(crate) fn weight_of_new(count: usize, rate: f64) -> f64 {
    if count == 0 { 1.0 } else { 1.0 / (count as f64 + rate) }
}

/// What is left of `count` dropped rounds beside a new one.
pub(crate) fn share_of_dropped(count: usize, rate: f64) -> f64 {
    count as f64 / (count as f64 + rate)
}

impl RoundWeights {
    pub(crate) fn new(dropout: Dropout) -> Self {
        Self { dropout, present: Vec::new(), best: Vec::new() }
    }

    /// Rounds to leave out, ascending; one at least unless this round is to drop none.
    pub(crate) fn draw(&self, seed: Seed) -> Vec<usize> {
        let mut rng = seed.child("dropout", 0).rng();
        let count = self.present.len();
        if count == 0 || rng.uniform() < self.dropout.skip {
            return Vec::new();
        }
        let mut rounds: Vec<usize> = (0..count).filter(|_| rng.uniform() < self.dropout.chance).collect();
        if rounds.is_empty() {
            rounds.push(rng.below(count));
        }
        let limit = self.dropout.limit as usize;
        if rounds.len() > limit {
            let kept = rng.sample_sorted(rounds.len(), limit);
            rounds = kept.into_iter().map(|index| rounds[index as usize]).collect();
        }
        rounds
    }

    /// Weight of a round.
    pub(crate) fn of(&self, round: usize) -> f64 {
        self.present[round]
    }

    /// Shrinks the dropped rounds and adds the new one, whose leaves carry its weight.
    pub(crate) fn renew(&mut self, dropped: &[usize], rate: f64) {
        for round in dropped {
            self.present[*round] *= share_of_dropped(dropped.len(), rate);
        }
        self.present.push(1.0);
    }

    /// Remembers the weights of the present round as those of the best.
    pub(crate) fn keep_best(&mut self) {
        self.best.clone_from(&self.present);
    }

    /// Weights of the first `rounds` rounds when `rounds` was the best, or is the last.
    pub(crate) fn at(&self, rounds: usize) -> &[f64] {
        if self.best.len() == rounds { &self.best } else { &self.present[..rounds.min(self.present.len())] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(chance: f64, skip: f64, limit: u32) -> RoundWeights {
        RoundWeights::new(Dropout { chance, skip, limit })
    }

    #[test]
    fn weights_are_those_of_the_paper_at_rate_one() {
        let mut all = weights(1.0, 0.0, 100);
        for round in 0..4 {
            let dropped = all.draw(Seed(round));
            assert_eq!(dropped, (0..round as usize).collect::<Vec<_>>());
            assert!((weight_of_new(dropped.len(), 1.0) - 1.0 / (round as f64 + 1.0)).abs() < 1e-15);
            all.renew(&dropped, 1.0);
        }
        // The first: 1/2 * 2/3 * 3/4; the third, born in the share of two dropped ones: 3/4 of that.
        assert!((all.of(0) - 0.25).abs() < 1e-15 && (all.of(2) - 0.75).abs() < 1e-15);
    }

    #[test]
    fn draws_meet_the_chance_the_limit_and_the_skips() {
        let filled = |chance, skip, limit| {
            let mut filled = weights(chance, skip, limit);
            filled.present = vec![1.0; 200];
            let draws: Vec<usize> = (0..400).map(|seed| filled.draw(Seed(seed)).len()).collect();
            draws
        };
        // 80,000 trials at 0.1: four standard deviations of the mean number per draw are 0.85.
        let mean = filled(0.1, 0.0, 200).iter().sum::<usize>() as f64 / 400.0;
        assert!((mean - 20.0).abs() < 0.85, "{mean}");
        assert!(filled(0.1, 0.0, 5).iter().all(|count| (1..=5).contains(count)));
        assert!(filled(1e-9, 0.0, 200).iter().all(|count| *count == 1));
        // 400 trials at one half: five standard deviations are 50.
        let skipped = filled(0.1, 0.5, 200).iter().filter(|count| **count == 0).count();
        assert!((150..=250).contains(&skipped), "{skipped}");
    }
}
