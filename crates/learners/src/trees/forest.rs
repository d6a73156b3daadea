//! Averages of independent deep trees, each grown by the engine on a share of the rows.
//!
//! A tree is one round of least squares without shrinkage from the mean: its leaves hold means, and variance is what
//! its splits reduce, which for a class coded 0 and 1 is Gini's index. Binary tasks and numbers take one tree a draw,
//! several classes one tree for each class. Rows are drawn without replacement at the share of distinct rows that a
//! bootstrap has (1 - 1/e; Bühlmann and Yu 2002 on the equivalence), which needs no weights. The trees are joined into one
//! ensemble, so that a row's columns are coded once for all of them.

use kaizen_base::Flow;
use kaizen_model::{Ctx, Extent, FitError, Fitted, Handles, Inputs, Memory, Sample, Shape, Task};
use kaizen_space::{Config, Param, Space};
use kaizen_trees::{BoostParams, Ensemble, EnsembleParts, Growth, Objective, RowSampling, TrainInput, train};
use rayon::prelude::*;

use super::boosting::{TreeTarget, finish};
use super::data::{shared_bins, unfit};
use super::memory::Grove;
use super::model::{Link, Scores};
use crate::features::{admit, own_cells};
use crate::parameters::space;

/// What forests can do.
pub(crate) const HANDLES: Handles = Handles {
    binary: true,
    multiclass: true,
    regression: true,
    quantile: false,
    inputs: Inputs { missing: true, categories: true, sparse: false, scaled: false },
    weights: true,
    monotone: false,
    readable: false,
};

/// Leaves of a tree at most, which bounds a forest of a hundred trees to a few megabytes.
const LEAF_LIMIT: i64 = 1_000;

/// Trees for all classes together at most.
const TREE_LIMIT: usize = 600;

/// How the two kinds differ.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    /// Share of rows that a tree sees.
    pub(crate) row_share: f64,
    /// One random threshold a column and node.
    pub(crate) random_thresholds: bool,
}

/// Number of trees, leaf sizes and shares of columns.
pub(crate) fn forest_space(shape: &Shape) -> Space {
    let rows = shape.row_count.max(1) as i64;
    let columns = shape.column_count.max(1) as f64;
    // Breiman 2001: the square root of the number of columns for classes, more for numbers.
    let share = if shape.task.is_classification() { (1.0 / columns.sqrt()).max(0.05) } else { 0.5 };
    let most = (rows / 4).clamp(1, 50);
    space([
        Param::int("trees", 1, 500).log().starting_at(100),
        Param::int("min_rows", 1, most.max(2))
            .log()
            .starting_at(if shape.task.is_classification() { 1 } else { 3 }.min(most)),
        Param::float("column_share", 0.05, 1.0).log().starting_at(share),
    ])
}

/// What a forest takes of memory: every thread grows trees of its own, and trees are joined into one copy.
pub(crate) fn forest_memory(config: &Config, extent: &Extent) -> Memory {
    let indicators = if extent.task.is_classification() { extent.score_count() } else { 1 };
    let draws = (config.int("trees") as usize).min((TREE_LIMIT / indicators).max(1));
    let leaves = extent.train_count / config.int("min_rows").max(1) as usize;
    let mut memory = Grove {
        max_bins: 255,
        trees: draws * indicators,
        leaves: leaves.clamp(2, LEAF_LIMIT as usize),
        outputs: 1,
        scores: 1,
        orders: 0,
        at_once: extent.thread_count,
    }
    .memory(extent);
    memory.working_bytes += extent.row_bytes(indicators) + memory.fitted_bytes;
    memory
}

/// Grows a forest.
pub(crate) fn fit(
    kind: Kind,
    config: &Config,
    sample: Sample<'_>,
    ctx: &Ctx<'_>,
) -> Result<Fitted, FitError> {
    let features = admit(HANDLES, sample)?;
    let cells = own_cells(&features, &sample.data.table)?;
    let bins = shared_bins(sample, &features, &cells, 255)?;
    let target = TreeTarget::of(sample);
    let values = target.values(sample);
    let classes = target.classes.list().len();
    // One column of targets for each tree of a draw.
    let indicators: Vec<Vec<f64>> = match &sample.data.task {
        Task::Multiclass { .. } => (0..classes)
            .map(|class| values.iter().map(|&value| f64::from(u8::from(value == class as f64))).collect())
            .collect(),
        _ => vec![values.to_vec()],
    };
    let draws = (config.int("trees") as usize).min((TREE_LIMIT / indicators.len()).max(1));
    let min_rows = config.int("min_rows") as u32;
    let leaves = (sample.train.len() as i64 / i64::from(min_rows)).clamp(2, LEAF_LIMIT) as u32;
    let share = if sample.train.len() < 4 { 1.0 } else { kind.row_share };
    let params = BoostParams {
        rounds: 1,
        learning_rate: Some(1.0),
        growth: Growth::LeafWise { leaves, max_depth: 0 },
        min_rows,
        min_child_weight: 0.0,
        row_sampling: if share < 1.0 { RowSampling::Uniform { share } } else { RowSampling::All },
        column_share_node: config.float("column_share"),
        random_thresholds: kind.random_thresholds,
        ..BoostParams::leaf_wise(Objective::Squared)
    };
    let grown: Vec<Option<Vec<Ensemble>>> = (0..draws as u64)
        .into_par_iter()
        .map(|draw| {
            // Told to finish, the trees that are there must do; the first one always is.
            if draw > 0 && ctx.signal.flow() == Flow::Finish {
                return Ok(None);
            }
            let trees = indicators.iter().map(|indicator| {
                let mut input = TrainInput::new(&bins, sample.train, indicator);
                input.weights = sample.data.weights.as_ref().map(|weights| weights.as_slice());
                // All classes of a draw see the same rows and columns.
                train(&input, &params, ctx.seed.child("tree", draw), ctx.signal, &mut |_| Flow::Continue)
                    .map(|trained| trained.ensemble)
                    .map_err(|error| unfit(&error))
            });
            trees.collect::<Result<Vec<_>, FitError>>().map(Some)
        })
        .collect::<Result<_, FitError>>()?;
    let grown: Vec<Vec<Ensemble>> = grown.into_iter().flatten().collect();
    let cut_short = grown.len() < draws || ctx.signal.flow() == Flow::Finish;
    let ensemble = join(&grown)?;
    let valid_scores = match sample.valid {
        Some(rows) => Some(vec![ensemble.predict_binned(&bins, rows).map_err(|error| unfit(&error))?]),
        None => None,
    };
    let link = Link {
        task: sample.data.task.clone(),
        classes: target.classes.clone(),
        scores: Scores::Averaged,
        target_scale: target.scale,
    };
    Ok(finish(features, link, vec![ensemble], valid_scores, cut_short))
}

