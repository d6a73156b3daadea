//! One row through all trees, for servers that are asked row by row.
//!
//! A walk down a tree waits at every step for the load before it, so walks are interleaved: [`SIDE_BY_SIDE`] trees take
//! their steps in turn and the waits overlap (Asadi, Lin and de Vries 2014, "Runtime optimizations for tree-based
//! machine learning models", section 4.3, who interleave rows where here trees are interleaved). Leaves are added in
//! the order of the trees, so the sums have the bits of a batch.

use crate::ensemble::{Ensemble, LEAF, Node, TreeSpan};

/// Trees that are walked together: enough to hide the loads, few enough to stay in registers.
const SIDE_BY_SIDE: usize = 8;

impl Ensemble {
    /// Adds the leaves of all trees to `scores` `[outputs]` for the row with `codes` `[columns]`.
    pub(crate) fn add_row(&self, codes: &[u8], scores: &mut [f64]) {
        for trees in self.trees.chunks(SIDE_BY_SIDE) {
            let leaves = match <&[TreeSpan; SIDE_BY_SIDE]>::try_from(trees) {
                Ok(group) if !group.iter().any(|tree| tree.is_symmetric) => self.walk(group, codes),
                _ => self.one_by_one(trees, codes),
            };
            for (tree, first_value) in trees.iter().zip(leaves) {
                let outputs = tree.output_count as usize;
                let values = &self.values[first_value as usize..][..outputs];
                for (score, value) in scores[tree.first_output as usize..][..outputs].iter_mut().zip(values) {
                    *score += f64::from(*value);
                }
            }
        }
    }

    /// First values of the leaves that a full group of trees with nodes sends the row to.
    fn walk(&self, trees: &[TreeSpan; SIDE_BY_SIDE], codes: &[u8]) -> [u32; SIDE_BY_SIDE] {
        let mut nodes = trees.map(|tree| self.nodes[tree.first_node as usize]);
        let mut places = trees.map(|tree| tree.first_node);
        loop {
            let mut walking = 0;
            for (node, place) in nodes.iter_mut().zip(&mut places) {
                let is_leaf = node.flags & LEAF;
                let next = self.next(*node, *place, codes);
                // A leaf stays where it is; a choice in place of a branch, which no predictor could guess.
                *place = if is_leaf == 0 { next } else { *place };
                *node = self.nodes[*place as usize];
                walking |= is_leaf ^ LEAF;
            }
            if walking == 0 {
                return nodes.map(|node| node.child);
            }
        }
    }

    /// The node after an inner one; of no meaning for a leaf.
    #[inline(always)]
    fn next(&self, node: Node, place: u32, codes: &[u8]) -> u32 {
        let code = codes.get(usize::from(node.column)).copied().unwrap_or(0);
        node.child + u32::from(node.goes_right(code, || self.set_at(place as usize)))
    }

    fn one_by_one(&self, trees: &[TreeSpan], codes: &[u8]) -> [u32; SIDE_BY_SIDE] {
        let mut leaves = [0; SIDE_BY_SIDE];
        for (leaf, tree) in leaves.iter_mut().zip(trees) {
            *leaf = if tree.is_symmetric { self.symmetric_leaf(tree, codes) } else { self.leaf(tree, codes) };
        }
        leaves
    }

    fn symmetric_leaf(&self, tree: &TreeSpan, codes: &[u8]) -> u32 {
        let first = tree.first_node as usize;
        let mut leaf = 0;
        for (depth, node) in self.nodes[first..first + tree.node_count as usize].iter().enumerate() {
            let code = codes[usize::from(node.column)];
            leaf |= u32::from(node.goes_right(code, || self.set_at(first + depth))) << depth;
        }
        tree.first_value + leaf * tree.output_count
    }

    fn leaf(&self, tree: &TreeSpan, codes: &[u8]) -> u32 {
        let mut place = tree.first_node;
        let mut node = self.nodes[place as usize];
        while node.flags & LEAF == 0 {
            place = self.next(node, place, codes);
            node = self.nodes[place as usize];
        }
        node.child
    }
}
