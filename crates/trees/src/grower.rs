//! Leaf-wise and depth-wise growth of one tree.
//!
//! Source: Ke et al. (2017) for leaf-wise growth; the histogram of the larger child is its parent's less its sibling's.
//! Monotone constraints bound both children by the middle of their values, which is the basic form and gives away some
//! gain, or each leaf by the leaves that it touches (see `monotone`). Statistics of categories belong to no interaction
//! set and so stand alone on their path where interactions are constrained.

use kaizen_base::{Flow, Rng, Signal};
use rayon::prelude::*;

use crate::bins::Bins;
use crate::error::{Result, TreesError};
use crate::histogram::{self, Layout, Pool};
use crate::kernel::{LaneSet, Packed};
use crate::monotone::{Cut, Neighbours};
use crate::params::MonotoneBound;
use crate::splitter::{self, FeatureView, NodeView, Rule, Split, Test, Unit};

/// Below this many bins to scan one thread looks for the split.
const PARALLEL_BINS: usize = 6_000;
/// Below this many rows one thread partitions.
const PARALLEL_ROWS: usize = 32_768;

/// A node of a finished tree; index 0 is the root.
#[derive(Clone, Debug)]
pub(crate) enum GrownNode {
    Split { feature: u32, test: Test, gain: f64, left: u32, right: u32 },
    Leaf(u32),
}

/// A leaf: its rows are `rows[start..start + len]` of the tree.
#[derive(Clone, Debug)]
pub(crate) struct GrownLeaf {
    pub(crate) start: usize,
    pub(crate) len: usize,
    pub(crate) sums: Vec<Packed>,
    pub(crate) bounds: (f64, f64),
}

/// How the questions of a tree hang together.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    General(Vec<GrownNode>),
    /// One question a level; bit `d` of a leaf's index says whether level `d` went right.
    Symmetric(Vec<(u32, Test, f64)>),
}

/// A grown tree, without leaf values.
#[derive(Clone, Debug)]
pub(crate) struct Grown {
    pub(crate) shape: Shape,
    pub(crate) leaves: Vec<GrownLeaf>,
    pub(crate) rows: Vec<u32>,
}

impl Grown {
    /// The leaf of each of `rows`.
    pub(crate) fn leaves_of(&self, bins: &Bins, rows: &[u32]) -> Vec<u32> {
        let Shape::Symmetric(levels) = &self.shape else {
            return rows.iter().map(|row| self.leaf_of(bins, *row as usize) as u32).collect();
        };
        let mut leaves = vec![0u32; rows.len()];
        for (depth, (feature, test, _)) in levels.iter().enumerate() {
            let (block, lane) = bins.places[*feature as usize];
            let block = &bins.blocks[block as usize];
            for (leaf, row) in leaves.iter_mut().zip(rows) {
                *leaf |= u32::from(test.goes_right(block.code(*row as usize, usize::from(lane)))) << depth;
            }
        }
        leaves
    }

    /// The leaf of a row of the binned table.
    pub(crate) fn leaf_of(&self, bins: &Bins, row: usize) -> usize {
        match &self.shape {
            Shape::Symmetric(levels) => {
                levels.iter().enumerate().fold(0, |index, (depth, (feature, test, _))| {
                    index | usize::from(test.goes_right(bins.code(row, *feature as usize))) << depth
                })
            }
            Shape::General(nodes) => {
                let mut node = 0;
                loop {
                    match &nodes[node] {
                        GrownNode::Leaf(leaf) => return *leaf as usize,
                        GrownNode::Split { feature, test, left, right, .. } => {
                            let code = bins.code(row, *feature as usize);
                            node = *if test.goes_right(code) { right } else { left } as usize;
                        }
                    }
                }
            }
        }
    }
}

/// What all trees of one training share.
pub(crate) struct Plan<'a> {
    pub(crate) bins: &'a Bins,
    pub(crate) layout: &'a Layout,
    pub(crate) rule: Rule,
    pub(crate) unit: Unit,
    /// By feature: splits on sets of levels.
    pub(crate) is_set: &'a [bool],
    /// By feature, or empty.
    pub(crate) monotone: &'a [i8],
    pub(crate) bound: MonotoneBound,
    pub(crate) interactions: &'a [Vec<u32>],
    pub(crate) column_share_node: f64,
    pub(crate) random_thresholds: bool,
    pub(crate) signal: &'a Signal,
}

