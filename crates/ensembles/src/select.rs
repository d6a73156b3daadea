//! Which models to blend, and how much to believe it.
//!
//! The loss on which a blend was chosen flatters it. On few rows the flattery is larger than the gain, so there the
//! choice is *bagged* (greedy selection on random halves of the rows, weights averaged: Caruana, Munson and Niculescu-Mizil 2006,
//! section 2.3, who draw models where we draw rows, because rows are what is scarce) and *cross-fitted*: each way to blend chooses
//! on four fifths of the rows and is measured on the last; the way that measures best is used on all rows.

use kaizen_base::{Seed, Signal};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::greedy::{Greedy, ranked};
use crate::kernel::{Kernel, kernel};
use crate::pool::Pool;
use crate::simplex::stack;

/// Parts of the cross-fit.
const PARTS: usize = 5;
/// Uniform blends that are tried, by their number of members.
const UNIFORM_SIZES: [usize; 3] = [2, 4, 8];

/// A way to turn candidates into weights, from the simplest to the freest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// The best model alone.
    Single,
    /// The best so many models, all alike.
    Uniform(usize),
    /// Greedy selection with replacement.
    Greedy,
    /// Weights on the simplex that minimise a convex loss (squares and log loss only).
    Simplex,
}

/// What bounds a choice.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Most members of a greedy blend, repetitions counted.
    pub steps: usize,
    /// Most models to start a greedy blend from.
    pub initial: usize,
    /// Steps without a better blend before a greedy run gives up.
    pub patience: usize,
    /// Least gain of a member, as a share of the best model's loss.
    pub least_gain: f64,
    /// Halves of the rows over which greedy weights are averaged; 1 chooses once, on all rows.
    pub bags: usize,
    /// Whether strategies compete on rows that they have not seen.
    pub is_cross_fitted: bool,
    /// By how many standard errors (over the parts of the cross-fit) a blend must beat the best single model; 0 or more.
    pub doubt: f64,
    /// Limit on the sum of the members' costs, in microseconds a row.
    pub cost_limit: Option<f64>,
    /// Where the randomness comes from.
    pub seed: Seed,
    /// Told to finish, a choice rounds off with what it has.
    pub signal: Signal,
}

/// Below this number of rows the choice is bagged and cross-fitted. At the figure the standard error of a loss is
/// about 1 % of it, of the order of what a blend gains.
const SMALL_ROWS: usize = 10_000;

impl Settings {
    /// What suits so many rows: 50 steps from at most 5 models, patience 8; below 10,000 rows also 10 bags and the
    /// cross-fit with one standard error of doubt. The least gain is a twentieth of the relative standard error of a loss, `1 / sqrt(rows)`: less
    /// cannot be told from chance.
    pub fn for_rows(rows: usize, seed: Seed) -> Self {
        let is_small = rows < SMALL_ROWS;
        Self {
            steps: 50,
            initial: 5,
            patience: 8,
            least_gain: 0.05 / (rows.max(1) as f64).sqrt(),
            bags: if is_small { 10 } else { 1 },
            is_cross_fitted: is_small,
            doubt: 1.0,
            cost_limit: None,
            seed,
            signal: Signal::new(),
        }
    }
}

/// A chosen blend.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// Weight of each candidate `[candidates]`, not negative, sum 1.
    pub weights: Vec<f64>,
    /// How the weights came about.
    pub strategy: Strategy,
    /// Loss of the blend on the rows that chose it: optimistic.
    pub loss: f64,
    /// Loss on rows that did not choose, and that of the best single model chosen likewise, where the choice was cross-fitted.
    pub held_out: Option<HeldOut>,
    /// Sum of the members' costs, in microseconds a row.
    pub cost: f64,
}

/// What a strategy scores on rows that it has not seen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// Loss of the chosen strategy.
    pub loss: f64,
    /// Loss of the best single model.
    pub single: f64,
}

impl Ensemble {
    /// Members with their weights, heaviest first; ties go to the earlier.
    pub fn members(&self) -> Vec<(usize, f64)> {
        let mut members: Vec<(usize, f64)> =
            self.weights.iter().copied().enumerate().filter(|member| member.1 > 0.0).collect();
        members.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        members
    }
}

