//! One row through all trees, for servers that are asked row by row.
//!
//! Trees are compiled on first use into nodes of four bytes without branches: a step is one comparison and one addition,
//! a leaf sends every row back to itself, missing values and sets of levels become columns of codes of their own. A walk
//! waits at every step for the load before it, so eight walks are interleaved and the waits overlap (Asadi, Lin and de
//! Vries 2014, "Runtime optimizations for tree-based machine learning models", section 4.3, who interleave rows where
//! here trees are). Leaves are added in the order of the trees, so the sums have the bits of a batch.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::ensemble::{Ensemble, LEAF, MISSING_RIGHT, Node, SET, TreeSpan};
use crate::linear::Numbers;

/// Trees that are walked together: enough to hide the loads, few enough to stay in registers.
const SIDE_BY_SIDE: usize = 8;

/// Steps between two looks at whether all walks have ended.
const STRIDE: usize = 4;

/// Columns of codes that a compiled node can name, and nodes of a tree that it can point to.
const COLUMNS: usize = 1 << 12;
const NODES: usize = 1 << 12;

/// A compiled node: threshold in bits 0 to 7, column in 8 to 19, left child within the tree in 20 to 31.
#[derive(Clone, Copy, Debug)]
struct Step(u32);

impl Step {
    fn new(bin: u8, column: usize, child: usize) -> Self {
        Self(u32::from(bin) | (column as u32) << 8 | (child as u32) << 20)
    }

    #[inline(always)]
    fn next(self, codes: &[u8; COLUMNS]) -> u32 {
        let code = u32::from(codes[(self.0 >> 8) as usize & (COLUMNS - 1)]);
        (self.0 >> 20) + u32::from(code > self.0 & 0xff)
    }

    /// Whether this is the leaf at `place`.
    #[inline(always)]
    fn stays(self, place: u32) -> bool {
        self.0 >> 20 == place
    }

    /// The answer of a level of a symmetric tree, 0 or 1.
    #[inline(always)]
    fn answer(self, codes: &[u8; COLUMNS]) -> u32 {
        u32::from(u32::from(codes[(self.0 >> 8) as usize & (COLUMNS - 1)]) > self.0 & 0xff)
    }
}

/// A column of codes that a compiled node looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// The codes as they are.
    Plain(u16),
    /// The codes, but missing is the largest.
    MissingRight(u16),
    /// 0 where the code is in the set, else 1.
    Set(u16, [u32; 8]),
}

/// How a tree is walked.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// From its first step.
    Nodes,
    /// One step a level.
    Levels,
    /// By the ensemble's own nodes: it needs more columns or nodes than a step can name.
    Uncompiled,
}

#[derive(Clone, Copy, Debug)]
struct Tree {
    kind: Kind,
    first_step: u32,
    step_count: u32,
}

/// The compiled trees of an ensemble.
#[derive(Debug, Default)]
struct Walk {
    trees: Vec<Tree>,
    steps: Vec<Step>,
    /// First value of the leaf at each step of trees with nodes, 0 at inner ones.
    values: Vec<u32>,
    looks: Vec<Look>,
}

/// The compiled trees, made when a row is first asked for. A cache: it takes no part in equality, and clones start empty.
#[derive(Debug, Default)]
pub(crate) struct LazyWalk(OnceLock<Walk>);

impl Clone for LazyWalk {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for LazyWalk {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Ensemble {
    /// Adds the leaves of all trees to `scores` `[outputs]` for the row with `codes` `[columns]`, whose raw values stand
    /// at `row` of `numbers`.
    pub(crate) fn add_row(&self, codes: &[u8], row: usize, numbers: Numbers<'_>, scores: &mut [f64]) {
        let kept = self.row_walk.0.get_or_init(|| Walk::compile(self));
        // An ensemble that grew since then is still being trained, and its rows are few.
        let grown = (kept.trees.len() != self.trees.len()).then(|| Walk::compile(self));
        let walk = grown.as_ref().unwrap_or(kept);
        let seen = walk.see(codes);
        for (trees, compiled) in self.trees.chunks(SIDE_BY_SIDE).zip(walk.trees.chunks(SIDE_BY_SIDE)) {
            let leaves = match <&[Tree; SIDE_BY_SIDE]>::try_from(compiled) {
                Ok(group) if group.iter().all(|tree| matches!(tree.kind, Kind::Nodes)) => {
                    walk.side_by_side(group, &seen)
                }
                _ => self.one_by_one(walk, trees, compiled, codes, &seen),
            };
            if self.linear.is_empty()
                && let [score] = &mut *scores
            {
                for (_, value) in trees.iter().zip(leaves) {
                    *score += f64::from(self.values[value as usize]);
                }
                continue;
            }
            for (tree, first_value) in trees.iter().zip(leaves) {
                self.add_leaf(tree, first_value, row, numbers, scores);
            }
        }
    }

