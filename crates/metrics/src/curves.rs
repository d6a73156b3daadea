//! What reports draw and what decides: ROC and precision-recall points, calibration bins, the best threshold.
//!
//! All judge one class against the rest: class 1 of a binary task, any class of a multiclass one. A row counts as
//! positive when its probability is *at least* the threshold.

use crate::confusion::Confusion;
use crate::error::MetricError;
use crate::input::{Scores, Truth, check_weights};
use crate::metric::{Metric, Needs, TaskKind, class_input};
use crate::ranking::{Ranking, Step};

/// One point of a ROC curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RocPoint {
    /// Smallest probability that counts as positive; infinite at the start.
    pub threshold: f64,
    /// Share of the negative weight taken for positive, in [0, 1].
    pub false_positive_rate: f64,
    /// Share of the positive weight found, in [0, 1].
    pub true_positive_rate: f64,
}

/// One point of a precision-recall curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecallPoint {
    /// Smallest probability that counts as positive.
    pub threshold: f64,
    /// Share of what is taken for positive that is, in [0, 1].
    pub precision: f64,
    /// Share of the positive weight found, in [0, 1].
    pub recall: f64,
}

/// How the unit interval is cut for calibration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binning {
    /// Bins of equal width.
    Uniform,
    /// Bins of nearly equal weight; equal probabilities stay together.
    Quantile,
}

/// Rows whose probabilities are near each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// Smallest probability in the bin.
    pub low: f64,
    /// Largest probability in the bin.
    pub high: f64,
    /// Weighted mean probability.
    pub predicted: f64,
    /// Weighted share that really was of the class.
    pub observed: f64,
    /// Weight of the rows.
    pub weight: f64,
}

/// A threshold and what the metric says there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// Rows with at least this probability of class 1 count as positive.
    pub threshold: f64,
    /// Value of the metric.
    pub value: f64,
}

/// The ROC curve of `class` against the rest, from (0, 0) to (1, 1), as scikit-learn's `roc_curve`. Points on a straight
/// line are dropped; of what remains, at most about `limit` points are kept, evenly along the curve.
///
/// # Errors
/// [`MetricError::Kind`] and [`MetricError::Length`] for input that does not fit, those of bad weights,
/// [`MetricError::Setting`] for no such class, [`MetricError::OneClass`] unless both sides carry weight.
pub fn roc_curve(
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    class: usize,
    weights: Option<&[f64]>,
    limit: usize,
) -> Result<Vec<RocPoint>, MetricError> {
    let curve = Curve::new("the ROC curve", truth, predictions, class, weights)?;
    let mut steps = Vec::new();
    let (positive, negative) = curve.ranking.walk(weights, |step| steps.push(step));
    if positive == 0.0 || negative == 0.0 {
        return Err(MetricError::OneClass { metric: "the ROC curve" });
    }
    let mut points =
        vec![RocPoint { threshold: f64::INFINITY, false_positive_rate: 0.0, true_positive_rate: 0.0 }];
    let point_of = |step: &Step| RocPoint {
        threshold: curve.probability(step.row),
        false_positive_rate: step.false_positive / negative,
        true_positive_rate: step.true_positive / positive,
    };
    let mut travelled = 0.0;
    for (index, step) in steps.iter().enumerate() {
        let is_last = index + 1 == steps.len();
        let point = point_of(step);
        let before = points[points.len() - 1];
        let advance = point.false_positive_rate - before.false_positive_rate + point.true_positive_rate
            - before.true_positive_rate;
        // A corner is where the direction changes; the length of the whole curve in this measure is 2.
        let is_corner = is_last || {
            let after = &steps[index + 1];
            let rise = (step.true_positive - before.true_positive_rate * positive)
                * (after.false_positive - step.false_positive);
            let run = (step.false_positive - before.false_positive_rate * negative)
                * (after.true_positive - step.true_positive);
            rise != run
        };
        if is_last || (is_corner && advance >= 2.0 / limit.max(2) as f64) {
            travelled += advance;
            points.push(point);
        }
    }
    debug_assert!((travelled - 2.0).abs() < 1e-6, "the curve ends in (1, 1)");
    Ok(points)
}

