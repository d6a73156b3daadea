//! How the loss of a blend is found fast, given what the metric's formula allows.
//!
//! A *state* is a sum over members, so that adding one candidate costs one pass over the rows at most:
//!
//! - squares: the state lives in the space of candidates, not rows. With residuals `r_i` and weights that sum to 1,
//!   the mean square of the blend is `w' G w` with `G_ij = mean(r_i r_j)`: after one pass for `G`, trying a candidate
//!   takes a handful of additions;
//! - logarithm of the true class: one number a row, and one logarithm for sixteen rows;
//! - ROC area: scores fall into fine bins, whose histograms give the area with ties counted half. Only the order of
//!   trials rests on bins; what is reported is exact;
//! - other metrics: the blend is measured afresh.

use kaizen_base::math;
use kaizen_metrics::{Structure, Truth, roc_auc};
use rayon::prelude::*;

use crate::pool::{Outputs, Pool, gather};

/// The loss of blends over a fixed set of rows. All sums run in a fixed order.
pub(crate) trait Kernel: Sync {
    /// The state of the blend with these weights `[candidates]`, not scaled.
    fn state(&self, weights: &[f64]) -> Vec<f64>;
    /// Adds a candidate once.
    fn add(&self, state: &mut [f64], candidate: usize);
    /// The loss after adding `candidate` once to a state whose weights sum to `total`; may be approximate.
    fn try_adding(&self, state: &[f64], total: f64, candidate: usize) -> f64;
    /// The exact loss of a state whose weights sum to `total`; infinite where undefined.
    fn loss(&self, state: &[f64], total: f64) -> f64;
    /// A smooth convex loss that ranks blends as the metric does, with its gradient, both at weights that sum to 1;
    /// nothing for metrics without one.
    fn convex(&self, weights: &[f64]) -> Option<(f64, Vec<f64>)>;

    /// The exact loss of weights that sum to 1.
    fn loss_of_weights(&self, weights: &[f64]) -> f64 {
        self.loss(&self.state(weights), 1.0)
    }
}

/// The kernel of the pool's metric over `rows` (ascending).
pub(crate) fn kernel(pool: &Pool<'_>, rows: &[u32]) -> Box<dyn Kernel> {
    let weights = pool.weights.map(|weights| gather(weights, 1, rows));
    let labels: Option<Vec<u32>> =
        pool.truth.labels().map(|labels| rows.iter().map(|&row| labels[row as usize]).collect());
    match (pool.metric.structure, labels, pool.outputs) {
        (Structure::LogOfTrueClass, Some(labels), Outputs::Probabilities(classes)) => {
            let column = |predictions: &[f64]| {
                let pairs = rows.iter().zip(&labels);
                pairs.map(|(&row, &label)| predictions[row as usize * classes + label as usize]).collect()
            };
            let columns = pool.candidates.par_iter().map(|candidate| column(candidate.predictions)).collect();
            Box::new(LogLoss { columns, weights })
        }
        (Structure::MeanSquare | Structure::RootMeanSquare | Structure::ShareOfSquares, ..) => {
            Box::new(Squares::new(pool, rows, weights.as_deref()))
        }
        (Structure::Area, Some(labels), Outputs::Probabilities(2)) => {
            let column =
                |predictions: &[f64]| rows.iter().map(|&row| predictions[row as usize * 2 + 1]).collect();
            let columns = pool.candidates.par_iter().map(|candidate| column(candidate.predictions)).collect();
            Box::new(Area { columns, labels, weights })
        }
        (_, labels, outputs) => {
            let numbers = pool.truth.numbers().map(|numbers| gather(numbers, 1, rows));
            let truth = match (labels, numbers) {
                (Some(labels), _) => Owned::Labels(labels, outputs.count()),
                (None, numbers) => Owned::Numbers(numbers.unwrap_or_default()),
            };
            let columns = pool
                .candidates
                .par_iter()
                .map(|candidate| gather(candidate.predictions, outputs.count(), rows))
                .collect();
            let levels = if let Outputs::Quantiles(levels) = outputs { levels.to_vec() } else { Vec::new() };
            Box::new(AnyMetric {
                metric: pool.metric,
                columns,
                truth,
                outputs: outputs.count(),
                levels,
                weights,
            })
        }
    }
}

