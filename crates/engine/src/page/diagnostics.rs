//! Where the blend is right and wrong, from its out-of-fold predictions.
//!
//! Curves of very many rows are drawn from a sample that keeps every row of a rare class: the sampled classes weigh
//! more in turn, so every rate, share and area still estimates that of all rows.

use kaizen_base::Seed;
use kaizen_metrics::Binning;
use kaizen_metrics::{
    Confusion, MetricError, Scores, Truth, by_name, calibration, precision_recall_curve, roc_curve,
};
use kaizen_model::Predictions;
use kaizen_report::{Calibration, CalibrationBin, ClassDiagnostics, Curve, Diagnostics, NumberDiagnostics};
use kaizen_tabular::scoring::with_wrapped;

use crate::finish::Finished;
use crate::plan::Plan;
use crate::request::FitRequest;
use crate::search_loop::Searched;

/// Rows times classes drawn, at most: each costs three sorted curves, together some tens of milliseconds.
const CURVE_CELLS: usize = 100_000;

/// Classes that get curves, the largest ones: the report draws no more.
const CURVE_CLASSES: usize = 10;

/// Points of a curve before the report thins it to what can be seen.
const CURVE_POINTS: usize = 600;

/// Bins of a calibration curve of so many rows or more; fewer rows get one bin for each [`BIN_ROWS`].
const BINS: usize = 15;
const BIN_ROWS: usize = 20;

/// Predictions of numbers that are handed to the report.
const CLOUD_ROWS: usize = 100_000;

pub(super) fn of(
    request: &FitRequest,
    plan: &Plan,
    searched: &Searched,
    finished: &Finished,
) -> Option<Diagnostics> {
    let scoring = &searched.problem.scoring;
    let truth = scoring.truth(&finished.rows);
    let seed = Seed(request.seed).child("report", 0);
    if plan.task.is_classification() {
        let weights = scoring.weights(&finished.rows);
        let names = plan.target.class_names();
        return classes(names, &truth, &finished.out_of_fold, weights.as_deref(), seed)
            .ok()
            .map(Diagnostics::Classes);
    }
    (plan.task.output_count() == 1)
        .then(|| Diagnostics::Numbers(numbers(&truth, &finished.out_of_fold.values, seed)))
}

fn numbers(truth: &[f64], predicted: &[f64], seed: Seed) -> NumberDiagnostics {
    let point = |row: usize| [truth[row], predicted[row]];
    if truth.len() <= CLOUD_ROWS {
        let points = (0..truth.len()).map(point).collect();
        return NumberDiagnostics { points, ..NumberDiagnostics::default() };
    }
    let picked = seed.rng().sample_sorted(truth.len(), CLOUD_ROWS);
    NumberDiagnostics {
        points: picked.into_iter().map(|row| point(row as usize)).collect(),
        sampled_from: truth.len(),
        coverage: None,
    }
}

/// `truth` are class indices `[rows]`, `predicted` probabilities `[rows, classes]`.
fn classes(
    names: &[String],
    truth: &[f64],
    predicted: &Predictions,
    weights: Option<&[f64]>,
    seed: Seed,
) -> Result<ClassDiagnostics, MetricError> {
    let is_binary = names.len() == 2;
    let confusion = with_wrapped(&task_of(names.len()), truth, predicted, |truth, scores| {
        Confusion::new(truth, scores, None)
    })?;
    let rows_of = rows_by_class(truth, names.len());
    let drawn = drawn_classes(&rows_of, is_binary);
    let sample = sample(&rows_of, CURVE_CELLS / drawn.len().max(1), weights, seed);
    let mut found = ClassDiagnostics {
        names: names.to_vec(),
        confusion: (0..names.len())
            .map(|class| (0..names.len()).map(|other| confusion.at(class, other)).collect())
            .collect(),
        threshold: is_binary.then_some(0.5),
        sampled: (sample.rows.len() < truth.len()).then_some((sample.rows.len(), truth.len())),
        ..ClassDiagnostics::default()
    };
    for class in drawn {
        // A class that stands against nothing has no curve; the others still have theirs.
        if let Ok((roc, precision_recall, calibration)) =
            curves(&names[class], class, truth, predicted, &sample)
        {
            found.roc.push(roc);
            found.precision_recall.push(precision_recall);
            found.calibration.push(calibration);
        }
    }
    Ok(found)
}