/// The precision-recall curve of `class` against the rest, by falling threshold, so by rising recall, as
/// scikit-learn's `precision_recall_curve` reversed and without its artificial point at recall 0. At most about `limit` points
/// are kept, evenly along the curve.
///
/// # Errors
/// Those of [`roc_curve`]; [`MetricError::OneClass`] only when no positive row carries weight.
pub fn precision_recall_curve(
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    class: usize,
    weights: Option<&[f64]>,
    limit: usize,
) -> Result<Vec<PrecisionRecallPoint>, MetricError> {
    let curve = Curve::new("the precision-recall curve", truth, predictions, class, weights)?;
    let mut steps = Vec::new();
    let (positive, _) = curve.ranking.walk(weights, |step| steps.push(step));
    if positive == 0.0 {
        return Err(MetricError::OneClass { metric: "the precision-recall curve" });
    }
    let mut points: Vec<PrecisionRecallPoint> = Vec::new();
    let counted = steps.iter().filter(|step| step.true_positive + step.false_positive > 0.0);
    for step in counted {
        let point = PrecisionRecallPoint {
            threshold: curve.probability(step.row),
            precision: step.true_positive / (step.true_positive + step.false_positive),
            recall: step.true_positive / positive,
        };
        let is_near = points.last().is_some_and(|before| {
            let moved = (point.recall - before.recall).abs() + (point.precision - before.precision).abs();
            moved < 2.0 / limit.max(2) as f64
        });
        if !is_near {
            points.push(point);
        }
        // Full recall ends the story: lower thresholds only lose precision.
        if step.true_positive == positive {
            if is_near {
                points.push(point);
            }
            break;
        }
    }
    Ok(points)
}

/// Predicted against observed shares of `class` in at most `bins` bins; empty bins are left out.
///
/// # Errors
/// Those of [`roc_curve`] but [`MetricError::OneClass`]; [`MetricError::Setting`] for no bins.
pub fn calibration(
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    class: usize,
    weights: Option<&[f64]>,
    (binning, bins): (Binning, usize),
) -> Result<Vec<CalibrationBin>, MetricError> {
    if bins == 0 {
        return Err(MetricError::Setting { setting: "the number of bins", value: 0.0, allowed: "1 or more" });
    }
    let curve = Curve::new("calibration", truth, predictions, class, weights)?;
    let total: f64 = weights.map_or(curve.labels.len() as f64, |weights| weights.iter().sum());
    let mut filled: Vec<CalibrationBin> = Vec::new();
    let mut bin_before = None;
    let mut before = 0.0;
    let rows = curve.ranking.ascending_rows();
    for group in rows.chunk_by(|&a, &b| curve.probability(a) == curve.probability(b)) {
        let probability = curve.probability(group[0]);
        let weight_of = |row: &usize| weights.map_or(1.0, |weights| weights[*row]);
        let weight: f64 = group.iter().map(weight_of).sum();
        if weight == 0.0 {
            continue;
        }
        let of_class = group.iter().filter(|row| curve.labels[**row] as usize == class);
        let positive: f64 = of_class.map(weight_of).sum();
        let share = match binning {
            Binning::Uniform => probability,
            // The middle of the group, so that a large tie falls where most of it lies.
            Binning::Quantile => (before + 0.5 * weight) / total,
        };
        before += weight;
        let bin = ((share * bins as f64) as usize).min(bins - 1);
        match filled.last_mut() {
            Some(last) if bin_before == Some(bin) => {
                last.high = probability;
                last.predicted += weight * probability;
                last.observed += positive;
                last.weight += weight;
            }
            _ => {
                let (low, high) = (probability, probability);
                let predicted = weight * probability;
                filled.push(CalibrationBin { low, high, predicted, observed: positive, weight });
            }
        }
        bin_before = Some(bin);
    }
    // Until here `predicted` and `observed` held sums.
    for bin in &mut filled {
        bin.predicted /= bin.weight;
        bin.observed /= bin.weight;
    }
    Ok(filled)
}

/// Mean distance of predicted and observed share over bins, by weight, in [0, 1] (Naeini, Cooper and Hauskrecht
/// 2015, expected calibration error); 0 for no bins.
pub fn expected_calibration_error(bins: &[CalibrationBin]) -> f64 {
    let total: f64 = bins.iter().map(|bin| bin.weight).sum();
    if total == 0.0 {
        return 0.0;
    }
    bins.iter().map(|bin| bin.weight * (bin.predicted - bin.observed).abs()).sum::<f64>() / total
}

