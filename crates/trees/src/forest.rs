//! Random forests and extra trees on the histograms of boosting.
//!
//! With the gradient minus the target and second derivative 1, the boosting gain sum of G^2 / H is the decrease of the
//! variance, and over class indicators that of the Gini index; a leaf's Newton step is its mean. So a forest is the same
//! grower without boosting; entropy is the one other score. Source: Breiman (2001); Geurts, Ernst and Wehenkel (2006) for
//! random thresholds (drawn here among the bin edges that separate the node's rows).

use kaizen_base::{Flow, Seed, Signal};
use rayon::prelude::*;

use crate::bins::Bins;
use crate::builder::{Builder, plain_columns};
use crate::ensemble::Ensemble;
use crate::error::{Result, TreesError};
use crate::grower::{self, Grown, Limits, Plan};
use crate::histogram::{Layout, Pool};
use crate::input::TrainInput;
use crate::kernel::{Packed, pack};
use crate::leaves::{self, LeafModels};
use crate::params::MonotoneBound;
use crate::splitter::{Criterion, Rule, Unit};

/// What a forest predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForestTarget {
    /// The mean; splits lower the variance.
    Mean,
    /// A probability for each class; splits lower the Gini index. The target is a class index.
    Classes(u32),
}

/// What a split of a forest of classes lowers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForestCriterion {
    /// The variance; of class indicators it is the Gini index (Breiman et al. 1984).
    Gini,
    /// The entropy of the classes (Quinlan 1986); for classes only.
    Entropy,
}

impl ForestCriterion {
    fn of_splits(self) -> Criterion {
        match self {
            Self::Gini => Criterion::Newton,
            Self::Entropy => Criterion::Entropy,
        }
    }
}

/// Everything about a forest.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestParams {
    /// What is predicted.
    pub target: ForestTarget,
    /// What splits lower.
    pub criterion: ForestCriterion,
    /// Number of trees, >= 1.
    pub trees: u32,
    /// Draw rows with replacement for each tree.
    pub bootstrap: bool,
    /// Share of features tried at a node; `None` is the root of their number over it for classes and 1 for the mean.
    pub column_share: Option<f64>,
    /// One random threshold for each feature (extra trees).
    pub random_thresholds: bool,
    /// Least number of rows in a leaf, >= 1.
    pub min_rows: u32,
    /// Largest number of leaves of a tree, 2 to 65536.
    pub max_leaves: u32,
    /// Largest depth, 1 or more.
    pub max_depth: u32,
}

impl ForestParams {
    /// A random forest of 100 bootstrapped trees.
    pub fn random_forest(target: ForestTarget) -> Self {
        Self {
            target,
            criterion: ForestCriterion::Gini,
            trees: 100,
            bootstrap: true,
            column_share: None,
            random_thresholds: false,
            min_rows: 1,
            max_leaves: 65_536,
            max_depth: 64,
        }
    }

    /// Extra trees: all rows, random thresholds.
    pub fn extra_trees(target: ForestTarget) -> Self {
        Self { bootstrap: false, random_thresholds: true, ..Self::random_forest(target) }
    }

    fn check(&self) -> Result<()> {
        let fail = |name, value: f64, allowed| Err(TreesError::Parameter { name, value, allowed });
        if self.trees == 0 {
            return fail("trees", 0.0, ">= 1");
        }
        if self.criterion == ForestCriterion::Entropy && self.target == ForestTarget::Mean {
            return fail("criterion", 1.0, "entropy with classes only");
        }
        if self.min_rows == 0 {
            return fail("min_rows", 0.0, ">= 1");
        }
        if !(2..=65_536).contains(&self.max_leaves) {
            return fail("max_leaves", f64::from(self.max_leaves), "2 to 65536");
        }
        if self.max_depth == 0 {
            return fail("max_depth", 0.0, ">= 1");
        }
        match self.column_share {
            Some(share) if !(share > 0.0 && share <= 1.0) => fail("column_share", share, "0 < share <= 1"),
            _ => match self.target {
                ForestTarget::Classes(classes) if classes < 2 => fail("classes", f64::from(classes), ">= 2"),
                _ => Ok(()),
            },
        }
    }
}