    fn one_by_one(
        &self,
        walk: &Walk,
        trees: &[TreeSpan],
        compiled: &[Tree],
        codes: &[u8],
        seen: &[u8; COLUMNS],
    ) -> [u32; SIDE_BY_SIDE] {
        let mut leaves = [0; SIDE_BY_SIDE];
        for (leaf, (tree, compiled)) in leaves.iter_mut().zip(trees.iter().zip(compiled)) {
            *leaf = match compiled.kind {
                Kind::Nodes => walk.leaf(compiled, seen),
                Kind::Levels => tree.first_value + walk.levels(compiled, seen) * tree.output_count,
                Kind::Uncompiled => self.leaf(tree, codes),
            };
        }
        leaves
    }

    /// First value of the leaf that a row of `codes` falls into.
    fn leaf(&self, tree: &TreeSpan, codes: &[u8]) -> u32 {
        let first = tree.first_node as usize;
        let right = |place: usize| {
            let node = self.nodes[place];
            u32::from(node.goes_right(codes[usize::from(node.column)], || self.set_at(place)))
        };
        if tree.is_symmetric {
            let answers = (0..tree.node_count as usize).map(|depth| right(first + depth) << depth);
            return tree.first_value + answers.sum::<u32>() * tree.output_count;
        }
        let mut place = first;
        while self.nodes[place].flags & LEAF == 0 {
            place = (self.nodes[place].child + right(place)) as usize;
        }
        self.nodes[place].child
    }
}

impl Walk {
    fn compile(ensemble: &Ensemble) -> Self {
        let mut walk = Self::default();
        let mut columns = BTreeMap::new();
        for tree in &ensemble.trees {
            let (first, count) = (tree.first_node as usize, tree.node_count as usize);
            let first_step = walk.steps.len();
            let kind = if tree.is_symmetric { Kind::Levels } else { Kind::Nodes };
            let steps = (first..first + count)
                .map(|place| walk.step(ensemble, place, first, &mut columns))
                .collect::<Option<Vec<Step>>>()
                .filter(|_| count <= NODES);
            let Some(steps) = steps else {
                walk.trees.push(Tree { kind: Kind::Uncompiled, first_step: 0, step_count: 0 });
                continue;
            };
            walk.steps.extend(steps);
            walk.values.extend(
                ensemble.nodes[first..first + count]
                    .iter()
                    .map(|node| if node.flags & LEAF != 0 { node.child } else { 0 }),
            );
            walk.trees.push(Tree { kind, first_step: first_step as u32, step_count: count as u32 });
        }
        walk
    }

    /// The compiled node, `None` where it needs a column beyond the last.
    fn step(
        &mut self,
        ensemble: &Ensemble,
        place: usize,
        first: usize,
        columns: &mut BTreeMap<Look, usize>,
    ) -> Option<Step> {
        let node: Node = ensemble.nodes[place];
        if node.flags & LEAF != 0 {
            // No code is above 255: the leaf is its own left child.
            return (place - first < NODES).then(|| Step::new(u8::MAX, 0, place - first));
        }
        let (look, bin) = if node.flags & SET != 0 {
            (Look::Set(node.column, ensemble.set_at(place)), 0)
        } else if node.flags & MISSING_RIGHT != 0 {
            // Missing stands above the last code, so that a threshold of 0 is above all of them.
            (Look::MissingRight(node.column), if node.bin == 0 { u8::MAX } else { node.bin })
        } else {
            (Look::Plain(node.column), node.bin)
        };
        let next = self.looks.len();
        let column = *columns.entry(look).or_insert(next);
        if column == next {
            if next == COLUMNS {
                columns.remove(&look);
                return None;
            }
            self.looks.push(look);
        }
        let child = (node.child as usize).saturating_sub(first);
        (child < NODES).then(|| Step::new(bin, column, child))
    }

    /// The codes of a row as the steps look at them.
    fn see(&self, codes: &[u8]) -> [u8; COLUMNS] {
        let mut seen = [0; COLUMNS];
        for (seen, look) in seen.iter_mut().zip(&self.looks) {
            *seen = match look {
                Look::Plain(column) => codes[usize::from(*column)],
                // 0 turns into 255, which lies above every threshold but that of a leaf.
                Look::MissingRight(column) => match codes[usize::from(*column)] {
                    0 => u8::MAX,
                    code => code,
                },
                Look::Set(column, set) => {
                    let code = codes[usize::from(*column)];
                    u8::from(set[usize::from(code >> 5)] >> (code & 31) & 1 == 0)
                }
            };
        }
        seen
    }

    fn tree_steps(&self, tree: &Tree) -> &[Step] {
        &self.steps[tree.first_step as usize..][..tree.step_count as usize]
    }

    /// First values of the leaves of a full group.
    fn side_by_side(&self, trees: &[Tree; SIDE_BY_SIDE], codes: &[u8; COLUMNS]) -> [u32; SIDE_BY_SIDE] {
        let steps: [&[Step]; SIDE_BY_SIDE] = std::array::from_fn(|tree| self.tree_steps(&trees[tree]));
        let mut places = [0u32; SIDE_BY_SIDE];
        loop {
            for _ in 0..STRIDE {
                for (place, steps) in places.iter_mut().zip(steps) {
                    *place = steps[*place as usize].next(codes);
                }
            }
            if places.iter().zip(steps).all(|(&place, steps)| steps[place as usize].stays(place)) {
                break;
            }
        }
        std::array::from_fn(|tree| self.values[trees[tree].first_step as usize + places[tree] as usize])
    }

