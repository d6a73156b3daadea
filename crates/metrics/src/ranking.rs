//! Measures of order: area under the ROC curve (two classes, one-vs-rest, one-vs-one) and average precision.
//!
//! Rows are sorted once by score; each measurement is then one pass over them, whatever the weights. Equal scores
//! form one step of the curve, so ties count half and the order of rows never matters.
//!
//! ```
//! use kaizen_metrics::{Scores, Truth, by_name};
//! let truth = Truth::classes(&[0, 0, 1, 1], 2)?;
//! let scores = Scores::probabilities(&[0.9, 0.1, 0.6, 0.4, 0.65, 0.35, 0.2, 0.8], 2)?;
//! assert_eq!(by_name("roc_auc")?.value(&truth, &scores, None)?, 0.75);
//! let precision = by_name("average_precision")?.value(&truth, &scores, None)?;
//! assert!((precision - 5.0 / 6.0).abs() < 1e-12);
//! # Ok::<(), kaizen_metrics::MetricError>(())
//! ```

use kaizen_base::Card;
use rayon::prelude::*;

use crate::error::MetricError;
use crate::input::{Scores, Truth};
use crate::metric::{
    Direction, Metric, Needs, Preparation, Prepare, Statistic, Structure, TaskKind, class_input,
};

const BINARY: &[TaskKind] = &[TaskKind::Binary];
const CLASSIFICATION: &[TaskKind] = &[TaskKind::Binary, TaskKind::Multiclass];

const fn row(
    name: &'static str,
    summary: &'static str,
    source: &'static str,
    aliases: &'static [&'static str],
    prepare: Prepare,
) -> Metric {
    Metric {
        card: Card { name, summary, source },
        aliases,
        tasks: CLASSIFICATION,
        direction: Direction::Higher,
        range: (0.0, 1.0),
        needs: Needs::Probabilities,
        multiclass: None,
        structure: Structure::Other,
        prepare,
    }
}

const PROVOST: &str =
    "Provost and Domingos (2000), Well-trained PETs; as scikit-learn's roc_auc_score with multi_class='ovr'";
const HAND: &str = "Hand and Till (2001), A Simple Generalisation of the Area Under the ROC Curve; as scikit-learn's roc_auc_score with multi_class='ovo'";

/// The rows of this family.
pub(crate) const METRICS: &[Metric] = &[
    Metric {
        tasks: BINARY,
        multiclass: Some("roc_auc_ovr"),
        structure: Structure::Area,
        ..row(
            "roc_auc",
            "chance that a positive row is scored above a negative one, ties counting half",
            "Hanley and McNeil (1982), The meaning and use of the area under an ROC curve; as scikit-learn's roc_auc_score",
            &["roc_auc_score", "auc", "auroc"],
            |metric, truth, predictions| {
                let (labels, _, values) = class_input(truth, predictions);
                let scores = values.chunks_exact(2).map(|row| row[1]);
                Ok(Box::new(OneRanking {
                    metric,
                    ranking: Ranking::new(scores, labels, 1),
                    of: Ranking::roc_auc,
                }))
            },
        )
    },
    row(
        "roc_auc_ovr",
        "plain mean over classes of the area under the ROC curve of each class against the rest",
        PROVOST,
        &["auc_ovr"],
        |metric, truth, predictions| one_vs_rest(metric, truth, predictions, false, Ranking::roc_auc),
    ),
    row(
        "roc_auc_ovr_weighted",
        "mean over classes, by their frequency, of the area under the ROC curve of each class against the rest",
        PROVOST,
        &["auc_ovr_weighted"],
        |metric, truth, predictions| one_vs_rest(metric, truth, predictions, true, Ranking::roc_auc),
    ),
    row(
        "roc_auc_ovo",
        "plain mean over pairs of classes of the area under the ROC curve of one against the other",
        HAND,
        &["auc_ovo"],
        |metric, truth, predictions| one_vs_one(metric, truth, predictions, false),
    ),
    row(
        "roc_auc_ovo_weighted",
        "mean over pairs of classes, by their frequency, of the area under the ROC curve of one against the other",
        HAND,
        &["auc_ovo_weighted"],
        |metric, truth, predictions| one_vs_one(metric, truth, predictions, true),
    ),
    row(
        "average_precision",
        "precision averaged over the steps in recall; the plain mean over classes from three classes on",
        "Zhu (2004), Recall, Precision and Average Precision; as scikit-learn's average_precision_score",
        &["average_precision_score", "ap", "pr_auc", "auc_pr"],
        |metric, truth, predictions| {
            let (labels, classes, values) = class_input(truth, predictions);
            if classes > 2 {
                return one_vs_rest(metric, truth, predictions, false, Ranking::average_precision);
            }
            let scores = values.chunks_exact(2).map(|row| row[1]);
            let ranking = Ranking::new(scores, labels, 1);
            Ok(Box::new(OneRanking { metric, ranking, of: Ranking::average_precision }))
        },
    ),
];