fn task_of(class_count: usize) -> kaizen_model::Task {
    match class_count {
        2 => kaizen_model::Task::Binary,
        class_count => kaizen_model::Task::Multiclass { class_count },
    }
}

fn rows_by_class(truth: &[f64], class_count: usize) -> Vec<Vec<u32>> {
    let mut rows_of = vec![Vec::new(); class_count];
    for (row, &class) in truth.iter().enumerate() {
        rows_of[class as usize].push(row as u32);
    }
    rows_of
}

/// The positive class of two; else the largest classes, in class order.
fn drawn_classes(rows_of: &[Vec<u32>], is_binary: bool) -> Vec<usize> {
    if is_binary {
        return vec![1];
    }
    let mut order: Vec<usize> = (0..rows_of.len()).filter(|&class| !rows_of[class].is_empty()).collect();
    order.sort_by_key(|&class| (std::cmp::Reverse(rows_of[class].len()), class));
    order.truncate(CURVE_CLASSES);
    order.sort_unstable();
    order
}

/// Rows to draw, and the weight of each.
struct Sampled {
    rows: Vec<u32>,
    weights: Option<Vec<f64>>,
}

/// At most about `limit` rows, an equal share of them for each class; what a sampled class lost is made up by weight.
fn sample(rows_of: &[Vec<u32>], limit: usize, weights: Option<&[f64]>, seed: Seed) -> Sampled {
    let total: usize = rows_of.iter().map(Vec::len).sum();
    if total <= limit {
        let rows = (0..total as u32).collect();
        return Sampled { rows, weights: weights.map(<[f64]>::to_vec) };
    }
    let quota = (limit / rows_of.len()).max(1);
    let mut picked: Vec<(u32, f64)> = Vec::with_capacity(limit);
    for (class, rows) in rows_of.iter().enumerate() {
        let count = rows.len().min(quota);
        let share = rows.len() as f64 / count.max(1) as f64;
        let places = seed.child("class", class as u64).rng().sample_sorted(rows.len(), count);
        picked.extend(places.into_iter().map(|place| {
            let row = rows[place as usize];
            (row, share * weights.map_or(1.0, |weights| weights[row as usize]))
        }));
    }
    picked.sort_unstable_by_key(|(row, _)| *row);
    let (rows, weights) = picked.into_iter().unzip();
    Sampled { rows, weights: Some(weights) }
}

