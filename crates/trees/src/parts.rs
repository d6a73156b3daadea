//! An ensemble as plain arrays, for files; and back, trusting nothing.

use std::sync::Arc;

use crate::bins::Coding;
use crate::ensemble::{ColumnCoding, Ensemble, LEAF, MISSING_RIGHT, Node, SET, TreeSpan};
use crate::error::{Result, TreesError};
use crate::linear::{LinearModels, MAX_TERMS, Term};
use crate::ordered::Statistic;
use crate::row::LazyWalk;

/// Kinds of columns in [`EnsembleParts::column_kinds`].
const UNUSED: u8 = 0;
const NUMBER: u8 = 1;
const CATEGORY: u8 = 2;
const STATISTIC: u8 = 3;

/// Features of a table at most (see `Bins::build`), so that a damaged count allocates little.
const MAX_FEATURES: u32 = u16::MAX as u32;

/// All of an [`Ensemble`] in plain arrays. Offsets name the first entry of each item and, last, the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EnsembleParts {
    /// Input features.
    pub feature_count: u32,
    /// Raw scores of a row.
    pub output_count: u32,
    /// Starting raw scores `[outputs]`.
    pub base: Vec<f64>,
    /// Factor on the sum of base and trees.
    pub scale: f64,
    /// For each column of codes: 0 unused, 1 number, 2 category, 3 target statistic.
    pub column_kinds: Vec<u8>,
    /// First source of each column, and the end `[columns + 1]`.
    pub source_offsets: Vec<u32>,
    /// Input feature of each source.
    pub source_features: Vec<u32>,
    /// Known levels of each source (0 for numbers).
    pub source_levels: Vec<u32>,
    /// First edge of each column, and the end `[columns + 1]`.
    pub edge_offsets: Vec<u32>,
    /// Bin edges of numbers, ascending.
    pub edges: Vec<f64>,
    /// First table entry of each column, and the end `[columns + 1]`.
    pub table_offsets: Vec<u32>,
    /// Codes of levels or of combinations.
    pub table_codes: Vec<u8>,
    /// First key of each column, and the end `[columns + 1]`.
    pub key_offsets: Vec<u32>,
    /// Lower halves of the ascending keys of combinations.
    pub keys_low: Vec<u32>,
    /// Upper halves of the keys.
    pub keys_high: Vec<u32>,
    /// Code of unseen levels of each column.
    pub unseen_codes: Vec<u8>,
    /// 1 for symmetric trees, whose nodes are levels.
    pub tree_symmetric: Vec<u8>,
    /// First node of each tree, and the end `[trees + 1]`.
    pub node_offsets: Vec<u32>,
    /// First value of each tree, and the end `[trees + 1]`.
    pub value_offsets: Vec<u32>,
    /// First output of each tree.
    pub tree_outputs: Vec<u32>,
    /// Values in each leaf of each tree.
    pub tree_widths: Vec<u32>,
    /// Left child (within the whole ensemble) of inner nodes, first value of leaves.
    pub node_children: Vec<u32>,
    /// Column of codes of each node.
    pub node_columns: Vec<u16>,
    /// Threshold of each node.
    pub node_bins: Vec<u8>,
    /// 1 leaf, 2 set of levels, 4 missing goes right.
    pub node_flags: Vec<u8>,
    /// Gain of each node.
    pub node_gains: Vec<f32>,
    /// Sets, eight words each, in the order of the nodes that use them.
    pub sets: Vec<u32>,
    /// Leaf values.
    pub values: Vec<f32>,
    /// Training rows of each leaf.
    pub covers: Vec<f32>,
    /// Value of the first leaves' linear models with all features at their lowest; later leaves have no model.
    pub linear_intercepts: Vec<f64>,
    /// End of the terms of each of these leaves; a leaf without terms is a constant.
    pub linear_ends: Vec<u32>,
    /// Input feature of each term, a number.
    pub term_features: Vec<u32>,
    /// Slope of each term.
    pub term_slopes: Vec<f64>,
    /// Least value that each term tells apart.
    pub term_lows: Vec<f64>,
    /// Largest value that each term tells apart.
    pub term_highs: Vec<f64>,
}