/// The threshold on the probability of class 1 at which `metric` (one that needs labels) is best. It lies half way
/// between two probabilities that occur; among equally good ones, the nearest to 0.5.
///
/// Cost: one sort, then one evaluation of the confusion matrix for each distinct probability.
///
/// # Errors
/// [`MetricError::Kind`] unless the task is binary; [`MetricError::NoThreshold`] when the metric does not depend on
/// one; those of [`Metric::value`] when it is undefined at every threshold.
///
/// ```
/// use kaizen_metrics::{Scores, Truth, best_threshold, by_name};
/// let truth = Truth::classes(&[0, 0, 0, 1, 1], 2)?;
/// let scores = Scores::probabilities(&[0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.6, 0.4, 0.1, 0.9], 2)?;
/// let best = best_threshold(by_name("f1")?, &truth, &scores, None)?;
/// assert!((best.threshold - 0.35).abs() < 1e-12 && best.value == 1.0);
/// # Ok::<(), kaizen_metrics::MetricError>(())
/// ```
pub fn best_threshold(
    metric: &Metric,
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    weights: Option<&[f64]>,
) -> Result<Threshold, MetricError> {
    if metric.needs != Needs::Labels {
        return Err(MetricError::NoThreshold { metric: metric.name() });
    }
    if predictions.task() != TaskKind::Binary {
        return Err(metric.wrong_kind(predictions.task()));
    }
    let prepared = metric.prepare(truth, predictions)?;
    let curve = Curve::new(metric.name(), truth, predictions, 1, weights)?;
    // Before any row counts as positive, the threshold lies above all probabilities.
    let mut steps = vec![(0.0, 0.0, None)];
    let (positive, negative) = curve.ranking.walk(weights, |step| {
        steps.push((step.true_positive, step.false_positive, Some(curve.probability(step.row))));
    });
    let mut best: Option<Threshold> = None;
    let mut refusal = MetricError::NoRows;
    for (index, &(true_positive, false_positive, here)) in steps.iter().enumerate() {
        let next = steps.get(index + 1).and_then(|step| step.2);
        let threshold = match (here, next) {
            (Some(here), Some(next)) => midpoint(next, here),
            (None, Some(highest)) => highest.next_up(),
            (Some(lowest), None) => lowest,
            (None, None) => continue,
        };
        let matrix = Confusion::binary(
            negative - false_positive,
            false_positive,
            positive - true_positive,
            true_positive,
        );
        match prepared.of_confusion(&matrix) {
            Some(Ok(value)) => {
                let is_better = best.is_none_or(|best| {
                    let nearer = (threshold - 0.5).abs() < (best.threshold - 0.5).abs();
                    metric.is_better(value, best.value) || (value == best.value && nearer)
                });
                if is_better {
                    best = Some(Threshold { threshold, value });
                }
            }
            Some(Err(error)) => refusal = error,
            None => return Err(MetricError::NoThreshold { metric: metric.name() }),
        }
    }
    best.ok_or(refusal)
}

/// A number above `low` and at most `high`, half way if there is one between.
fn midpoint(low: f64, high: f64) -> f64 {
    let middle = low + 0.5 * (high - low);
    if middle > low { middle } else { high }
}

/// One class against the rest, ranked.
struct Curve<'a> {
    labels: &'a [u32],
    classes: usize,
    values: &'a [f64],
    class: usize,
    ranking: Ranking,
}

impl<'a> Curve<'a> {
    fn new(
        what: &'static str,
        truth: &'a Truth<'_>,
        predictions: &'a Scores<'_>,
        class: usize,
        weights: Option<&[f64]>,
    ) -> Result<Self, MetricError> {
        // The confusion matrix asks for the same pairing, and refuses it in the same words.
        let matrix = Confusion::new(truth, predictions, weights).map_err(|error| match error {
            MetricError::Kind { wanted, found, .. } => MetricError::Kind { metric: what, wanted, found },
            other => other,
        })?;
        if class >= matrix.classes() {
            let value = class as f64;
            return Err(MetricError::Setting {
                setting: "the class",
                value,
                allowed: "an index below the number of classes",
            });
        }
        if let Some(weights) = weights {
            check_weights(weights, truth.rows())?;
        }
        let (labels, classes, values) = class_input(truth, predictions);
        let scores = values.chunks_exact(classes).map(|row| row[class]);
        let ranking = Ranking::new(scores, labels, class as u32);
        Ok(Self { labels, classes, values, class, ranking })
    }

    fn probability(&self, row: usize) -> f64 {
        self.values[row * self.classes + self.class]
    }
}

#[cfg(test)]
mod tests {
    use kaizen_base::Seed;

    use super::*;
    use crate::by_name;

    fn example(rows: usize) -> (Vec<u32>, Vec<f64>) {
        let mut rng = Seed(11).rng();
        let positive: Vec<f64> = (0..rows).map(|_| (rng.uniform() * 50.0).round() / 50.0).collect();
        let labels = positive.iter().map(|p| u32::from(rng.uniform() < p * p)).collect();
        (labels, positive.iter().flat_map(|p| [1.0 - p, *p]).collect())
    }

