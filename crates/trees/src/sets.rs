//! Splits of a category into two sets of levels.
//!
//! Levels are sorted by G / (H + smooth) and cut like a number, which finds the best two sets for convex losses (Fisher
//! 1958; used by Ke et al. 2017). The sorted levels are scanned from both ends, and the smaller side has at most
//! `max_threshold` levels so that a category with many levels cannot memorise the target. Features with few levels are
//! also tried one level against the rest. With vector leaves levels are sorted by their strongest output.

use crate::kernel::{Packed, hessian_of};
use crate::splitter::{FeatureView, NodeView, Rule, Split, Test, Unit, bounded_score, node_score};

/// Up to this many levels, one level against the rest is tried instead of sorted sets.
const ONE_AGAINST_REST: usize = 4;

/// The best split of a category into two sets.
pub(crate) fn best_set(node: &NodeView<'_>, feature: &FeatureView, rule: &Rule, unit: Unit) -> Option<Split> {
    let levels = Levels { node, feature };
    let mut present: Vec<usize> = (0..feature.bin_count).filter(|code| levels.weight(*code) > 0).collect();
    if present.len() < 2 {
        return None;
    }
    let single = present.len() <= ONE_AGAINST_REST;
    let l2 = if single { rule.l2 } else { rule.l2 + rule.set_l2 };
    let mut search = Search::new(node, feature, rule, unit, l2);
    if single {
        for code in &present {
            search.offer(&[*code], &levels.sums(*code), levels.weight(*code));
        }
        return search.best;
    }
    levels.sort(&mut present, rule, unit);
    let limit = rule.set_max_threshold.min(present.len().div_ceil(2)).max(1);
    levels.scan(&present, limit, &mut search);
    present.reverse();
    levels.scan(&present, limit, &mut search);
    search.best
}

/// The levels of one category in the histogram of a node.
struct Levels<'a> {
    node: &'a NodeView<'a>,
    feature: &'a FeatureView,
}

impl Levels<'_> {
    fn outputs(&self) -> usize {
        self.node.sums.len()
    }

    fn bin(&self, output: usize, code: usize) -> Packed {
        self.node.histogram[output * self.node.total_bins + self.feature.start + code]
    }

    /// Sums of a level, one for each output.
    fn sums(&self, code: usize) -> Vec<Packed> {
        (0..self.outputs()).map(|output| self.bin(output, code)).collect()
    }

    /// Packed second derivatives of a level, summed over outputs.
    fn weight(&self, code: usize) -> u64 {
        (0..self.outputs()).map(|output| u64::from(hessian_of(self.bin(output, code)))).sum()
    }

    /// Sorts codes by the gradient statistic of the output whose gradients differ most.
    fn sort(&self, codes: &mut [usize], rule: &Rule, unit: Unit) {
        let spread = |output: usize| spread(self.node, self.feature, output, unit);
        let strongest =
            (0..self.outputs()).max_by(|a, b| spread(*a).total_cmp(&spread(*b)).then(b.cmp(a))).unwrap_or(0);
        let key = |code: usize| {
            let (gradient, hessian) = unit.sums(self.bin(strongest, code));
            gradient / (hessian + rule.set_smooth)
        };
        codes.sort_by(|a, b| key(*a).total_cmp(&key(*b)).then(a.cmp(b)));
    }

    /// Offers the first level, the first two and so on, up to `limit` levels.
    fn scan(&self, sorted: &[usize], limit: usize, search: &mut Search<'_>) {
        let mut sums = vec![0; self.outputs()];
        let mut weight = 0;
        for count in 1..=limit.min(sorted.len() - 1) {
            let code = sorted[count - 1];
            for (output, sum) in sums.iter_mut().enumerate() {
                *sum += self.bin(output, code);
            }
            weight += self.weight(code);
            search.offer(&sorted[..count], &sums, weight);
        }
    }
}

/// The best of the sets offered so far, and what a set must beat.
struct Search<'a> {
    node: &'a NodeView<'a>,
    feature: &'a FeatureView,
    rule: &'a Rule,
    unit: Unit,
    /// L2 penalty of the two sides.
    l2: f64,
    /// Packed second derivatives of the node, summed over outputs.
    total: u64,
    /// Least of these on either side.
    least: u64,
    /// Score of the node unsplit.
    parent: f64,
    best: Option<Split>,
}

