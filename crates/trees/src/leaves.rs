//! Values of the leaves of a grown tree.

use std::ops::Range;

use rayon::prelude::*;

use crate::bins::Bins;
use crate::derivatives::Derivatives;
use crate::grower::Grown;
use crate::input::TrainInput;
use crate::joint;
use crate::linear::{LinearModels, Numbers};
use crate::objective::{CHUNK, weighted_quantile};
use crate::params::Objective;
use crate::splitter::{Unit, leaf_value};

/// Marks a table row that takes no part in training.
pub(crate) const NO_LEAF: u32 = u32::MAX;

/// How leaf values are found.
pub(crate) struct LeafRule<'a> {
    pub(crate) objective: &'a Objective,
    pub(crate) l1: f64,
    pub(crate) l2: f64,
    pub(crate) steps: u32,
    pub(crate) rate: f64,
}

/// Leaf of each table row on the codes of `bins`, [`NO_LEAF`] for rows outside the training.
///
/// `known` says that the tree was grown on these codes, and whether on all training rows; the rows it was grown on are
/// then looked up instead of sent down the tree.
pub(crate) fn assign(grown: &Grown, input: &TrainInput<'_>, bins: &Bins, known: Option<bool>) -> Vec<u32> {
    let mut leaf_of = vec![NO_LEAF; bins.row_count()];
    if known.is_some() {
        for (index, leaf) in grown.leaves.iter().enumerate() {
            for row in &grown.rows[leaf.start..leaf.start + leaf.len] {
                leaf_of[*row as usize] = index as u32;
            }
        }
    }
    if known != Some(true) {
        let rest: Vec<u32> =
            input.rows.iter().copied().filter(|row| leaf_of[*row as usize] == NO_LEAF).collect();
        let found: Vec<Vec<u32>> = rest.par_chunks(CHUNK).map(|rows| grown.leaves_of(bins, rows)).collect();
        for (row, leaf) in rest.iter().zip(found.iter().flatten()) {
            leaf_of[*row as usize] = *leaf;
        }
    }
    leaf_of
}

/// What the leaves of one tree predict.
#[derive(Debug, Default)]
pub(crate) struct LeafModels {
    /// Constants `[leaves, outputs]`.
    pub(crate) values: Vec<f32>,
    /// Linear models, where leaves have one; the tree has one output then.
    pub(crate) linear: LinearModels,
}

impl LeafModels {
    /// Adds what `leaf` predicts for a table row to the row's scores `[outputs of the tree]`.
    #[inline(always)]
    pub(crate) fn add_to(&self, scores: &mut [f64], leaf: usize, row: usize, numbers: Numbers<'_>) {
        match self.linear.value(leaf, row, numbers) {
            Some(value) => scores[0] += value,
            None => add_values(scores, &self.values, leaf, scores.len()),
        }
    }
}

/// Adds what each row's leaf predicts to its scores `[table rows, all outputs]`.
pub(crate) fn apply(
    scores: &mut [f64],
    stride: usize,
    leaf_of: &[u32],
    models: &LeafModels,
    numbers: Numbers<'_>,
    outputs: Range<usize>,
) {
    scores.par_chunks_mut(CHUNK * stride).zip(leaf_of.par_chunks(CHUNK)).enumerate().for_each(
        |(chunk, (scores, leaves))| {
            for (index, (row, leaf)) in scores.chunks_exact_mut(stride).zip(leaves).enumerate() {
                if *leaf != NO_LEAF {
                    let table_row = chunk * CHUNK + index;
                    models.add_to(&mut row[outputs.clone()], *leaf as usize, table_row, numbers);
                }
            }
        },
    );
}

/// Training rows in each leaf.
pub(crate) fn counts(leaf_of: &[u32], rows: &[u32], leaf_count: usize) -> Vec<f32> {
    let mut counts = vec![0u32; leaf_count];
    for row in rows {
        counts[leaf_of[*row as usize] as usize] += 1;
    }
    counts.into_iter().map(|count| count as f32).collect()
}

