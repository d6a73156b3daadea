//! The best split of a node from its histogram.
//!
//! A node's sums are exact integers (see `kernel`); gains are computed from them in floating point, feature by feature,
//! so the winner never depends on how features are shared among threads. Among equal gains the lowest feature and bin
//! wins.

use kaizen_base::math;

use crate::kernel::{Packed, gradient_of, hessian_of};

/// What a node asks of a row's code.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Test {
    /// Codes above `bin` go right; missing (code 0) goes left, or right if told so.
    Number { bin: u8, missing_right: bool },
    /// Codes whose bit is set go left.
    Set { left: [u64; 4] },
}

impl Test {
    /// Where a code goes.
    #[inline(always)]
    pub(crate) fn goes_right(&self, code: u8) -> bool {
        match self {
            Self::Number { bin, missing_right } => {
                // Shifting by one turns the missing code into the largest.
                let shift = u8::from(*missing_right);
                code.wrapping_sub(shift) > bin.wrapping_sub(shift)
            }
            Self::Set { left } => left[usize::from(code >> 6)] >> (code & 63) & 1 == 0,
        }
    }
}

/// A possible split of a node.
#[derive(Clone, Debug)]
pub(crate) struct Split {
    pub(crate) gain: f64,
    pub(crate) feature: u32,
    pub(crate) test: Test,
}

/// Value of one unit of the packed sums.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit {
    pub(crate) gradient: f64,
    pub(crate) hessian: f64,
}

impl Unit {
    #[inline(always)]
    pub(crate) fn sums(self, packed: Packed) -> (f64, f64) {
        (f64::from(gradient_of(packed)) * self.gradient, f64::from(hessian_of(packed)) * self.hessian)
    }
}

/// What the score of a side of a split measures; the gain is what both sides score above the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Criterion {
    /// G^2 / (H + l2): the second-order loss, the variance, and over class indicators the Gini index.
    Newton,
    /// G ln(G / H), where G is minus the weight of a class and H the whole weight: minus the entropy of the classes times
    /// the weight (Quinlan 1986).
    Entropy,
}

impl Criterion {
    /// Score of one output of a side.
    #[inline]
    pub(crate) fn score(self, gradient: f64, hessian: f64, l1: f64, l2: f64) -> f64 {
        match self {
            Self::Newton => {
                let g = shrunk(gradient, l1);
                if hessian + l2 > 0.0 { g * g / (hessian + l2) } else { 0.0 }
            }
            Self::Entropy => {
                let weight = gradient.abs();
                if weight > 0.0 { weight * math::ln(weight / hessian) } else { 0.0 }
            }
        }
    }
}

/// What a split must respect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    pub(crate) criterion: Criterion,
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    pub(crate) min_gain: f64,
    pub(crate) min_child_weight: f64,
    pub(crate) min_rows: u32,
    /// Of splits on sets of categories.
    pub(crate) set_smooth: f64,
    pub(crate) set_l2: f64,
    pub(crate) set_max_threshold: usize,
}

/// A node as the splitter sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeView<'a> {
    /// `[outputs, total bins]`.
    pub(crate) histogram: &'a [Packed],
    pub(crate) total_bins: usize,
    /// One sum for each output.
    pub(crate) sums: &'a [Packed],
    pub(crate) row_count: usize,
    /// Allowed range of the children's values (monotone constraints).
    pub(crate) bounds: (f64, f64),
}

/// One feature as the splitter sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeatureView {
    pub(crate) index: u32,
    pub(crate) start: usize,
    pub(crate) bin_count: usize,
    pub(crate) is_set: bool,
    /// -1, 0 or 1, and whether any feature of the model is constrained.
    pub(crate) monotone: i8,
    pub(crate) bounded: bool,
    /// A number in [0, 1) that picks the one threshold to look at; `None` looks at all.
    pub(crate) random_threshold: Option<f64>,
}

/// Largest number of codes.
pub(crate) const CODES: usize = 256;

/// Sum over the sums after the L1 penalty.
#[inline(always)]
pub(crate) fn shrunk(gradient: f64, l1: f64) -> f64 {
    (gradient.abs() - l1).max(0.0)
}

