//! What a report shows. Everything that may be missing is optional or an empty list, and its section then is left out.

use kaizen_inspect::Inspection;

/// A whole report.
#[derive(Clone, Debug, Default)]
pub struct ReportData {
    /// What was fitted and how good it is.
    pub headline: Headline,
    /// Commands that use the model, in the order shown.
    pub usage: Vec<Command>,
    /// What is in the table that was fitted.
    pub inspection: Option<Inspection>,
    /// Models and ensembles, best first.
    pub leaderboard: Vec<LeaderboardRow>,
    /// Finished trials in the order of their end.
    pub search: Vec<SearchPoint>,
    /// Where the model is right and wrong.
    pub diagnostics: Option<Diagnostics>,
    /// What the model looks at, most important first.
    pub importance: Vec<Importance>,
    /// What was tried.
    pub families: Vec<Family>,
    /// Why this model won, in sentences; empty when there is nothing to say.
    pub why: String,
    /// Where the time went.
    pub timeline: Vec<Span>,
    /// How to get the same model again.
    pub reproduction: Option<Reproduction>,
}

/// What was fitted and how good it is.
#[derive(Clone, Debug, Default)]
pub struct Headline {
    /// The column that is predicted.
    pub target: String,
    /// `binary`, `multiclass`, `regression`, `quantile`.
    pub task: String,
    /// The metric's name, for instance `roc_auc`.
    pub metric: String,
    /// Whether a higher score is better.
    pub higher_is_better: bool,
    /// The score; `None` when no honest score could be had.
    pub score: Option<f64>,
    /// Interval of the score.
    pub interval: Option<Interval>,
    /// How the score was taken, as the end of a sentence: `5-fold cross-validation on 5,634 rows`.
    pub scored_on: String,
    /// The score of always predicting the same (the base rate, the mean), for comparison.
    pub baseline: Option<f64>,
    /// Score and interval on rows that took no part in fitting.
    pub test: Option<(f64, Option<Interval>)>,
    /// The model in a few words: `ensemble of 5 models`.
    pub model: String,
    /// Rows fitted on.
    pub row_count: usize,
    /// Columns predicted from.
    pub feature_count: usize,
    /// Wall-clock seconds of the fit.
    pub fit_seconds: Option<f64>,
    /// Size of the artifact.
    pub size_bytes: Option<usize>,
    /// Median time to predict one row.
    pub row_microseconds: Option<f64>,
    /// Sentences that a reader must not miss, such as a score that rests on a suspected leak.
    pub cautions: Vec<String>,
}

/// A confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Confidence in (0, 1), for instance 0.95.
    pub level: f64,
}

/// A command that a reader may copy.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it does, as a heading.
    pub title: String,
    /// The command or program, line ends included.
    pub text: String,
}

/// One line of the leaderboard.
#[derive(Clone, Debug, Default)]
pub struct LeaderboardRow {
    /// The model's name.
    pub name: String,
    /// Its score; `None` for a failed one.
    pub score: Option<f64>,
    /// Interval of the score.
    pub interval: Option<Interval>,
    /// Seconds to fit.
    pub fit_seconds: Option<f64>,
    /// Microseconds to predict one row.
    pub row_microseconds: Option<f64>,
    /// Size.
    pub size_bytes: Option<usize>,
    /// Weight in the final ensemble in [0, 1]; 0 when it has no part.
    pub weight: f64,
}

/// One finished trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SearchPoint {
    /// Its number, as the leaderboard calls it.
    pub number: u32,
    /// Seconds since the start at which it had its score; `None` where no clock may enter the page.
    pub seconds: Option<f64>,
    /// Its score; `None` for a failed one.
    pub score: Option<f64>,
    /// Whether the score rests on all the rows that the others' scores rest on; one of a trial that was given up early
    /// does not, and may not be compared.
    pub is_complete: bool,
    /// The best complete score so far, this one included; `None` before the first.
    pub best: Option<f64>,
}

