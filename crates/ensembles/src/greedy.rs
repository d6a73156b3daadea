//! Greedy forward selection with replacement.
//!
//! Source: Caruana, Niculescu-Mizil, Crew and Ksikes (2004), Ensemble Selection from Libraries of Models: selection
//! with replacement (section 2.1), sorted initialisation (2.2). Where we differ: how many of the best models to
//! start from is chosen by loss; a *new* member must bring more than a stated gain, and the sum of the members' costs stays
//! below a limit; of the whole path, the best prefix by loss and size is kept.

use kaizen_base::Signal;
use rayon::prelude::*;

use crate::kernel::Kernel;

/// What bounds one greedy run.
pub(crate) struct Greedy<'a> {
    /// Most members, repetitions counted.
    pub(crate) steps: usize,
    /// Most models to start from.
    pub(crate) initial: usize,
    /// Steps without a better blend before giving up.
    pub(crate) patience: usize,
    /// Least gain of a new member, in units of the metric's loss.
    pub(crate) gain: f64,
    /// Cost of each candidate, and the limit on the sum over distinct members.
    pub(crate) costs: &'a [f64],
    pub(crate) cost_limit: f64,
    pub(crate) signal: &'a Signal,
}

/// A blend on the way.
struct Blend {
    state: Vec<f64>,
    counts: Vec<u32>,
    total: f64,
    cost: f64,
}

impl Blend {
    fn members(&self) -> usize {
        self.counts.iter().filter(|&&count| count > 0).count()
    }
}

/// Below this number of multiplications one thread is done before others wake.
const PARALLEL_FROM: usize = 20_000;

impl Greedy<'_> {
    /// Weights `[candidates]` that sum to 1. `singles` holds the loss of each candidate alone; at least one is
    /// affordable and finite.
    pub(crate) fn run(&self, kernel: &dyn Kernel, singles: &[f64]) -> Vec<f64> {
        let mut blend = self.start(kernel, singles);
        let mut best = (self.objective(kernel, &blend), blend.counts.clone());
        let mut waited = 0;
        while (blend.total as usize) < self.steps && waited < self.patience && self.signal.may_continue() {
            let Some(chosen) = self.next(kernel, &blend, singles) else { break };
            kernel.add(&mut blend.state, chosen);
            if blend.counts[chosen] == 0 {
                blend.cost += self.costs[chosen];
            }
            blend.counts[chosen] += 1;
            blend.total += 1.0;
            let objective = self.objective(kernel, &blend);
            if objective < best.0 {
                best = (objective, blend.counts.clone());
                waited = 0;
            } else {
                waited += 1;
            }
        }
        let total: u32 = best.1.iter().sum();
        best.1.iter().map(|&count| f64::from(count) / f64::from(total)).collect()
    }

    /// Loss, and the least gain for each member beyond the first.
    fn objective(&self, kernel: &dyn Kernel, blend: &Blend) -> f64 {
        kernel.loss(&blend.state, blend.total) + self.gain * (blend.members() - 1) as f64
    }

    /// The best of the uniform blends of the one, two, … best affordable models.
    fn start(&self, kernel: &dyn Kernel, singles: &[f64]) -> Blend {
        let order = ranked(singles, self.costs);
        let mut weights = vec![0.0; singles.len()];
        let mut blend =
            Blend { state: kernel.state(&weights), counts: vec![0; singles.len()], total: 0.0, cost: 0.0 };
        let mut best: Option<(f64, Vec<u32>)> = None;
        for candidate in order {
            if blend.total as usize >= self.initial.min(self.steps).max(1) {
                break;
            }
            if blend.cost + self.costs[candidate] > self.cost_limit {
                continue;
            }
            kernel.add(&mut blend.state, candidate);
            blend.counts[candidate] = 1;
            blend.total += 1.0;
            blend.cost += self.costs[candidate];
            let objective = self.objective(kernel, &blend);
            if best.as_ref().is_none_or(|best| objective < best.0) {
                best = Some((objective, blend.counts.clone()));
            }
        }
        if let Some((_, counts)) = best {
            for (weight, &count) in weights.iter_mut().zip(&counts) {
                *weight = f64::from(count);
            }
            blend.state = kernel.state(&weights);
            blend.total = weights.iter().sum();
            blend.cost = weights.iter().zip(self.costs).map(|(weight, cost)| weight.min(1.0) * cost).sum();
            blend.counts = counts;
        }
        blend
    }

    /// The candidate whose addition leaves the lowest loss, a new member charged with the least gain. Ties go to a member,
    /// then to the cheaper, then to the earlier.
    fn next(&self, kernel: &dyn Kernel, blend: &Blend, singles: &[f64]) -> Option<usize> {
        let is_open = |&candidate: &usize| {
            let is_member = blend.counts[candidate] > 0;
            singles[candidate].is_finite()
                && (is_member || blend.cost + self.costs[candidate] <= self.cost_limit)
        };
        let open: Vec<usize> = (0..singles.len()).filter(is_open).collect();
        let try_one = |&candidate: &usize| {
            let charge = if blend.counts[candidate] == 0 { self.gain } else { 0.0 };
            kernel.try_adding(&blend.state, blend.total, candidate) + charge
        };
        let tried: Vec<f64> = if blend.state.len() * open.len() < PARALLEL_FROM {
            open.iter().map(try_one).collect()
        } else {
            open.par_iter().map(try_one).collect()
        };
        let first = |a: &(usize, f64), b: &(usize, f64)| {
            a.1.total_cmp(&b.1)
                .then((blend.counts[a.0] == 0).cmp(&(blend.counts[b.0] == 0)))
                .then(self.costs[a.0].total_cmp(&self.costs[b.0]))
                .then(a.0.cmp(&b.0))
        };
        let tried = open.into_iter().zip(tried).filter(|pair| pair.1.is_finite());
        tried.min_by(first).map(|pair| pair.0)
    }
}

/// Candidates from best to worst; ties go to the cheaper, then to the earlier. Undefined losses come last.
pub(crate) fn ranked(singles: &[f64], costs: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..singles.len()).collect();
    order.sort_by(|&a, &b| {
        singles[a].total_cmp(&singles[b]).then(costs[a].total_cmp(&costs[b])).then(a.cmp(&b))
    });
    order
}