/// The value of a leaf: a Newton step with penalties, inside `bounds`.
#[inline]
pub(crate) fn leaf_value(gradient: f64, hessian: f64, l1: f64, l2: f64, bounds: (f64, f64)) -> f64 {
    let denominator = hessian + l2;
    if denominator <= 0.0 {
        return 0.0f64.clamp(bounds.0, bounds.1);
    }
    let size = shrunk(gradient, l1) / denominator;
    (if gradient > 0.0 { -size } else { size }).clamp(bounds.0, bounds.1)
}

/// Least packed second derivative of a child: both the weight and the (estimated) row count must suffice.
fn least_hessian(rule: &Rule, unit: Unit, hessian: u64, row_count: usize) -> u64 {
    let by_weight = rule.min_child_weight / unit.hessian;
    // Rows are estimated in proportion to second derivatives and rounded, hence the half.
    let by_rows = (f64::from(rule.min_rows) - 0.5).max(0.0) * hessian as f64 / row_count.max(1) as f64;
    (by_weight.max(by_rows).ceil() as u64).max(1)
}

/// The best split of one feature, if any is allowed.
pub(crate) fn best_of_feature(
    node: &NodeView<'_>,
    feature: &FeatureView,
    rule: &Rule,
    unit: Unit,
) -> Option<Split> {
    if feature.is_set {
        crate::sets::best_set(node, feature, rule, unit)
    } else {
        best_threshold(node, feature, rule, unit)
    }
}

/// Score of a whole node, from which gains are counted.
pub(crate) fn node_score(node: &NodeView<'_>, rule: &Rule, unit: Unit, bounded: bool, l2: f64) -> f64 {
    node.sums
        .iter()
        .map(|sum| {
            let (gradient, hessian) = unit.sums(*sum);
            if bounded {
                bounded_score(gradient, hessian, rule.l1, l2, node.bounds).1
            } else {
                rule.criterion.score(gradient, hessian, rule.l1, l2)
            }
        })
        .sum()
}

/// Value and score of a leaf whose value is clamped: -(2 G w + (H + l2) w^2 + 2 l1 |w|).
pub(crate) fn bounded_score(gradient: f64, hessian: f64, l1: f64, l2: f64, bounds: (f64, f64)) -> (f64, f64) {
    let value = leaf_value(gradient, hessian, l1, l2, bounds);
    (value, -(2.0 * gradient * value + (hessian + l2) * value * value + 2.0 * l1 * value.abs()))
}

fn best_threshold(node: &NodeView<'_>, feature: &FeatureView, rule: &Rule, unit: Unit) -> Option<Split> {
    let parent = node_score(node, rule, unit, feature.bounded, rule.l2);
    let mut best: Option<Split> = None;
    let bins = feature.start..feature.start + feature.bin_count;
    let missing =
        (0..node.sums.len()).any(|output| node.histogram[output * node.total_bins + feature.start] != 0);
    let hessian: u64 = node.sums.iter().map(|sum| u64::from(hessian_of(*sum))).sum();
    let least = least_hessian(rule, unit, hessian, node.row_count);
    if hessian < 2 * least {
        return None;
    }
    for missing_right in [false, true] {
        if missing_right && !missing {
            break;
        }
        let mut gains = [0.0; CODES];
        let mut weights = [0u64; CODES];
        for (output, sum) in node.sums.iter().enumerate() {
            let offset = output * node.total_bins;
            let histogram = &node.histogram[bins.start + offset..bins.end + offset];
            let mut prefix = [0; CODES];
            prefix_sums(histogram, missing_right, &mut prefix, &mut weights);
            if feature.bounded {
                add_bounded_gains(
                    &prefix[..feature.bin_count],
                    *sum,
                    unit,
                    rule,
                    node.bounds,
                    feature.monotone,
                    &mut gains,
                );
            } else {
                add_gains(&prefix[..feature.bin_count], *sum, unit, rule, &mut gains);
            }
        }
        // A cut above the last code would leave nothing on the right; one at the missing code only means something
        // when it is on the left.
        let first = usize::from(missing_right || !missing);
        let last = feature.bin_count - 1;
        for bin in first..last {
            if weights[bin] < least || hessian - weights[bin] < least {
                gains[bin] = f64::NEG_INFINITY;
            }
        }
        let chosen = match feature.random_threshold {
            None => largest(&gains[first..last]).map(|(index, gain)| (first + index, gain)),
            Some(draw) => random_bin(&gains, first, last, draw),
        };
        if let Some((bin, gain)) = chosen {
            let gain = gain - parent;
            if gain > rule.min_gain && gain.is_finite() && best.as_ref().is_none_or(|best| gain > best.gain) {
                // Without missing rows here, later ones follow the heavier child.
                let to_right = if missing { missing_right } else { weights[bin] * 2 < hessian };
                let test = Test::Number { bin: bin as u8, missing_right: to_right };
                best = Some(Split { gain, feature: feature.index, test });
            }
        }
    }
    best
}