/// Adds the values of a leaf to the scores of a row.
#[inline(always)]
pub(crate) fn add_values(scores: &mut [f64], values: &[f32], leaf: usize, width: usize) {
    for (score, value) in scores.iter_mut().zip(&values[leaf * width..]) {
        *score += f64::from(*value);
    }
}

/// Shrunken values `[leaves, outputs]`, rounded to 32 bits as they are stored.
///
/// With `unit` the sums found while growing (on the sampled rows) are used; without, derivatives of all training rows
/// are summed again, and logistic losses take several Newton steps. Leaves with a value a class take the joint step.
#[expect(clippy::too_many_arguments, reason = "the parts of one tree, used once")]
pub(crate) fn estimate(
    rule: &LeafRule<'_>,
    grown: &Grown,
    leaf_of: &[u32],
    input: &TrainInput<'_>,
    scores: &[f64],
    derivatives: &Derivatives,
    outputs: Range<usize>,
    unit: Option<Unit>,
) -> Vec<f32> {
    let width = outputs.len();
    let leaf_count = grown.leaves.len();
    if let Some(level) = rule.objective.leaf_quantile() {
        return quantile_values(rule, leaf_of, leaf_count, input, scores, level);
    }
    if width > 1 && width <= joint::MAX_CLASSES {
        let sizes = (leaf_count, width);
        let values = joint::values(leaf_of, input, derivatives, sizes, (rule.l1, rule.l2));
        return values.iter().map(|value| (rule.rate * value) as f32).collect();
    }
    let steps =
        if matches!(rule.objective, Objective::Logistic | Objective::Focal { .. }) { rule.steps } else { 1 };
    let mut values = vec![0.0f64; leaf_count * width];
    if let (Some(unit), 1) = (unit, steps) {
        for (leaf, values) in grown.leaves.iter().zip(values.chunks_exact_mut(width)) {
            for (sum, value) in leaf.sums.iter().zip(values) {
                let (gradient, hessian) = unit.sums(*sum);
                *value = leaf_value(gradient, hessian, rule.l1, rule.l2, leaf.bounds);
            }
        }
    } else {
        let sums = leaf_sums(leaf_of, input, derivatives, outputs, leaf_count);
        for (index, leaf) in grown.leaves.iter().enumerate() {
            for output in 0..width {
                let (gradient, hessian) = sums[index * width + output];
                values[index * width + output] = leaf_value(gradient, hessian, rule.l1, rule.l2, leaf.bounds);
            }
        }
        let mut brackets: Vec<(f64, f64)> = sums
            .iter()
            .map(
                |(gradient, _)| if *gradient > 0.0 { (f64::NEG_INFINITY, 0.0) } else { (0.0, f64::INFINITY) },
            )
            .collect();
        for _ in 1..steps {
            if !newton_step(rule, grown, leaf_of, input, scores, &mut values, &mut brackets) {
                break;
            }
        }
    }
    values.iter().map(|value| (rule.rate * value) as f32).collect()
}

/// Sums of both derivatives in each leaf and output, over fixed chunks.
fn leaf_sums(
    leaf_of: &[u32],
    input: &TrainInput<'_>,
    derivatives: &Derivatives,
    outputs: Range<usize>,
    leaf_count: usize,
) -> Vec<(f64, f64)> {
    let width = outputs.len();
    let parts: Vec<Vec<(f64, f64)>> = input
        .rows
        .par_chunks(CHUNK)
        .enumerate()
        .map(|(chunk, rows)| {
            let mut sums = vec![(0.0, 0.0); leaf_count * width];
            for (index, output) in outputs.clone().enumerate() {
                let (gradients, hessians) = derivatives.chunk(chunk, output);
                for ((row, gradient), hessian) in rows.iter().zip(gradients).zip(hessians) {
                    let slot = &mut sums[leaf_of[*row as usize] as usize * width + index];
                    slot.0 += gradient;
                    slot.1 += hessian;
                }
            }
            sums
        })
        .collect();
    add_up(&parts, leaf_count * width)
}