/// Chooses weights for the candidates of a pool by the loss of the blend under the pool's metric.
///
/// The same pool and settings give the same weights on any number of threads. Candidates whose loss is undefined
/// are never chosen. Cost: at most `steps` passes over all predictions (a few additions for squared losses), and
/// about `5 * bags` times that on fewer rows where cross-fitted.
///
/// # Errors
/// [`EnsembleError::NoneAffordable`]; [`EnsembleError::Setting`] for no steps, no bags, and for a gain or a doubt that
/// is not a number of 0 or more.
///
/// ```
/// use kaizen_base::Seed;
/// use kaizen_ensembles::{Candidate, Outputs, Pool, Settings, select};
/// use kaizen_metrics::{Truth, by_name};
/// // Two models err in opposite directions, a third is useless.
/// let numbers: Vec<f64> = (0..400).map(f64::from).collect();
/// let high: Vec<f64> = numbers.iter().map(|y| y + 1.0).collect();
/// let low: Vec<f64> = numbers.iter().map(|y| y - 1.0).collect();
/// let flat = vec![200.0; 400];
/// let candidates = [&high, &low, &flat].map(|predictions| Candidate { predictions, cost: 1.0 });
/// let truth = Truth::values(&numbers)?;
/// let pool = Pool::new(&truth, Outputs::Values, candidates.to_vec(), None, by_name("rmse")?)?;
/// let ensemble = select(&pool, &Settings::for_rows(400, Seed(1)))?;
/// assert_eq!(ensemble.weights, [0.5, 0.5, 0.0]);
/// # Ok::<(), kaizen_ensembles::EnsembleError>(())
/// ```
pub fn select(pool: &Pool<'_>, settings: &Settings) -> Result<Ensemble, EnsembleError> {
    let costs: Vec<f64> = pool.candidates.iter().map(|candidate| candidate.cost).collect();
    let cost_limit = settings.cost_limit.unwrap_or(f64::INFINITY);
    check(settings, &costs, cost_limit)?;
    let all: Vec<u32> = (0..pool.rows() as u32).collect();
    let mut strategies = vec![Strategy::Single, Strategy::Greedy];
    let choice = Choice { pool, settings, costs: &costs, cost_limit };
    let mut held_out = None;
    let mut strategy = Strategy::Greedy;
    if settings.is_cross_fitted && pool.len() > 1 {
        strategies.extend(
            UNIFORM_SIZES.iter().filter(|&&size| size <= pool.len()).map(|&size| Strategy::Uniform(size)),
        );
        strategies.push(Strategy::Simplex);
        strategies.sort_unstable();
        match choice.cross_fit(&strategies) {
            Some(losses) => {
                if let Some((index, evidence)) = settle(&losses, settings) {
                    strategy = strategies[index];
                    held_out = Some(evidence);
                }
            }
            // Too few rows of a class to hold any out: nothing speaks for a blend.
            None => strategy = Strategy::Single,
        }
    }
    let full = kernel(pool, &all);
    let (strategy, weights) = match choice.weights(strategy, full.as_ref(), &all, settings.seed) {
        Some(weights) => (strategy, weights),
        None => (Strategy::Single, choice.best_single(&choice.singles(full.as_ref()))),
    };
    let loss = full.loss_of_weights(&weights);
    let cost = weights.iter().zip(&costs).filter(|pair| *pair.0 > 0.0).map(|pair| pair.1).sum();
    Ok(Ensemble { weights, strategy, loss, held_out, cost })
}

/// The strategy to trust, by its losses in each part: the simplest that is not measurably worse than the best, if it
/// beats the single model beyond doubt; else the single model, which stands first.
///
/// The rule of one standard error is that of Breiman, Friedman, Olshen and Stone (1984), section 3.4.3. On simulated tables of
/// 200 rows (the tests below, 100 of each) it keeps 93 % of what a blend gains in ROC area where there is something to gain
/// (0.0205 of 0.0220), and cuts the loss where there is nothing from 0.0040 to 0.0005.
fn settle(losses: &[Option<Vec<f64>>], settings: &Settings) -> Option<(usize, HeldOut)> {
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let means: Vec<f64> =
        losses.iter().map(|losses| losses.as_ref().map_or(f64::INFINITY, |losses| mean(losses))).collect();
    let lowest = means.iter().copied().fold(f64::INFINITY, f64::min);
    let (single, bound) = (means[0], lowest + settings.least_gain * means[0].min(f64::MAX));
    let chosen = means.iter().position(|&loss| loss <= bound)?;
    let evidence = |index: usize| (index, HeldOut { loss: means[index], single });
    let (Some(alone), Some(blend)) = (&losses[0], &losses[chosen]) else { return Some(evidence(chosen)) };
    let gains: Vec<f64> = alone.iter().zip(blend).map(|(alone, blend)| alone - blend).collect();
    let gain = mean(&gains);
    let squares: f64 = gains.iter().map(|other| (other - gain) * (other - gain)).sum();
    let error = (squares / (gains.len() * (gains.len() - 1)) as f64).sqrt();
    Some(evidence(if gain >= settings.doubt * error { chosen } else { 0 }))
}

