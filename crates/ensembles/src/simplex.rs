//! Non-negative weights that sum to 1, by projected gradient descent on a convex loss.
//!
//! Minimises the mean square or the log loss of the blend over the probability simplex: the stacking of Wolpert
//! (1992) with Breiman's (1996) constraint, which makes it robust to near-copies among candidates. The projection is
//! Duchi, Shalev-Shwartz, Singer and Chandra (2008), figure 1; steps are halved until they satisfy the
//! sufficient-decrease condition of Beck and Teboulle (2009), and doubled after a success.

use kaizen_base::Signal;

use crate::kernel::Kernel;

/// Steps of descent; the loss then changes in its sixth digit at most on the pools we measured.
const MOST_STEPS: usize = 200;
/// Halvings of one step before the point counts as optimal.
const MOST_HALVINGS: usize = 40;
/// A relative decrease below this ends the descent.
const SMALLEST_DECREASE: f64 = 1e-9;
/// Weights below this are rounding, and cost a model to compute.
const SMALLEST_WEIGHT: f64 = 1e-3;

/// Weights `[candidates]` of the best blend of `allowed`, or nothing when the metric has no convex form.
pub(crate) fn stack(
    kernel: &dyn Kernel,
    count: usize,
    allowed: &[usize],
    signal: &Signal,
) -> Option<Vec<f64>> {
    let mut weights = vec![0.0; count];
    for &candidate in allowed {
        weights[candidate] = 1.0 / allowed.len() as f64;
    }
    let (mut loss, mut slopes) = kernel.convex(&weights)?;
    let steepest = slopes.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs()));
    let mut step = 1.0 / steepest.max(f64::MIN_POSITIVE);
    for _ in 0..MOST_STEPS {
        if !signal.may_continue() {
            break;
        }
        let mut moved = None;
        for _ in 0..MOST_HALVINGS {
            let mut trial = vec![0.0; count];
            let free: Vec<f64> = allowed.iter().map(|&c| weights[c] - step * slopes[c]).collect();
            allowed.iter().zip(project(&free)).for_each(|(&candidate, weight)| trial[candidate] = weight);
            let found = kernel.convex(&trial)?;
            let bound = trial.iter().zip(&weights).zip(&slopes).fold(loss, |bound, ((new, old), slope)| {
                bound + slope * (new - old) + (new - old) * (new - old) / (2.0 * step)
            });
            if found.0 <= bound {
                moved = Some((trial, found));
                break;
            }
            step *= 0.5;
        }
        let Some((trial, found)) = moved else { break };
        let is_done = loss - found.0 <= SMALLEST_DECREASE * loss.abs();
        weights = trial;
        (loss, slopes) = found;
        step *= 2.0;
        if is_done {
            break;
        }
    }
    Some(without_crumbs(&weights))
}

/// The nearest point, in Euclidean distance, whose entries are not negative and sum to 1.
pub(crate) fn project(point: &[f64]) -> Vec<f64> {
    let mut descending = point.to_vec();
    descending.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (index, value) in descending.iter().enumerate() {
        sum += value;
        let candidate = (sum - 1.0) / (index + 1) as f64;
        if value - candidate > 0.0 {
            shift = candidate;
        }
    }
    point.iter().map(|value| (value - shift).max(0.0)).collect()
}

fn without_crumbs(weights: &[f64]) -> Vec<f64> {
    let kept: Vec<f64> =
        weights.iter().map(|&weight| if weight < SMALLEST_WEIGHT { 0.0 } else { weight }).collect();
    let total: f64 = kept.iter().sum();
    if total > 0.0 { kept.iter().map(|weight| weight / total).collect() } else { weights.to_vec() }
}

#[cfg(test)]
mod tests {
    use kaizen_base::Seed;
    use kaizen_metrics::{Truth, by_name};

    use super::*;
    use crate::kernel::kernel;
    use crate::pool::{Candidate, Outputs, Pool};

    /// Independent errors are best weighted by the inverse of their variance: 1 and 1/4 give 0.8 and 0.2; a candidate
    /// that repeats the first and errs more besides gets nothing.
    #[test]
    fn errors_are_weighted_by_precision() {
        let mut rng = Seed(1).rng();
        let rows = 20_000;
        let numbers: Vec<f64> = (0..rows).map(|_| rng.normal()).collect();
        let sharp: Vec<f64> = numbers.iter().map(|y| y + rng.normal()).collect();
        let blunt: Vec<f64> = numbers.iter().map(|y| y + 2.0 * rng.normal()).collect();
        let worse: Vec<f64> = sharp.iter().map(|p| p + rng.normal()).collect();
        let candidates = [&sharp, &blunt, &worse].map(|predictions| Candidate { predictions, cost: 0.0 });
        let truth = Truth::values(&numbers).unwrap();
        let metric = by_name("rmse").unwrap();
        let pool = Pool::new(&truth, Outputs::Values, candidates.to_vec(), None, metric).unwrap();
        let all: Vec<u32> = (0..rows as u32).collect();
        let weights = stack(kernel(&pool, &all).as_ref(), 3, &[0, 1, 2], &Signal::new()).unwrap();
        // Standard error of the share is about 0.4 / sqrt(20000) = 0.003.
        assert!((weights[0] - 0.8).abs() < 0.015 && weights[2] < 0.01, "{weights:?}");
    }

    #[test]
    fn projection_lands_on_the_simplex_and_keeps_what_is_there() {
        assert_eq!(project(&[0.2, 0.3, 0.5]), [0.2, 0.3, 0.5]);
        assert_eq!(project(&[5.0, 0.0]), [1.0, 0.0]);
        // Both entries move by the same amount: (0.9 + 0.5 - 1) / 2 = 0.2.
        let moved = project(&[0.9, 0.5, -3.0]);
        assert!((moved[0] - 0.7).abs() < 1e-15 && (moved[1] - 0.3).abs() < 1e-15 && moved[2] == 0.0);
        // An offset common to all changes nothing.
        let shifted = project(&[100.9, 100.5, 97.0]);
        assert!(shifted.iter().zip(&moved).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