impl Ensemble {
    /// The ensemble as plain arrays.
    pub fn to_parts(&self) -> EnsembleParts {
        let mut parts = EnsembleParts {
            feature_count: self.feature_count as u32,
            output_count: self.output_count as u32,
            base: self.base.clone(),
            scale: self.scale,
            source_offsets: vec![0],
            edge_offsets: vec![0],
            table_offsets: vec![0],
            key_offsets: vec![0],
            node_offsets: vec![0],
            value_offsets: vec![0],
            values: self.values.clone(),
            covers: self.covers.clone(),
            node_gains: self.gains.clone(),
            linear_intercepts: self.linear.intercepts.clone(),
            linear_ends: self.linear.ends.clone(),
            ..EnsembleParts::default()
        };
        for column in &self.columns {
            parts.push_column(column);
        }
        for tree in &self.trees {
            parts.tree_symmetric.push(u8::from(tree.is_symmetric));
            parts.node_offsets.push(tree.first_node + tree.node_count);
            parts.value_offsets.push(tree.first_value + tree.value_count);
            parts.tree_outputs.push(tree.first_output);
            parts.tree_widths.push(tree.output_count);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            parts.node_children.push(node.child);
            parts.node_columns.push(node.column);
            parts.node_bins.push(node.bin);
            parts.node_flags.push(node.flags);
            if node.flags & SET != 0 {
                parts.sets.extend(self.sets[self.set_of_node[index] as usize]);
            }
        }
        for term in &self.linear.terms {
            parts.term_features.push(term.feature);
            parts.term_slopes.push(term.slope);
            parts.term_lows.push(term.low);
            parts.term_highs.push(term.high);
        }
        parts
    }

    /// Rebuilds an ensemble after checking every index, length, order and number; safe on any input.
    ///
    /// # Errors
    /// [`TreesError::Damaged`] with the first contradiction.
    pub fn from_parts(parts: &EnsembleParts) -> Result<Self> {
        check(parts.output_count > 0, "no outputs")?;
        check(parts.base.len() == parts.output_count as usize, "length of base")?;
        check(parts.scale.is_finite() && parts.base.iter().all(|x| x.is_finite()), "base is not finite")?;
        let columns = read_columns(parts)?;
        let (nodes, sets, set_of_node) = read_nodes(parts, &columns)?;
        let trees = read_trees(parts, &nodes)?;
        let linear = read_linear(parts, &columns, &trees)?;
        Ok(Self {
            feature_count: parts.feature_count as usize,
            output_count: parts.output_count as usize,
            base: parts.base.clone(),
            scale: parts.scale,
            columns,
            trees,
            nodes,
            gains: parts.node_gains.clone(),
            set_of_node,
            sets,
            values: parts.values.clone(),
            covers: parts.covers.clone(),
            linear,
            row_walk: LazyWalk::default(),
        })
    }
}

impl EnsembleParts {
    fn push_column(&mut self, column: &ColumnCoding) {
        let mut unseen = 0;
        match column {
            ColumnCoding::Unused => self.column_kinds.push(UNUSED),
            ColumnCoding::Plain { feature, coding } => {
                self.source_features.push(*feature);
                match &**coding {
                    Coding::Number { edges } => {
                        self.column_kinds.push(NUMBER);
                        self.source_levels.push(0);
                        self.edges.extend_from_slice(edges);
                    }
                    Coding::Category { code_of_level } => {
                        self.column_kinds.push(CATEGORY);
                        self.source_levels.push(code_of_level.len() as u32);
                        self.table_codes.extend_from_slice(code_of_level);
                    }
                }
            }
            ColumnCoding::Statistic(statistic) => {
                self.column_kinds.push(STATISTIC);
                for (feature, levels) in &statistic.sources {
                    self.source_features.push(*feature);
                    self.source_levels.push(*levels);
                }
                for key in statistic.keys.iter() {
                    self.keys_low.push(*key as u32);
                    self.keys_high.push((*key >> 32) as u32);
                }
                self.table_codes.extend_from_slice(&statistic.codes);
                unseen = statistic.unseen;
            }
        }
        self.unseen_codes.push(unseen);
        self.source_offsets.push(self.source_features.len() as u32);
        self.edge_offsets.push(self.edges.len() as u32);
        self.table_offsets.push(self.table_codes.len() as u32);
        self.key_offsets.push(self.keys_low.len() as u32);
    }
}