impl Plan<'_> {
    pub(crate) fn feature_view(&self, feature: u32, rng: &mut Rng) -> FeatureView {
        let index = feature as usize;
        let bounded = self.monotone.iter().any(|sign| *sign != 0);
        FeatureView {
            index: feature,
            start: self.layout.starts[index],
            bin_count: self.bins.columns[index].bin_count,
            is_set: self.is_set[index],
            monotone: self.monotone.get(index).copied().unwrap_or(0),
            bounded,
            random_threshold: self.random_thresholds.then(|| rng.uniform()),
        }
    }

    /// The features that a node may use, drawn from `allowed`.
    pub(crate) fn draw_features(&self, allowed: &[u32], rng: &mut Rng) -> Vec<u32> {
        draw_share(allowed, self.column_share_node, rng)
    }
}

/// A share of `features`, at least one, in ascending order.
pub(crate) fn draw_share(features: &[u32], share: f64, rng: &mut Rng) -> Vec<u32> {
    if share >= 1.0 || features.len() < 2 {
        return features.to_vec();
    }
    let count = ((features.len() as f64 * share).round() as usize).clamp(1, features.len());
    rng.sample_sorted(features.len(), count).iter().map(|index| features[*index as usize]).collect()
}

/// A leaf that may still be split.
struct OpenLeaf {
    node: usize,
    start: usize,
    len: usize,
    depth: u32,
    sums: Vec<Packed>,
    bounds: (f64, f64),
    path: Vec<u32>,
    histogram: Option<Vec<Packed>>,
    best: Option<Split>,
}

/// Limits of one tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) leaves: usize,
    /// `u32::MAX` is no limit.
    pub(crate) depth: u32,
    /// Split the oldest open leaf first instead of the one with the largest gain.
    pub(crate) by_level: bool,
}

/// What keeps the tree monotone.
enum Hold<'a> {
    /// No feature is constrained.
    Free,
    /// Bounds are handed down from the middles of constrained splits; the sign of each feature.
    Middle(&'a [i8]),
    /// Each leaf is held by those that it touches.
    Neighbours(Neighbours<'a>),
}

struct Grower<'a> {
    plan: &'a Plan<'a>,
    packed: &'a [Vec<Packed>],
    features: &'a [u32],
    lane_sets: &'a [LaneSet],
    pool: &'a mut Pool,
    rng: Rng,
    rows: Vec<u32>,
    scratch: Vec<u32>,
    hold: Hold<'a>,
    nodes: Vec<GrownNode>,
    open: Vec<OpenLeaf>,
    done: Vec<OpenLeaf>,
}

/// Grows one tree on `rows`, with `packed` gradients by output and table row.
///
/// # Errors
/// [`TreesError::Stopped`] when told to stop; when told to finish, the tree as far as it has grown.
#[expect(clippy::too_many_arguments, reason = "the parts of one tree, used once")]
pub(crate) fn grow(
    plan: &Plan<'_>,
    limits: Limits,
    packed: &[Vec<Packed>],
    rows: Vec<u32>,
    features: &[u32],
    lane_sets: &[LaneSet],
    rng: Rng,
    pool: &mut Pool,
) -> Result<Grown> {
    let scratch = vec![0; rows.len()];
    // Sets of levels have no order that a sign could mean.
    let signs: Vec<i8> = (plan.monotone.iter().zip(plan.is_set))
        .map(|(sign, is_set)| if *is_set { 0 } else { *sign })
        .collect();
    let mut grower = Grower {
        plan,
        packed,
        features,
        lane_sets,
        pool,
        rng,
        rows,
        scratch,
        hold: Hold::Free,
        nodes: vec![GrownNode::Leaf(0)],
        open: Vec::new(),
        done: Vec::new(),
    };
    grower.start(&signs);
    let mut leaf_count = 1;
    while leaf_count < limits.leaves {
        match plan.signal.flow() {
            Flow::Stop => return Err(TreesError::Stopped),
            Flow::Finish => break,
            Flow::Continue => {}
        }
        let Some(index) = grower.next_leaf(limits.by_level) else { break };
        let leaf = grower.open.remove(index);
        grower.split(leaf, &limits, leaf_count + 1 == limits.leaves);
        leaf_count += 1;
    }
    Ok(grower.finish())
}

impl<'a> Grower<'a> {
    fn start(&mut self, signs: &'a [i8]) {
        let sums: Vec<Packed> = self
            .packed
            .iter()
            .map(|packed| self.rows.iter().map(|row| packed[*row as usize]).sum())
            .collect();
        let mut root = OpenLeaf {
            node: 0,
            start: 0,
            len: self.rows.len(),
            depth: 0,
            sums,
            bounds: (f64::NEG_INFINITY, f64::INFINITY),
            path: Vec::new(),
            histogram: None,
            best: None,
        };
        if signs.iter().any(|sign| *sign != 0) {
            self.hold = match self.plan.bound {
                MonotoneBound::Middle => Hold::Middle(signs),
                MonotoneBound::Neighbours => Hold::Neighbours(Neighbours::new(signs, self.wish(&root.sums))),
            };
        }
        let mut buffer = self.pool.take(self.plan.layout.total * self.packed.len());
        self.build(&root, &mut buffer);
        root.histogram = Some(buffer);
        self.find(&mut root);
        self.open.push(root);
    }