/// Rows in descending order of score.
pub(crate) struct Ranking {
    /// Row in the top 30 bits; then whether it is the last of its tie, then whether it is positive.
    entries: Vec<u32>,
}

/// Weights cumulated at the end of a group of equal scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Weight of positive rows scored at least this high.
    pub(crate) true_positive: f64,
    /// Weight of negative rows scored at least this high.
    pub(crate) false_positive: f64,
    /// Row of the group's last entry; its score is the group's.
    pub(crate) row: usize,
}

impl Ranking {
    /// Most rows that fit beside the two flags.
    const MOST_ROWS: usize = 1 << 30;

    /// Ranks all rows by `scores`, positive where the label is `positive`.
    pub(crate) fn new(scores: impl ExactSizeIterator<Item = f64>, labels: &[u32], positive: u32) -> Self {
        Self::from_keys(
            scores.enumerate().map(|(row, score)| (descending_key(score), row as u32)).collect(),
            |row| labels[row] == positive,
        )
    }

    /// Ranks the rows in `keys`, each with its key of [`descending_key`].
    fn from_keys(mut keys: Vec<(u64, u32)>, is_positive: impl Fn(usize) -> bool) -> Self {
        assert!(keys.len() <= Self::MOST_ROWS, "a ranking holds at most 2^30 rows");
        keys.sort_unstable();
        let entry = |position: usize, &(key, row): &(u64, u32)| {
            let is_last = keys.get(position + 1).is_none_or(|next| next.0 != key);
            row << 2 | u32::from(is_last) << 1 | u32::from(is_positive(row as usize))
        };
        Self { entries: keys.iter().enumerate().map(|(position, pair)| entry(position, pair)).collect() }
    }

    /// All rows by ascending score.
    pub(crate) fn ascending_rows(&self) -> Vec<usize> {
        self.entries.iter().rev().map(|entry| (entry >> 2) as usize).collect()
    }

    /// Calls `visit` at the end of each group of equal scores; returns the weights of positive and
    /// negative rows.
    #[inline]
    pub(crate) fn walk(&self, weights: Option<&[f64]>, mut visit: impl FnMut(Step)) -> (f64, f64) {
        let mut sums = [0.0, 0.0];
        match weights {
            None => {
                for &entry in &self.entries {
                    sums[(entry & 1) as usize] += 1.0;
                    if entry & 2 != 0 {
                        visit(Step {
                            true_positive: sums[1],
                            false_positive: sums[0],
                            row: (entry >> 2) as usize,
                        });
                    }
                }
            }
            Some(weights) => {
                for &entry in &self.entries {
                    let row = (entry >> 2) as usize;
                    sums[(entry & 1) as usize] += weights[row];
                    if entry & 2 != 0 {
                        visit(Step { true_positive: sums[1], false_positive: sums[0], row });
                    }
                }
            }
        }
        (sums[1], sums[0])
    }