fn weighted_sum(columns: &[Vec<f64>], weights: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; columns[0].len()];
    for (column, &weight) in columns.iter().zip(weights).filter(|pair| *pair.1 != 0.0) {
        for (sum, value) in sum.iter_mut().zip(column) {
            *sum += weight * value;
        }
    }
    sum
}

fn add_column(state: &mut [f64], column: &[f64]) {
    for (sum, value) in state.iter_mut().zip(column) {
        *sum += value;
    }
}

/// Log loss: columns hold the probability of the true class `[rows]`.
struct LogLoss {
    columns: Vec<Vec<f64>>,
    weights: Option<Vec<f64>>,
}

/// Probabilities multiplied before one logarithm: sixteen of at least 2^-52 stay a normal number.
const FACTORS: usize = 16;

/// Mean of `-ln` of clipped probabilities.
fn mean_log_loss(probabilities: impl Iterator<Item = f64>, weights: Option<&[f64]>, rows: usize) -> f64 {
    let clipped = probabilities.map(|p| p.clamp(f64::EPSILON, 1.0 - f64::EPSILON));
    let mut sum = 0.0;
    if let Some(weights) = weights {
        clipped.zip(weights).for_each(|(p, weight)| sum -= weight * math::ln(p));
        return sum / weights.iter().sum::<f64>();
    }
    let (mut product, mut factors) = (1.0, 0);
    for p in clipped {
        product *= p;
        factors += 1;
        if factors == FACTORS {
            sum -= math::ln(product);
            (product, factors) = (1.0, 0);
        }
    }
    (sum - math::ln(product)) / rows as f64
}

impl Kernel for LogLoss {
    fn state(&self, weights: &[f64]) -> Vec<f64> {
        weighted_sum(&self.columns, weights)
    }

    fn add(&self, state: &mut [f64], candidate: usize) {
        add_column(state, &self.columns[candidate]);
    }

    fn try_adding(&self, state: &[f64], total: f64, candidate: usize) -> f64 {
        let scale = 1.0 / (total + 1.0);
        let blended = state.iter().zip(&self.columns[candidate]).map(|(sum, p)| (sum + p) * scale);
        mean_log_loss(blended, self.weights.as_deref(), state.len())
    }

    fn loss(&self, state: &[f64], total: f64) -> f64 {
        mean_log_loss(state.iter().map(|sum| sum / total), self.weights.as_deref(), state.len())
    }

    fn convex(&self, weights: &[f64]) -> Option<(f64, Vec<f64>)> {
        let state = self.state(weights);
        let rows = state.len();
        let total = self.weights.as_ref().map_or(rows as f64, |weights| weights.iter().sum());
        let slopes: Vec<f64> = state
            .iter()
            .enumerate()
            .map(|(row, p)| self.weights.as_ref().map_or(1.0, |weights| weights[row]) / p.max(f64::EPSILON))
            .collect();
        let slope_of =
            |column: &Vec<f64>| -column.iter().zip(&slopes).map(|(p, slope)| p * slope).sum::<f64>() / total;
        Some((self.loss(&state, 1.0), self.columns.par_iter().map(slope_of).collect()))
    }
}

/// Squares: the state is `G w` followed by `w' G w`.
struct Squares {
    /// `[candidates, candidates]`, mean products of residuals.
    products: Vec<f64>,
    count: usize,
    structure: Structure,
    /// Variance of the truth, for a share of squares.
    variance: f64,
}