fn check(holds: bool, what: &'static str) -> Result<()> {
    if holds { Ok(()) } else { Err(TreesError::Damaged { what }) }
}

/// Offsets must start at 0, never fall, and end at the length of what they cut up.
fn check_offsets(offsets: &[u32], items: usize, len: usize, what: &'static str) -> Result<()> {
    check(
        offsets.len() == items + 1
            && offsets.first() == Some(&0)
            && offsets.last().is_some_and(|end| *end as usize == len)
            && offsets.windows(2).all(|pair| pair[0] <= pair[1]),
        what,
    )
}

fn range(offsets: &[u32], item: usize) -> std::ops::Range<usize> {
    offsets[item] as usize..offsets[item + 1] as usize
}

fn read_columns(parts: &EnsembleParts) -> Result<Vec<ColumnCoding>> {
    let count = parts.column_kinds.len();
    check(count <= usize::from(u16::MAX) + 1, "too many columns")?;
    check(parts.unseen_codes.len() == count, "length of unseen codes")?;
    check(parts.source_levels.len() == parts.source_features.len(), "length of source levels")?;
    check(parts.keys_low.len() == parts.keys_high.len(), "length of keys")?;
    check_offsets(&parts.source_offsets, count, parts.source_features.len(), "source offsets")?;
    check_offsets(&parts.edge_offsets, count, parts.edges.len(), "edge offsets")?;
    check_offsets(&parts.table_offsets, count, parts.table_codes.len(), "table offsets")?;
    check_offsets(&parts.key_offsets, count, parts.keys_low.len(), "key offsets")?;
    check(parts.source_features.iter().all(|feature| *feature < parts.feature_count), "feature of a column")?;
    (0..count).map(|column| read_column(parts, column)).collect()
}

fn read_column(parts: &EnsembleParts, column: usize) -> Result<ColumnCoding> {
    let sources: Vec<(u32, u32)> = range(&parts.source_offsets, column)
        .map(|i| (parts.source_features[i], parts.source_levels[i]))
        .collect();
    let edges = &parts.edges[range(&parts.edge_offsets, column)];
    let table = &parts.table_codes[range(&parts.table_offsets, column)];
    let keys: Vec<u64> = range(&parts.key_offsets, column)
        .map(|i| u64::from(parts.keys_high[i]) << 32 | u64::from(parts.keys_low[i]))
        .collect();
    match parts.column_kinds[column] {
        UNUSED => {
            check(
                sources.is_empty() && edges.is_empty() && table.is_empty() && keys.is_empty(),
                "unused column",
            )?;
            Ok(ColumnCoding::Unused)
        }
        NUMBER => {
            check(sources.len() == 1 && table.is_empty() && keys.is_empty(), "parts of a number")?;
            check(edges.len() <= 254, "too many edges")?;
            check(
                edges.iter().all(|edge| !edge.is_nan()) && edges.windows(2).all(|pair| pair[0] < pair[1]),
                "order of edges",
            )?;
            let coding = Arc::new(Coding::Number { edges: edges.to_vec() });
            Ok(ColumnCoding::Plain { feature: sources[0].0, coding })
        }
        CATEGORY => {
            check(sources.len() == 1 && edges.is_empty() && keys.is_empty(), "parts of a category")?;
            check(table.len() == sources[0].1 as usize, "levels of a category")?;
            let coding = Arc::new(Coding::Category { code_of_level: table.to_vec() });
            Ok(ColumnCoding::Plain { feature: sources[0].0, coding })
        }
        STATISTIC => {
            check(!sources.is_empty() && edges.is_empty(), "parts of a statistic")?;
            if sources.len() == 1 {
                check(keys.is_empty() && table.len() == sources[0].1 as usize + 1, "levels of a statistic")?;
            } else {
                check(keys.len() == table.len(), "keys of a statistic")?;
                check(keys.windows(2).all(|pair| pair[0] < pair[1]), "order of keys")?;
                let fits = sources
                    .iter()
                    .try_fold(1u64, |product, source| product.checked_mul(u64::from(source.1) + 1))
                    .is_some();
                check(fits, "levels of a combination")?;
            }
            let unseen = parts.unseen_codes[column];
            Ok(ColumnCoding::Statistic(Arc::new(Statistic::new(
                sources,
                Arc::new(keys),
                table.to_vec(),
                unseen,
            ))))
        }
        _ => Err(TreesError::Damaged { what: "kind of a column" }),
    }
}