/// A finished forest.
#[derive(Clone, Debug)]
pub struct Forest {
    /// Predicts means, or probabilities `[rows, classes]`.
    pub ensemble: Ensemble,
    /// Mean prediction `[rows, outputs]` of the trees that did not see the row, in the order of the input's rows; NaN for
    /// rows that every tree saw. Empty without bootstrap.
    pub out_of_bag: Vec<f64>,
}

/// Fixed-point steps of a unit of target and of weight, chosen so that no sum over rows leaves 31 bits.
struct Scale {
    target: f64,
    weight: f64,
    centre: f64,
}

/// Grows a forest; `start`, `features` of the input are obeyed, validation rows are ignored.
///
/// Told to finish, the trees grown so far are the forest (one at least). The same bits come out on any number of threads
/// unless told to finish early.
///
/// # Errors
/// As [`crate::train`].
pub fn forest(input: &TrainInput<'_>, params: &ForestParams, seed: Seed, signal: &Signal) -> Result<Forest> {
    params.check()?;
    let objective = match params.target {
        ForestTarget::Mean => crate::params::Objective::Squared,
        ForestTarget::Classes(classes) => crate::params::Objective::Softmax { classes, shared: true },
    };
    crate::input::check_input(input, &crate::params::BoostParams::leaf_wise(objective))?;
    let outputs = match params.target {
        ForestTarget::Mean => 1,
        ForestTarget::Classes(classes) => classes as usize,
    };
    let layout = Layout::new(input.bins);
    let features: Vec<u32> = input
        .features
        .map_or_else(|| (0..input.bins.feature_count() as u32).collect(), <[u32]>::to_vec)
        .into_iter()
        .filter(|feature| input.bins.columns[*feature as usize].can_split())
        .collect();
    let grow = |tree: u32| {
        if tree > 0 && signal.flow() == Flow::Finish {
            return Ok(None);
        }
        grow_tree(input, params, &layout, &features, outputs, seed.child("forest", u64::from(tree)), signal)
            .map(Some)
    };
    let grown: Vec<Option<GrownTree>> = (0..params.trees).into_par_iter().map(grow).collect::<Result<_>>()?;
    let mut builder = Builder::new(plain_columns(input.bins), input.bins.feature_count(), outputs);
    let mut bag = OutOfBag::new(input.rows.len(), outputs);
    let mut count = 0u32;
    for tree in grown.into_iter().flatten() {
        builder.add(&tree.grown, 0..outputs, &tree.models, &tree.counts);
        if params.bootstrap {
            bag.add(input, &tree, outputs);
        }
        count += 1;
    }
    builder.set_scale(1.0 / f64::from(count));
    let out_of_bag = if params.bootstrap { bag.finish() } else { Vec::new() };
    Ok(Forest { ensemble: builder.finish(), out_of_bag })
}

struct GrownTree {
    grown: Grown,
    models: LeafModels,
    counts: Vec<f32>,
    /// How often each input row was drawn.
    drawn: Vec<u32>,
}

fn grow_tree(
    input: &TrainInput<'_>,
    params: &ForestParams,
    layout: &Layout,
    features: &[u32],
    outputs: usize,
    seed: Seed,
    signal: &Signal,
) -> Result<GrownTree> {
    let mut rng = seed.child("structure", 0).rng();
    let count = input.rows.len();
    let mut drawn = vec![u32::from(!params.bootstrap); count];
    if params.bootstrap {
        for _ in 0..count {
            drawn[rng.below(count)] += 1;
        }
    }
    let weights: Vec<f64> = input
        .rows
        .iter()
        .zip(&drawn)
        .map(|(row, drawn)| f64::from(*drawn) * input.weights.map_or(1.0, |weights| weights[*row as usize]))
        .collect();
    let rows: Vec<u32> =
        input.rows.iter().zip(&weights).filter(|(_, weight)| **weight > 0.0).map(|(row, _)| *row).collect();
    let (packed, unit, centre) = pack_targets(input, params.target, outputs, &weights);
    let share = params.column_share.unwrap_or_else(|| match params.target {
        ForestTarget::Mean => 1.0,
        ForestTarget::Classes(_) => (features.len().max(1) as f64).sqrt() / features.len().max(1) as f64,
    });
    let is_set: Vec<bool> = input.bins.columns.iter().map(|column| column.is_category()).collect();
    let plan = Plan {
        bins: input.bins,
        layout,
        rule: Rule {
            criterion: params.criterion.of_splits(),
            l1: 0.0,
            l2: 0.0,
            min_gain: 1e-12,
            min_child_weight: 0.0,
            min_rows: params.min_rows,
            set_smooth: 1.0,
            set_l2: 0.0,
            set_max_threshold: 256,
        },
        unit,
        is_set: &is_set,
        monotone: &[],
        bound: MonotoneBound::Middle,
        interactions: &[],
        column_share_node: share,
        random_thresholds: params.random_thresholds,
        signal,
    };
    let limits = Limits { leaves: params.max_leaves as usize, depth: params.max_depth, by_level: true };
    let lane_sets = layout.lane_sets(input.bins, features);
    let grown = grower::grow(&plan, limits, &packed, rows, features, &lane_sets, rng, &mut Pool::default())?;
    let mut values = Vec::with_capacity(grown.leaves.len() * outputs);
    for leaf in &grown.leaves {
        for sum in &leaf.sums {
            let (gradient, hessian) = unit.sums(*sum);
            values.push((centre - if hessian > 0.0 { gradient / hessian } else { 0.0 }) as f32);
        }
    }
    let counts = grown.leaves.iter().map(|leaf| leaf.len as f32).collect();
    let models = LeafModels { values, ..LeafModels::default() };
    Ok(GrownTree { grown, models, counts, drawn })
}