/// The average of draws, each with one ensemble of one output for each output of the whole.
fn join(draws: &[Vec<Ensemble>]) -> Result<Ensemble, FitError> {
    let all: Vec<(usize, EnsembleParts)> = draws
        .iter()
        .flat_map(|draw| draw.iter().enumerate().map(|(output, ensemble)| (output, ensemble.to_parts())))
        .collect();
    let outputs = draws.first().map_or(1, Vec::len);
    let mut whole = EnsembleParts {
        feature_count: all.first().map_or(0, |(_, parts)| parts.feature_count),
        output_count: outputs as u32,
        base: vec![0.0; outputs],
        scale: 1.0 / draws.len().max(1) as f64,
        node_offsets: vec![0],
        value_offsets: vec![0],
        ..EnsembleParts::default()
    };
    join_columns(&mut whole, &all);
    for (output, parts) in &all {
        let (nodes, values) = (whole.node_children.len() as u32, whole.values.len() as u32);
        whole.base[*output] += parts.base.first().copied().unwrap_or(0.0) * parts.scale;
        for (&child, &flags) in parts.node_children.iter().zip(&parts.node_flags) {
            whole.node_children.push(child + if flags & LEAF == 0 { nodes } else { values });
        }
        whole.node_columns.extend(&parts.node_columns);
        whole.node_bins.extend(&parts.node_bins);
        whole.node_flags.extend(&parts.node_flags);
        whole.node_gains.extend(&parts.node_gains);
        whole.sets.extend(&parts.sets);
        whole.values.extend(&parts.values);
        whole.covers.extend(&parts.covers);
        whole.tree_symmetric.extend(&parts.tree_symmetric);
        whole.tree_widths.extend(&parts.tree_widths);
        whole.tree_outputs.extend(parts.tree_outputs.iter().map(|_| *output as u32));
        whole.node_offsets.extend(parts.node_offsets[1..].iter().map(|offset| offset + nodes));
        whole.value_offsets.extend(parts.value_offsets[1..].iter().map(|offset| offset + values));
    }
    Ensemble::from_parts(&whole).map_err(|error| unfit(&error))
}

/// The flag of a leaf in [`EnsembleParts::node_flags`].
const LEAF: u8 = 1;

/// How columns are coded: as in any tree that uses them, since all trees saw the same bins.
fn join_columns(whole: &mut EnsembleParts, all: &[(usize, EnsembleParts)]) {
    let count = all.iter().map(|(_, parts)| parts.column_kinds.len()).max().unwrap_or(0);
    for offsets in
        [&mut whole.source_offsets, &mut whole.edge_offsets, &mut whole.table_offsets, &mut whole.key_offsets]
    {
        offsets.push(0);
    }
    for column in 0..count {
        let user = all
            .iter()
            .map(|(_, parts)| parts)
            .find(|parts| parts.column_kinds.get(column).is_some_and(|kind| *kind > 0));
        if let Some(parts) = user {
            let range = |offsets: &[u32]| offsets[column] as usize..offsets[column + 1] as usize;
            whole.source_features.extend(&parts.source_features[range(&parts.source_offsets)]);
            whole.source_levels.extend(&parts.source_levels[range(&parts.source_offsets)]);
            whole.edges.extend(&parts.edges[range(&parts.edge_offsets)]);
            whole.table_codes.extend(&parts.table_codes[range(&parts.table_offsets)]);
            whole.keys_low.extend(&parts.keys_low[range(&parts.key_offsets)]);
            whole.keys_high.extend(&parts.keys_high[range(&parts.key_offsets)]);
        }
        whole.column_kinds.push(user.map_or(0, |parts| parts.column_kinds[column]));
        whole.unseen_codes.push(user.map_or(0, |parts| parts.unseen_codes[column]));
        whole.source_offsets.push(whole.source_features.len() as u32);
        whole.edge_offsets.push(whole.edges.len() as u32);
        whole.table_offsets.push(whole.table_codes.len() as u32);
        whole.key_offsets.push(whole.keys_low.len() as u32);
    }
}