    /// Area under the ROC curve by the trapezoidal rule; nothing unless both classes carry weight.
    pub(crate) fn roc_auc(&self, weights: Option<&[f64]>) -> Option<f64> {
        let (mut area, mut last_true, mut last_false) = (0.0, 0.0, 0.0);
        let (positive, negative) = self.walk(weights, |step| {
            area += (step.false_positive - last_false) * (step.true_positive + last_true);
            (last_true, last_false) = (step.true_positive, step.false_positive);
        });
        (positive > 0.0 && negative > 0.0).then(|| 0.5 * area / (positive * negative))
    }

    /// Sum over steps of precision times gain in recall; nothing unless positives carry weight.
    pub(crate) fn average_precision(&self, weights: Option<&[f64]>) -> Option<f64> {
        let (mut sum, mut last_true) = (0.0, 0.0);
        let (positive, _) = self.walk(weights, |step| {
            if step.true_positive > last_true {
                let precision = step.true_positive / (step.true_positive + step.false_positive);
                sum += (step.true_positive - last_true) * precision;
                last_true = step.true_positive;
            }
        });
        (positive > 0.0).then(|| sum / positive)
    }
}

/// A number whose order is the reverse of the order of `score`; equal for both zeros.
#[inline]
fn descending_key(score: f64) -> u64 {
    // Adding zero turns -0.0 into 0.0. Flipping the sign bit of positive numbers and all bits of negative ones
    // makes unsigned order agree with numeric order; the complement reverses it.
    let bits = (score + 0.0).to_bits();
    let ascending = if bits >> 63 == 0 { bits | 1 << 63 } else { !bits };
    !ascending
}

/// The area under the ROC curve of `scores` `[rows]` (any finite numbers, larger = more positive) against labels
/// `[rows]` (1 = positive): the fast path inside a search, about a sort of the rows. NaN ranks by its bits.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::OneClass`] unless both classes occur, as when there are no rows.
///
/// ```
/// let area = kaizen_metrics::roc_auc(&[0, 0, 1, 1], &[-3.0, 2.0, 2.0, 5.0])?;
/// assert_eq!(area, 0.875);
/// # Ok::<(), kaizen_metrics::MetricError>(())
/// ```
pub fn roc_auc(labels: &[u32], scores: &[f64]) -> Result<f64, MetricError> {
    if labels.len() != scores.len() {
        return Err(MetricError::Length { what: "the truth", found: labels.len(), expected: scores.len() });
    }
    // The order within a tie reaches no result: only counts are taken of it.
    let mut keys: Vec<(u64, bool)> =
        scores.iter().zip(labels).map(|(&score, &label)| (descending_key(score), label == 1)).collect();
    keys.sort_unstable_by_key(|pair| pair.0);
    // Whole numbers: twice the area in pairs is below 2^63 for up to 2^31 rows, so the sum is exact.
    let (mut twice_area, mut positives, mut negatives) = (0u64, 0u64, 0u64);
    for group in keys.chunk_by(|a, b| a.0 == b.0) {
        let here = group.iter().filter(|pair| pair.1).count() as u64;
        let others = group.len() as u64 - here;
        twice_area += others * (2 * positives + here);
        positives += here;
        negatives += others;
    }
    if positives == 0 || negatives == 0 {
        return Err(MetricError::OneClass { metric: "roc_auc" });
    }
    Ok(0.5 * twice_area as f64 / (positives as f64 * negatives as f64))
}

struct OneRanking {
    metric: &'static str,
    ranking: Ranking,
    of: fn(&Ranking, Option<&[f64]>) -> Option<f64>,
}

impl Statistic for OneRanking {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        (self.of)(&self.ranking, weights).ok_or(MetricError::OneClass { metric: self.metric })
    }
}

/// Each class against all others.
struct OneVsRest {
    metric: &'static str,
    labels: Vec<u32>,
    rankings: Vec<Ranking>,
    of: fn(&Ranking, Option<&[f64]>) -> Option<f64>,
    is_weighted: bool,
}