fn add_up(parts: &[Vec<(f64, f64)>], len: usize) -> Vec<(f64, f64)> {
    let mut total = vec![(0.0, 0.0); len];
    for part in parts {
        for (sum, part) in total.iter_mut().zip(part) {
            sum.0 += part.0;
            sum.1 += part.1;
        }
    }
    total
}

/// Steps smaller than this share of the largest value end the iteration.
const CONVERGED: f64 = 1e-3;

/// One more Newton step of all leaves at once; false when the steps have become small.
///
/// The minimum of each leaf lies inside its bracket, which every slope narrows; a step out of it becomes a bisection,
/// because plain Newton steps diverge where the curvature of the logistic loss has vanished.
fn newton_step(
    rule: &LeafRule<'_>,
    grown: &Grown,
    leaf_of: &[u32],
    input: &TrainInput<'_>,
    scores: &[f64],
    values: &mut [f64],
    brackets: &mut [(f64, f64)],
) -> bool {
    let leaf_count = grown.leaves.len();
    let present = &*values;
    let parts: Vec<Vec<(f64, f64)>> = input
        .rows
        .par_chunks(CHUNK)
        .map(|rows| {
            let score: Vec<f64> = rows
                .iter()
                .map(|row| scores[*row as usize] + present[leaf_of[*row as usize] as usize])
                .collect();
            let target: Vec<f64> = rows.iter().map(|row| input.target[*row as usize]).collect();
            let mut gradients = vec![0.0; rows.len()];
            let mut hessians = vec![0.0; rows.len()];
            rule.objective.derivatives(&score, &target, &mut gradients, &mut hessians);
            let mut sums = vec![(0.0, 0.0); leaf_count];
            for ((row, gradient), hessian) in rows.iter().zip(&gradients).zip(&hessians) {
                let weight = input.weights.map_or(1.0, |weights| weights[*row as usize]);
                let slot = &mut sums[leaf_of[*row as usize] as usize];
                slot.0 += weight * gradient;
                slot.1 += weight * hessian;
            }
            sums
        })
        .collect();
    let mut largest = (0.0f64, 0.0f64);
    for (index, (gradient, hessian)) in add_up(&parts, leaf_count).iter().enumerate() {
        let (value, bracket) = (&mut values[index], &mut brackets[index]);
        // The penalty pulls the whole value, not only this step.
        let slope = gradient + rule.l2 * *value;
        if slope > 0.0 {
            bracket.1 = bracket.1.min(*value);
        } else {
            bracket.0 = bracket.0.max(*value);
        }
        let step = leaf_value(slope, *hessian, rule.l1, rule.l2, (f64::NEG_INFINITY, f64::INFINITY));
        let mut next = *value + step;
        if next < bracket.0 || next > bracket.1 {
            next = bracket.0 / 2.0 + bracket.1 / 2.0;
        }
        let bounds = grown.leaves[index].bounds;
        let next = if next.is_finite() { next.clamp(bounds.0, bounds.1) } else { *value };
        largest = (largest.0.max((next - *value).abs()), largest.1.max(next.abs()));
        *value = next;
    }
    largest.0 > CONVERGED * largest.1
}

/// Weighted quantiles of the residuals of each leaf (Friedman 2001, algorithm 3).
fn quantile_values(
    rule: &LeafRule<'_>,
    leaf_of: &[u32],
    leaf_count: usize,
    input: &TrainInput<'_>,
    scores: &[f64],
    level: f64,
) -> Vec<f32> {
    let mut residuals: Vec<Vec<(f64, f64)>> = vec![Vec::new(); leaf_count];
    for row in input.rows {
        let row = *row as usize;
        let weight = input.weights.map_or(1.0, |weights| weights[row]);
        residuals[leaf_of[row] as usize].push((input.target[row] - scores[row], weight));
    }
    residuals.par_iter_mut().map(|pairs| (rule.rate * weighted_quantile(pairs, level)) as f32).collect()
}
