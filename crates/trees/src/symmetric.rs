//! Growth of one symmetric tree: every node of a level asks the same question.
//!
//! Source: Prokhorenkova et al. (2018), section 4 and appendix: the question with the best score over all leaves of the
//! level wins, after normal noise is added to each feature's best score.

use kaizen_base::{Flow, Rng};
use rayon::prelude::*;

use crate::error::{Result, TreesError};
use crate::grower::{Grown, GrownLeaf, Plan, Shape, partition};
use crate::histogram::{self, Pool};
use crate::kernel::{self, LaneSet, Packed, hessian_of};
use crate::params::SplitScore;
use crate::splitter::{CODES, FeatureView, Split, Test, Unit, largest};

/// Below this many bins to scan one thread looks for the split.
const PARALLEL_BINS: usize = 6_000;

/// One leaf of the present level.
struct Group {
    start: usize,
    len: usize,
    sums: Vec<Packed>,
    histogram: Vec<Packed>,
}

/// What is special to symmetric trees.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SymmetricRule {
    pub(crate) depth: u32,
    pub(crate) score: SplitScore,
    /// Standard deviation of the noise on scores.
    pub(crate) noise: f64,
}

/// Grows one symmetric tree on `rows`, with `packed` gradients by output and table row.
///
/// # Errors
/// [`TreesError::Stopped`] when told to stop; when told to finish, the tree as far as it has grown.
#[expect(clippy::too_many_arguments, reason = "the parts of one tree, used once")]
pub(crate) fn grow(
    plan: &Plan<'_>,
    rule: SymmetricRule,
    packed: &[Vec<Packed>],
    mut rows: Vec<u32>,
    features: &[u32],
    lane_sets: &[LaneSet],
    mut rng: Rng,
    pool: &mut Pool,
) -> Result<Grown> {
    let mut scratch = vec![0; rows.len()];
    let sums = packed.iter().map(|packed| rows.iter().map(|row| packed[*row as usize]).sum()).collect();
    let mut root = pool.take(plan.layout.total * packed.len());
    histogram::build(plan.bins, plan.layout, lane_sets, packed, &rows, &mut root);
    let mut groups = vec![Group { start: 0, len: rows.len(), sums, histogram: root }];
    let mut levels = Vec::new();
    while (levels.len() as u32) < rule.depth {
        match plan.signal.flow() {
            Flow::Stop => return Err(TreesError::Stopped),
            Flow::Finish => break,
            Flow::Continue => {}
        }
        let Some(split) = best_split(plan, &rule, &groups, features, &mut rng) else { break };
        let is_last = levels.len() as u32 + 1 == rule.depth;
        groups =
            split_level(plan, groups, &split, packed, (&mut rows, &mut scratch), lane_sets, pool, is_last);
        levels.push((split.feature, split.test, split.gain));
    }
    let mut leaves = Vec::with_capacity(groups.len());
    for group in groups {
        leaves.push(GrownLeaf {
            start: group.start,
            len: group.len,
            sums: group.sums,
            bounds: (f64::NEG_INFINITY, f64::INFINITY),
        });
        pool.give(group.histogram);
    }
    Ok(Grown { shape: Shape::Symmetric(levels), leaves, rows })
}

fn best_split(
    plan: &Plan<'_>,
    rule: &SymmetricRule,
    groups: &[Group],
    features: &[u32],
    rng: &mut Rng,
) -> Option<Split> {
    let chosen = plan.draw_features(features, rng);
    let views: Vec<(FeatureView, f64)> = chosen
        .iter()
        .map(|feature| {
            let view = plan.feature_view(*feature, rng);
            (view, if rule.noise > 0.0 { rule.noise * rng.normal() } else { 0.0 })
        })
        .collect();
    let work: usize = views.iter().map(|(view, _)| view.bin_count).sum::<usize>() * groups.len();
    let score = |(view, noise): &(FeatureView, f64)| {
        best_bin(plan, rule, groups, view).map(|(test, score)| (score + noise, score, view.index, test))
    };
    let better = |a: Option<(f64, f64, u32, Test)>, b: Option<(f64, f64, u32, Test)>| match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 > a.0 || (b.0 == a.0 && b.2 < a.2) { b } else { a }),
        (a, b) => a.or(b),
    };
    let best = if work >= PARALLEL_BINS && rayon::current_num_threads() > 1 {
        views.par_iter().with_min_len(4).map(score).reduce(|| None, better)
    } else {
        views.iter().map(score).fold(None, better)
    };
    best.map(|(_, gain, feature, test)| Split { gain, feature, test })
}