fn check(settings: &Settings, costs: &[f64], cost_limit: f64) -> Result<(), EnsembleError> {
    for (setting, count) in [("steps", settings.steps), ("bags", settings.bags)] {
        if count == 0 {
            return Err(EnsembleError::Setting { setting, value: 0.0, allowed: "1 or more" });
        }
    }
    for (setting, value) in [("least_gain", settings.least_gain), ("doubt", settings.doubt)] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(EnsembleError::Setting { setting, value, allowed: "0 or more" });
        }
    }
    let cheapest = costs.iter().copied().fold(f64::INFINITY, f64::min);
    // A limit that is not a number allows nothing.
    if cost_limit.is_nan() || cheapest > cost_limit {
        return Err(EnsembleError::NoneAffordable { limit: cost_limit, cheapest });
    }
    Ok(())
}

/// What all parts of a choice share.
struct Choice<'a> {
    pool: &'a Pool<'a>,
    settings: &'a Settings,
    costs: &'a [f64],
    cost_limit: f64,
}

impl Choice<'_> {
    /// Held-out loss of each strategy in each part; nothing for one that does not apply or is undefined somewhere, nothing at
    /// all when a class, or a group, is too rare to stand in every part.
    fn cross_fit(&self, strategies: &[Strategy]) -> Option<Vec<Option<Vec<f64>>>> {
        let count = PARTS.min(self.pool.most_parts());
        if count < 2 {
            return None;
        }
        let parts = self.pool.deal(count, &mut self.settings.seed.child("cross-fit", 0).rng());
        let measured: Vec<Vec<Option<f64>>> = (0..count)
            .into_par_iter()
            .map(|out| {
                let others = (0..count).filter(|&part| part != out);
                let mut rows: Vec<u32> = others.flat_map(|part| parts[part].iter().copied()).collect();
                rows.sort_unstable();
                let (inner, outer) = (kernel(self.pool, &rows), kernel(self.pool, &parts[out]));
                let seed = self.settings.seed.child("part", out as u64);
                let measure = |&strategy: &Strategy| {
                    let weights = self.weights(strategy, inner.as_ref(), &rows, seed)?;
                    Some(outer.loss_of_weights(&weights)).filter(|loss| loss.is_finite())
                };
                strategies.iter().map(measure).collect()
            })
            .collect();
        let of_strategy = |strategy: usize| measured.iter().map(|losses| losses[strategy]).collect();
        Some((0..strategies.len()).map(of_strategy).collect())
    }

    /// The weights that a strategy chooses on `rows`; nothing when it does not apply to the metric.
    fn weights(&self, strategy: Strategy, kernel: &dyn Kernel, rows: &[u32], seed: Seed) -> Option<Vec<f64>> {
        let singles = self.singles(kernel);
        match strategy {
            Strategy::Single => Some(self.best_single(&singles)),
            Strategy::Uniform(size) => {
                let mut weights = vec![0.0; singles.len()];
                let defined =
                    ranked(&singles, self.costs).into_iter().filter(|&index| singles[index].is_finite());
                defined.take(size).for_each(|candidate| weights[candidate] = 1.0);
                Some(self.affordable(&weights, &singles))
            }
            Strategy::Greedy if self.settings.bags == 1 => Some(self.greedy(kernel, &singles)),
            Strategy::Greedy => {
                let weights = self.bagged(rows, seed);
                Some(self.pruned(kernel, &singles, &weights))
            }
            Strategy::Simplex => {
                let defined: Vec<usize> =
                    (0..singles.len()).filter(|&index| singles[index].is_finite()).collect();
                stack(kernel, singles.len(), &defined, &self.settings.signal)
                    .map(|weights| self.pruned(kernel, &singles, &weights))
            }
        }
    }

    fn singles(&self, kernel: &dyn Kernel) -> Vec<f64> {
        let count = self.pool.len();
        let loss_of = |candidate: usize| {
            let mut weights = vec![0.0; count];
            weights[candidate] = 1.0;
            kernel.loss_of_weights(&weights)
        };
        (0..count).into_par_iter().map(loss_of).collect()
    }

    /// All weight on the best affordable candidate.
    fn best_single(&self, singles: &[f64]) -> Vec<f64> {
        let order = ranked(singles, self.costs);
        let best = order.into_iter().find(|&candidate| self.costs[candidate] <= self.cost_limit).unwrap_or(0);
        let mut weights = vec![0.0; singles.len()];
        weights[best] = 1.0;
        weights
    }

    fn least_gain(&self, singles: &[f64]) -> f64 {
        let best = singles.iter().copied().fold(f64::INFINITY, f64::min);
        if best.is_finite() { self.settings.least_gain * best } else { 0.0 }
    }

    fn greedy(&self, kernel: &dyn Kernel, singles: &[f64]) -> Vec<f64> {
        let greedy = Greedy {
            steps: self.settings.steps,
            initial: self.settings.initial,
            patience: self.settings.patience,
            gain: self.least_gain(singles),
            costs: self.costs,
            cost_limit: self.cost_limit,
            signal: &self.settings.signal,
        };
        greedy.run(kernel, singles)
    }

    /// Mean of the greedy weights on random halves of `rows`.
    fn bagged(&self, rows: &[u32], seed: Seed) -> Vec<f64> {
        let halves: Vec<Vec<f64>> = (0..self.settings.bags)
            .into_par_iter()
            .map(|bag| {
                let half = self.pool.half(rows, &mut seed.child("bag", bag as u64).rng());
                let kernel = kernel(self.pool, &half);
                self.greedy(kernel.as_ref(), &self.singles(kernel.as_ref()))
            })
            .collect();
        let mut mean = vec![0.0; self.pool.len()];
        for weights in halves {
            for (mean, weight) in mean.iter_mut().zip(weights) {
                *mean += weight / self.settings.bags as f64;
            }
        }
        mean
    }

    /// Keeps the heaviest members that the cost limit allows, and scales them to sum 1.
    fn affordable(&self, weights: &[f64], singles: &[f64]) -> Vec<f64> {
        let mut order: Vec<usize> =
            (0..weights.len()).filter(|&candidate| weights[candidate] > 0.0).collect();
        order.sort_by(|&a, &b| {
            weights[b].total_cmp(&weights[a]).then(singles[a].total_cmp(&singles[b])).then(a.cmp(&b))
        });
        let mut kept = vec![0.0; weights.len()];
        let mut cost = 0.0;
        for candidate in order {
            if cost + self.costs[candidate] <= self.cost_limit {
                cost += self.costs[candidate];
                kept[candidate] = weights[candidate];
            }
        }
        let total: f64 = kept.iter().sum();
        if total == 0.0 {
            return self.best_single(singles);
        }
        for weight in &mut kept {
            *weight /= total;
        }
        kept
    }

    /// Drops members, lightest first, as long as each dropped one brought less than the least gain.
    fn pruned(&self, kernel: &dyn Kernel, singles: &[f64], weights: &[f64]) -> Vec<f64> {
        let mut weights = self.affordable(weights, singles);
        let gain = self.least_gain(singles);
        let mut loss = kernel.loss_of_weights(&weights);
        let mut lightest: Vec<usize> =
            (0..weights.len()).filter(|&candidate| weights[candidate] > 0.0).collect();
        lightest.sort_by(|&a, &b| {
            let by_cost = self.costs[b].total_cmp(&self.costs[a]);
            weights[a].total_cmp(&weights[b]).then(by_cost).then(b.cmp(&a))
        });
        for candidate in lightest {
            let rest = 1.0 - weights[candidate];
            if rest <= f64::EPSILON {
                break;
            }
            let mut without: Vec<f64> = weights.iter().map(|weight| weight / rest).collect();
            without[candidate] = 0.0;
            let found = kernel.loss_of_weights(&without);
            if found <= loss + gain {
                (weights, loss) = (without, found);
            }
        }
        // Scaling member by member has left its rounding.
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }
}