impl<'a> Search<'a> {
    fn new(node: &'a NodeView<'a>, feature: &'a FeatureView, rule: &'a Rule, unit: Unit, l2: f64) -> Self {
        let total: u64 = node.sums.iter().map(|sum| u64::from(hessian_of(*sum))).sum();
        let least_rows = f64::from(rule.min_rows) * total as f64 / node.row_count.max(1) as f64;
        let least = (rule.min_child_weight / unit.hessian).max(least_rows - 0.5).max(1.0) as u64;
        let parent = node_score(node, rule, unit, feature.bounded, rule.l2);
        Self { node, feature, rule, unit, l2, total, least, parent, best: None }
    }

    /// Score of the two sides when `left` are the sums of one of them.
    fn score(&self, left: &[Packed]) -> f64 {
        left.iter()
            .zip(self.node.sums)
            .map(|(left, total)| {
                let (gl, hl) = self.unit.sums(*left);
                let (gr, hr) = self.unit.sums(total - left);
                if self.feature.bounded {
                    let score = |g, h| bounded_score(g, h, self.rule.l1, self.l2, self.node.bounds).1;
                    return score(gl, hl) + score(gr, hr);
                }
                let score = |g, h| self.rule.criterion.score(g, h, self.rule.l1, self.l2);
                score(gl, hl) + score(gr, hr)
            })
            .sum()
    }

    /// Takes a set of codes as the left side if it is allowed and gains more than all before it.
    fn offer(&mut self, set: &[usize], sums: &[Packed], weight: u64) {
        if weight < self.least || self.total - weight < self.least {
            return;
        }
        let gain = self.score(sums) - self.parent;
        let is_better = self.best.as_ref().is_none_or(|best| gain > best.gain);
        if gain > self.rule.min_gain && gain.is_finite() && is_better {
            let mut left = [0u64; 4];
            for code in set {
                left[code >> 6] |= 1 << (code & 63);
            }
            self.best = Some(Split { gain, feature: self.feature.index, test: Test::Set { left } });
        }
    }
}

/// How much the gradients of an output differ between levels.
fn spread(node: &NodeView<'_>, feature: &FeatureView, output: usize, unit: Unit) -> f64 {
    let start = output * node.total_bins + feature.start;
    node.histogram[start..start + feature.bin_count]
        .iter()
        .map(|bin| {
            let (gradient, hessian) = unit.sums(*bin);
            if hessian > 0.0 { gradient * gradient / hessian } else { 0.0 }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pack;
    use crate::splitter::Criterion;

    #[test]
    fn sets_gather_levels_of_like_sign() {
        // Codes 1..=8 with alternating sign of the gradient.
        let histogram: Vec<Packed> = (0..9)
            .map(|code| if code == 0 { 0 } else { pack(if code % 2 == 0 { 40 } else { -40 }, 20) })
            .collect();
        let sums = [histogram.iter().sum::<Packed>()];
        let node = NodeView {
            histogram: &histogram,
            total_bins: 9,
            sums: &sums,
            row_count: 160,
            bounds: (f64::MIN, f64::MAX),
        };
        let feature = FeatureView {
            index: 3,
            start: 0,
            bin_count: 9,
            is_set: true,
            monotone: 0,
            bounded: false,
            random_threshold: None,
        };
        let rule = Rule {
            criterion: Criterion::Newton,
            l1: 0.0,
            l2: 0.0,
            min_gain: 0.0,
            min_child_weight: 0.0,
            min_rows: 1,
            set_smooth: 10.0,
            set_l2: 10.0,
            set_max_threshold: 32,
        };
        let split = best_set(&node, &feature, &rule, Unit { gradient: 1.0, hessian: 1.0 }).unwrap();
        let right: Vec<u8> = (1..9).filter(|code| split.test.goes_right(*code)).collect();
        assert_eq!(right, [2, 4, 6, 8]);
        let narrow = Rule { set_max_threshold: 1, ..rule };
        let split = best_set(&node, &feature, &narrow, Unit { gradient: 1.0, hessian: 1.0 }).unwrap();
        assert_eq!((1..9).filter(|code| !split.test.goes_right(*code)).count(), 1);
    }
}
