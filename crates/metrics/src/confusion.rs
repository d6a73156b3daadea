//! The confusion matrix, and every number that follows from it alone.

use crate::error::MetricError;
use crate::input::{Scores, Truth, check_weights};
use crate::metric::{TaskKind, class_input};

/// How several classes become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The positive class alone; for two classes.
    Positive,
    /// The plain mean over the classes that occur in truth or prediction.
    Macro,
    /// Counts of all classes pooled.
    Micro,
    /// The mean over classes, weighted by their weight in the truth.
    Weighted,
}

/// Weights of rows by true and predicted class.
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    /// `[classes, classes]`, row = truth, column = prediction.
    cells: Vec<f64>,
}

/// The index of the largest number; the first among equals, so a binary tie at 0.5 goes to class 0.
///
/// ```
/// assert_eq!(kaizen_metrics::most_probable(&[0.4, 0.4, 0.2]), 0);
/// ```
pub fn most_probable(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (class, &probability) in probabilities.iter().enumerate().skip(1) {
        if probability > probabilities[best] {
            best = class;
        }
    }
    best
}

impl Confusion {
    /// Counts rows (or sums `weights` `[rows]`) by true and most probable class.
    ///
    /// # Errors
    /// [`MetricError::Kind`] unless both are of classes, [`MetricError::Length`], and those of bad weights.
    pub fn new(
        truth: &Truth<'_>,
        predictions: &Scores<'_>,
        weights: Option<&[f64]>,
    ) -> Result<Self, MetricError> {
        let found = predictions.task();
        let are_classes = matches!(found, TaskKind::Binary | TaskKind::Multiclass);
        if !are_classes || truth.labels().is_none() {
            let wanted = "class probabilities against class labels".to_owned();
            return Err(MetricError::Kind { metric: "the confusion matrix", wanted, found });
        }
        let rows = predictions.rows();
        if truth.rows() != rows {
            return Err(MetricError::Length { what: "the truth", found: truth.rows(), expected: rows });
        }
        if let Some(weights) = weights {
            check_weights(weights, rows)?;
        }
        let (labels, count, values) = class_input(truth, predictions);
        if values.len() != rows * count {
            let found = values.len() / rows;
            return Err(MetricError::Length { what: "a row of probabilities", found, expected: count });
        }
        Ok(Self::from_cells(&cells_of(labels, count, values), count, weights))
    }

    pub(crate) fn from_cells(cell_of_row: &[u32], classes: usize, weights: Option<&[f64]>) -> Self {
        let mut cells = vec![0.0; classes * classes];
        match weights {
            None => cell_of_row.iter().for_each(|&cell| cells[cell as usize] += 1.0),
            Some(weights) => {
                for (&cell, weight) in cell_of_row.iter().zip(weights) {
                    cells[cell as usize] += weight;
                }
            }
        }
        Self { classes, cells }
    }