/// Where the model is right and wrong, on the rows of the score.
#[derive(Clone, Debug)]
pub enum Diagnostics {
    /// For classes.
    Classes(ClassDiagnostics),
    /// For numbers.
    Numbers(NumberDiagnostics),
}

/// Curves and counts for classes.
#[derive(Clone, Debug, Default)]
pub struct ClassDiagnostics {
    /// Class names in class order.
    pub names: Vec<String>,
    /// Rows by class and by predicted class, `[classes, classes]`; may be empty.
    pub confusion: Vec<Vec<f64>>,
    /// The probability from which the second of two classes is predicted in `confusion`.
    pub threshold: Option<f64>,
    /// Receiver operating characteristics: false positive rate and true positive rate. One curve for two classes, one
    /// against the rest for each class otherwise.
    pub roc: Vec<Curve>,
    /// Recall and precision, as above.
    pub precision_recall: Vec<Curve>,
    /// Calibration, as above.
    pub calibration: Vec<Calibration>,
    /// Rows that the curves are drawn from and rows that there are, where that differs.
    pub sampled: Option<(usize, usize)>,
}

/// A curve in the unit square.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The class it is for.
    pub label: String,
    /// Points `[x, y]` along the curve; those that are not finite are left out.
    pub points: Vec<[f64; 2]>,
    /// Area under it.
    pub area: Option<f64>,
    /// The height of a useless curve: the class's share, for precision against recall.
    pub chance: Option<f64>,
}

/// How often what was predicted came true.
#[derive(Clone, Debug)]
pub struct Calibration {
    /// The class it is for.
    pub label: String,
    /// Bins by predicted probability, ascending.
    pub bins: Vec<CalibrationBin>,
}

/// Rows with alike predicted probabilities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// Their mean predicted probability.
    pub predicted: f64,
    /// Their observed share.
    pub observed: f64,
    /// Their number.
    pub count: usize,
}

/// Predictions for numbers.
#[derive(Clone, Debug, Default)]
pub struct NumberDiagnostics {
    /// Actual and predicted value of rows, `[rows, 2]`; more than can be drawn are thinned evenly.
    pub points: Vec<[f64; 2]>,
    /// Rows of which `points` are a sample; 0 when they are all.
    pub sampled_from: usize,
    /// Share of rows whose actual value lies in the predicted interval, with the share that was promised.
    pub coverage: Option<(f64, f64)>,
}

/// How much the score falls when a column is shuffled.
#[derive(Clone, Debug)]
pub struct Importance {
    /// The column.
    pub name: String,
    /// Mean loss of score, in units of the metric; below zero when shuffling helps.
    pub mean: f64,
    /// Standard deviation over repetitions.
    pub deviation: Option<f64>,
}

/// What was tried of one kind of model.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// The kind of model.
    pub name: String,
    /// Trials begun.
    pub tried: usize,
    /// Trials that failed.
    pub failed: usize,
    /// Best score.
    pub best: Option<f64>,
    /// Seconds spent.
    pub seconds: Option<f64>,
    /// What came of it: in the ensemble, dominated, stopped early; or why it failed.
    pub outcome: String,
}

/// A stretch of time.
#[derive(Clone, Debug)]
pub struct Span {
    /// What was done.
    pub name: String,
    /// Seconds from the start of the process to its begin.
    pub start_seconds: f64,
    /// Seconds from the start of the process to its end.
    pub end_seconds: f64,
}

/// How to get the same model again.
#[derive(Clone, Debug, Default)]
pub struct Reproduction {
    /// The exact command.
    pub command: String,
    /// Whether the same bytes come out (a limit on trials rather than on time).
    pub exact: bool,
    /// Version, seed, threads, preset, machine: names and values as they were.
    pub settings: Vec<Setting>,
    /// Digests of the data and the artifact.
    pub digests: Vec<Setting>,
}

/// A name with a value.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}
