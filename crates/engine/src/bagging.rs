//! What of a chosen trial is shipped: the models of all its folds, of some, or one model of all rows.
//!
//! The mean of several models varies less than one of them and costs as much more in time and bytes. Where `spread` is
//! the share of the loss that is variance, the mean of m models has the loss L(m) = L(1) (1 - spread (1 - 1/m)): exact
//! for squared errors (Breiman 1996, "Bagging predictors", section 4), the first order for other losses. Out-of-fold
//! predictions come from one model a row and measure L(1); trials that were validated several times also measure the
//! mean of so many models, and thereby the spread. So a blend of few models in large bags can be weighed against one of
//! many models in small bags under the same limits, and the one that validates better is shipped.

use kaizen_metrics::Metric;
use kaizen_tabular::Effort;

use crate::request::{FitRequest, Preset};

/// Microseconds that one tree takes for one row, and one call of any model besides: what the example `latency` prints
/// for a blend, divided by its trees. Fixed figures and not measurements, so that the choice is reproducible.
const TREE_MICROSECONDS: f64 = 0.016;
const CALL_MICROSECONDS: f64 = 2.5;
const OPAQUE_MICROSECONDS: f64 = 30.0;

/// Microseconds for the words of one row, once for each fold whose models are shipped: members of a fold share them.
pub(crate) const TEXT_MICROSECONDS: f64 = 45.0;

/// What the default preset allows one row, in microseconds.
const DEFAULT_LATENCY_MICROSECONDS: f64 = 75.0;

/// What the default preset allows the fitted numbers, in bytes; the report and the rest of the artifact come on top.
const DEFAULT_BYTES: f64 = 17e6;

/// Share of the loss that is variance where no trial was validated more than once.
const USUAL_SPREAD: f64 = 0.02;

/// No measurement of the spread is believed beyond this.
const MOST_SPREAD: f64 = 0.3;

/// What one model takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Footprint {
    /// Estimated microseconds for one row.
    pub microseconds: f64,
    /// Bytes before they are packed.
    pub bytes: f64,
}

/// What a blend may take; infinite where nothing limits it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Allowance {
    pub microseconds: f64,
    pub bytes: f64,
}

impl Footprint {
    /// Of a fitted pipeline.
    pub(crate) fn of(effort: Effort, size_bytes: usize) -> Self {
        let microseconds = match effort {
            Effort::Trees(count) => CALL_MICROSECONDS + count as f64 * TREE_MICROSECONDS,
            Effort::Linear => CALL_MICROSECONDS,
            Effort::Opaque => OPAQUE_MICROSECONDS,
        };
        Self { microseconds, bytes: size_bytes as f64 }
    }

    /// The mean of several.
    pub(crate) fn mean(all: &[Self]) -> Self {
        let count = all.len().max(1) as f64;
        Self {
            microseconds: all.iter().map(|one| one.microseconds).sum::<f64>() / count,
            bytes: all.iter().map(|one| one.bytes).sum::<f64>() / count,
        }
    }

    /// Of both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { microseconds: self.microseconds + other.microseconds, bytes: self.bytes + other.bytes }
    }

    /// Of so many such models.
    pub(crate) fn times(self, count: usize) -> Self {
        Self { microseconds: self.microseconds * count as f64, bytes: self.bytes * count as f64 }
    }
}

impl Allowance {
    /// What the request and its preset allow.
    pub(crate) fn of(request: &FitRequest) -> Self {
        let usual = |usual: f64| if request.preset == Preset::Best { f64::INFINITY } else { usual };
        Self {
            microseconds: request
                .limits
                .max_latency_microseconds
                .unwrap_or(usual(DEFAULT_LATENCY_MICROSECONDS)),
            bytes: request.limits.max_size_bytes.map_or(usual(DEFAULT_BYTES), |bytes| bytes as f64),
        }
    }

    /// What is left when so many microseconds are spoken for; nothing is left of less than that.
    pub(crate) fn after(self, microseconds: f64) -> Self {
        Self { microseconds: (self.microseconds - microseconds).max(f64::MIN_POSITIVE), ..self }
    }