    /// A binary matrix from its four cells.
    pub(crate) fn binary(
        true_negative: f64,
        false_positive: f64,
        false_negative: f64,
        true_positive: f64,
    ) -> Self {
        Self { classes: 2, cells: vec![true_negative, false_positive, false_negative, true_positive] }
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Weight of the rows of class `truth` that were taken for class `predicted`.
    ///
    /// # Panics
    /// If either is not below [`Confusion::classes`].
    pub fn at(&self, truth: usize, predicted: usize) -> f64 {
        assert!(truth < self.classes && predicted < self.classes, "no such class");
        self.cells[truth * self.classes + predicted]
    }

    /// Weight of the rows whose true class is `class`.
    pub fn support(&self, class: usize) -> f64 {
        (0..self.classes).map(|predicted| self.at(class, predicted)).sum()
    }

    /// Weight of the rows whose predicted class is `class`.
    pub fn predicted(&self, class: usize) -> f64 {
        (0..self.classes).map(|truth| self.at(truth, class)).sum()
    }

    /// Weight of all rows.
    pub fn total(&self) -> f64 {
        self.cells.iter().sum()
    }

    fn hits(&self) -> f64 {
        (0..self.classes).map(|class| self.at(class, class)).sum()
    }

    /// Share of rows whose class was found, in [0, 1].
    pub fn accuracy(&self) -> f64 {
        self.hits() / self.total()
    }

    /// Mean over the classes of the truth of the share of their rows that were found, in [0, 1].
    pub fn balanced_accuracy(&self) -> f64 {
        let shares: Vec<f64> = (0..self.classes)
            .filter(|&class| self.support(class) > 0.0)
            .map(|class| self.at(class, class) / self.support(class))
            .collect();
        shares.iter().sum::<f64>() / shares.len() as f64
    }

    /// Share of the rows predicted as a class that are of it, in [0, 1]; 0 for a class never predicted.
    pub fn precision(&self, average: Average) -> f64 {
        self.averaged(average, |hits, _, predicted| ratio(hits, predicted))
    }

    /// Share of the rows of a class that were found, in [0, 1]; 0 for a class absent from the truth.
    pub fn recall(&self, average: Average) -> f64 {
        self.averaged(average, |hits, support, _| ratio(hits, support))
    }

    /// Harmonic mean of precision and recall, in [0, 1]; 0 where both are.
    pub fn f1(&self, average: Average) -> f64 {
        self.averaged(average, |hits, support, predicted| ratio(2.0 * hits, support + predicted))
    }

    /// Averages `of(hits, support, predicted)` over classes.
    fn averaged(&self, average: Average, of: impl Fn(f64, f64, f64) -> f64) -> f64 {
        let of_class = |class: usize| of(self.at(class, class), self.support(class), self.predicted(class));
        match average {
            Average::Positive => of_class(1),
            Average::Micro => of(self.hits(), self.total(), self.total()),
            Average::Macro => {
                let occurs = |&class: &usize| self.support(class) + self.predicted(class) > 0.0;
                let values: Vec<f64> = (0..self.classes).filter(occurs).map(of_class).collect();
                values.iter().sum::<f64>() / values.len() as f64
            }
            Average::Weighted => {
                let sum: f64 = (0..self.classes).map(|class| self.support(class) * of_class(class)).sum();
                sum / self.total()
            }
        }
    }

    /// Correlation of true and predicted class, in [-1, 1]; 0 when either is constant (Matthews 1975; Gorodkin 2004,
    /// equation 8).
    pub fn matthews_correlation(&self) -> f64 {
        let total = self.total();
        let (mut both, mut truths, mut predictions) = (0.0, 0.0, 0.0);
        for class in 0..self.classes {
            let (support, predicted) = (self.support(class) / total, self.predicted(class) / total);
            both += support * predicted;
            truths += support * support;
            predictions += predicted * predicted;
        }
        // Shares, not counts: the products of counts of a billion rows would lose digits.
        let spread = (1.0 - truths) * (1.0 - predictions);
        if self.is_constant() || spread <= 0.0 {
            return 0.0;
        }
        (self.hits() / total - both) / spread.sqrt()
    }

    fn is_constant(&self) -> bool {
        let used = |of: &dyn Fn(usize) -> f64| (0..self.classes).filter(|&class| of(class) > 0.0).count();
        used(&|class| self.support(class)) < 2 || used(&|class| self.predicted(class)) < 2
    }

    /// Agreement beyond chance, in [-1, 1]; nothing when truth and prediction are one and the same constant
    /// (Cohen 1960). With `is_quadratic`, a miss costs the squared distance of the class indices (Cohen 1968).
    pub fn kappa(&self, is_quadratic: bool) -> Option<f64> {
        let cost = |truth: usize, predicted: usize| {
            let distance = truth.abs_diff(predicted) as f64;
            if is_quadratic { distance * distance } else { distance.min(1.0) }
        };
        let (mut seen, mut by_chance) = (0.0, 0.0);
        for truth in 0..self.classes {
            for predicted in 0..self.classes {
                seen += cost(truth, predicted) * self.at(truth, predicted);
                by_chance += cost(truth, predicted) * self.support(truth) * self.predicted(predicted);
            }
        }
        by_chance /= self.total();
        (by_chance > 0.0).then(|| 1.0 - seen / by_chance)
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

/// For each row its cell `truth * classes + predicted`.
pub(crate) fn cells_of(labels: &[u32], classes: usize, values: &[f64]) -> Vec<u32> {
    let rows = labels.iter().zip(values.chunks_exact(classes));
    rows.map(|(&label, probabilities)| label * classes as u32 + most_probable(probabilities) as u32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Truth 0: 3 found, 1 taken for 2. Truth 1: 1 found, 1 taken for 0. Truth 2: 2 found.
    fn three() -> Confusion {
        Confusion { classes: 3, cells: vec![3.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 2.0] }
    }

    #[test]
    fn numbers_done_by_hand() {
        let matrix = three();
        assert_eq!(matrix.accuracy(), 6.0 / 8.0);
        assert!((matrix.balanced_accuracy() - (0.75 + 0.5 + 1.0) / 3.0).abs() < 1e-15);
        assert!((matrix.precision(Average::Macro) - (0.75 + 1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-15);
        assert!((matrix.f1(Average::Macro) - (0.75 + 2.0 / 3.0 + 0.8) / 3.0).abs() < 1e-15);
        assert_eq!(matrix.f1(Average::Micro), 0.75);
        assert!((matrix.recall(Average::Weighted) - 0.75).abs() < 1e-15);
        // Expected agreement: (4·4 + 2·1 + 2·3) / 64 = 24/64.
        assert!((matrix.kappa(false).unwrap() - (0.75 - 0.375) / (1.0 - 0.375)).abs() < 1e-15);
        // Quadratic: seen 4 + 1; by chance (4·1·1 + 4·3·4 + 2·4·1 + 2·3·1 + 2·4·4 + 2·1·1) / 8 = 100/8.
        assert!((matrix.kappa(true).unwrap() - (1.0 - 5.0 / 12.5)).abs() < 1e-15);
    }

    #[test]
    fn constants_have_no_correlation_and_no_kappa() {
        let constant = Confusion::binary(3.0, 0.0, 1.0, 0.0);
        assert_eq!(constant.matthews_correlation(), 0.0);
        assert_eq!(constant.f1(Average::Positive), 0.0);
        assert_eq!(constant.kappa(false), Some(0.0));
        assert_eq!(Confusion::binary(3.0, 0.0, 0.0, 0.0).kappa(false), None);
        assert!((Confusion::binary(5.0, 0.0, 0.0, 5.0).matthews_correlation() - 1.0).abs() < 1e-15);
        assert!((Confusion::binary(0.0, 5.0, 5.0, 0.0).matthews_correlation() + 1.0).abs() < 1e-15);
    }

    #[test]
    fn a_class_that_never_occurs_does_not_dilute_a_macro_average() {
        let matrix = Confusion { classes: 3, cells: vec![2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0] };
        assert_eq!(matrix.f1(Average::Macro), 1.0);
        assert_eq!(matrix.balanced_accuracy(), 1.0);
    }

    #[test]
    fn rows_fall_into_cells() {
        let truth = Truth::classes(&[0, 1, 1], 2).unwrap();
        let scores = Scores::probabilities(&[0.5, 0.5, 0.1, 0.9, 0.8, 0.2], 2).unwrap();
        let matrix = Confusion::new(&truth, &scores, Some(&[1.0, 2.0, 4.0])).unwrap();
        assert_eq!(matrix, Confusion::binary(1.0, 0.0, 4.0, 2.0));
        let numbers = Scores::values(&[1.0, 2.0, 3.0]).unwrap();
        assert!(matches!(Confusion::new(&truth, &numbers, None), Err(MetricError::Kind { .. })));
    }
}