#[cfg(test)]
mod tests {
    use kaizen_base::math;
    use kaizen_metrics::{Truth, by_name};

    use super::*;
    use crate::pool::{Candidate, Outputs};

    /// Labels, and the positive probabilities of `models` models: each sees the same signal through its own noise.
    fn binary(seed: u64, rows: usize, models: usize) -> (Vec<u32>, Vec<Vec<f64>>) {
        let mut rng = Seed(seed).rng();
        let signal: Vec<f64> = (0..rows).map(|_| 1.5 * rng.normal()).collect();
        let labels = signal.iter().map(|s| u32::from(rng.uniform() < math::sigmoid(*s))).collect();
        let columns = (0..models)
            .map(|model| {
                let noise = 0.6 + 0.1 * (model % 7) as f64;
                let column = signal.iter().flat_map(|s| {
                    let p = math::sigmoid(s + noise * rng.normal());
                    [1.0 - p, p]
                });
                column.collect()
            })
            .collect();
        (labels, columns)
    }

    fn with_cost(columns: &[Vec<f64>], cost: impl Fn(usize) -> f64) -> Vec<Candidate<'_>> {
        let numbered = columns.iter().enumerate();
        numbered.map(|(index, predictions)| Candidate { predictions, cost: cost(index) }).collect()
    }

    #[test]
    fn weights_sum_to_one_beat_the_best_and_do_not_depend_on_threads() {
        let (labels, columns) = binary(1, 600, 12);
        let truth = Truth::classes(&labels, 2).unwrap();
        for name in ["log_loss", "roc_auc", "brier", "accuracy"] {
            for (bags, is_cross_fitted) in [(1, false), (4, true)] {
                let candidates = with_cost(&columns, |_| 1.0);
                let metric = by_name(name).unwrap();
                let pool = Pool::new(&truth, Outputs::Probabilities(2), candidates, None, metric).unwrap();
                let settings = Settings { bags, is_cross_fitted, ..Settings::for_rows(600, Seed(3)) };
                let run = || select(&pool, &settings).unwrap();
                let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(run);
                let four = rayon::ThreadPoolBuilder::new().num_threads(4).build().unwrap().install(run);
                assert_eq!(one, four, "{name}");
                assert!((one.weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                assert!(one.weights.iter().all(|&weight| weight >= 0.0));
                assert_eq!(one.cost, one.members().len() as f64);
                let scores = pool.blend(&one.weights);
                let scores = pool.outputs.scores(&scores).unwrap();
                let measured = metric.error(&truth, &scores, None).unwrap();
                assert!((one.loss - measured).abs() < 1e-12, "{name}");
                if !is_cross_fitted {
                    let singles = columns.iter().map(|column| {
                        metric.error(&truth, &pool.outputs.scores(column).unwrap(), None).unwrap()
                    });
                    assert!(one.loss <= singles.fold(f64::INFINITY, f64::min), "{name}");
                }
            }
        }
    }

    #[test]
    fn the_cost_limit_holds_and_an_impossible_one_is_refused() {
        let (labels, columns) = binary(2, 500, 10);
        let truth = Truth::classes(&labels, 2).unwrap();
        let candidates = with_cost(&columns, |index| 2.0 + index as f64);
        let metric = by_name("log_loss").unwrap();
        let pool = Pool::new(&truth, Outputs::Probabilities(2), candidates, None, metric).unwrap();
        let free = select(&pool, &Settings::for_rows(500, Seed(1))).unwrap();
        for (bags, is_cross_fitted) in [(1, false), (10, true)] {
            for limit in [2.0, 7.5, 15.0] {
                let settings = Settings {
                    cost_limit: Some(limit),
                    bags,
                    is_cross_fitted,
                    ..Settings::for_rows(500, Seed(1))
                };
                let ensemble = select(&pool, &settings).unwrap();
                assert!(
                    ensemble.cost <= limit && limit < free.cost,
                    "{} {limit} {}",
                    ensemble.cost,
                    free.cost
                );
            }
        }
        let settings = Settings { cost_limit: Some(1.0), ..Settings::for_rows(500, Seed(1)) };
        let error = select(&pool, &settings).unwrap_err();
        assert_eq!(error, EnsembleError::NoneAffordable { limit: 1.0, cheapest: 2.0 });
        let settings = Settings { steps: 0, ..Settings::for_rows(500, Seed(1)) };
        assert!(matches!(select(&pool, &settings), Err(EnsembleError::Setting { setting: "steps", .. })));
    }

    #[test]
    fn copies_bring_nothing_and_stay_out() {
        let (labels, columns) = binary(3, 2_000, 1);
        let copies = vec![columns[0].clone(); 6];
        let truth = Truth::classes(&labels, 2).unwrap();
        for name in ["log_loss", "roc_auc", "brier"] {
            // The third copy is the cheapest.
            let candidates = with_cost(&copies, |index| if index == 2 { 1.0 } else { 5.0 });
            let pool = Pool::new(&truth, Outputs::Probabilities(2), candidates, None, by_name(name).unwrap());
            let pool = pool.unwrap();
            for is_cross_fitted in [false, true] {
                let settings = Settings { is_cross_fitted, ..Settings::for_rows(2_000, Seed(1)) };
                let ensemble = select(&pool, &settings).unwrap();
                assert_eq!(ensemble.members(), [(2, 1.0)], "{name}");
            }
        }
    }

    /// Loss on 5,000 new rows of the best single model less that of the ensemble, both chosen on 200 rows: mean and standard
    /// error over so many tables. The first `good` of 30 models see the signal, the others hardly.
    fn gain_on_new_rows(name: &str, good: usize, tables: u64) -> (f64, f64) {
        let (rows, fresh, models) = (200, 5_000, 30);
        let metric = by_name(name).unwrap();
        let outputs = Outputs::Probabilities(2);
        let gains: Vec<f64> = (0..tables)
            .into_par_iter()
            .map(|seed| {
                let (labels, mut columns) = binary(100 + seed, rows + fresh, models);
                let mut rng = Seed(seed).child("noise", 0).rng();
                for p in columns[good..].iter_mut().flat_map(|column| column.chunks_exact_mut(2)) {
                    p[1] = math::sigmoid(rng.normal() + 0.2 * (p[1] - 0.5));
                    p[0] = 1.0 - p[1];
                }
                let seen: Vec<Vec<f64>> = columns.iter().map(|column| column[..2 * rows].to_vec()).collect();
                let truth = Truth::classes(&labels[..rows], 2).unwrap();
                let pool = Pool::new(&truth, outputs, with_cost(&seen, |_| 0.0), None, metric).unwrap();
                let chosen = select(&pool, &Settings::for_rows(rows, Seed(seed))).unwrap();
                let loss_seen = |index: usize| {
                    metric.error(&truth, &outputs.scores(&seen[index]).unwrap(), None).unwrap()
                };
                let single = (0..models).min_by(|&a, &b| loss_seen(a).total_cmp(&loss_seen(b))).unwrap();
                let new_truth = Truth::classes(&labels[rows..], 2).unwrap();
                let loss_on_new = |weights: &[f64]| {
                    let mut blend = vec![0.0; 2 * fresh];
                    for (column, weight) in columns.iter().zip(weights) {
                        for (sum, p) in blend.iter_mut().zip(&column[2 * rows..]) {
                            *sum += weight * p;
                        }
                    }
                    metric.error(&new_truth, &outputs.scores(&blend).unwrap(), None).unwrap()
                };
                let mut alone = vec![0.0; models];
                alone[single] = 1.0;
                loss_on_new(&alone) - loss_on_new(&chosen.weights)
            })
            .collect();
        let mean = gains.iter().sum::<f64>() / gains.len() as f64;
        let squares: f64 = gains.iter().map(|gain| (gain - mean) * (gain - mean)).sum();
        (mean, (squares / (gains.len() * (gains.len() - 1)) as f64).sqrt())
    }

    #[test]
    fn on_small_tables_the_ensemble_gains_where_there_is_something_to_gain() {
        for name in ["log_loss", "roc_auc"] {
            let (mean, error) = gain_on_new_rows(name, 30, 16);
            assert!(mean > 3.0 * error, "{name}: gain {mean}, standard error {error}");
        }
    }

    /// One good model among 29 useless ones: there is nothing to gain and most to over-fit. A blend that slips through the doubt is
    /// rare but not impossible (of these 40 tables one does, by ROC area, and costs it 0.055), so what is claimed is
    /// the mean: at most 1 % of the losses, which are about 0.55 and 0.2. Over 100 tables it was 0.0011 and 0.0005, each
    /// less than two standard errors from nothing.
    #[test]
    fn on_small_tables_the_ensemble_loses_nothing_where_there_is_nothing_to_gain() {
        for (name, bound) in [("log_loss", 0.0055), ("roc_auc", 0.002)] {
            let (mean, error) = gain_on_new_rows(name, 1, 40);
            assert!(mean > -bound, "{name}: gain {mean}, standard error {error}");
        }
    }
}