fn one_vs_rest(
    metric: &'static str,
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    is_weighted: bool,
    of: fn(&Ranking, Option<&[f64]>) -> Option<f64>,
) -> Preparation {
    let (labels, classes, values) = class_input(truth, predictions);
    let rankings = (0..classes)
        .into_par_iter()
        .map(|class| Ranking::new(values.chunks_exact(classes).map(|row| row[class]), labels, class as u32))
        .collect();
    Ok(Box::new(OneVsRest { metric, labels: labels.to_vec(), rankings, of, is_weighted }))
}

impl Statistic for OneVsRest {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        let shares = class_weights(&self.labels, self.rankings.len(), weights);
        require_all_classes(self.metric, &shares)?;
        let areas: Vec<Option<f64>> =
            self.rankings.par_iter().map(|ranking| (self.of)(ranking, weights)).collect();
        mean_of_areas(self.metric, &areas, self.is_weighted.then_some(&shares[..]))
    }
}

/// Each class against each other class.
struct OneVsOne {
    metric: &'static str,
    labels: Vec<u32>,
    classes: usize,
    /// Two rankings a pair `(a, b)`, `a < b`: by the score of `a`, then by the score of `b`.
    rankings: Vec<(usize, usize, Ranking)>,
    is_weighted: bool,
}

fn one_vs_one(
    metric: &'static str,
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    is_weighted: bool,
) -> Preparation {
    let (labels, classes, values) = class_input(truth, predictions);
    let mut rows_of_class = vec![Vec::new(); classes];
    for (row, &label) in labels.iter().enumerate() {
        rows_of_class[label as usize].push(row as u32);
    }
    let ordered: Vec<(usize, usize)> =
        (0..classes).flat_map(|a| (0..classes).filter(move |&b| b != a).map(move |b| (a, b))).collect();
    let rankings = ordered
        .into_par_iter()
        .map(|(positive, other)| {
            let rows = rows_of_class[positive].iter().chain(&rows_of_class[other]);
            let keys = rows.map(|&row| (descending_key(values[row as usize * classes + positive]), row));
            let ranking = Ranking::from_keys(keys.collect(), |row| labels[row] as usize == positive);
            (positive, other, ranking)
        })
        .collect();
    Ok(Box::new(OneVsOne { metric, labels: labels.to_vec(), classes, rankings, is_weighted }))
}

impl Statistic for OneVsOne {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        let of_class = class_weights(&self.labels, self.classes, weights);
        require_all_classes(self.metric, &of_class)?;
        let areas: Vec<Option<f64>> =
            self.rankings.par_iter().map(|(_, _, ranking)| ranking.roc_auc(weights)).collect();
        let shares: Vec<f64> = self.rankings.iter().map(|&(a, b, _)| of_class[a] + of_class[b]).collect();
        mean_of_areas(self.metric, &areas, self.is_weighted.then_some(&shares[..]))
    }
}

fn class_weights(labels: &[u32], classes: usize, weights: Option<&[f64]>) -> Vec<f64> {
    let mut sums = vec![0.0; classes];
    for (row, &label) in labels.iter().enumerate() {
        sums[label as usize] += weights.map_or(1.0, |weights| weights[row]);
    }
    sums
}

fn require_all_classes(metric: &'static str, class_weights: &[f64]) -> Result<(), MetricError> {
    match class_weights.iter().position(|&weight| weight == 0.0) {
        Some(class) => Err(MetricError::AbsentClass { metric, class }),
        None => Ok(()),
    }
}

