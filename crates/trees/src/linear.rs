//! Leaves that hold a linear model of the numbers asked on their path instead of a constant.
//!
//! Source: Shi, Li and Li (2019), "Gradient boosting with piece-wise linear regression trees": a leaf's weights minimise
//! the second-order loss, a least-squares problem whose row weights are the second derivatives. As in LightGBM's
//! `linear_tree` the structure is found with constant leaves and the models are fitted once it stands; the road not
//! taken is to score every cut with linear models, which costs a matrix for each bin.
//!
//! Three differences, each for safety. Values are centred at the leaf's mean, so that the model at the mean is the
//! constant leaf, and a large ridge gives the constant tree back where nothing is missing. The ridge counts in units of
//! standard deviations in the leaf, so that the unit of a feature does not matter. And a value outside what the leaf's
//! rows held counts as the nearest one they held: a leaf of twenty rows never extrapolates. A row with a missing or
//! infinite value on a feature of its leaf gets the constant.

use rayon::prelude::*;

use crate::bins::{Bins, FeatureData};
use crate::derivatives::Derivatives;
use crate::grower::{Grown, GrownNode, Shape};
use crate::input::TrainInput;
use crate::leaves::{LeafRule, NO_LEAF};
use crate::objective::CHUNK;
use crate::sampling::Draw;
use crate::splitter::leaf_value;

/// Features of one leaf's model at most, the last asked on its path: work on a row grows with their square.
pub(crate) const MAX_TERMS: usize = 32;

/// A column whose part that earlier ones do not explain has less than this share of its variance gets no slope: what is
/// left of it is rounding.
const COLLINEAR: f64 = 1e-9;

/// Raw numbers by feature and row.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a>(pub(crate) &'a [FeatureData<'a>]);

impl Numbers<'_> {
    /// NaN for what is no number.
    #[inline]
    pub(crate) fn at(self, feature: u32, row: usize) -> f64 {
        match self.0.get(feature as usize) {
            Some(FeatureData::Number(values)) => values[row],
            _ => f64::NAN,
        }
    }
}

/// One feature's part in a leaf: `slope` times what its value, brought into `low..=high`, exceeds `low` by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) feature: u32,
    pub(crate) slope: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// The linear models of consecutive leaves; leaves past the end, or without terms, are constants.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LinearModels {
    /// Value of each leaf where all its features are at their lowest.
    pub(crate) intercepts: Vec<f64>,
    /// End of each leaf's terms.
    pub(crate) ends: Vec<u32>,
    pub(crate) terms: Vec<Term>,
}

impl LinearModels {
    /// Whether no leaf has a term.
    pub(crate) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    pub(crate) fn terms_of(&self, leaf: usize) -> &[Term] {
        let Some(end) = self.ends.get(leaf) else { return &[] };
        let start = if leaf == 0 { 0 } else { self.ends[leaf - 1] };
        &self.terms[start as usize..*end as usize]
    }

    /// The model's value on a row; `None` where the leaf's constant counts.
    #[inline]
    pub(crate) fn value(&self, leaf: usize, row: usize, numbers: Numbers<'_>) -> Option<f64> {
        let terms = self.terms_of(leaf);
        if terms.is_empty() {
            return None;
        }
        let mut sum = self.intercepts[leaf];
        for term in terms {
            let value = numbers.at(term.feature, row);
            if !value.is_finite() {
                return None;
            }
            sum += term.slope * (value.clamp(term.low, term.high) - term.low);
        }
        Some(sum)
    }

    /// Appends the model of one leaf.
    fn push(&mut self, intercept: f64, terms: Vec<Term>) {
        self.intercepts.push(intercept);
        self.terms.extend(terms);
        self.ends.push(self.terms.len() as u32);
    }

