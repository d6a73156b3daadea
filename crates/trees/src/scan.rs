//! Scores of every cut of one feature, summed over the groups of a level.
//!
//! A group with many rows is scanned cut by cut in vector code. In a group with few rows most bins are empty and its
//! share of the score only changes at the others; there the changes are noted and added up once at the end, which takes
//! the last levels of a tree on few rows from bins to rows.

use crate::kernel::{self, Packed, hessian_of};
use crate::params::SplitScore;
use crate::splitter::{CODES, Unit, shrunk};

/// A bin that is looked at on its own costs about this many bins of the vector code.
const SPARSE_COST: usize = 4;

/// How cuts are scored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreRule {
    pub(crate) score: SplitScore,
    pub(crate) unit: Unit,
    pub(crate) l1: f64,
    pub(crate) l2: f64,
}

/// Sums over the groups so far, one entry a cut.
pub(crate) struct Cuts {
    rule: ScoreRule,
    dots: [f64; CODES],
    norms: [f64; CODES],
    separates: [bool; CODES],
    /// Changes of the three from one cut to the next, of groups with few rows.
    steps: Option<Box<Steps>>,
}

struct Steps {
    dots: [f64; CODES],
    norms: [f64; CODES],
    separates: [i32; CODES],
}

impl Cuts {
    pub(crate) fn new(rule: ScoreRule) -> Self {
        Self { rule, dots: [0.0; CODES], norms: [0.0; CODES], separates: [false; CODES], steps: None }
    }

    /// Adds the bins of one group and output, whose sum is `total`; cut `c` puts bins up to `c` on one side.
    pub(crate) fn add_numbers(&mut self, bins: &[Packed], total: Packed, row_count: usize) {
        if row_count * SPARSE_COST < bins.len() {
            return self.add_steps(bins, total);
        }
        let mut prefix = [0; CODES];
        let mut running = 0;
        for (slot, bin) in prefix.iter_mut().zip(bins) {
            running += bin;
            *slot = running;
        }
        self.add_cuts(&prefix[..bins.len()], total);
    }

    /// Adds sums of one side of every cut.
    pub(crate) fn add_cuts(&mut self, sides: &[Packed], total: Packed) {
        let all = hessian_of(total);
        for (flag, side) in self.separates.iter_mut().zip(sides) {
            *flag |= hessian_of(*side) > 0 && hessian_of(*side) < all;
        }
        let ScoreRule { score, unit, l1, l2 } = self.rule;
        let steps = (unit.gradient, unit.hessian);
        match score {
            SplitScore::Cosine => {
                kernel::add_cosine_terms(sides, total, steps, l2, &mut self.dots, &mut self.norms);
            }
            SplitScore::Newton if l2 > 0.0 => {
                kernel::add_newton_gains(sides, total, steps, (l1, l2), &mut self.dots);
            }
            SplitScore::Newton => {
                for (side, dot) in sides.iter().zip(&mut self.dots) {
                    *dot += self.rule.terms(*side, total).0;
                }
            }
        }
    }

    fn add_steps(&mut self, bins: &[Packed], total: Packed) {
        let steps = self.steps.get_or_insert_with(|| {
            Box::new(Steps { dots: [0.0; CODES], norms: [0.0; CODES], separates: [0; CODES] })
        });
        let all = hessian_of(total);
        let (mut left, mut separated) = (0, false);
        let (mut dot, mut norm) = self.rule.terms(0, total);
        steps.dots[0] += dot;
        steps.norms[0] += norm;
        for (code, bin) in bins.iter().enumerate().filter(|(_, bin)| **bin != 0) {
            left += bin;
            let (next_dot, next_norm) = self.rule.terms(left, total);
            let separates = hessian_of(left) > 0 && hessian_of(left) < all;
            steps.dots[code] += next_dot - dot;
            steps.norms[code] += next_norm - norm;
            steps.separates[code] += i32::from(separates) - i32::from(separated);
            (dot, norm, separated) = (next_dot, next_norm, separates);
        }
    }

