//! Growing one small tree, best split first.
//!
//! Impurity is the weighted variance of the target, which for classes coded one-hot is Gini's index (Breiman, Friedman,
//! Olshen and Stone 1984, sections 4.3 and 8.4). Numbers are cut at up to [`EDGES`] quantiles of the training rows.
//! Levels of a category are ordered by the share of the node's largest class (the mean of a number) and cut like
//! numbers, which for two classes and for numbers finds the best set of levels (Fisher 1958). Missing cells are tried on
//! either side.

use kaizen_base::{Flow, Signal};
use kaizen_model::FitError;
use rayon::prelude::*;

use crate::features::Cells;

/// Cuts of a number that are tried.
const EDGES: usize = 63;

/// Levels of a category that are told apart: the most frequent ones. The others go with the missing cells.
const LEVELS: usize = 254;

/// The code of a missing cell.
const MISSING: u8 = 255;

/// A question and where its answers lead.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Split {
    pub(crate) feature: u32,
    pub(crate) rule: Rule,
    /// Where a missing cell and an unknown level go.
    pub(crate) missing_left: bool,
    pub(crate) left: u32,
    pub(crate) right: u32,
    pub(crate) gain: f64,
}

/// What goes left.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// Numbers at or below.
    AtMost(f64),
    /// These levels, ascending.
    OneOf(Vec<u32>),
    /// Only what is missing (or, if that goes right, only what is not).
    Missing,
}

/// A node: a prediction, and a question if it has children.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) split: Option<Split>,
    /// One number an output.
    pub(crate) value: Vec<f64>,
    /// Weight of its training rows.
    pub(crate) weight: f64,
}

/// What is grown on.
pub(crate) struct Ground<'a> {
    pub(crate) cells: &'a [Cells<'a>],
    pub(crate) rows: &'a [u32],
    /// Weight of each of `rows`.
    pub(crate) weights: &'a [f64],
    /// Place of the class of each of `rows`, or its standardised number.
    pub(crate) target: &'a [f64],
    /// Number of classes; 0 for numbers.
    pub(crate) classes: usize,
}

/// How far a tree may grow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) leaves: usize,
    pub(crate) depth: usize,
    pub(crate) min_rows: usize,
}

/// A column cut into codes.
struct Coded {
    codes: Vec<u8>,
    /// Codes that are used, missing aside.
    count: usize,
    meaning: Meaning,
}

enum Meaning {
    /// Code c is at or below edge c.
    Edges(Vec<f64>),
    /// The level of each code.
    Levels(Vec<u32>),
}

/// A leaf that may still be split.
struct Open {
    node: usize,
    depth: usize,
    /// Places in `rows`.
    places: Vec<u32>,
    best: Option<Candidate>,
}

struct Candidate {
    gain: f64,
    feature: usize,
    /// Codes that go left.
    left: Vec<u8>,
    missing_left: bool,
}

/// Sums of the rows with one code: rows, weight, weighted target of each output.
#[derive(Clone)]
struct Sums {
    rows: usize,
    weight: f64,
    outputs: Vec<f64>,
}

impl Sums {
    fn new(outputs: usize) -> Self {
        Self { rows: 0, weight: 0.0, outputs: vec![0.0; outputs] }
    }

    fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.weight += other.weight;
        self.outputs.iter_mut().zip(&other.outputs).for_each(|(sum, value)| *sum += value);
    }

    /// The part of the sum of squares that a constant explains.
    fn explained(&self) -> f64 {
        if self.weight > 0.0 {
            self.outputs.iter().map(|sum| sum * sum).sum::<f64>() / self.weight
        } else {
            0.0
        }
    }
}