    /// Appends the models of a tree whose leaves start at `first`; the leaves before that have none are constants.
    pub(crate) fn append(&mut self, first: usize, tree: &Self) {
        if tree.is_empty() {
            return;
        }
        let offset = self.terms.len() as u32;
        self.intercepts.resize(first, 0.0);
        self.ends.resize(first, offset);
        self.intercepts.extend(&tree.intercepts);
        self.ends.extend(tree.ends.iter().map(|end| end + offset));
        self.terms.extend(&tree.terms);
    }

    /// Multiplies the models of `count` leaves from `first`.
    pub(crate) fn scale(&mut self, first: usize, count: usize, factor: f64) {
        let end = (first + count).min(self.ends.len());
        for leaf in first..end {
            self.intercepts[leaf] *= factor;
            let start = if leaf == 0 { 0 } else { self.ends[leaf - 1] };
            for term in &mut self.terms[start as usize..self.ends[leaf] as usize] {
                term.slope *= factor;
            }
        }
    }

    /// Keeps the first `leaves` leaves.
    pub(crate) fn truncate(&mut self, leaves: usize) {
        self.intercepts.truncate(leaves);
        self.ends.truncate(leaves);
        self.terms.truncate(self.ends.last().map_or(0, |end| *end as usize));
    }
}

/// What one tree's models are fitted to.
pub(crate) struct LinearFit<'a> {
    pub(crate) rule: &'a LeafRule<'a>,
    pub(crate) ridge: f64,
    pub(crate) input: &'a TrainInput<'a>,
    pub(crate) numbers: Numbers<'a>,
    pub(crate) draw: &'a Draw,
    pub(crate) derivatives: &'a Derivatives,
    pub(crate) output: usize,
}

impl LinearFit<'_> {
    /// Models of all leaves of a tree on the codes of `bins`, from the rows that the tree was grown on.
    ///
    /// Each leaf is one task and adds its rows in their order, so threads never change a bit.
    pub(crate) fn fit(&self, grown: &Grown, leaf_of: &[u32], bins: &Bins) -> LinearModels {
        let mut positions: Vec<Vec<u32>> = vec![Vec::new(); grown.leaves.len()];
        for (position, row) in self.input.rows.iter().enumerate() {
            let leaf = leaf_of[*row as usize];
            if leaf != NO_LEAF && self.draw.factor(position) > 0.0 {
                positions[leaf as usize].push(position as u32);
            }
        }
        let paths = path_numbers(grown, bins, self.numbers);
        let fitted: Vec<Option<(f64, Vec<Term>)>> = positions
            .par_iter()
            .zip(&paths)
            .map(|(positions, features)| self.fit_leaf(positions, features))
            .collect();
        let mut models = LinearModels::default();
        for model in fitted {
            let (intercept, terms) = model.unwrap_or_default();
            models.push(intercept, terms);
        }
        models
    }

    /// The model of one leaf; `None` where its rows do not determine one.
    fn fit_leaf(&self, positions: &[u32], features: &[u32]) -> Option<(f64, Vec<Term>)> {
        let rows = self.usable_rows(positions, features);
        // Fewer rows than unknowns fit anything.
        if features.is_empty() || rows.len() <= features.len() {
            return None;
        }
        let gradient: f64 = rows.iter().map(|row| row.gradient).sum();
        let hessian: f64 = rows.iter().map(|row| row.hessian).sum();
        if hessian.is_nan() || hessian <= 0.0 {
            return None;
        }
        let columns: Vec<Column> = features
            .iter()
            .filter_map(|feature| Column::new(*feature, &rows, self.numbers, hessian))
            .collect();
        let (mut gram, mut right) = self.normal_equations(&rows, &columns);
        solve(&mut gram, &mut right, self.ridge);
        let unbounded = (f64::NEG_INFINITY, f64::INFINITY);
        let LeafRule { l1, l2, rate, .. } = *self.rule;
        let mut intercept = leaf_value(gradient, hessian, l1, l2, unbounded);
        let mut terms = Vec::with_capacity(columns.len());
        for (column, weight) in columns.iter().zip(&right).filter(|(_, weight)| **weight != 0.0) {
            intercept += weight * (column.low - column.mean) / column.deviation;
            terms.push(Term {
                feature: column.feature,
                slope: rate * weight / column.deviation,
                low: column.low,
                high: column.high,
            });
        }
        let finite = intercept.is_finite() && terms.iter().all(|term| term.slope.is_finite());
        (finite && !terms.is_empty()).then_some((rate * intercept, terms))
    }

    /// The rows whose features are all present.
    fn usable_rows(&self, positions: &[u32], features: &[u32]) -> Vec<LeafRow> {
        let mut rows = Vec::with_capacity(positions.len());
        for position in positions {
            let position = *position as usize;
            let row = self.input.rows[position] as usize;
            if features.iter().all(|feature| self.numbers.at(*feature, row).is_finite()) {
                let (gradients, hessians) = self.derivatives.chunk(position / CHUNK, self.output);
                let factor = self.draw.factor(position);
                rows.push(LeafRow {
                    row,
                    gradient: gradients[position % CHUNK] * factor,
                    hessian: hessians[position % CHUNK] * factor,
                });
            }
        }
        rows
    }

    /// Weighted covariances of the standardised columns (lower triangle, row by row) and minus their gradients.
    fn normal_equations(&self, rows: &[LeafRow], columns: &[Column]) -> (Vec<f64>, Vec<f64>) {
        let width = columns.len();
        let mut gram = vec![0.0; width * width];
        let mut right = vec![0.0; width];
        let mut values = vec![0.0; width];
        for row in rows {
            for (value, column) in values.iter_mut().zip(columns) {
                *value = (self.numbers.at(column.feature, row.row) - column.mean) / column.deviation;
            }
            for i in 0..width {
                right[i] -= row.gradient * values[i];
                let weighted = row.hessian * values[i];
                for (slot, value) in gram[i * width..=i * width + i].iter_mut().zip(&values) {
                    *slot += weighted * value;
                }
            }
        }
        (gram, right)
    }
}