/// The curves of one class against the rest.
fn curves(
    name: &str,
    class: usize,
    truth: &[f64],
    predicted: &Predictions,
    sample: &Sampled,
) -> Result<(Curve, Curve, Calibration), MetricError> {
    let rows = || sample.rows.iter().map(|&row| row as usize);
    let labels: Vec<u32> = rows().map(|row| u32::from(truth[row] as usize == class)).collect();
    let probabilities = Predictions::binary(rows().map(|row| predicted.row(row)[class].clamp(0.0, 1.0)));
    let (truth, scores) = (Truth::classes(&labels, 2)?, Scores::probabilities(&probabilities.values, 2)?);
    let weights = sample.weights.as_deref();
    let area = |metric: &str| by_name(metric)?.value(&truth, &scores, weights).map(Some);
    let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    let total: f64 = (0..labels.len()).map(weight).sum();
    let positive: f64 = (0..labels.len()).filter(|&row| labels[row] == 1).map(weight).sum();
    let roc = Curve {
        label: name.to_owned(),
        points: roc_curve(&truth, &scores, 1, weights, CURVE_POINTS)?
            .iter()
            .map(|point| [point.false_positive_rate, point.true_positive_rate])
            .collect(),
        area: area("roc_auc")?,
        chance: None,
    };
    let precision_recall = Curve {
        label: name.to_owned(),
        points: precision_recall_curve(&truth, &scores, 1, weights, CURVE_POINTS)?
            .iter()
            .map(|point| [point.recall, point.precision])
            .collect(),
        area: area("average_precision")?,
        chance: Some(positive / total),
    };
    let bins = (labels.len() / BIN_ROWS).clamp(2, BINS);
    let bins = calibration(&truth, &scores, 1, weights, (Binning::Quantile, bins))?;
    let calibration = Calibration {
        label: name.to_owned(),
        bins: bins
            .iter()
            .map(|bin| CalibrationBin {
                predicted: bin.predicted,
                observed: bin.observed,
                count: bin.weight.round() as usize,
            })
            .collect(),
    };
    Ok((roc, precision_recall, calibration))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|class| format!("class {class}")).collect()
    }

    #[test]
    fn four_rows_by_hand() {
        let truth = [0.0, 0.0, 1.0, 1.0];
        let predicted = Predictions::binary([0.1, 0.6, 0.4, 0.9]);
        let found = classes(&names(2), &truth, &predicted, None, Seed(0)).unwrap();
        assert_eq!(found.confusion, [[1.0, 1.0], [1.0, 1.0]]);
        // Three of the four pairs of a positive and a negative row are in order.
        assert_eq!(found.roc[0].area, Some(0.75));
        assert_eq!(found.precision_recall[0].chance, Some(0.5));
        assert_eq!((found.roc.len(), found.sampled), (1, None));
    }

    #[test]
    fn a_sample_keeps_the_rare_class_and_the_areas() {
        let mut rng = Seed(7).rng();
        let rows = 400_000;
        let truth: Vec<f64> = (0..rows).map(|row| f64::from(u8::from(row % 1_000 == 0))).collect();
        let probabilities: Vec<f64> =
            truth.iter().map(|class| (0.3 * class + 0.7 * rng.uniform()).clamp(0.0, 1.0)).collect();
        let predicted = Predictions::binary(probabilities);
        let found = classes(&names(2), &truth, &predicted, None, Seed(0)).unwrap();
        assert_eq!(found.sampled, Some((CURVE_CELLS / 2 + 400, rows)));
        let chance = found.precision_recall[0].chance.unwrap();
        assert!((chance - 0.001).abs() < 1e-12, "{chance}");
        let all = with_wrapped(&task_of(2), &truth, &predicted, |truth, scores| {
            by_name("roc_auc")?.value(truth, scores, None)
        });
        // Standard error of the sampled area: below sqrt(0.25 / 50,000) = 0.0023 for the negatives alone.
        assert!((found.roc[0].area.unwrap() - all.unwrap()).abs() < 0.01);
        assert_eq!(found.confusion.iter().flatten().sum::<f64>(), rows as f64);
    }

    #[test]
    fn many_classes_draw_the_largest_and_an_empty_one_draws_nothing() {
        let truth: Vec<f64> = (0..60).map(|row| f64::from(row % 12)).collect();
        let values = truth
            .iter()
            .flat_map(|&class| (0..13).map(move |other| if other == class as usize { 0.4 } else { 0.05 }))
            .collect();
        let predicted = Predictions::new(13, values);
        let found = classes(&names(13), &truth, &predicted, None, Seed(0)).unwrap();
        assert_eq!((found.confusion.len(), found.roc.len()), (13, CURVE_CLASSES));
        assert!(found.roc.iter().all(|curve| curve.area == Some(1.0)));
    }

    #[test]
    fn numbers_are_thinned_and_say_of_how_many() {
        let truth: Vec<f64> = (0..=CLOUD_ROWS).map(|row| row as f64).collect();
        let found = numbers(&truth, &truth, Seed(0));
        assert_eq!((found.points.len(), found.sampled_from), (CLOUD_ROWS, CLOUD_ROWS + 1));
        assert_eq!(numbers(&truth[..3], &truth[..3], Seed(0)).points, [[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]);
    }
}