impl Ground<'_> {
    fn outputs(&self) -> usize {
        self.classes.max(1)
    }

    /// Grows a tree; whether it was cut short. Nodes stand in the order in which they were made, so that the first
    /// 1 + 2s nodes are the tree after s splits.
    pub(crate) fn grow(&self, limits: Limits, signal: &Signal) -> Result<(Vec<Node>, bool), FitError> {
        let columns: Vec<Coded> = self.cells.par_iter().map(|cells| self.coded(cells)).collect();
        let all: Vec<u32> = (0..self.rows.len() as u32).collect();
        let mut nodes = vec![self.node(&all)];
        let mut open = vec![self.open(&columns, 0, 0, all, limits)];
        for _ in 1..limits.leaves {
            match signal.flow() {
                Flow::Continue => {}
                Flow::Finish => return Ok((nodes, true)),
                Flow::Stop => return Err(FitError::Stopped),
            }
            let gain = |open: &Open| open.best.as_ref().map_or(0.0, |best| best.gain);
            // The first of equal gains: leaves stand in the order in which they were made.
            let Some(next) =
                (0..open.len()).max_by(|&a, &b| gain(&open[a]).total_cmp(&gain(&open[b])).then(b.cmp(&a)))
            else {
                break;
            };
            let leaf = open.remove(next);
            let Some(best) = leaf.best else { break };
            let column = &columns[best.feature];
            let goes_left = |place: &u32| match column.codes[*place as usize] {
                MISSING => best.missing_left,
                code => best.left.contains(&code),
            };
            let (left, right): (Vec<u32>, Vec<u32>) = leaf.places.into_iter().partition(goes_left);
            let children = nodes.len();
            nodes[leaf.node].split = Some(Split {
                feature: best.feature as u32,
                rule: column.rule(&best.left),
                missing_left: best.missing_left,
                left: children as u32,
                right: children as u32 + 1,
                gain: best.gain,
            });
            for places in [left, right] {
                nodes.push(self.node(&places));
                open.push(self.open(&columns, nodes.len() - 1, leaf.depth + 1, places, limits));
            }
        }
        Ok((nodes, false))
    }

    fn node(&self, places: &[u32]) -> Node {
        let sums = self.sums(places.iter().copied());
        // Classes are drawn towards equal shares by one row's worth, so that no leaf is certain.
        let value = sums.outputs.iter().map(|sum| {
            if self.classes == 0 {
                if sums.weight > 0.0 { sum / sums.weight } else { 0.0 }
            } else {
                (sum + 1.0 / self.classes as f64) / (sums.weight + 1.0)
            }
        });
        Node { split: None, value: value.collect(), weight: sums.weight }
    }

    fn sums(&self, places: impl Iterator<Item = u32>) -> Sums {
        let mut sums = Sums::new(self.outputs());
        for place in places {
            self.take(&mut sums, place as usize);
        }
        sums
    }

    #[inline]
    fn take(&self, sums: &mut Sums, place: usize) {
        let weight = self.weights[place];
        sums.rows += 1;
        sums.weight += weight;
        if self.classes == 0 {
            sums.outputs[0] += weight * self.target[place];
        } else {
            sums.outputs[self.target[place] as usize] += weight;
        }
    }

    fn open(&self, columns: &[Coded], node: usize, depth: usize, places: Vec<u32>, limits: Limits) -> Open {
        let mut best: Option<Candidate> = None;
        if depth < limits.depth && places.len() >= 2 * limits.min_rows.max(1) {
            let candidates: Vec<Option<Candidate>> = columns
                .par_iter()
                .enumerate()
                .map(|(feature, column)| self.best_of(column, feature, &places, limits.min_rows.max(1)))
                .collect();
            for candidate in candidates.into_iter().flatten() {
                if best.as_ref().is_none_or(|best| candidate.gain > best.gain) {
                    best = Some(candidate);
                }
            }
        }
        Open { node, depth, places, best }
    }

    /// The best cut of one column, if any has a gain.
    fn best_of(&self, column: &Coded, feature: usize, places: &[u32], min_rows: usize) -> Option<Candidate> {
        let mut bins = vec![Sums::new(self.outputs()); column.count];
        let mut missing = Sums::new(self.outputs());
        let mut total = Sums::new(self.outputs());
        for &place in places {
            let code = column.codes[place as usize];
            let bin = if code == MISSING { &mut missing } else { &mut bins[usize::from(code)] };
            self.take(bin, place as usize);
        }
        bins.iter().chain([&missing]).for_each(|bin| total.add(bin));
        let mut order: Vec<usize> = (0..bins.len()).filter(|&bin| bins[bin].rows > 0).collect();
        if matches!(column.meaning, Meaning::Levels(_)) {
            let main = (0..total.outputs.len())
                .max_by(|&a, &b| total.outputs[a].total_cmp(&total.outputs[b]).then(b.cmp(&a)))
                .unwrap_or(0);
            let mean = |bin: usize| bins[bin].outputs[main] / bins[bin].weight.max(f64::MIN_POSITIVE);
            order.sort_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(a.cmp(&b)));
        }
        // A share of the whole that rounding cannot reach.
        let base = total.explained();
        let (mut least, mut best) = (base.abs().max(total.weight * 1e-9) * 1e-9, None);
        for missing_left in [false, true] {
            if missing_left && missing.rows == 0 {
                break;
            }
            let mut left = if missing_left { missing.clone() } else { Sums::new(self.outputs()) };
            for cut in 0..=order.len() {
                if cut > 0 {
                    left.add(&bins[order[cut - 1]]);
                }
                let right_rows = total.rows - left.rows;
                if left.rows < min_rows || right_rows < min_rows {
                    continue;
                }
                let right = Sums {
                    rows: right_rows,
                    weight: total.weight - left.weight,
                    outputs: total.outputs.iter().zip(&left.outputs).map(|(all, left)| all - left).collect(),
                };
                let gain = left.explained() + right.explained() - base;
                if gain > least {
                    least = gain;
                    best = Some((cut, missing_left));
                }
            }
        }
        let (cut, missing_left) = best?;
        let left = order[..cut].iter().map(|&bin| bin as u8).collect();
        // Without a missing cell to learn from, later ones go with the heavier side.
        let missing_left = if missing.rows > 0 {
            missing_left
        } else {
            order[..cut].iter().map(|&bin| bins[bin].weight).sum::<f64>() * 2.0 >= total.weight
        };
        Some(Candidate { gain: least, feature, left, missing_left })
    }

    fn coded(&self, cells: &Cells<'_>) -> Coded {
        match cells {
            Cells::Number(values) => {
                let mut sorted: Vec<f64> = self
                    .rows
                    .iter()
                    .map(|&row| values[row as usize])
                    .filter(|value| !value.is_nan())
                    .collect();
                sorted.sort_unstable_by(f64::total_cmp);
                let edges = edges(&sorted);
                let code = |&row: &u32| match values[row as usize] {
                    value if value.is_nan() => MISSING,
                    value => edges.partition_point(|&edge| edge < value) as u8,
                };
                Coded {
                    codes: self.rows.iter().map(code).collect(),
                    count: edges.len() + 1,
                    meaning: Meaning::Edges(edges),
                }
            }
            Cells::Category(own) => {
                let mut counts = std::collections::BTreeMap::new();
                for &row in self.rows {
                    *counts.entry(own[row as usize]).or_insert(0_usize) += 1;
                }
                counts.remove(&kaizen_table::MISSING_CODE);
                let mut levels: Vec<(u32, usize)> = counts.into_iter().collect();
                levels.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
                levels.truncate(LEVELS);
                let mut levels: Vec<u32> = levels.into_iter().map(|(level, _)| level).collect();
                levels.sort_unstable();
                let code = |&row: &u32| {
                    levels.binary_search(&own[row as usize]).map_or(MISSING, |place| place as u8)
                };
                Coded {
                    codes: self.rows.iter().map(code).collect(),
                    count: levels.len(),
                    meaning: Meaning::Levels(levels),
                }
            }
            Cells::Sparse(_) => Coded {
                codes: vec![MISSING; self.rows.len()],
                count: 0,
                meaning: Meaning::Levels(Vec::new()),
            },
        }
    }
}