type Nodes = (Vec<Node>, Vec<[u32; 8]>, Vec<u32>);

fn read_nodes(parts: &EnsembleParts, columns: &[ColumnCoding]) -> Result<Nodes> {
    let count = parts.node_children.len();
    let lengths =
        [parts.node_columns.len(), parts.node_bins.len(), parts.node_flags.len(), parts.node_gains.len()];
    check(lengths.iter().all(|length| *length == count), "lengths of nodes")?;
    check(parts.node_gains.iter().all(|gain| gain.is_finite()), "gain is not finite")?;
    let mut sets = Vec::new();
    let mut set_of_node = Vec::new();
    let mut nodes = Vec::with_capacity(count);
    let mut words = parts.sets.chunks_exact(8);
    for index in 0..count {
        let node = Node {
            child: parts.node_children[index],
            column: parts.node_columns[index],
            bin: parts.node_bins[index],
            flags: parts.node_flags[index],
        };
        check(node.flags <= (LEAF | SET | MISSING_RIGHT), "flags of a node")?;
        if node.flags & LEAF != 0 {
            check(node.flags == LEAF, "flags of a leaf")?;
        } else {
            let known = columns.get(usize::from(node.column)).is_some_and(|c| *c != ColumnCoding::Unused);
            check(known, "column of a node")?;
            let shifted = node.flags & MISSING_RIGHT != 0;
            check(!(shifted && node.flags & SET != 0), "flags of a set")?;
            check(!(shifted && node.bin == 0), "threshold of a node")?;
        }
        if node.flags & SET != 0 {
            let set = words.next().and_then(|words| <[u32; 8]>::try_from(words).ok());
            let Some(set) = set else { return Err(TreesError::Damaged { what: "too few sets" }) };
            set_of_node.resize(index + 1, 0);
            set_of_node[index] = sets.len() as u32;
            sets.push(set);
        }
        nodes.push(node);
    }
    check(words.next().is_none() && words.remainder().is_empty(), "too many sets")?;
    Ok((nodes, sets, set_of_node))
}

fn read_trees(parts: &EnsembleParts, nodes: &[Node]) -> Result<Vec<TreeSpan>> {
    let count = parts.tree_symmetric.len();
    check(parts.tree_outputs.len() == count && parts.tree_widths.len() == count, "lengths of trees")?;
    check_offsets(&parts.node_offsets, count, nodes.len(), "node offsets")?;
    check_offsets(&parts.value_offsets, count, parts.values.len(), "value offsets")?;
    check(parts.values.iter().all(|value| value.is_finite()), "value is not finite")?;
    check(parts.covers.iter().all(|cover| cover.is_finite() && *cover >= 0.0), "cover of a leaf")?;
    let mut trees = Vec::with_capacity(count);
    let mut leaves = 0usize;
    for index in 0..count {
        let (node_range, values) = (range(&parts.node_offsets, index), range(&parts.value_offsets, index));
        let (output, width) = (parts.tree_outputs[index], parts.tree_widths[index]);
        let in_range = output.checked_add(width).is_some_and(|end| end <= parts.output_count);
        check(width > 0 && in_range, "outputs of a tree")?;
        check(values.len().is_multiple_of(width as usize), "values of a tree")?;
        let leaf_count = values.len() / width as usize;
        match parts.tree_symmetric[index] {
            1 => {
                check(
                    node_range.len() <= 16 && leaf_count == 1 << node_range.len(),
                    "depth of a symmetric tree",
                )?;
                check(
                    nodes[node_range.clone()].iter().all(|node| node.flags & LEAF == 0),
                    "leaf among levels",
                )?;
            }
            0 => check_general(&nodes[node_range.clone()], node_range.start, &values, width as usize)?,
            _ => return Err(TreesError::Damaged { what: "kind of a tree" }),
        }
        trees.push(TreeSpan {
            first_node: node_range.start as u32,
            node_count: node_range.len() as u32,
            first_value: values.start as u32,
            value_count: values.len() as u32,
            first_leaf: leaves as u32,
            first_output: output,
            output_count: width,
            is_symmetric: parts.tree_symmetric[index] == 1,
        });
        leaves += leaf_count;
    }
    check(leaves == parts.covers.len(), "number of covers")?;
    Ok(trees)
}

