//! A trained ensemble: immutable, flat in memory, and the same bits as during training.
//!
//! Raw values are turned into the codes of training first, then trees compare bytes. Nodes take eight bytes and the two
//! children lie side by side, so a step is one load, one comparison and one addition; symmetric trees have no nodes to
//! chase at all: the answers of their levels are the bits of the leaf's index. Rows go through in blocks whose codes
//! stay in the first-level cache while all trees pass over them.

use std::sync::Arc;

use rayon::prelude::*;

use crate::bins::{Bins, Coding, FeatureData, code_of_level, code_of_number};
use crate::error::{Result, TreesError};
use crate::linear::{LinearModels, Numbers};
use crate::ordered::Statistic;
use crate::row::LazyWalk;
use crate::splitter::Test;

/// Rows that go through all trees together.
const BLOCK_ROWS: usize = 256;

/// A leaf; `child` is its first value.
pub(crate) const LEAF: u8 = 1;
/// A set of levels; its bits stand in `sets`.
pub(crate) const SET: u8 = 2;
/// Missing goes right.
pub(crate) const MISSING_RIGHT: u8 = 4;

/// One node: an inner one sends codes above `bin` to `child + 1` and others to `child`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) child: u32,
    pub(crate) column: u16,
    pub(crate) bin: u8,
    pub(crate) flags: u8,
}

impl Node {
    pub(crate) fn goes_right(self, code: u8, set: impl FnOnce() -> [u32; 8]) -> bool {
        if self.flags & SET != 0 {
            return set()[usize::from(code >> 5)] >> (code & 31) & 1 == 0;
        }
        // Bit 2 becomes 1: the missing code turns into the largest.
        let shift = self.flags >> 2;
        code.wrapping_sub(shift) > self.bin.wrapping_sub(shift)
    }
}

/// How one column of codes is made of the input features.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnCoding {
    /// No tree looks at it.
    Unused,
    /// From one feature's value.
    Plain { feature: u32, coding: Arc<Coding> },
    /// A target statistic of one or several categories.
    Statistic(Arc<Statistic>),
}

/// Where a tree's parts lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TreeSpan {
    /// First node, or first level of a symmetric tree.
    pub(crate) first_node: u32,
    pub(crate) node_count: u32,
    /// First value of a symmetric tree's leaves.
    pub(crate) first_value: u32,
    pub(crate) value_count: u32,
    /// First entry of `covers`.
    pub(crate) first_leaf: u32,
    pub(crate) first_output: u32,
    pub(crate) output_count: u32,
    pub(crate) is_symmetric: bool,
}

/// A trained ensemble of trees.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    pub(crate) feature_count: usize,
    pub(crate) output_count: usize,
    /// Starting raw scores.
    pub(crate) base: Vec<f64>,
    /// Factor on the sum of the starting scores and all trees: 1 for boosting, 1 / trees for forests.
    pub(crate) scale: f64,
    pub(crate) columns: Vec<ColumnCoding>,
    pub(crate) trees: Vec<TreeSpan>,
    pub(crate) nodes: Vec<Node>,
    /// Gain of each node's split, 0 for leaves.
    pub(crate) gains: Vec<f32>,
    /// Index into `sets` of each node, empty if there is no set.
    pub(crate) set_of_node: Vec<u32>,
    pub(crate) sets: Vec<[u32; 8]>,
    pub(crate) values: Vec<f32>,
    /// Training rows in each leaf.
    pub(crate) covers: Vec<f32>,
    /// Linear models of leaves, counted over all trees as `covers`.
    pub(crate) linear: LinearModels,
    /// The trees as single rows walk them.
    pub(crate) row_walk: LazyWalk,
}

impl Ensemble {
    /// Number of raw scores of a row.
    pub fn output_count(&self) -> usize {
        self.output_count
    }

    /// Number of features that [`Ensemble::predict`] expects.
    pub fn feature_count(&self) -> usize {
        self.feature_count
    }

    /// Number of trees.
    pub fn tree_count(&self) -> usize {
        self.trees.len()
    }

    /// Rounds of boosting, or trees for each output of a forest: trees times their outputs over all outputs.
    pub fn round_count(&self) -> usize {
        let outputs: usize = self.trees.iter().map(|tree| tree.output_count as usize).sum();
        outputs / self.output_count.max(1)
    }

    /// Whether some leaf holds a linear model; such an ensemble predicts from raw values only.
    pub fn has_linear_leaves(&self) -> bool {
        !self.linear.is_empty()
    }