/// One of the allowed bins, each equally likely.
fn random_bin(gains: &[f64; CODES], first: usize, last: usize, draw: f64) -> Option<(usize, f64)> {
    let allowed = (first..last).filter(|bin| gains[*bin] > f64::NEG_INFINITY);
    let count = allowed.clone().count();
    let chosen = ((draw * count as f64) as usize).min(count.saturating_sub(1));
    allowed.clone().nth(chosen).map(|bin| (bin, gains[bin]))
}

/// Running sums from the left and the second derivatives in them; with `skip_missing` bin 0 is left out.
#[inline]
fn prefix_sums(
    histogram: &[Packed],
    skip_missing: bool,
    prefix: &mut [Packed; CODES],
    weights: &mut [u64; CODES],
) {
    let mut sum = 0;
    for (bin, slot) in histogram.iter().enumerate() {
        if !(skip_missing && bin == 0) {
            sum += slot;
        }
        prefix[bin] = sum;
        weights[bin] += u64::from(hessian_of(sum));
    }
}

/// Adds the scores of both children of every cut.
fn add_gains(prefix: &[Packed], total: Packed, unit: Unit, rule: &Rule, gains: &mut [f64; CODES]) {
    if rule.criterion == Criterion::Newton {
        let penalty = (rule.l1, rule.l2);
        crate::kernel::add_newton_gains(prefix, total, (unit.gradient, unit.hessian), penalty, gains);
        return;
    }
    for (left, gain) in prefix.iter().zip(gains) {
        for side in [*left, total - *left] {
            let (gradient, hessian) = unit.sums(side);
            *gain += rule.criterion.score(gradient, hessian, rule.l1, rule.l2);
        }
    }
}

fn add_bounded_gains(
    prefix: &[Packed],
    total: Packed,
    unit: Unit,
    rule: &Rule,
    bounds: (f64, f64),
    monotone: i8,
    gains: &mut [f64; CODES],
) {
    for (left, gain) in prefix.iter().zip(gains) {
        let (gl, hl) = unit.sums(*left);
        let (gr, hr) = unit.sums(total - *left);
        let (left_value, left_score) = bounded_score(gl, hl, rule.l1, rule.l2, bounds);
        let (right_value, right_score) = bounded_score(gr, hr, rule.l1, rule.l2, bounds);
        let violates = f64::from(monotone) * (right_value - left_value) < 0.0;
        *gain += if violates { f64::NEG_INFINITY } else { left_score + right_score };
    }
}

