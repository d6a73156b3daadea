//! Collects grown trees into the flat arrays of an ensemble.

use std::ops::Range;
use std::sync::Arc;

use crate::bins::{Bins, Column};
use crate::ensemble::{ColumnCoding, Ensemble, LEAF, Node, SET, TreeSpan, encode_test};
use crate::error::{Result, TreesError};
use crate::grower::{Grown, GrownNode, Shape};
use crate::leaves::LeafModels;
use crate::linear::LinearModels;
use crate::row::LazyWalk;

/// An ensemble under construction.
pub(crate) struct Builder {
    ensemble: Ensemble,
    start_count: usize,
}

/// Every feature of a table as a column of its own.
pub(crate) fn plain_columns(bins: &Bins) -> Vec<ColumnCoding> {
    let plain = |(feature, column): (usize, &Arc<Column>)| ColumnCoding::Plain {
        feature: feature as u32,
        coding: Arc::clone(&column.coding),
    };
    bins.columns.iter().enumerate().map(plain).collect()
}

impl Builder {
    pub(crate) fn new(columns: Vec<ColumnCoding>, feature_count: usize, outputs: usize) -> Self {
        let ensemble = Ensemble {
            feature_count,
            output_count: outputs,
            base: vec![0.0; outputs],
            scale: 1.0,
            columns,
            trees: Vec::new(),
            nodes: Vec::new(),
            gains: Vec::new(),
            set_of_node: Vec::new(),
            sets: Vec::new(),
            values: Vec::new(),
            covers: Vec::new(),
            linear: LinearModels::default(),
            row_walk: LazyWalk::default(),
        };
        Self { ensemble, start_count: 0 }
    }

    pub(crate) fn set_base(&mut self, base: Vec<f64>) {
        self.ensemble.base = base;
    }

    pub(crate) fn set_scale(&mut self, scale: f64) {
        self.ensemble.scale = scale;
    }

    /// Starts with the trees of another ensemble on the same bins.
    pub(crate) fn continue_from(&mut self, other: &Ensemble) -> Result<()> {
        let same = other.feature_count == self.ensemble.feature_count
            && other.scale == 1.0
            && other.columns.len() == self.ensemble.columns.len()
            && other
                .columns
                .iter()
                .zip(&self.ensemble.columns)
                .all(|(theirs, ours)| *theirs == ColumnCoding::Unused || theirs == ours);
        if !same {
            return Err(TreesError::Damaged {
                what: "the ensemble to continue from has other features or bins",
            });
        }
        let columns = std::mem::take(&mut self.ensemble.columns);
        self.ensemble = Ensemble { columns, ..other.clone() };
        self.start_count = self.ensemble.trees.len();
        Ok(())
    }

    pub(crate) fn ensemble(&self) -> &Ensemble {
        &self.ensemble
    }

    pub(crate) fn start_count(&self) -> usize {
        self.start_count
    }

    pub(crate) fn tree_count(&self) -> usize {
        self.ensemble.trees.len()
    }

    /// Adds a tree with what its leaves predict and the training rows of each leaf.
    pub(crate) fn add(&mut self, grown: &Grown, outputs: Range<usize>, models: &LeafModels, counts: &[f32]) {
        let ensemble = &mut self.ensemble;
        let first_node = ensemble.nodes.len() as u32;
        let first_value = ensemble.values.len() as u32;
        let width = outputs.len() as u32;
        let tree = TreeSpan {
            first_node,
            node_count: match &grown.shape {
                Shape::General(nodes) => nodes.len() as u32,
                Shape::Symmetric(levels) => levels.len() as u32,
            },
            first_value,
            value_count: models.values.len() as u32,
            first_leaf: ensemble.covers.len() as u32,
            first_output: outputs.start as u32,
            output_count: width,
            is_symmetric: matches!(grown.shape, Shape::Symmetric(_)),
        };
        match &grown.shape {
            Shape::Symmetric(levels) => {
                for (feature, test, gain) in levels {
                    self.push_split(*feature, test, *gain, 0);
                }
            }
            Shape::General(nodes) => {
                for node in nodes {
                    match node {
                        GrownNode::Split { feature, test, gain, left, .. } => {
                            self.push_split(*feature, test, *gain, first_node + left);
                        }
                        GrownNode::Leaf(leaf) => self.push(
                            Node { child: first_value + leaf * width, column: 0, bin: 0, flags: LEAF },
                            0.0,
                            None,
                        ),
                    }
                }
            }
        }
        self.ensemble.linear.append(tree.first_leaf as usize, &models.linear);
        self.ensemble.values.extend_from_slice(&models.values);
        self.ensemble.covers.extend_from_slice(counts);
        self.ensemble.trees.push(tree);
    }

    fn push_split(&mut self, feature: u32, test: &crate::splitter::Test, gain: f64, child: u32) {
        let (bin, flags, set) = encode_test(test);
        self.push(Node { child, column: feature as u16, bin, flags }, gain, set);
    }

    fn push(&mut self, node: Node, gain: f64, set: Option<[u32; 8]>) {
        let ensemble = &mut self.ensemble;
        if let Some(set) = set {
            // The table by node exists only once there is a set.
            ensemble.set_of_node.resize(ensemble.nodes.len() + 1, 0);
            ensemble.set_of_node[ensemble.nodes.len()] = ensemble.sets.len() as u32;
            ensemble.sets.push(set);
        }
        ensemble.nodes.push(node);
        ensemble.gains.push(gain as f32);
    }

    /// Keeps the first `count` trees.
    pub(crate) fn truncate(&mut self, count: usize) {
        let ensemble = &mut self.ensemble;
        if let Some(tree) = ensemble.trees.get(count).copied() {
            ensemble.trees.truncate(count);
            ensemble.nodes.truncate(tree.first_node as usize);
            ensemble.gains.truncate(tree.first_node as usize);
            let is_set = |node: &Node| node.flags & SET != 0;
            ensemble.sets.truncate(ensemble.nodes.iter().filter(|node| is_set(node)).count());
            // The table ends with the last set, as it does when it is read back.
            ensemble.set_of_node.truncate(ensemble.nodes.iter().rposition(is_set).map_or(0, |last| last + 1));
            ensemble.values.truncate(tree.first_value as usize);
            ensemble.covers.truncate(tree.first_leaf as usize);
            ensemble.linear.truncate(tree.first_leaf as usize);
        }
    }

    /// Multiplies what the listed trees predict.
    pub(crate) fn scale_trees(&mut self, factors: &[(usize, f64)]) {
        let ensemble = &mut self.ensemble;
        for (tree, factor) in factors {
            let tree = ensemble.trees[*tree];
            let leaf_count = (tree.value_count / tree.output_count) as usize;
            for value in &mut ensemble.values[tree.first_value as usize..][..tree.value_count as usize] {
                *value = (factor * f64::from(*value)) as f32;
            }
            ensemble.linear.scale(tree.first_leaf as usize, leaf_count, *factor);
        }
    }

    /// The finished ensemble; codings of columns that no tree looks at are dropped.
    pub(crate) fn finish(mut self) -> Ensemble {
        let mut used = vec![false; self.ensemble.columns.len()];
        for node in self.ensemble.nodes.iter().filter(|node| node.flags & LEAF == 0) {
            used[usize::from(node.column)] = true;
        }
        for (column, used) in self.ensemble.columns.iter_mut().zip(used) {
            if !used {
                *column = ColumnCoding::Unused;
            }
        }
        self.ensemble.row_walk = LazyWalk::default();
        self.ensemble
    }
}