/// A row of a leaf with its derivatives.
struct LeafRow {
    row: usize,
    gradient: f64,
    hessian: f64,
}

/// One feature among the rows of a leaf.
struct Column {
    feature: u32,
    mean: f64,
    deviation: f64,
    low: f64,
    high: f64,
}

impl Column {
    /// `None` if the values do not differ, or are too large for their moments to be finite.
    fn new(feature: u32, rows: &[LeafRow], numbers: Numbers<'_>, hessian: f64) -> Option<Self> {
        let (mut low, mut high, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        for row in rows {
            let value = numbers.at(feature, row.row);
            low = low.min(value);
            high = high.max(value);
            sum += row.hessian * value;
        }
        let mean = sum / hessian;
        let mut squares = 0.0;
        for row in rows {
            let distance = numbers.at(feature, row.row) - mean;
            squares += row.hessian * distance * distance;
        }
        let deviation = (squares / hessian).sqrt();
        // Below this the differences are rounding of the mean.
        let differs = low < high && deviation > 1e-12 * mean.abs();
        (differs && deviation.is_finite()).then_some(Self { feature, mean, deviation, low, high })
    }
}

/// Solves (`gram` + `ridge` I) x = `right` in place by Cholesky's factors of the lower triangle; columns that others
/// explain get 0.
fn solve(gram: &mut [f64], right: &mut [f64], ridge: f64) {
    let width = right.len();
    let mut alive = vec![true; width];
    for j in 0..width {
        let whole = gram[j * width + j] + ridge;
        let explained: f64 = (0..j).map(|k| gram[j * width + k] * gram[j * width + k]).sum();
        let pivot = whole - explained;
        alive[j] = pivot > COLLINEAR * whole;
        let root = if alive[j] { pivot.sqrt() } else { 0.0 };
        gram[j * width + j] = root;
        for i in j + 1..width {
            let product: f64 = (0..j).map(|k| gram[i * width + k] * gram[j * width + k]).sum();
            let rest = gram[i * width + j] - product;
            gram[i * width + j] = if alive[j] { rest / root } else { 0.0 };
        }
    }
    for j in 0..width {
        let known: f64 = (0..j).map(|k| gram[j * width + k] * right[k]).sum();
        right[j] = if alive[j] { (right[j] - known) / gram[j * width + j] } else { 0.0 };
    }
    for j in (0..width).rev() {
        let known: f64 = (j + 1..width).map(|i| gram[i * width + j] * right[i]).sum();
        right[j] = if alive[j] { (right[j] - known) / gram[j * width + j] } else { 0.0 };
    }
}

/// For each leaf the numbers asked on its path, ascending; of more than [`MAX_TERMS`] the last asked.
fn path_numbers(grown: &Grown, bins: &Bins, numbers: Numbers<'_>) -> Vec<Vec<u32>> {
    let mut paths = vec![Vec::new(); grown.leaves.len()];
    let Shape::General(nodes) = &grown.shape else { return paths };
    let mut open: Vec<(usize, Vec<u32>)> = vec![(0, Vec::new())];
    while let Some((node, path)) = open.pop() {
        match &nodes[node] {
            GrownNode::Leaf(leaf) => {
                let mut features: Vec<u32> = Vec::new();
                for feature in path.iter().rev() {
                    if features.len() < MAX_TERMS && !features.contains(feature) {
                        features.push(*feature);
                    }
                }
                features.sort_unstable();
                paths[*leaf as usize] = features;
            }
            GrownNode::Split { feature, left, right, .. } => {
                let mut path = path;
                // Columns past the features are statistics of categories, which have no raw value.
                let is_number =
                    (*feature as usize) < numbers.0.len() && !bins.columns[*feature as usize].is_category();
                if is_number {
                    path.push(*feature);
                }
                open.push((*right as usize, path.clone()));
                open.push((*left as usize, path));
            }
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_solution_is_that_of_cramers_rule_and_copies_get_nothing() {
        // [[4, 2], [2, 3]] + I = [[5, 2], [2, 4]]; right (1, 2): x = (0, 1/2).
        let mut right = [1.0, 2.0];
        solve(&mut [4.0, 0.0, 2.0, 3.0], &mut right, 1.0);
        assert!(right[0].abs() < 1e-15 && (right[1] - 0.5).abs() < 1e-15, "{right:?}");
        // The third column is a copy of the first.
        let mut right = [1.0, 2.0, 1.0];
        solve(&mut [4.0, 0.0, 0.0, 2.0, 3.0, 0.0, 4.0, 2.0, 4.0], &mut right, 0.0);
        assert_eq!(right[2], 0.0);
        let (a, b) = (right[0], right[1]);
        assert!((4.0 * a + 2.0 * b - 1.0).abs() < 1e-12 && (2.0 * a + 3.0 * b - 2.0).abs() < 1e-12);
    }

    #[test]
    fn values_are_brought_into_the_range_and_missing_ones_fall_back() {
        let mut models = LinearModels::default();
        let term = Term { feature: 0, slope: 2.0, low: 1.0, high: 3.0 };
        let mut tree = LinearModels::default();
        tree.push(10.0, vec![term]);
        tree.push(0.0, Vec::new());
        models.append(2, &tree);
        let column = [2.0, 9.0, -4.0, f64::NAN, f64::INFINITY];
        let features = [FeatureData::Number(&column)];
        let at = |leaf, row| models.value(leaf, row, Numbers(&features));
        assert_eq!([0, 1, 2, 3, 4].map(|row| at(2, row)), [Some(12.0), Some(14.0), Some(10.0), None, None]);
        // Leaves before, without terms and past the end are constants.
        assert_eq!([0, 1, 3, 4].map(|leaf| at(leaf, 0)), [None; 4]);
        models.truncate(2);
        assert!(models.is_empty());
    }
}