/// First index of the largest value; `None` if empty or all are minus infinity.
pub(crate) fn largest(values: &[f64]) -> Option<(usize, f64)> {
    let mut lanes = [f64::NEG_INFINITY; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    let mut best = f64::NEG_INFINITY;
    for value in lanes.iter().chain(rest) {
        best = if *value > best { *value } else { best };
    }
    if best == f64::NEG_INFINITY {
        return None;
    }
    values.iter().position(|value| *value == best).map(|index| (index, best))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pack;

    fn rule() -> Rule {
        Rule {
            criterion: Criterion::Newton,
            l1: 0.0,
            l2: 1.0,
            min_gain: 0.0,
            min_child_weight: 0.0,
            min_rows: 1,
            set_smooth: 10.0,
            set_l2: 10.0,
            set_max_threshold: 32,
        }
    }

    fn view(bin_count: usize) -> FeatureView {
        FeatureView {
            index: 0,
            start: 0,
            bin_count,
            is_set: false,
            monotone: 0,
            bounded: false,
            random_threshold: None,
        }
    }

    #[test]
    fn finds_the_cut_done_by_hand_and_the_side_of_missing() {
        // Bins: missing (-4, 2), 1: (-3, 1), 2: (-1, 1), 3: (5, 2).
        let histogram = [pack(-4, 2), pack(-3, 1), pack(-1, 1), pack(5, 2)];
        let sums = [histogram.iter().sum::<Packed>()];
        let node = NodeView {
            histogram: &histogram,
            total_bins: 4,
            sums: &sums,
            row_count: 6,
            bounds: (f64::MIN, f64::MAX),
        };
        let unit = Unit { gradient: 1.0, hessian: 1.0 };
        let split = best_of_feature(&node, &view(4), &rule(), unit).unwrap();
        // Missing left with bins 1 and 2: 64/5 + 25/3 - 9/7.
        assert_eq!(split.test, Test::Number { bin: 2, missing_right: false });
        assert!((split.gain - (64.0 / 5.0 + 25.0 / 3.0 - 9.0 / 7.0)).abs() < 1e-12);
        let strict = Rule { min_child_weight: 4.0, ..rule() };
        assert!(best_of_feature(&node, &view(4), &strict, unit).is_none());
    }

    #[test]
    fn monotone_cuts_never_fall() {
        let histogram = [0, pack(-5, 2), pack(5, 2)];
        let sums = [histogram.iter().sum::<Packed>()];
        let node = NodeView {
            histogram: &histogram,
            total_bins: 3,
            sums: &sums,
            row_count: 4,
            bounds: (f64::MIN, f64::MAX),
        };
        let unit = Unit { gradient: 1.0, hessian: 1.0 };
        // Values are +5/3 on the left and -5/3 on the right: falling.
        let rising = FeatureView { bounded: true, monotone: 1, ..view(3) };
        let falling = FeatureView { monotone: -1, ..rising };
        assert!(best_of_feature(&node, &rising, &rule(), unit).is_none());
        let bounded = best_of_feature(&node, &falling, &rule(), unit).unwrap();
        let free = best_of_feature(&node, &view(3), &rule(), unit).unwrap();
        assert!((bounded.gain - free.gain).abs() < 1e-12);
    }

    #[test]
    fn tests_route_missing_both_ways() {
        let left = Test::Number { bin: 3, missing_right: false };
        let right = Test::Number { bin: 3, missing_right: true };
        assert_eq!([0, 3, 4].map(|c| left.goes_right(c)), [false, false, true]);
        assert_eq!([0, 3, 4].map(|c| right.goes_right(c)), [true, false, true]);
        let set = Test::Set { left: [1 << 5, 0, 0, 1 << 63] };
        assert_eq!([0, 5, 255].map(|c| set.goes_right(c)), [true, false, false]);
    }

    #[test]
    fn entropy_is_gained_as_computed_by_hand() {
        // Two classes as two outputs; bins 1 and 2 hold (3, 1) and (0, 4) rows of them.
        let bin = |rows: i64, all: i64| pack(-rows, all);
        let histogram = [0, bin(3, 4), bin(0, 4), 0, bin(1, 4), bin(4, 4)];
        let sums = [bin(3, 8), bin(5, 8)];
        let node = NodeView {
            histogram: &histogram,
            total_bins: 3,
            sums: &sums,
            row_count: 8,
            bounds: (f64::MIN, f64::MAX),
        };
        let unit = Unit { gradient: 1.0, hessian: 1.0 };
        let rule = Rule { criterion: Criterion::Entropy, l2: 0.0, ..rule() };
        let split = best_of_feature(&node, &view(3), &rule, unit).unwrap();
        let term = |share: f64, rows: f64| -rows * share * math::ln(share);
        let whole = term(3.0 / 8.0, 8.0) + term(5.0 / 8.0, 8.0);
        let left = term(0.75, 4.0) + term(0.25, 4.0);
        assert!((split.gain - (whole - left)).abs() < 1e-12, "{}", split.gain);
        assert!(matches!(split.test, Test::Number { bin: 1, .. }));
    }

    #[test]
    fn largest_is_the_first_of_equals() {
        assert_eq!(largest(&[1.0, 3.0, 3.0]), Some((1, 3.0)));
        assert_eq!(largest(&[f64::NEG_INFINITY; 9]), None);
        let many: Vec<f64> = (0..100).map(|i| f64::from((i * 37) % 101)).collect();
        let (index, value) = largest(&many).unwrap();
        assert!(many.iter().all(|x| *x <= value) && many[index] == value);
    }
}