    /// Scores of the cuts; minus infinity where no group would be split.
    pub(crate) fn scores(mut self) -> [f64; CODES] {
        if let Some(steps) = self.steps.take() {
            let (mut dot, mut norm, mut separates) = (0.0, 0.0, 0);
            for cut in 0..CODES {
                dot += steps.dots[cut];
                norm += steps.norms[cut];
                separates += steps.separates[cut];
                self.dots[cut] += dot;
                self.norms[cut] += norm;
                self.separates[cut] |= separates > 0;
            }
        }
        for ((dot, norm), separates) in self.dots.iter_mut().zip(&self.norms).zip(&self.separates) {
            if !separates {
                *dot = f64::NEG_INFINITY;
            } else if self.rule.score == SplitScore::Cosine {
                *dot = if *norm > 0.0 { *dot / norm.sqrt() } else { 0.0 };
            }
        }
        self.dots
    }
}

impl ScoreRule {
    /// What one group adds when its rows are cut into `left` and the rest: the score of both sides, or dot product and
    /// squared length. An empty side adds nothing.
    fn terms(&self, left: Packed, total: Packed) -> (f64, f64) {
        let mut sums = (0.0, 0.0);
        for side in [left, total - left] {
            let (gradient, hessian) = self.unit.sums(side);
            // The least divisor only keeps 0 / 0 away.
            let divisor = (hessian + self.l2).max(1e-300);
            match self.score {
                SplitScore::Newton => {
                    let gradient = shrunk(gradient, self.l1);
                    sums.0 += gradient * gradient / divisor;
                }
                SplitScore::Cosine => {
                    let mean = gradient / divisor;
                    sums.0 += gradient * mean;
                    sums.1 += hessian * mean * mean;
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pack;

    /// Ten bins of which some are empty, and their sum.
    fn bins(shift: i64) -> (Vec<Packed>, Packed) {
        let bins: Vec<Packed> =
            (0..10).map(|i| if i % 3 == 1 { 0 } else { pack((i * 7 + shift) % 11 - 5, 1 + i % 2) }).collect();
        let total = bins.iter().sum();
        (bins, total)
    }

    #[test]
    fn few_rows_and_many_rows_are_scored_alike() {
        for score in [SplitScore::Cosine, SplitScore::Newton] {
            let unit = Unit { gradient: 0.25, hessian: 0.5 };
            let rule = ScoreRule { score, unit, l1: 0.0, l2: 3.0 };
            let (mut sparse, mut dense) = (Cuts::new(rule), Cuts::new(rule));
            for shift in [0, 4, 9] {
                let (bins, total) = bins(shift);
                sparse.add_numbers(&bins, total, 1);
                dense.add_numbers(&bins, total, 1_000);
            }
            assert!(sparse.steps.is_some() && dense.steps.is_none());
            for (cut, (a, b)) in sparse.scores().iter().zip(dense.scores()).enumerate() {
                // The last bin leaves nothing on the other side.
                assert_eq!(*a == f64::NEG_INFINITY, cut >= 9, "{cut}");
                assert!(*a == b || (a - b).abs() < 1e-12 * b.abs(), "{cut}: {a} and {b}");
            }
        }
    }

    #[test]
    fn a_cosine_is_dot_over_length() {
        // One row a side, gradients 1 and -2, no penalty: (1 + 4) / sqrt(1 + 4).
        let rule = ScoreRule {
            score: SplitScore::Cosine,
            unit: Unit { gradient: 1.0, hessian: 1.0 },
            l1: 0.0,
            l2: 0.0,
        };
        let bins = [pack(1, 1), pack(-2, 1)];
        let mut cuts = Cuts::new(rule);
        cuts.add_numbers(&bins, bins[0] + bins[1], 2);
        assert!((cuts.scores()[0] - 5.0f64.sqrt()).abs() < 1e-12);
    }
}