    fn build(&self, leaf: &OpenLeaf, buffer: &mut [Packed]) {
        let rows = &self.rows[leaf.start..leaf.start + leaf.len];
        histogram::build(self.plan.bins, self.plan.layout, self.lane_sets, self.packed, rows, buffer);
    }

    fn next_leaf(&self, by_level: bool) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (index, leaf) in self.open.iter().enumerate() {
            if let Some(split) = &leaf.best {
                if by_level {
                    return Some(index);
                }
                if best.is_none_or(|(_, gain)| split.gain > gain) {
                    best = Some((index, split.gain));
                }
            }
        }
        best.map(|(index, _)| index)
    }

    /// Features that may follow on a path under the interaction constraints.
    fn allowed(&self, path: &[u32]) -> Vec<u32> {
        let sets = self.plan.interactions;
        if sets.is_empty() {
            return self.features.to_vec();
        }
        let fits = |feature: &u32| {
            let together =
                sets.iter().any(|set| set.contains(feature) && path.iter().all(|other| set.contains(other)));
            together || path.iter().all(|other| other == feature)
        };
        self.features.iter().copied().filter(fits).collect()
    }

    /// Looks for the leaf's best split.
    fn find(&mut self, leaf: &mut OpenLeaf) {
        let Some(buffer) = &leaf.histogram else { return };
        let plan = self.plan;
        let allowed = self.allowed(&leaf.path);
        let chosen = plan.draw_features(&allowed, &mut self.rng);
        let views: Vec<FeatureView> =
            chosen.iter().map(|feature| plan.feature_view(*feature, &mut self.rng)).collect();
        let node = NodeView {
            histogram: buffer,
            total_bins: plan.layout.total,
            sums: &leaf.sums,
            row_count: leaf.len,
            bounds: leaf.bounds,
        };
        leaf.best = best_split(&node, &views, &plan.rule, plan.unit);
    }

    /// Splits `leaf` by its best split; its children are opened.
    fn split(&mut self, mut leaf: OpenLeaf, limits: &Limits, is_last: bool) {
        let Some(split) = leaf.best.take() else { return };
        let plan = self.plan;
        let range = leaf.start..leaf.start + leaf.len;
        let left_len = partition(plan.bins, &mut self.rows[range.clone()], &mut self.scratch[range], &split);
        let left_sums = self.left_sums(&leaf, &split);
        let right_sums: Vec<Packed> =
            leaf.sums.iter().zip(&left_sums).map(|(all, left)| all - left).collect();
        let (left_bounds, right_bounds) = self.child_bounds(&leaf, &split, &left_sums, &right_sums);
        let mut path = leaf.path.clone();
        if !plan.interactions.is_empty() && !path.contains(&split.feature) {
            path.push(split.feature);
        }
        let first = self.nodes.len();
        self.nodes.push(GrownNode::Leaf(0));
        self.nodes.push(GrownNode::Leaf(0));
        self.nodes[leaf.node] = GrownNode::Split {
            feature: split.feature,
            test: split.test,
            gain: split.gain,
            left: first as u32,
            right: first as u32 + 1,
        };
        let child = |node, start, len, sums, bounds| OpenLeaf {
            node,
            start,
            len,
            depth: leaf.depth + 1,
            sums,
            bounds,
            path: path.clone(),
            histogram: None,
            best: None,
        };
        let mut left = child(first, leaf.start, left_len, left_sums, left_bounds);
        let mut right =
            child(first + 1, leaf.start + left_len, leaf.len - left_len, right_sums, right_bounds);
        let splittable = |leaf: &OpenLeaf| leaf.len >= 2 * plan.rule.min_rows.max(1) as usize;
        let ends = is_last || left.depth >= limits.depth || !(splittable(&left) || splittable(&right));
        let parent = leaf.histogram.take();
        if let (Some(mut parent), false) = (parent, ends) {
            let mut small = self.pool.take(parent.len());
            let (smaller, larger) =
                if left.len <= right.len { (&mut left, &mut right) } else { (&mut right, &mut left) };
            self.build(smaller, &mut small);
            crate::kernel::subtract(&mut parent, &small);
            smaller.histogram = Some(small);
            larger.histogram = Some(parent);
            for leaf in [&mut left, &mut right] {
                if splittable(leaf) {
                    self.find(leaf);
                }
                if leaf.best.is_none()
                    && let Some(buffer) = leaf.histogram.take()
                {
                    self.pool.give(buffer);
                }
            }
        }
        for leaf in [left, right] {
            if leaf.best.is_some() { self.open.push(leaf) } else { self.done.push(leaf) }
        }
    }

    fn left_sums(&self, leaf: &OpenLeaf, split: &Split) -> Vec<Packed> {
        let layout = self.plan.layout;
        let start = layout.starts[split.feature as usize];
        let bin_count = self.plan.bins.columns[split.feature as usize].bin_count;
        let histogram = leaf.histogram.as_deref().unwrap_or_default();
        (0..self.packed.len())
            .map(|output| {
                let bins = &histogram[output * layout.total + start..][..bin_count];
                bins.iter()
                    .enumerate()
                    .filter(|(code, _)| !split.test.goes_right(*code as u8))
                    .map(|(_, bin)| bin)
                    .sum()
            })
            .collect()
    }

    /// The bounds of the two children; with refined bounds, those of the leaves they touch are brought up to date.
    fn child_bounds(
        &mut self,
        leaf: &OpenLeaf,
        split: &Split,
        left: &[Packed],
        right: &[Packed],
    ) -> ((f64, f64), (f64, f64)) {
        let wishes = [self.wish(left), self.wish(right)];
        match &mut self.hold {
            Hold::Free => (leaf.bounds, leaf.bounds),
            Hold::Middle(signs) => {
                let (low, high) = leaf.bounds;
                let [left, right] = wishes.map(|wish| wish.clamp(low, high));
                let middle = left / 2.0 + right / 2.0;
                match signs.get(split.feature as usize) {
                    Some(1) => ((low, middle), (middle, high)),
                    Some(-1) => ((middle, high), (low, middle)),
                    _ => (leaf.bounds, leaf.bounds),
                }
            }
            Hold::Neighbours(neighbours) => {
                let bin_count = self.plan.bins.columns[split.feature as usize].bin_count;
                let cut = Cut { feature: split.feature, test: &split.test, bin_count };
                let touched = neighbours.split(leaf.node, cut, wishes);
                let first = self.nodes.len();
                let bounds = (neighbours.bounds(first), neighbours.bounds(first + 1));
                self.rebound(&touched);
                bounds
            }
        }
    }

    /// The value that a leaf would take if it were free.
    fn wish(&self, sums: &[Packed]) -> f64 {
        let (gradient, hessian) = self.plan.unit.sums(sums[0]);
        let rule = &self.plan.rule;
        splitter::leaf_value(gradient, hessian, rule.l1, rule.l2, (f64::NEG_INFINITY, f64::INFINITY))
    }

    /// Looks again for the best split of open leaves whose bounds have moved.
    fn rebound(&mut self, touched: &[u32]) {
        for node in touched {
            let Hold::Neighbours(neighbours) = &self.hold else { return };
            let bounds = neighbours.bounds(*node as usize);
            let Some(index) = self.open.iter().position(|leaf| leaf.node == *node as usize) else { continue };
            if self.open[index].bounds == bounds {
                continue;
            }
            let mut leaf = self.open.remove(index);
            leaf.bounds = bounds;
            leaf.best = None;
            self.find(&mut leaf);
            if leaf.best.is_some() {
                self.open.insert(index, leaf);
                continue;
            }
            if let Some(buffer) = leaf.histogram.take() {
                self.pool.give(buffer);
            }
            self.done.push(leaf);
        }
    }

    fn finish(mut self) -> Grown {
        let mut all = std::mem::take(&mut self.done);
        for mut leaf in std::mem::take(&mut self.open) {
            if let Some(buffer) = leaf.histogram.take() {
                self.pool.give(buffer);
            }
            all.push(leaf);
        }
        all.sort_by_key(|leaf| leaf.start);
        if let Hold::Neighbours(neighbours) = &mut self.hold {
            let nodes: Vec<usize> = all.iter().map(|leaf| leaf.node).collect();
            neighbours.settle(&nodes);
            // One value each is in order with all others; estimating leaves one by one must not move it.
            for leaf in &mut all {
                leaf.bounds = (neighbours.value(leaf.node), neighbours.value(leaf.node));
            }
        }
        for (index, leaf) in all.iter().enumerate() {
            self.nodes[leaf.node] = GrownNode::Leaf(index as u32);
        }
        let leaves = all
            .into_iter()
            .map(|leaf| GrownLeaf { start: leaf.start, len: leaf.len, sums: leaf.sums, bounds: leaf.bounds })
            .collect();
        Grown { shape: Shape::General(self.nodes), leaves, rows: self.rows }
    }
}