/// The best cut of one feature over all groups, with its score. Missing values go left, below every number; the cut
/// between missing and present is one of the candidates.
fn best_bin(
    plan: &Plan<'_>,
    rule: &SymmetricRule,
    groups: &[Group],
    view: &FeatureView,
) -> Option<(Test, f64)> {
    let mut dots = [0.0; CODES];
    let mut norms = [0.0; CODES];
    let mut separates = [false; CODES];
    let total_bins = plan.layout.total;
    for group in groups.iter().filter(|group| group.len > 0) {
        for (output, sum) in group.sums.iter().enumerate() {
            let start = output * total_bins + view.start;
            let bins = &group.histogram[start..start + view.bin_count];
            let mut prefix = [0; CODES];
            if view.is_set {
                prefix[..bins.len()].copy_from_slice(bins);
            } else {
                let mut running = 0;
                for (slot, bin) in prefix.iter_mut().zip(bins) {
                    running += bin;
                    *slot = running;
                }
            }
            let total = hessian_of(*sum);
            for (flag, left) in separates.iter_mut().zip(&prefix[..bins.len()]) {
                *flag |= hessian_of(*left) > 0 && hessian_of(*left) < total;
            }
            let prefix = &prefix[..bins.len()];
            let unit = (plan.unit.gradient, plan.unit.hessian);
            match rule.score {
                SplitScore::Cosine => {
                    kernel::add_cosine_terms(prefix, *sum, unit, plan.rule.l2, &mut dots, &mut norms);
                }
                SplitScore::Newton => {
                    newton_terms(prefix, *sum, plan.unit, plan.rule.l1, plan.rule.l2, &mut dots);
                }
            }
        }
    }
    for bin in 0..CODES {
        if !separates[bin] || bin >= view.bin_count {
            dots[bin] = f64::NEG_INFINITY;
        } else if rule.score == SplitScore::Cosine {
            dots[bin] = if norms[bin] > 0.0 { dots[bin] / norms[bin].sqrt() } else { 0.0 };
        }
    }
    let (bin, score) = largest(&dots)?;
    let test = if view.is_set {
        let mut left = [0; 4];
        left[bin >> 6] = 1 << (bin & 63);
        Test::Set { left }
    } else {
        Test::Number { bin: bin as u8, missing_right: false }
    };
    Some((test, score))
}

/// As `add_newton_gains`, safe for empty sides.
fn newton_terms(prefix: &[Packed], total: Packed, unit: Unit, l1: f64, l2: f64, scores: &mut [f64; CODES]) {
    for (left, score) in prefix.iter().zip(scores) {
        for side in [*left, total - *left] {
            let (gradient, hessian) = unit.sums(side);
            let g = crate::splitter::shrunk(gradient, l1);
            *score += g * g / (hessian + l2).max(1e-300);
        }
    }
}

/// Splits all groups by one question: group `i` becomes groups `i` and `i + count`.
#[expect(clippy::too_many_arguments, reason = "the parts of one tree, used once")]
fn split_level(
    plan: &Plan<'_>,
    groups: Vec<Group>,
    split: &Split,
    packed: &[Vec<Packed>],
    (rows, scratch): (&mut [u32], &mut [u32]),
    lane_sets: &[LaneSet],
    pool: &mut Pool,
    is_last: bool,
) -> Vec<Group> {
    let histogram_len = plan.layout.total * packed.len();
    let start = plan.layout.starts[split.feature as usize];
    let bin_count = plan.bins.columns[split.feature as usize].bin_count;
    let mut children: Vec<(Group, Group)> = Vec::with_capacity(groups.len());
    for group in groups {
        let range = group.start..group.start + group.len;
        let left_len = partition(plan.bins, &mut rows[range.clone()], &mut scratch[range], split);
        let left_sums: Vec<Packed> = (0..packed.len())
            .map(|output| {
                let bins = group.histogram.get(output * plan.layout.total + start..).unwrap_or_default();
                bins.iter()
                    .take(bin_count)
                    .enumerate()
                    .filter(|(code, _)| !split.test.goes_right(*code as u8))
                    .map(|(_, bin)| bin)
                    .sum()
            })
            .collect();
        let right_sums = group.sums.iter().zip(&left_sums).map(|(all, left)| all - left).collect();
        let mut left = Group { start: group.start, len: left_len, sums: left_sums, histogram: Vec::new() };
        let mut right = Group {
            start: group.start + left_len,
            len: group.len - left_len,
            sums: right_sums,
            histogram: Vec::new(),
        };
        // The larger child takes the parent's histogram; the smaller, if it has rows, a fresh one.
        let (smaller, larger) =
            if left.len <= right.len { (&mut left, &mut right) } else { (&mut right, &mut left) };
        if is_last {
            pool.give(group.histogram);
        } else {
            larger.histogram = group.histogram;
            if smaller.len > 0 {
                smaller.histogram = pool.take(histogram_len);
            }
        }
        children.push((left, right));
    }
    if !is_last {
        let rows = &*rows;
        children.par_iter_mut().for_each(|(left, right)| {
            let (smaller, larger) = if left.len <= right.len { (left, right) } else { (right, left) };
            if smaller.len > 0 {
                let range = smaller.start..smaller.start + smaller.len;
                histogram::build(
                    plan.bins,
                    plan.layout,
                    lane_sets,
                    packed,
                    &rows[range],
                    &mut smaller.histogram,
                );
                kernel::subtract(&mut larger.histogram, &smaller.histogram);
            }
        });
    }
    let (lefts, rights): (Vec<Group>, Vec<Group>) = children.into_iter().unzip();
    lefts.into_iter().chain(rights).collect()
}