    pub(crate) fn is_limited(self) -> bool {
        self.microseconds.is_finite() || self.bytes.is_finite()
    }

    /// The share of the allowance that something takes: of what is scarcer. Shares of parts add up to at least the
    /// share of the whole, so a blend within 1 keeps both limits.
    pub(crate) fn share(self, taken: Footprint) -> f64 {
        // Where nothing is left the share stays a number that can be added up.
        (taken.microseconds / self.microseconds).max(taken.bytes / self.bytes).min(1e12)
    }
}

/// How many models a bag may keep, the most first, where a repeat has `folds` and the most repeated trial has `most`.
pub(crate) fn bag_sizes(folds: usize, most: usize) -> Vec<usize> {
    let mut sizes = vec![most.max(folds), folds, folds.div_ceil(2), folds.div_ceil(4), 1];
    sizes.dedup();
    sizes
}

/// The loss to expect of bags of `size` models (at least 1) where single ones have `loss`.
pub(crate) fn bagged_loss(loss: f64, spread: f64, size: f64) -> f64 {
    loss * (1.0 - spread * (1.0 - 1.0 / size.max(1.0)))
}

/// The share of the loss that is variance, from trials that were validated `repeats` times: triples of repeats, value
/// of the metric for the first repeat alone, and for the mean over all of them. The median of what they say.
pub(crate) fn spread(metric: &Metric, measured: &[(usize, f64, f64)]) -> f64 {
    let mut spreads: Vec<f64> = measured
        .iter()
        .filter(|(repeats, ..)| *repeats > 1)
        .filter_map(|&(repeats, one, mean)| {
            let (one, mean) = (metric.loss_of(one), metric.loss_of(mean));
            let spread = (1.0 - mean / one) / (1.0 - 1.0 / repeats as f64);
            spread.is_finite().then(|| spread.clamp(0.0, MOST_SPREAD))
        })
        .collect();
    spreads.sort_by(f64::total_cmp);
    spreads.get(spreads.len() / 2).copied().unwrap_or(USUAL_SPREAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blend_within_its_share_keeps_both_limits() {
        let allowance = Allowance { microseconds: 100.0, bytes: 1e6 };
        let slow = Footprint { microseconds: 60.0, bytes: 1e3 };
        let large = Footprint { microseconds: 1.0, bytes: 5e5 };
        assert_eq!(allowance.share(slow), 0.6);
        assert_eq!(allowance.share(large), 0.5);
        assert!(allowance.share(slow.times(2)) > 1.0);
        assert_eq!(allowance.after(40.0).share(slow), 1.0);
        let nothing = allowance.after(100.0).share(large);
        assert!(nothing > 1.0 && nothing.is_finite(), "nothing is left");
        let without = Allowance { microseconds: f64::INFINITY, bytes: f64::INFINITY };
        assert_eq!(without.after(40.0), without);
        assert_eq!(without.share(slow), 0.0);
        assert!(!without.is_limited() && allowance.is_limited());
    }

    #[test]
    fn sizes_fall_to_one_without_repeating() {
        assert_eq!(bag_sizes(8, 24), [24, 8, 4, 2, 1]);
        assert_eq!(bag_sizes(5, 5), [5, 3, 2, 1]);
        assert_eq!(bag_sizes(1, 1), [1]);
    }

    #[test]
    fn the_spread_is_what_a_second_opinion_takes_off() {
        let rmse = kaizen_metrics::by_name("rmse").unwrap();
        // The mean of two takes off 5 %, half of the variance: a bag of many would take off 10 %.
        let measured = [(2, 1.0, 0.95), (1, 1.0, 0.5)];
        let spread = spread(rmse, &measured);
        assert!((spread - 0.1).abs() < 1e-12);
        assert!((bagged_loss(1.0, spread, 2.0) - 0.95).abs() < 1e-12);
        assert_eq!(super::spread(rmse, &[]), USUAL_SPREAD);
        assert_eq!(super::spread(rmse, &[(2, 1.0, 1.1)]), 0.0, "worse by chance");
    }
}
