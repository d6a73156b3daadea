//! What a person asks for, and the words for it.

use std::path::PathBuf;

use kaizen_data::Source;

/// Everything that `fit` is told.
#[derive(Clone, Debug)]
pub struct FitRequest {
    /// Where the rows are.
    pub source: Source,
    /// The column to predict; `None` takes the last one.
    pub target: Option<String>,
    /// What kind of prediction.
    pub task: TaskChoice,
    /// The metric's name; `None` takes the task's usual one.
    pub metric: Option<String>,
    /// Limits and resources.
    pub limits: Limits,
    /// How hard to try.
    pub preset: Preset,
    /// How the result is judged.
    pub judge: Judge,
    /// What the columns mean.
    pub columns: ColumnRoles,
    /// The seed of all randomness.
    pub seed: u64,
    /// Where the artifact goes.
    pub out: PathBuf,
    /// The run folder to go on with.
    pub resume: Option<PathBuf>,
    /// The key that signs the artifact: made at this path on first use; `None` leaves it unsigned.
    pub signing_key: Option<PathBuf>,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
    /// The command line that repeats this run, for the report.
    pub command: String,
}

/// `--task`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskChoice {
    /// Decided by the target's values.
    #[default]
    Auto,
    /// Two classes.
    Binary,
    /// Classes.
    Multiclass,
    /// A number.
    Regression,
}

/// What a run may spend.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wall clock from process start to the artifact on disk, in seconds.
    pub time_seconds: Option<f64>,
    /// Memory of the process in bytes.
    pub memory_bytes: Option<u64>,
    /// Trials.
    pub max_trials: Option<usize>,
    /// Threads; 0 takes all cores.
    pub threads: usize,
    /// Microseconds that one row may take in the final model, on one core.
    pub max_latency_microseconds: Option<f64>,
    /// Bytes of the artifact.
    pub max_size_bytes: Option<u64>,
}

/// `--preset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// A good model soon.
    Fast,
    /// The usual.
    #[default]
    Balanced,
    /// The best that the time allows.
    Best,
    /// Only models that a person can read.
    Interpretable,
}

/// How the result is judged besides cross-validation.
#[derive(Clone, Debug, Default)]
pub enum Judge {
    /// Cross-validation alone.
    #[default]
    CrossValidation,
    /// Rows of another source.
    Test(Source),
    /// A share of the rows, held out before anything else, in (0, 1).
    Holdout(f64),
}

/// What the columns mean.
#[derive(Clone, Debug, Default)]
pub struct ColumnRoles {
    /// Rows with one value of this column stay together.
    pub group: Option<String>,
    /// Folds run forward along this column.
    pub time: Option<String>,
    /// How much a row counts.
    pub weight: Option<String>,
    /// Left out.
    pub ignore: Vec<String>,
    /// Predictions must rise (+1) or fall (-1) with these.
    pub monotone: Vec<(String, i8)>,
}