/// Minus the (centred) targets times weights, and the weights, in fixed point by table row.
fn pack_targets(
    input: &TrainInput<'_>,
    target: ForestTarget,
    outputs: usize,
    weights: &[f64],
) -> (Vec<Vec<Packed>>, Unit, f64) {
    let total: f64 = weights.iter().sum();
    let at = |row: u32| input.target[row as usize];
    let pairs = || input.rows.iter().copied().zip(weights);
    let centre = match target {
        ForestTarget::Mean if total > 0.0 => {
            pairs().map(|(row, weight)| weight * at(row)).sum::<f64>() / total
        }
        _ => 0.0,
    };
    let size: f64 = match target {
        ForestTarget::Mean => pairs().map(|(row, weight)| weight * (at(row) - centre).abs()).sum(),
        ForestTarget::Classes(_) => total,
    };
    let rows = input.rows.len() as f64;
    let room = (f64::from(i32::MAX) - rows).max(1.0);
    let scale = Scale {
        target: if size > 0.0 { room / size } else { 1.0 },
        weight: if total > 0.0 { power_of_two_below(room / total) } else { 1.0 },
        centre,
    };
    let packed = (0..outputs)
        .map(|output| {
            let mut packed = vec![0; input.bins.row_count()];
            for (row, weight) in pairs() {
                let value = match target {
                    ForestTarget::Mean => at(row) - scale.centre,
                    ForestTarget::Classes(_) => f64::from(u8::from(at(row) as usize == output)),
                };
                let gradient = -(weight * value * scale.target).round() as i64;
                packed[row as usize] = pack(gradient, (weight * scale.weight).round() as i64);
            }
            packed
        })
        .collect();
    (packed, Unit { gradient: 1.0 / scale.target, hessian: 1.0 / scale.weight }, centre)
}

/// The largest power of two not above a positive `x`, so that whole weights stay exact.
fn power_of_two_below(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & 0x7ff0_0000_0000_0000)
}

struct OutOfBag {
    sums: Vec<f64>,
    counts: Vec<u32>,
    outputs: usize,
}

impl OutOfBag {
    fn new(rows: usize, outputs: usize) -> Self {
        Self { sums: vec![0.0; rows * outputs], counts: vec![0; rows], outputs }
    }

    fn add(&mut self, input: &TrainInput<'_>, tree: &GrownTree, outputs: usize) {
        let bins: &Bins = input.bins;
        for (position, row) in
            input.rows.iter().enumerate().filter(|(position, _)| tree.drawn[*position] == 0)
        {
            let leaf = tree.grown.leaf_of(bins, *row as usize);
            let sums = &mut self.sums[position * outputs..(position + 1) * outputs];
            leaves::add_values(sums, &tree.models.values, leaf, outputs);
            self.counts[position] += 1;
        }
    }

    fn finish(mut self) -> Vec<f64> {
        for (sums, count) in self.sums.chunks_exact_mut(self.outputs).zip(&self.counts) {
            for sum in sums {
                // Rows that every tree saw become 0 / 0.
                *sum /= f64::from(*count);
            }
        }
        self.sums
    }
}