impl Squares {
    fn new(pool: &Pool<'_>, rows: &[u32], weights: Option<&[f64]>) -> Self {
        let outputs = pool.outputs.count();
        // Two classes are judged by the positive one alone.
        let columns: Vec<usize> =
            if pool.outputs == Outputs::Probabilities(2) { vec![1] } else { (0..outputs).collect() };
        let total = weights.map_or(rows.len() as f64, |weights| weights.iter().sum());
        let target = |row: u32, column: usize| match (pool.truth.numbers(), pool.truth.labels()) {
            (Some(numbers), _) => numbers[row as usize],
            (None, Some(labels)) => f64::from(u8::from(labels[row as usize] as usize == column)),
            (None, None) => unreachable!("the truth is numbers or labels"),
        };
        // Residuals carry the square root of their row's share, so that plain products are means.
        let shares: Vec<f64> =
            (0..rows.len()).map(|at| (weights.map_or(1.0, |weights| weights[at]) / total).sqrt()).collect();
        let residuals: Vec<Vec<f64>> = pool
            .candidates
            .par_iter()
            .map(|candidate| {
                let mut residuals = Vec::with_capacity(rows.len() * columns.len());
                for (&row, share) in rows.iter().zip(&shares) {
                    for &column in &columns {
                        let prediction = candidate.predictions[row as usize * outputs + column];
                        residuals.push(share * (prediction - target(row, column)));
                    }
                }
                residuals
            })
            .collect();
        let count = residuals.len();
        let triangle: Vec<Vec<f64>> = (0..count)
            .into_par_iter()
            .map(|i| (0..=i).map(|j| dot(&residuals[i], &residuals[j])).collect())
            .collect();
        let mut products = vec![0.0; count * count];
        for (i, line) in triangle.iter().enumerate() {
            for (j, &product) in line.iter().enumerate() {
                products[i * count + j] = product;
                products[j * count + i] = product;
            }
        }
        let share_and_target =
            || rows.iter().zip(&shares).map(|(&row, share)| (share * share, target(row, 0)));
        let mean: f64 = share_and_target().map(|(share, y)| share * y).sum();
        let variance = share_and_target().map(|(share, y)| share * (y - mean) * (y - mean)).sum();
        Self { products, count, structure: pool.metric.structure, variance }
    }

    fn finish(&self, mean_square: f64) -> f64 {
        match self.structure {
            Structure::RootMeanSquare => mean_square.max(0.0).sqrt(),
            Structure::ShareOfSquares if self.variance > 0.0 => mean_square.max(0.0) / self.variance,
            Structure::ShareOfSquares => f64::INFINITY,
            _ => mean_square.max(0.0),
        }
    }
}