fn mean_of_areas(
    metric: &'static str,
    areas: &[Option<f64>],
    shares: Option<&[f64]>,
) -> Result<f64, MetricError> {
    let (mut sum, mut total) = (0.0, 0.0);
    for (index, area) in areas.iter().enumerate() {
        let share = shares.map_or(1.0, |shares| shares[index]);
        sum += share * area.ok_or(MetricError::OneClass { metric })?;
        total += share;
    }
    Ok(sum / total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_name;

    #[test]
    fn keys_reverse_the_order_of_numbers() {
        let ascending = [-1e300, -1.0, -1e-310, 0.0, 1e-310, 0.5, 1.0, 1e300];
        for pair in ascending.windows(2) {
            assert!(descending_key(pair[0]) > descending_key(pair[1]), "{pair:?}");
        }
        assert_eq!(descending_key(-0.0), descending_key(0.0));
    }

    #[test]
    fn area_counts_pairs_and_halves_ties() {
        // Of the 2 x 3 pairs: 5 in order, 1 tied.
        let labels = [1, 0, 1, 0, 0];
        let scores = [0.9, 0.1, 0.5, 0.5, 0.2];
        assert!((roc_auc(&labels, &scores).unwrap() - 5.5 / 6.0).abs() < 1e-15);
        let ranking = Ranking::new(scores.iter().copied(), &labels, 1);
        assert_eq!(ranking.roc_auc(None), Some(5.5 / 6.0));
        assert_eq!(ranking.roc_auc(Some(&[1.0, 1.0, 0.0, 1.0, 1.0])), Some(1.0));
        assert_eq!(ranking.roc_auc(Some(&[0.0, 1.0, 0.0, 1.0, 1.0])), None);
    }

    #[test]
    fn undefined_truths_are_told_apart() {
        let one = Truth::classes(&[1, 1], 2).unwrap();
        let scores = Scores::probabilities(&[0.5, 0.5, 0.2, 0.8], 2).unwrap();
        let error = by_name("roc_auc").unwrap().value(&one, &scores, None).unwrap_err();
        assert_eq!(error, MetricError::OneClass { metric: "roc_auc" });
        let none = Truth::classes(&[0, 0], 2).unwrap();
        assert!(by_name("average_precision").unwrap().value(&none, &scores, None).is_err());
        let two_of_three = Truth::classes(&[0, 1], 3).unwrap();
        let scores = Scores::probabilities(&[0.5, 0.3, 0.2, 0.2, 0.7, 0.1], 3).unwrap();
        for name in ["roc_auc_ovr", "roc_auc_ovo", "average_precision"] {
            let error = by_name(name).unwrap().value(&two_of_three, &scores, None).unwrap_err();
            assert!(matches!(error, MetricError::AbsentClass { class: 2, .. }), "{name}: {error}");
        }
        assert!(roc_auc(&[], &[]).is_err());
        assert!(matches!(roc_auc(&[1], &[]), Err(MetricError::Length { .. })));
    }

    #[test]
    fn weight_two_is_two_rows() {
        let labels = [1, 0, 2, 0, 2, 1];
        let mut values = Vec::new();
        for row in 0..6_u32 {
            let (a, b) = (0.1 + 0.1 * f64::from(row % 4), 0.05 * f64::from(row));
            values.extend([a, b, 1.0 - a - b]);
        }
        let repeated: Vec<usize> = vec![0, 1, 1, 2, 3, 4, 4, 4, 5];
        let labels_again: Vec<u32> = repeated.iter().map(|&row| labels[row]).collect();
        let values_again: Vec<f64> =
            repeated.iter().flat_map(|&row| values[3 * row..3 * row + 3].to_vec()).collect();
        let weights = [1.0, 2.0, 1.0, 1.0, 3.0, 1.0];
        for name in [
            "roc_auc_ovr",
            "roc_auc_ovr_weighted",
            "roc_auc_ovo",
            "roc_auc_ovo_weighted",
            "average_precision",
        ] {
            let metric = by_name(name).unwrap();
            let weighted = metric
                .value(
                    &Truth::classes(&labels, 3).unwrap(),
                    &Scores::probabilities(&values, 3).unwrap(),
                    Some(&weights),
                )
                .unwrap();
            let plain = metric
                .value(
                    &Truth::classes(&labels_again, 3).unwrap(),
                    &Scores::probabilities(&values_again, 3).unwrap(),
                    None,
                )
                .unwrap();
            assert!((weighted - plain).abs() < 1e-12, "{name}: {weighted} {plain}");
        }
    }
}
