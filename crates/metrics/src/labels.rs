//! Measures of the most probable class: accuracy, precision, recall, F1, Matthews' correlation, Cohen's kappa.
//!
//! ```
//! use kaizen_metrics::{Scores, Truth, by_name};
//! let truth = Truth::classes(&[1, 1, 1, 0], 2)?;
//! let scores = Scores::probabilities(&[0.1, 0.9, 0.4, 0.6, 0.7, 0.3, 0.2, 0.8], 2)?;
//! let thirds = 2.0 / 3.0;
//! for (name, expected) in [("accuracy", 0.5), ("precision", thirds), ("recall", thirds), ("f1", thirds)] {
//!     assert!((by_name(name)?.value(&truth, &scores, None)? - expected).abs() < 1e-12);
//! }
//! # Ok::<(), kaizen_metrics::MetricError>(())
//! ```

use kaizen_base::Card;

use crate::confusion::{Average, Confusion, cells_of};
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
        needs: Needs::Labels,
        multiclass: None,
        structure: Structure::Other,
        prepare,
    }
}

/// A row for two classes, with the name of its sibling for more.
const fn binary(metric: Metric, sibling: &'static str) -> Metric {
    Metric { tasks: BINARY, multiclass: Some(sibling), ..metric }
}

const RIJSBERGEN: &str =
    "van Rijsbergen (1979), Information Retrieval, chapter 7; as scikit-learn's f1_score";
const PRECISION: &str =
    "Kent et al. (1955), Machine literature searching VIII; as scikit-learn's precision_score";
const RECALL: &str = "Kent et al. (1955), Machine literature searching VIII; as scikit-learn's recall_score";

/// The rows of this family.
pub(crate) const METRICS: &[Metric] = &[
    row(
        "accuracy",
        "share of rows whose class was found",
        "as scikit-learn's accuracy_score",
        &["accuracy_score", "acc"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.accuracy())),
    ),
    row(
        "balanced_accuracy",
        "mean over classes of the share of their rows that was found",
        "Brodersen et al. (2010), The balanced accuracy and its posterior distribution; as scikit-learn's balanced_accuracy_score",
        &["balanced_accuracy_score", "bac"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.balanced_accuracy())),
    ),
    binary(
        row(
            "f1",
            "harmonic mean of precision and recall of the positive class",
            RIJSBERGEN,
            &["f1_score", "f1_binary"],
            |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.f1(Average::Positive))),
        ),
        "f1_macro",
    ),
    row(
        "f1_macro",
        "plain mean over classes of the harmonic mean of precision and recall",
        RIJSBERGEN,
        &["macro_f1"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.f1(Average::Macro))),
    ),
    row(
        "f1_micro",
        "harmonic mean of precision and recall with all classes pooled",
        RIJSBERGEN,
        &["micro_f1"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.f1(Average::Micro))),
    ),
    row(
        "f1_weighted",
        "mean over classes, by their frequency, of the harmonic mean of precision and recall",
        RIJSBERGEN,
        &["weighted_f1"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.f1(Average::Weighted))),
    ),
    binary(
        row(
            "precision",
            "share of the rows taken for positive that are",
            PRECISION,
            &["precision_score", "precision_binary"],
            |_, truth, predictions| {
                of_labels(truth, predictions, |matrix| Ok(matrix.precision(Average::Positive)))
            },
        ),
        "precision_macro",
    ),
    row(
        "precision_macro",
        "plain mean over classes of the share of the rows taken for a class that are of it",
        PRECISION,
        &["macro_precision"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.precision(Average::Macro))),
    ),
    row(
        "precision_micro",
        "precision with all classes pooled",
        PRECISION,
        &["micro_precision"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.precision(Average::Micro))),
    ),
    row(
        "precision_weighted",
        "mean over classes, by their frequency, of the share of the rows taken for a class that are of it",
        PRECISION,
        &["weighted_precision"],
        |_, truth, predictions| {
            of_labels(truth, predictions, |matrix| Ok(matrix.precision(Average::Weighted)))
        },
    ),
    binary(
        row(
            "recall",
            "share of the positive rows that were found",
            RECALL,
            &["recall_score", "sensitivity", "recall_binary"],
            |_, truth, predictions| {
                of_labels(truth, predictions, |matrix| Ok(matrix.recall(Average::Positive)))
            },
        ),
        "recall_macro",
    ),
    row(
        "recall_macro",
        "plain mean over classes of the share of their rows that was found",
        RECALL,
        &["macro_recall"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.recall(Average::Macro))),
    ),
    row(
        "recall_micro",
        "recall with all classes pooled",
        RECALL,
        &["micro_recall"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.recall(Average::Micro))),
    ),
    row(
        "recall_weighted",
        "mean over classes, by their frequency, of the share of their rows that was found",
        RECALL,
        &["weighted_recall"],
        |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.recall(Average::Weighted))),
    ),
    Metric {
        range: (-1.0, 1.0),
        ..row(
            "mcc",
            "correlation of true and predicted class; 0 when either is constant",
            "Matthews (1975); Gorodkin (2004), equation 8; as scikit-learn's matthews_corrcoef",
            &["matthews_corrcoef", "matthews", "phi"],
            |_, truth, predictions| of_labels(truth, predictions, |matrix| Ok(matrix.matthews_correlation())),
        )
    },
    Metric {
        range: (-1.0, 1.0),
        ..row(
            "cohen_kappa",
            "agreement of true and predicted class beyond chance",
            "Cohen (1960), A coefficient of agreement for nominal scales; as scikit-learn's cohen_kappa_score",
            &["cohen_kappa_score", "kappa"],
            |_, truth, predictions| {
                of_labels(truth, predictions, |matrix| {
                    matrix.kappa(false).ok_or(MetricError::OneClass { metric: "cohen_kappa" })
                })
            },
        )
    },
    Metric {
        range: (-1.0, 1.0),
        ..row(
            "cohen_kappa_quadratic",
            "agreement beyond chance where a miss costs the squared distance of the classes in their order",
            "Cohen (1968), Weighted kappa; as scikit-learn's cohen_kappa_score with quadratic weights, but by class index even when a class is absent",
            &["quadratic_weighted_kappa", "quadratic_kappa", "qwk"],
            |_, truth, predictions| {
                of_labels(truth, predictions, |matrix| {
                    matrix.kappa(true).ok_or(MetricError::OneClass { metric: "cohen_kappa_quadratic" })
                })
            },
        )
    },
];

/// A number that follows from the confusion matrix.
struct OfLabels {
    cell_of_row: Vec<u32>,
    classes: usize,
    finish: fn(&Confusion) -> Result<f64, MetricError>,
}

fn of_labels(
    truth: &Truth<'_>,
    predictions: &Scores<'_>,
    finish: fn(&Confusion) -> Result<f64, MetricError>,
) -> Preparation {
    let (labels, classes, values) = class_input(truth, predictions);
    Ok(Box::new(OfLabels { cell_of_row: cells_of(labels, classes, values), classes, finish }))
}

impl Statistic for OfLabels {
    fn value(&self, weights: Option<&[f64]>) -> Result<f64, MetricError> {
        (self.finish)(&Confusion::from_cells(&self.cell_of_row, self.classes, weights))
    }

    fn of_confusion(&self, matrix: &Confusion) -> Option<Result<f64, MetricError>> {
        Some((self.finish)(matrix))
    }
}