/// Eight partial sums break the chain of additions; their order is fixed.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let whole = a.len() / 8 * 8;
    for (x, y) in a[..whole].chunks_exact(8).zip(b[..whole].chunks_exact(8)) {
        for lane in 0..8 {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let rest: f64 = a[whole..].iter().zip(&b[whole..]).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f64>() + rest
}

impl Kernel for Squares {
    fn state(&self, weights: &[f64]) -> Vec<f64> {
        let mut state: Vec<f64> =
            self.products.chunks_exact(self.count).map(|line| dot(line, weights)).collect();
        state.push(dot(&state, weights));
        state
    }

    fn add(&self, state: &mut [f64], candidate: usize) {
        let line = &self.products[candidate * self.count..(candidate + 1) * self.count];
        state[self.count] += 2.0 * state[candidate] + line[candidate];
        for (sum, product) in state[..self.count].iter_mut().zip(line) {
            *sum += product;
        }
    }

    fn try_adding(&self, state: &[f64], total: f64, candidate: usize) -> f64 {
        let own = self.products[candidate * self.count + candidate];
        let square = state[self.count] + 2.0 * state[candidate] + own;
        self.finish(square / ((total + 1.0) * (total + 1.0)))
    }

    fn loss(&self, state: &[f64], total: f64) -> f64 {
        self.finish(state[self.count] / (total * total))
    }

    fn convex(&self, weights: &[f64]) -> Option<(f64, Vec<f64>)> {
        let state = self.state(weights);
        Some((state[self.count], state[..self.count].iter().map(|sum| 2.0 * sum).collect()))
    }
}

/// ROC area: columns hold the probability of class 1 `[rows]`.
struct Area {
    columns: Vec<Vec<f64>>,
    labels: Vec<u32>,
    weights: Option<Vec<f64>>,
}

/// Mantissa bits of a bin: 128 bins between a probability and its double.
const BIN_BITS: u32 = 7;
/// Fewer rows get 32 bins between a probability and its double, or visiting empty bins would take the longest.
const FEW_ROWS: usize = 4_000;
const FEW_ROWS_BIN_BITS: u32 = 5;
/// Probabilities nearer to 0 or 1 than 2^-24 share a bin.
const SMALLEST_EXPONENT: u64 = 1023 - 24;

/// Bins below one half, whose biased exponent is 1022.
const fn bins_below_half(bits: u32) -> usize {
    ((1022 - SMALLEST_EXPONENT) << bits) as usize
}

/// The bin of a probability: logarithmic towards both ends, so that rare classes keep their resolution.
#[inline]
fn bin_of(p: f64, bits: u32) -> usize {
    let nearer = p.min(1.0 - p).max(f64::MIN_POSITIVE);
    // Bits of positive numbers order as the numbers do; dropping low bits keeps exponent and leading mantissa.
    let steps = (nearer.to_bits() >> (52 - bits)).saturating_sub(SMALLEST_EXPONENT << bits) as usize;
    // At one half exactly the two sides meet in one bin.
    if p < 0.5 { steps } else { 2 * bins_below_half(bits) - steps }
}

impl Area {
    /// One less the area with ties within bins.
    fn binned(&self, blended: impl Iterator<Item = f64>) -> f64 {
        // Two constants instead of one variable: shifts by constants are what the loop is made of.
        if self.labels.len() < FEW_ROWS {
            self.binned_by::<FEW_ROWS_BIN_BITS>(blended)
        } else {
            self.binned_by::<BIN_BITS>(blended)
        }
    }

    fn binned_by<const BITS: u32>(&self, blended: impl Iterator<Item = f64>) -> f64 {
        let bins = 2 * bins_below_half(BITS) + 1;
        let pairs = blended.zip(&self.labels);
        if let Some(weights) = &self.weights {
            let mut sums = vec![[0.0_f64; 2]; bins];
            for ((p, &label), weight) in pairs.zip(weights) {
                sums[bin_of(p, BITS)][(label & 1) as usize] += weight;
            }
            return missed_area(sums.into_iter());
        }
        let mut counts = vec![[0_u32; 2]; bins];
        for (p, &label) in pairs {
            counts[bin_of(p, BITS)][(label & 1) as usize] += 1;
        }
        missed_area(counts.into_iter().map(|[negative, positive]| [f64::from(negative), f64::from(positive)]))
    }

    fn exact(&self, blended: &[f64]) -> f64 {
        let Some(weights) = &self.weights else {
            return roc_auc(&self.labels, blended).map_or(f64::INFINITY, |area| 1.0 - area);
        };
        let mut order: Vec<(f64, u32)> =
            blended.iter().enumerate().map(|(row, &p)| (p, row as u32)).collect();
        order.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let group_weights = |group: &[(f64, u32)]| {
            group.iter().fold([0.0, 0.0], |mut here, &(_, row)| {
                here[(self.labels[row as usize] & 1) as usize] += weights[row as usize];
                here
            })
        };
        missed_area(order.chunk_by(|a, b| a.0 == b.0).map(group_weights))
    }
}

/// One less the area, from weights of negatives and positives by ascending score; infinite unless both occur.
fn missed_area(ascending: impl Iterator<Item = [f64; 2]>) -> f64 {
    let (mut twice_missed, mut negatives, mut positives) = (0.0, 0.0, 0.0);
    // A pair is missed when the positive lies lower, half missed when it lies in the same place.
    for [negative, positive] in ascending {
        twice_missed += negative * (2.0 * positives + positive);
        negatives += negative;
        positives += positive;
    }
    if negatives > 0.0 && positives > 0.0 {
        0.5 * twice_missed / (negatives * positives)
    } else {
        f64::INFINITY
    }
}

impl Kernel for Area {
    fn state(&self, weights: &[f64]) -> Vec<f64> {
        weighted_sum(&self.columns, weights)
    }

    fn add(&self, state: &mut [f64], candidate: usize) {
        add_column(state, &self.columns[candidate]);
    }

    fn try_adding(&self, state: &[f64], total: f64, candidate: usize) -> f64 {
        let scale = 1.0 / (total + 1.0);
        self.binned(state.iter().zip(&self.columns[candidate]).map(|(sum, p)| (sum + p) * scale))
    }

    fn loss(&self, state: &[f64], _: f64) -> f64 {
        // Order does not depend on scale.
        self.exact(state)
    }

    fn convex(&self, _: &[f64]) -> Option<(f64, Vec<f64>)> {
        None
    }
}

enum Owned {
    Labels(Vec<u32>, usize),
    Numbers(Vec<f64>),
}

/// Any metric, measured afresh: columns hold predictions `[rows, outputs]`.
struct AnyMetric {
    metric: &'static kaizen_metrics::Metric,
    columns: Vec<Vec<f64>>,
    truth: Owned,
    outputs: usize,
    levels: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl AnyMetric {
    fn measure(&self, blended: &[f64]) -> f64 {
        let truth = match &self.truth {
            Owned::Labels(labels, classes) => Truth::classes(labels, *classes),
            Owned::Numbers(numbers) => Truth::values(numbers),
        };
        let outputs = match &self.truth {
            Owned::Labels(..) => Outputs::Probabilities(self.outputs),
            Owned::Numbers(_) if self.levels.is_empty() => Outputs::Values,
            Owned::Numbers(_) => Outputs::Quantiles(&self.levels),
        };
        // A part of the rows may lack a class: such a part says nothing, which no blend can better.
        truth
            .and_then(|truth| {
                let scores = outputs.scores(blended)?;
                self.metric.error(&truth, &scores, self.weights.as_deref())
            })
            .unwrap_or(f64::INFINITY)
    }
}

impl Kernel for AnyMetric {
    fn state(&self, weights: &[f64]) -> Vec<f64> {
        weighted_sum(&self.columns, weights)
    }

    fn add(&self, state: &mut [f64], candidate: usize) {
        add_column(state, &self.columns[candidate]);
    }

    fn try_adding(&self, state: &[f64], total: f64, candidate: usize) -> f64 {
        let scale = 1.0 / (total + 1.0);
        let pairs = state.iter().zip(&self.columns[candidate]);
        self.measure(&pairs.map(|(sum, value)| (sum + value) * scale).collect::<Vec<f64>>())
    }

    fn loss(&self, state: &[f64], total: f64) -> f64 {
        self.measure(&state.iter().map(|sum| sum / total).collect::<Vec<f64>>())
    }

    fn convex(&self, _: &[f64]) -> Option<(f64, Vec<f64>)> {
        None
    }
}

#[cfg(test)]
mod tests {
    use kaizen_base::Seed;
    use kaizen_metrics::{all, by_name};

    use super::*;
    use crate::pool::Candidate;

    /// Four candidates of growing noise on 2,000 rows, as `outputs` asks.
    fn predictions(truth: &Truth<'_>, outputs: Outputs<'_>) -> Vec<Vec<f64>> {
        let mut rng = Seed(5).rng();
        (0..4)
            .map(|model| {
                let mut values = Vec::new();
                for row in 0..truth.rows() {
                    match outputs {
                        Outputs::Probabilities(classes) => {
                            let label = truth.labels().unwrap()[row] as usize;
                            let mut scores: Vec<f64> = (0..classes)
                                .map(|class| {
                                    f64::from(u8::from(class == label))
                                        + f64::from(model + 1) * rng.normal() * 0.5
                                })
                                .collect();
                            math::softmax(&mut scores);
                            values.extend(scores);
                        }
                        Outputs::Values => {
                            values.push(truth.numbers().unwrap()[row] * math::exp(0.1 * rng.normal()));
                        }
                        Outputs::Quantiles(levels) => {
                            let y = truth.numbers().unwrap()[row];
                            values.extend(levels.iter().map(|level| y + level - 0.5 + 0.3 * rng.normal()));
                        }
                    }
                }
                values
            })
            .collect()
    }

    #[test]
    fn every_metric_agrees_with_itself_on_the_blend() {
        let mut rng = Seed(6).rng();
        let labels: Vec<u32> = (0..2_000).map(|_| rng.below(3) as u32).collect();
        let two: Vec<u32> = labels.iter().map(|label| label % 2).collect();
        let numbers: Vec<f64> = (0..2_000).map(|_| 0.5 + 5.0 * rng.uniform()).collect();
        let row_weights: Vec<f64> = (0..2_000).map(|row| f64::from(row % 4)).collect();
        let levels = [0.1, 0.5, 0.8];
        let cases = [
            (Truth::classes(&two, 2).unwrap(), Outputs::Probabilities(2)),
            (Truth::classes(&labels, 3).unwrap(), Outputs::Probabilities(3)),
            (Truth::values(&numbers).unwrap(), Outputs::Values),
            (Truth::values(&numbers).unwrap(), Outputs::Quantiles(&levels)),
        ];
        let mut checked = 0;
        for (truth, outputs) in &cases {
            let predictions = predictions(truth, *outputs);
            for metric in all() {
                let task = outputs.scores(&predictions[0]).unwrap().task();
                if !metric.applies_to(task) {
                    continue;
                }
                for weights in [None, Some(&row_weights[..])] {
                    let candidates =
                        predictions.iter().map(|predictions| Candidate { predictions, cost: 0.0 }).collect();
                    let pool = Pool::new(truth, *outputs, candidates, weights, metric).unwrap();
                    let rows: Vec<u32> = (0..2_000).collect();
                    let kernel = kernel(&pool, &rows);
                    let expected = |blend: &[f64]| {
                        metric.error(truth, &outputs.scores(&pool.blend(blend)).unwrap(), weights).unwrap()
                    };
                    let blend = [0.5, 0.25, 0.0, 0.25];
                    let found = kernel.loss_of_weights(&blend);
                    assert!((found - expected(&blend)).abs() < 1e-9, "{}: {found}", metric.name());
                    // The same blend, built step by step: 2, 1, 0, 1 and then the third.
                    let mut state = kernel.state(&[0.0; 4]);
                    for candidate in [0, 1, 0, 3] {
                        kernel.add(&mut state, candidate);
                    }
                    assert!((kernel.loss(&state, 4.0) - found).abs() < 1e-9, "{}", metric.name());
                    let tried = kernel.try_adding(&state, 4.0, 2);
                    // Bins of the area hold few pairs of so many rows, but some.
                    let tolerance = if metric.structure == Structure::Area { 1e-3 } else { 1e-9 };
                    assert!((tried - expected(&[0.4, 0.2, 0.2, 0.2])).abs() < tolerance, "{}", metric.name());
                    checked += 1;
                }
            }
        }
        assert!(checked > 90, "{checked}");
    }

    #[test]
    fn bins_ascend_and_are_symmetric() {
        for bits in [FEW_ROWS_BIN_BITS, BIN_BITS] {
            let half = bins_below_half(bits);
            let mut before = 0;
            for step in 0..=20_000 {
                let bin = bin_of(f64::from(step) / 20_000.0, bits);
                assert!(bin >= before && bin <= 2 * half, "{step}");
                before = bin;
            }
            assert_eq!((bin_of(0.0, bits), bin_of(0.5, bits), bin_of(1.0, bits)), (0, half, 2 * half));
            assert_eq!((bin_of(-1e-17, bits), bin_of(1.0_f64.next_up(), bits)), (0, 2 * half));
            // Probabilities of a rare class keep their resolution.
            assert_ne!(bin_of(1.0e-4, bits), bin_of(1.05e-4, bits));
        }
    }

    #[test]
    fn slopes_are_those_of_the_loss() {
        let mut rng = Seed(7).rng();
        let labels: Vec<u32> = (0..2_000).map(|_| rng.below(3) as u32).collect();
        let row_weights: Vec<f64> = (0..2_000).map(|row| f64::from(1 + row % 3)).collect();
        let truth = Truth::classes(&labels, 3).unwrap();
        let predictions = predictions(&truth, Outputs::Probabilities(3));
        for name in ["log_loss", "brier"] {
            let candidates =
                predictions.iter().map(|predictions| Candidate { predictions, cost: 0.0 }).collect();
            let pool = Pool::new(
                &truth,
                Outputs::Probabilities(3),
                candidates,
                Some(&row_weights),
                by_name(name).unwrap(),
            );
            let pool = pool.unwrap();
            let rows: Vec<u32> = (0..2_000).collect();
            let kernel = kernel(&pool, &rows);
            let at = [0.4, 0.3, 0.2, 0.1];
            let (_, slopes) = kernel.convex(&at).unwrap();
            for candidate in 0..4 {
                let shifted = |by: f64| {
                    let mut moved = at;
                    moved[candidate] += by;
                    kernel.convex(&moved).unwrap().0
                };
                let numeric = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
                assert!(
                    (numeric - slopes[candidate]).abs() < 1e-6,
                    "{name}: {numeric} {}",
                    slopes[candidate]
                );
            }
        }
    }
}