    #[test]
    fn the_curve_holds_the_area() {
        let (labels, values) = example(2_000);
        let (truth, scores) =
            (Truth::classes(&labels, 2).unwrap(), Scores::probabilities(&values, 2).unwrap());
        let area = by_name("roc_auc").unwrap().value(&truth, &scores, None).unwrap();
        let under = |points: &[RocPoint]| -> f64 {
            points
                .windows(2)
                .map(|pair| {
                    0.5 * (pair[1].false_positive_rate - pair[0].false_positive_rate)
                        * (pair[1].true_positive_rate + pair[0].true_positive_rate)
                })
                .sum()
        };
        let all = roc_curve(&truth, &scores, 1, None, usize::MAX).unwrap();
        assert!((under(&all) - area).abs() < 1e-12);
        assert_eq!((all[0].true_positive_rate, all[all.len() - 1].false_positive_rate), (0.0, 1.0));
        let few = roc_curve(&truth, &scores, 1, None, 20).unwrap();
        assert!(few.len() <= 22 && few.len() > 8 && (under(&few) - area).abs() < 0.01, "{}", few.len());
    }

    #[test]
    fn straight_lines_lose_their_inner_points() {
        let truth = Truth::classes(&[1, 1, 1, 0, 0], 2).unwrap();
        let values = [0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6, 0.5, 0.5];
        let scores = Scores::probabilities(&values, 2).unwrap();
        let points = roc_curve(&truth, &scores, 1, None, usize::MAX).unwrap();
        let corners: Vec<(f64, f64)> =
            points.iter().map(|p| (p.false_positive_rate, p.true_positive_rate)).collect();
        assert_eq!(corners, [(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]);
        assert_eq!(points[1].threshold, 0.7);
    }

    #[test]
    fn precision_falls_and_recall_rises_to_one() {
        let truth = Truth::classes(&[0, 1, 0, 1], 2).unwrap();
        let scores = Scores::probabilities(&[0.2, 0.8, 0.1, 0.9, 0.6, 0.4, 0.5, 0.5], 2).unwrap();
        let points = precision_recall_curve(&truth, &scores, 1, None, usize::MAX).unwrap();
        let pairs: Vec<(f64, f64)> = points.iter().map(|point| (point.precision, point.recall)).collect();
        assert_eq!(pairs, [(1.0, 0.5), (0.5, 0.5), (2.0 / 3.0, 1.0)]);
        let none = Truth::classes(&[0, 0, 0, 0], 2).unwrap();
        assert!(precision_recall_curve(&none, &scores, 1, None, 10).is_err());
    }

    #[test]
    fn bins_hold_all_weight_and_say_how_far_off_they_are() {
        let (labels, values) = example(20_000);
        let (truth, scores) =
            (Truth::classes(&labels, 2).unwrap(), Scores::probabilities(&values, 2).unwrap());
        for binning in [Binning::Uniform, Binning::Quantile] {
            let bins = calibration(&truth, &scores, 1, None, (binning, 10)).unwrap();
            assert_eq!(bins.len(), 10);
            assert_eq!(bins.iter().map(|bin| bin.weight).sum::<f64>(), 20_000.0);
            // The truth follows p², so the error is the mean of p - p² over the uniform, 1/6.
            let error = expected_calibration_error(&bins);
            assert!((error - 1.0 / 6.0).abs() < 0.01, "{error}");
        }
        assert!(calibration(&truth, &scores, 2, None, (Binning::Uniform, 10)).is_err());
        assert!(calibration(&truth, &scores, 1, None, (Binning::Uniform, 0)).is_err());
        assert_eq!(expected_calibration_error(&[]), 0.0);
    }

    #[test]
    fn the_best_threshold_is_the_best_of_all() {
        let (labels, values) = example(500);
        let truth = Truth::classes(&labels, 2).unwrap();
        let scores = Scores::probabilities(&values, 2).unwrap();
        let weights: Vec<f64> = (0..500).map(|row| 1.0 + f64::from(row % 3)).collect();
        for name in ["accuracy", "balanced_accuracy", "f1", "mcc", "cohen_kappa", "f1_macro"] {
            let metric = by_name(name).unwrap();
            let best = best_threshold(metric, &truth, &scores, Some(&weights)).unwrap();
            let value_at = |threshold: f64| {
                let decided: Vec<f64> = values
                    .chunks_exact(2)
                    .flat_map(|row| if row[1] >= threshold { [0.0, 1.0] } else { [1.0, 0.0] })
                    .collect();
                metric.value(&truth, &Scores::probabilities(&decided, 2).unwrap(), Some(&weights)).unwrap()
            };
            assert!((value_at(best.threshold) - best.value).abs() < 1e-12, "{name}");
            for percent in 0..=102 {
                assert!(
                    value_at(f64::from(percent) / 100.0 - 0.005) <= best.value + 1e-12,
                    "{name} {percent}"
                );
            }
        }
        let error = best_threshold(by_name("roc_auc").unwrap(), &truth, &scores, None).unwrap_err();
        assert_eq!(error.to_string(), "roc_auc does not depend on a threshold of class 1");
    }
}