impl Coded {
    fn rule(&self, left: &[u8]) -> Rule {
        match &self.meaning {
            _ if left.is_empty() || left.len() == self.count => Rule::Missing,
            Meaning::Edges(edges) => {
                let last = left.iter().copied().max().unwrap_or(0);
                edges.get(usize::from(last)).map_or(Rule::Missing, |&edge| Rule::AtMost(edge))
            }
            Meaning::Levels(levels) => {
                let mut chosen: Vec<u32> = left.iter().map(|&code| levels[usize::from(code)]).collect();
                chosen.sort_unstable();
                Rule::OneOf(chosen)
            }
        }
    }
}

/// Cuts half way between neighbouring values, at evenly spaced ranks where there are too many values.
fn edges(sorted: &[f64]) -> Vec<f64> {
    let mut distinct = sorted.to_vec();
    distinct.dedup();
    let middle = |low: f64, high: f64| {
        let middle = low * 0.5 + high * 0.5;
        if middle < high { middle } else { low }
    };
    if distinct.len() <= EDGES + 1 {
        return distinct.windows(2).map(|pair| middle(pair[0], pair[1])).collect();
    }
    let mut edges = Vec::with_capacity(EDGES);
    for cut in 1..=EDGES {
        let value = sorted[cut * sorted.len() / (EDGES + 1)];
        let place = distinct.partition_point(|&other| other < value);
        if place > 0 {
            edges.push(middle(distinct[place - 1], value));
        }
    }
    edges.dedup();
    edges
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn the_split_is_the_one_found_by_hand() {
        let x = [1.0, 2.0, 3.0, 10.0, 11.0, f64::NAN];
        let cells = [Cells::Number(Cow::Borrowed(&x))];
        let ground = Ground {
            cells: &cells,
            rows: &[0, 1, 2, 3, 4, 5],
            weights: &[1.0; 6],
            target: &[0.0, 0.0, 0.0, 5.0, 5.0, 5.0],
            classes: 0,
        };
        let limits = Limits { leaves: 2, depth: 3, min_rows: 1 };
        let (nodes, cut_short) = ground.grow(limits, &Signal::new()).unwrap();
        let split = nodes[0].split.as_ref().unwrap();
        assert_eq!((split.rule.clone(), split.missing_left), (Rule::AtMost(6.5), false));
        // All of the variance: 6 * 2.5 squared.
        assert!((split.gain - 37.5).abs() < 1e-12 && !cut_short);
        assert_eq!((nodes[1].value[0], nodes[2].value[0]), (0.0, 5.0));
    }

    #[test]
    fn levels_are_split_as_a_set() {
        let codes = [0, 1, 2, 0, 1, 2];
        let cells = [Cells::Category(Cow::Borrowed(&codes))];
        let ground = Ground {
            cells: &cells,
            rows: &[0, 1, 2, 3, 4, 5],
            weights: &[1.0; 6],
            target: &[1.0, 0.0, 1.0, 1.0, 0.0, 1.0],
            classes: 2,
        };
        let (nodes, _) = ground.grow(Limits { leaves: 9, depth: 9, min_rows: 1 }, &Signal::new()).unwrap();
        assert_eq!(nodes.len(), 3, "pure leaves are not split");
        assert_eq!(nodes[0].split.as_ref().unwrap().rule, Rule::OneOf(vec![1]));
    }
}