/// The best split over features; ties go to the lowest feature.
fn best_split(node: &NodeView<'_>, views: &[FeatureView], rule: &Rule, unit: Unit) -> Option<Split> {
    let bins: usize = views.iter().map(|view| view.bin_count).sum::<usize>() * node.sums.len();
    let better = |a: Option<Split>, b: Option<Split>| match (a, b) {
        (Some(a), Some(b)) => {
            let b_wins = b.gain > a.gain || (b.gain == a.gain && b.feature < a.feature);
            Some(if b_wins { b } else { a })
        }
        (a, b) => a.or(b),
    };
    if bins >= PARALLEL_BINS && rayon::current_num_threads() > 1 {
        views
            .par_iter()
            .with_min_len(8)
            .map(|view| splitter::best_of_feature(node, view, rule, unit))
            .reduce(|| None, better)
    } else {
        views.iter().map(|view| splitter::best_of_feature(node, view, rule, unit)).fold(None, better)
    }
}

/// Moves the rows that go left before those that go right, each in their order; returns how many go left.
pub(crate) fn partition(bins: &Bins, rows: &mut [u32], scratch: &mut [u32], split: &Split) -> usize {
    let (block, lane) = bins.places[split.feature as usize];
    let words = &bins.blocks[block as usize].words;
    let shift = 8 * u32::from(lane);
    let goes_right = |row: u32| split.test.goes_right((words[row as usize] >> shift) as u8);
    if rows.len() < PARALLEL_ROWS || rayon::current_num_threads() == 1 {
        return partition_chunk(rows, scratch, goes_right);
    }
    // Each chunk is partitioned by itself, then the pieces are copied to their places.
    let chunk = PARALLEL_ROWS / 4;
    let counts: Vec<usize> = rows
        .par_chunks_mut(chunk)
        .zip(scratch.par_chunks_mut(chunk))
        .map(|(rows, scratch)| partition_chunk(rows, scratch, goes_right))
        .collect();
    let left_len: usize = counts.iter().sum();
    scratch.copy_from_slice(rows);
    let (mut left_rest, mut right_rest) = rows.split_at_mut(left_len);
    let mut moves = Vec::with_capacity(counts.len());
    for (piece, left) in scratch.chunks(chunk).zip(&counts) {
        let (left_target, rest) = left_rest.split_at_mut(*left);
        left_rest = rest;
        let (right_target, rest) = right_rest.split_at_mut(piece.len() - left);
        right_rest = rest;
        moves.push((piece, *left, left_target, right_target));
    }
    moves.into_par_iter().for_each(|(piece, left, left_target, right_target)| {
        left_target.copy_from_slice(&piece[..left]);
        right_target.copy_from_slice(&piece[left..]);
    });
    left_len
}