    fn leaf(&self, tree: &Tree, codes: &[u8; COLUMNS]) -> u32 {
        let steps = self.tree_steps(tree);
        let mut place = 0;
        loop {
            let step = steps[place as usize];
            if step.stays(place) {
                return self.values[tree.first_step as usize + place as usize];
            }
            place = step.next(codes);
        }
    }

    /// The leaf of a symmetric tree.
    fn levels(&self, tree: &Tree, codes: &[u8; COLUMNS]) -> u32 {
        let answers =
            self.tree_steps(tree).iter().enumerate().map(|(depth, step)| step.answer(codes) << depth);
        answers.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BinParams, Bins, BoostParams, FeatureData, LinearLeaves, Objective, TrainInput, train};
    use kaizen_base::{Flow, Seed, Signal};

    const ROWS: usize = 600;

    /// Every kind of look: numbers with missing cells on either side, sets of levels, symmetric trees, several outputs.
    #[test]
    fn a_row_alone_has_the_bits_of_a_batch() {
        let mut rng = Seed(3).rng();
        let town: Vec<u32> = (0..ROWS).map(|_| rng.below(40) as u32).collect();
        let mut x: Vec<f64> = (0..ROWS).map(|_| rng.normal()).collect();
        x.iter_mut().step_by(7).for_each(|x| *x = f64::NAN);
        let target: Vec<f64> = x
            .iter()
            .zip(&town)
            .map(|(x, town)| f64::from(u8::from(x.is_nan() || *x > 0.3)) + f64::from(town % 2))
            .collect();
        let features = [FeatureData::Category { codes: &town, level_count: 40 }, FeatureData::Number(&x)];
        let bins = Bins::build(&features, &BinParams::default()).unwrap();
        let all: Vec<u32> = (0..ROWS as u32).collect();
        let cases = [
            // Not a multiple of the trees that go side by side.
            BoostParams { rounds: 21, ..BoostParams::leaf_wise(Objective::Squared) },
            BoostParams { rounds: 9, ..BoostParams::symmetric(Objective::Squared) },
            BoostParams {
                rounds: 5,
                ..BoostParams::leaf_wise(Objective::Softmax { classes: 3, shared: false })
            },
            BoostParams {
                rounds: 11,
                ..BoostParams::leaf_wise(Objective::Softmax { classes: 3, shared: true })
            },
            BoostParams {
                rounds: 13,
                linear: Some(LinearLeaves { ridge: 1.0 }),
                ..BoostParams::leaf_wise(Objective::Squared)
            },
        ];
        for params in cases {
            let input = TrainInput { values: Some(&features), ..TrainInput::new(&bins, &all, &target) };
            let trained = train(&input, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap();
            let batch = trained.ensemble.predict(&features, &all).unwrap();
            let alone: Vec<f64> =
                all.iter().flat_map(|row| trained.ensemble.predict(&features, &[*row]).unwrap()).collect();
            assert_eq!(alone, batch, "{params:?}");
            let mut uncompiled = Walk::compile(&trained.ensemble);
            uncompiled.trees.iter_mut().for_each(|tree| tree.kind = Kind::Uncompiled);
            let slow = trained.ensemble.clone();
            slow.row_walk.0.set(uncompiled).unwrap();
            assert_eq!(
                slow.predict(&features, &[7]).unwrap(),
                trained.ensemble.predict(&features, &[7]).unwrap()
            );
        }
    }

    #[test]
    fn trees_that_no_step_can_hold_are_walked_as_they_are() {
        // Sets beyond the columns that steps can name: here forced by filling them.
        let looks = (0..COLUMNS).map(|set| Look::Set(0, [set as u32; 8])).collect();
        let mut walk = Walk { looks, ..Walk::default() };
        let mut columns: BTreeMap<Look, usize> =
            walk.looks.iter().enumerate().map(|(index, look)| (*look, index)).collect();
        let codes: Vec<u32> = (0..64).collect();
        let target: Vec<f64> = codes.iter().map(|code| f64::from(code % 2)).collect();
        let features = [FeatureData::Category { codes: &codes, level_count: 64 }];
        let bins =
            Bins::build(&features, &BinParams { min_rows_per_bin: 1, ..BinParams::default() }).unwrap();
        let rows: Vec<u32> = (0..64).collect();
        let params = BoostParams { rounds: 1, min_rows: 1, ..BoostParams::leaf_wise(Objective::Squared) };
        let input = TrainInput::new(&bins, &rows, &target);
        let trained = train(&input, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap();
        assert!(trained.ensemble.nodes[0].flags & SET != 0, "a split on a set");
        assert!(walk.step(&trained.ensemble, 0, 0, &mut columns).is_none());
        assert_eq!((walk.looks.len(), columns.len()), (COLUMNS, COLUMNS));
    }
}
