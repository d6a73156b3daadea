//! Splits of a category into two sets of levels.
//!
//! Levels are sorted by G / (H + smooth) and cut like a number, which finds the best two sets for convex losses (Fisher
//! 1958; used by Ke et al. 2017). The sorted levels are scanned from both ends, and the smaller side has at most
//! `max_threshold` levels so that a category with many levels cannot memorise the target. Features with few levels are
//! also tried one level against the rest. With vector leaves levels are sorted by their strongest output.

use crate::kernel::{Packed, hessian_of};
use crate::splitter::{FeatureView, NodeView, Rule, Split, Test, Unit, node_score, shrunk};

/// Up to this many levels, one level against the rest is tried instead of sorted sets.
const ONE_AGAINST_REST: usize = 4;

/// The best split of a category into two sets.
pub(crate) fn best_set(node: &NodeView<'_>, feature: &FeatureView, rule: &Rule, unit: Unit) -> Option<Split> {
    let outputs = node.sums.len();
    let bin = |output: usize, code: usize| node.histogram[output * node.total_bins + feature.start + code];
    let weight =
        |code: usize| -> u64 { (0..outputs).map(|output| u64::from(hessian_of(bin(output, code)))).sum() };
    let total: u64 = node.sums.iter().map(|sum| u64::from(hessian_of(*sum))).sum();
    let least_rows = f64::from(rule.min_rows) * total as f64 / node.row_count.max(1) as f64;
    let least = (rule.min_child_weight / unit.hessian).max(least_rows - 0.5).max(1.0) as u64;
    let mut present: Vec<usize> = (0..feature.bin_count).filter(|code| weight(*code) > 0).collect();
    if present.len() < 2 {
        return None;
    }
    let single = present.len() <= ONE_AGAINST_REST;
    let l2 = if single { rule.l2 } else { rule.l2 + rule.set_l2 };
    let parent = node_score(node, rule, unit, feature.bounded, rule.l2);
    let score = |left: &[Packed]| -> f64 {
        left.iter()
            .zip(node.sums)
            .map(|(left, total)| {
                let (gl, hl) = unit.sums(*left);
                let (gr, hr) = unit.sums(total - left);
                let (gl, gr) = (shrunk(gl, rule.l1), shrunk(gr, rule.l1));
                gl * gl / (hl + l2) + gr * gr / (hr + l2)
            })
            .sum()
    };
    let strongest = (0..outputs)
        .max_by(|a, b| {
            spread(node, feature, *a, unit).total_cmp(&spread(node, feature, *b, unit)).then(b.cmp(a))
        })
        .unwrap_or(0);
    if !single {
        let key = |code: usize| {
            let (gradient, hessian) = unit.sums(bin(strongest, code));
            gradient / (hessian + rule.set_smooth)
        };
        present.sort_by(|a, b| key(*a).total_cmp(&key(*b)).then(a.cmp(b)));
    }
    let mut best: Option<Split> = None;
    let mut offer = |set: &[usize], sums: &[Packed], weight: u64| {
        if weight < least || total - weight < least {
            return;
        }
        let gain = score(sums) - parent;
        if gain > rule.min_gain && gain.is_finite() && best.as_ref().is_none_or(|best| gain > best.gain) {
            let mut left = [0u64; 4];
            for code in set {
                left[code >> 6] |= 1 << (code & 63);
            }
            best = Some(Split { gain, feature: feature.index, test: Test::Set { left } });
        }
    };
    if single {
        for code in &present {
            let sums: Vec<Packed> = (0..outputs).map(|output| bin(output, *code)).collect();
            offer(&[*code], &sums, weight(*code));
        }
        return best;
    }
    let limit = rule.set_max_threshold.min(present.len().div_ceil(2)).max(1);
    for reversed in [false, true] {
        if reversed {
            present.reverse();
        }
        let mut sums = vec![0; outputs];
        let mut sum_weight = 0;
        for count in 1..=limit.min(present.len() - 1) {
            let code = present[count - 1];
            for (output, sum) in sums.iter_mut().enumerate() {
                *sum += bin(output, code);
            }
            sum_weight += weight(code);
            offer(&present[..count], &sums, sum_weight);
        }
    }
    best
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