fn partition_chunk(rows: &mut [u32], scratch: &mut [u32], goes_right: impl Fn(u32) -> bool) -> usize {
    let mut left = 0;
    let mut right = 0;
    for index in 0..rows.len() {
        let row = rows[index];
        let is_right = goes_right(row);
        // Both are written and one counter moves: no branch to mispredict.
        rows[left] = row;
        scratch[right] = row;
        left += usize::from(!is_right);
        right += usize::from(is_right);
    }
    rows[left..].copy_from_slice(&scratch[..right]);
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::{BinParams, FeatureData};

    #[test]
    fn partition_is_stable_on_any_number_of_threads() {
        let values: Vec<f64> = (0..100_000).map(|i| f64::from((i * 7919) % 251)).collect();
        let bins = Bins::build(&[FeatureData::Number(&values)], &BinParams::default()).unwrap();
        let split = Split { gain: 1.0, feature: 0, test: Test::Number { bin: 100, missing_right: false } };
        let expected: Vec<u32> = (0..100_000u32)
            .filter(|row| bins.code(*row as usize, 0) <= 100)
            .chain((0..100_000u32).filter(|row| bins.code(*row as usize, 0) > 100))
            .collect();
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut rows: Vec<u32> = (0..100_000).collect();
            let mut scratch = vec![0; rows.len()];
            let left = pool.install(|| partition(&bins, &mut rows, &mut scratch, &split));
            assert_eq!(rows, expected);
            assert_eq!(left, expected.iter().filter(|row| values[**row as usize] <= 99.0).count());
        }
    }
}