    /// Raw scores `[rows, outputs]` of the listed rows, row by row.
    ///
    /// Missing values follow the direction learned, or the heavier child where none were seen; unseen levels count as
    /// missing, and for target statistics as levels without history. A row with a missing or infinite value in a linear
    /// leaf gets the leaf's constant.
    ///
    /// # Errors
    /// [`TreesError::Shape`] if the number of features differs from training, a feature is a number where it was a
    /// category or the other way round, or a row lies outside.
    pub fn predict(&self, features: &[FeatureData<'_>], rows: &[u32]) -> Result<Vec<f64>> {
        self.check_features(features)?;
        if let Some(last) = rows.iter().max() {
            for feature in features {
                if feature.len() <= *last as usize {
                    let expected = *last as usize + 1;
                    return Err(TreesError::Shape {
                        what: "rows of a feature",
                        expected,
                        found: feature.len(),
                    });
                }
            }
        }
        let numbers = Numbers(features);
        Ok(self.predict_blocks(rows, numbers, |column, rows, codes| {
            self.code_rows(features, column, rows, codes);
        }))
    }

    /// Raw scores `[rows, outputs]` of rows of a binned table with the same features and bins as in training.
    ///
    /// # Errors
    /// [`TreesError::Shape`] if the table has another number of features or a row lies outside;
    /// [`TreesError::ValuesNeeded`] if there are linear leaves.
    pub fn predict_binned(&self, bins: &Bins, rows: &[u32]) -> Result<Vec<f64>> {
        if self.has_linear_leaves() {
            return Err(TreesError::ValuesNeeded);
        }
        if bins.feature_count() != self.feature_count {
            return Err(TreesError::Shape {
                what: "features",
                expected: self.feature_count,
                found: bins.feature_count(),
            });
        }
        if let Some(row) = rows.iter().find(|row| **row as usize >= bins.row_count()) {
            return Err(TreesError::Shape { what: "row", expected: bins.row_count(), found: *row as usize });
        }
        Ok(self.predict_blocks(rows, Numbers(&[]), |column, rows, codes| match &self.columns[column] {
            ColumnCoding::Unused => {}
            ColumnCoding::Plain { feature, .. } => {
                for (code, row) in codes.iter_mut().zip(rows) {
                    *code = bins.code(*row as usize, *feature as usize);
                }
            }
            ColumnCoding::Statistic(statistic) => {
                let levels = |feature: usize, row: usize| bins.columns[feature].levels[row];
                for (code, row) in codes.iter_mut().zip(rows) {
                    *code = statistic.code(|feature| levels(feature, *row as usize));
                }
            }
        }))
    }

    /// What the listed trees with their weights add to the scores of rows `[rows, outputs]`, on a table as in
    /// [`Ensemble::predict_columns`].
    pub(crate) fn sum_trees(
        &self,
        bins: &Bins,
        values: &[FeatureData<'_>],
        rows: &[u32],
        trees: &[(usize, f64)],
    ) -> Vec<f64> {
        let code = |column: usize, rows: &[u32], codes: &mut [u8]| code_column(bins, column, rows, codes);
        self.run_blocks(rows, code, |codes, rows, sums| {
            let mut leaf_of = vec![0u32; rows.len()];
            let mut scores = vec![0.0; sums.len()];
            for (tree, weight) in trees {
                let tree = &self.trees[*tree];
                self.leaves_of_block(tree, codes, &mut leaf_of);
                scores.fill(0.0);
                self.add_models(tree, &leaf_of, rows, Numbers(values), &mut scores);
                sums.iter_mut().zip(&scores).for_each(|(sum, score)| *sum += weight * score);
            }
        })
    }

    /// Raw scores of rows of a table whose columns are those of the ensemble, statistics included; `values` are looked
    /// at by linear leaves.
    pub(crate) fn predict_columns(&self, bins: &Bins, values: &[FeatureData<'_>], rows: &[u32]) -> Vec<f64> {
        self.predict_blocks(rows, Numbers(values), |column, rows, codes| {
            code_column(bins, column, rows, codes);
        })
    }

    fn check_features(&self, features: &[FeatureData<'_>]) -> Result<()> {
        if features.len() != self.feature_count {
            return Err(TreesError::Shape {
                what: "features",
                expected: self.feature_count,
                found: features.len(),
            });
        }
        let wrong = |feature: usize, category: bool| {
            matches!(features[feature], FeatureData::Category { .. }) != category
        };
        for column in &self.columns {
            let found = match column {
                ColumnCoding::Unused => None,
                ColumnCoding::Plain { feature, coding } => {
                    let category = matches!(**coding, Coding::Category { .. });
                    wrong(*feature as usize, category).then_some(*feature as usize)
                }
                ColumnCoding::Statistic(statistic) => {
                    statistic.features().iter().map(|f| *f as usize).find(|f| wrong(*f, true))
                }
            };
            if let Some(found) = found {
                return Err(TreesError::Shape { what: "kind of a feature", expected: found, found });
            }
        }
        Ok(())
    }

    fn code_rows(&self, features: &[FeatureData<'_>], column: usize, rows: &[u32], codes: &mut [u8]) {
        let level = |feature: usize, row: usize| match features[feature] {
            FeatureData::Category { codes, .. } => codes[row],
            FeatureData::Number(_) => u32::MAX,
        };
        match &self.columns[column] {
            ColumnCoding::Unused => {}
            ColumnCoding::Plain { feature, coding } => match (&**coding, features[*feature as usize]) {
                (Coding::Number { edges }, FeatureData::Number(values)) => {
                    for (code, row) in codes.iter_mut().zip(rows) {
                        *code = code_of_number(edges, values[*row as usize]);
                    }
                }
                (Coding::Category { code_of_level: table }, FeatureData::Category { codes: levels, .. }) => {
                    for (code, row) in codes.iter_mut().zip(rows) {
                        *code = code_of_level(table, levels[*row as usize]);
                    }
                }
                // `check_features` has refused every other pairing.
                _ => codes.fill(0),
            },
            ColumnCoding::Statistic(statistic) => {
                for (code, row) in codes.iter_mut().zip(rows) {
                    *code = statistic.code(|feature| level(feature, *row as usize));
                }
            }
        }
    }

    /// Runs blocks of rows through all trees; `code` fills one column's codes of a block.
    fn predict_blocks(
        &self,
        rows: &[u32],
        numbers: Numbers<'_>,
        code: impl Fn(usize, &[u32], &mut [u8]) + Sync,
    ) -> Vec<f64> {
        self.run_blocks(rows, code, |codes, rows, scores| self.score_block(codes, rows, numbers, scores))
    }

    /// Codes blocks of rows and lets `score` fill their scores `[rows, outputs]`, which start at 0.
    fn run_blocks(
        &self,
        rows: &[u32],
        code: impl Fn(usize, &[u32], &mut [u8]) + Sync,
        score: impl Fn(&[u8], &[u32], &mut [f64]) + Sync,
    ) -> Vec<f64> {
        let mut scores = vec![0.0; rows.len() * self.output_count];
        let work = |(rows, scores): (&[u32], &mut [f64])| {
            let stride = rows.len();
            let mut codes = vec![0u8; self.columns.len() * stride];
            for (column, slot) in codes.chunks_exact_mut(stride.max(1)).enumerate() {
                code(column, rows, slot);
            }
            score(&codes, rows, scores);
        };
        let chunk = BLOCK_ROWS * self.output_count.max(1);
        if rows.len() <= BLOCK_ROWS {
            if !rows.is_empty() {
                work((rows, &mut scores));
            }
        } else {
            rows.par_chunks(BLOCK_ROWS).zip(scores.par_chunks_mut(chunk)).for_each(work);
        }
        scores
    }

    /// Scores `[rows, outputs]` of a block of codes `[columns, rows]`.
    fn score_block(&self, codes: &[u8], rows: &[u32], numbers: Numbers<'_>, scores: &mut [f64]) {
        // Sums run as in training: from the starting scores, tree by tree.
        for row in scores.chunks_exact_mut(self.output_count.max(1)) {
            row.copy_from_slice(&self.base);
        }
        if let [row] = rows {
            self.add_row(codes, *row as usize, numbers, scores);
        } else {
            self.add_block(codes, rows, numbers, scores);
        }
        for score in scores.iter_mut() {
            *score *= self.scale;
        }
    }

    fn add_block(&self, codes: &[u8], rows: &[u32], numbers: Numbers<'_>, scores: &mut [f64]) {
        let mut leaf_of = vec![0u32; rows.len()];
        for tree in &self.trees {
            self.leaves_of_block(tree, codes, &mut leaf_of);
            self.add_models(tree, &leaf_of, rows, numbers, scores);
        }
    }

    /// The first value of the leaf of each row.
    fn leaves_of_block(&self, tree: &TreeSpan, codes: &[u8], leaf_of: &mut [u32]) {
        let stride = leaf_of.len();
        if tree.is_symmetric {
            self.symmetric_leaves(tree, codes, stride, leaf_of);
        } else {
            self.general_leaves(tree, codes, stride, leaf_of);
        }
    }

    /// Adds what a tree predicts to the scores of a block `[rows, outputs]`; `leaf_of` holds the first values of leaves.
    fn add_models(
        &self,
        tree: &TreeSpan,
        leaf_of: &[u32],
        rows: &[u32],
        numbers: Numbers<'_>,
        scores: &mut [f64],
    ) {
        let scores = scores.chunks_exact_mut(self.output_count);
        for ((scores, first_value), row) in scores.zip(leaf_of).zip(rows) {
            self.add_leaf(tree, *first_value, *row as usize, numbers, scores);
        }
    }

    /// Adds what a leaf predicts to the scores of a row `[outputs]`.
    #[inline(always)]
    pub(crate) fn add_leaf(
        &self,
        tree: &TreeSpan,
        first_value: u32,
        row: usize,
        numbers: Numbers<'_>,
        scores: &mut [f64],
    ) {
        let scores = &mut scores[tree.first_output as usize..][..tree.output_count as usize];
        if !self.linear.is_empty() {
            let leaf = tree.first_leaf + (first_value - tree.first_value) / tree.output_count;
            if let Some(value) = self.linear.value(leaf as usize, row, numbers) {
                scores[0] += value;
                return;
            }
        }
        let values = &self.values[first_value as usize..][..scores.len()];
        for (score, value) in scores.iter_mut().zip(values) {
            *score += f64::from(*value);
        }
    }

    fn symmetric_leaves(&self, tree: &TreeSpan, codes: &[u8], stride: usize, leaf_of: &mut [u32]) {
        leaf_of.fill(0);
        let first = tree.first_node as usize;
        for depth in 0..tree.node_count as usize {
            let node = self.nodes[first + depth];
            let column = &codes[usize::from(node.column) * stride..][..stride];
            let set = if node.flags & SET != 0 { self.set_at(first + depth) } else { [0; 8] };
            for (leaf, code) in leaf_of.iter_mut().zip(column) {
                *leaf |= u32::from(node.goes_right(*code, || set)) << depth;
            }
        }
        for leaf in leaf_of.iter_mut() {
            *leaf = tree.first_value + *leaf * tree.output_count;
        }
    }

    fn general_leaves(&self, tree: &TreeSpan, codes: &[u8], stride: usize, leaf_of: &mut [u32]) {
        for (row, leaf) in leaf_of.iter_mut().enumerate() {
            let mut index = tree.first_node as usize;
            let mut node = self.nodes[index];
            while node.flags & LEAF == 0 {
                let code = codes[usize::from(node.column) * stride + row];
                let right = node.goes_right(code, || self.set_at(index));
                index = node.child as usize + usize::from(right);
                node = self.nodes[index];
            }
            *leaf = node.child;
        }
    }

    pub(crate) fn set_at(&self, node: usize) -> [u32; 8] {
        self.sets[self.set_of_node[node] as usize]
    }

    /// Sum of the gains of all splits on each feature `[features]`; a combination of categories counts for each in
    /// equal shares.
    pub fn feature_gains(&self) -> Vec<f64> {
        self.importance(|index| f64::from(self.gains[index]))
    }

    /// Number of splits on each feature `[features]`, counted as in [`Ensemble::feature_gains`].
    pub fn feature_counts(&self) -> Vec<f64> {
        self.importance(|_| 1.0)
    }

    fn importance(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.feature_count];
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.flags & LEAF == 0) {
            match &self.columns[usize::from(node.column)] {
                ColumnCoding::Unused => {}
                ColumnCoding::Plain { feature, .. } => sums[*feature as usize] += weight(index),
                ColumnCoding::Statistic(statistic) => {
                    let features = statistic.features();
                    for feature in features {
                        sums[*feature as usize] += weight(index) / features.len() as f64;
                    }
                }
            }
        }
        sums
    }
}

/// The codes of one column of a binned table.
fn code_column(bins: &Bins, column: usize, rows: &[u32], codes: &mut [u8]) {
    for (code, row) in codes.iter_mut().zip(rows) {
        *code = bins.code(*row as usize, column);
    }
}

/// The set of a test as the ensemble stores it.
pub(crate) fn set_words(left: [u64; 4]) -> [u32; 8] {
    let mut words = [0; 8];
    for (index, word) in left.iter().enumerate() {
        words[2 * index] = *word as u32;
        words[2 * index + 1] = (*word >> 32) as u32;
    }
    words
}

/// A test as a node's threshold, flags and set.
pub(crate) fn encode_test(test: &Test) -> (u8, u8, Option<[u32; 8]>) {
    match test {
        Test::Number { bin, missing_right } => (*bin, if *missing_right { MISSING_RIGHT } else { 0 }, None),
        Test::Set { left } => (0, SET, Some(set_words(*left))),
    }
}