/// Children must come after their parent, which rules out cycles, and each must have exactly one parent.
fn check_general(nodes: &[Node], first: usize, values: &std::ops::Range<usize>, width: usize) -> Result<()> {
    check(!nodes.is_empty(), "tree without nodes")?;
    let mut has_parent = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        let child = node.child as usize;
        if node.flags & LEAF != 0 {
            let whole = values.contains(&child) && (child - values.start).is_multiple_of(width);
            check(whole, "value of a leaf")?;
            continue;
        }
        check(child > first + index && child + 1 < first + nodes.len(), "child of a node")?;
        for side in [child - first, child - first + 1] {
            check(!has_parent[side], "node with two parents")?;
            has_parent[side] = true;
        }
    }
    check(has_parent[1..].iter().all(|has| *has), "node without parent")
}

/// Linear models only stand in trees of one output, and look at numbers only.
fn read_linear(parts: &EnsembleParts, columns: &[ColumnCoding], trees: &[TreeSpan]) -> Result<LinearModels> {
    let count = parts.term_features.len();
    let lengths = [parts.term_slopes.len(), parts.term_lows.len(), parts.term_highs.len()];
    check(lengths.iter().all(|length| *length == count), "lengths of terms")?;
    let ends = &parts.linear_ends;
    check(parts.linear_intercepts.len() == ends.len(), "length of intercepts")?;
    check(parts.linear_intercepts.iter().all(|value| value.is_finite()), "intercept is not finite")?;
    check(ends.len() <= parts.covers.len(), "more linear models than leaves")?;
    check(ends.last().map_or(0, |end| *end as usize) == count, "end of the terms")?;
    let mut is_number = vec![false; parts.feature_count.min(MAX_FEATURES) as usize];
    for column in columns {
        if let ColumnCoding::Plain { feature, coding } = column
            && let Coding::Number { .. } = **coding
            && let Some(flag) = is_number.get_mut(*feature as usize)
        {
            *flag = true;
        }
    }
    let mut terms = Vec::with_capacity(count);
    for index in 0..count {
        let (low, high) = (parts.term_lows[index], parts.term_highs[index]);
        check(low.is_finite() && high.is_finite() && low <= high, "range of a term")?;
        let (feature, slope) = (parts.term_features[index], parts.term_slopes[index]);
        check(slope.is_finite(), "slope is not finite")?;
        check(is_number.get(feature as usize) == Some(&true), "feature of a term")?;
        terms.push(Term { feature, slope, low, high });
    }
    let mut start = 0;
    let mut tree_of_leaf = trees
        .iter()
        .flat_map(|tree| std::iter::repeat_n(tree, (tree.value_count / tree.output_count) as usize));
    for end in ends {
        check(start <= *end && (*end - start) as usize <= MAX_TERMS, "terms of a leaf")?;
        let single = tree_of_leaf.next().is_some_and(|tree| tree.output_count == 1);
        check(single || start == *end, "terms of a leaf with several values")?;
        start = *end;
    }
    Ok(LinearModels { intercepts: parts.linear_intercepts.clone(), ends: ends.clone(), terms })
}
