//! What can be typed: subcommands, options and their units.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// From a raw table to a validated, explained, signed model, and on to its predictions.
#[derive(Debug, Parser)]
#[command(name = "kaizen", version, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub command: Command,
    /// Print results for programs, as JSON on standard output.
    #[arg(long, global = true)]
    pub json: bool,
    /// Say nothing but errors.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Colours: `auto` uses them on a terminal that has them.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find, validate and save the best model for a table within the time you allow.
    Fit(Box<FitArguments>),
    /// Predict the rows of a table with a saved model.
    Predict(PredictArguments),
    /// Score a saved model on rows whose target is known.
    Evaluate(EvaluateArguments),
    /// Say what is in a table, what is wrong with it, and what Kaizen would do about it.
    Inspect(InspectArguments),
    /// List the models that were tried, best first.
    Leaderboard(ModelArgument),
    /// Write the report of a saved model as one HTML file.
    Report(ReportArguments),
    /// List learners, transforms, metrics, samplers and schedulers.
    List,
}

#[derive(Debug, Args)]
pub(crate) struct FitArguments {
    /// A path, a glob, or `-` for standard input: csv, tsv, parquet, arrow/feather, json lines, xlsx; gzip or zstd.
    pub data: String,
    /// The column to predict (default: the last one).
    #[arg(long)]
    pub target: Option<String>,
    /// What kind of prediction.
    #[arg(long, value_enum, default_value_t = TaskArgument::Auto)]
    pub task: TaskArgument,
    /// What to optimise: any metric of `kaizen list`.
    #[arg(long)]
    pub metric: Option<String>,
    /// Wall clock until the artifact is on disk: `60s`, `5m`, `2h`.
    #[arg(long, value_parser = parse_duration)]
    pub time_limit: Option<f64>,
    /// Memory that the process may use: `4GiB`, `500MB`.
    #[arg(long, value_parser = parse_size)]
    pub memory_limit: Option<u64>,
    /// Stop after this many trials; without a time limit the result is then reproducible to the byte.
    #[arg(long)]
    pub max_trials: Option<usize>,
    /// Threads (default: all cores).
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
    /// Seed of all randomness.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How hard to try.
    #[arg(long, value_enum, default_value_t = PresetArgument::Balanced)]
    pub preset: PresetArgument,
    /// Rows to judge the finished model on.
    #[arg(long, conflicts_with = "holdout")]
    pub test: Option<String>,
    /// Share of the rows to hold out and judge the finished model on, for instance `0.2`.
    #[arg(long, value_parser = parse_share)]
    pub holdout: Option<f64>,
    /// Rows with one value in this column stay on one side of every split.
    #[arg(long)]
    pub group: Option<String>,
    /// Validation only ever looks forward along this column.
    #[arg(long)]
    pub time_column: Option<String>,
    /// How much each row counts.
    #[arg(long)]
    pub weight: Option<String>,
    /// Leave this column out (may be repeated).
    #[arg(long)]
    pub ignore: Vec<String>,
    /// Predictions must rise (`COL=+1`) or fall (`COL=-1`) with this column (may be repeated).
    #[arg(long, value_parser = parse_monotone)]
    pub monotone: Vec<(String, i8)>,
    /// Time that the finished model may take for one row: `100us`, `1ms`.
    #[arg(long, value_parser = parse_latency)]
    pub max_latency: Option<f64>,
    /// Size that the artifact may have: `20MiB`.
    #[arg(long, value_parser = parse_size)]
    pub max_size: Option<u64>,
    /// Go on with an interrupted run: the folder `OUT.run` that it left.
    #[arg(long)]
    pub resume: Option<PathBuf>,
    /// Where the model goes.
    #[arg(long, default_value = "model.kaizen")]
    pub out: PathBuf,
    /// The sheet of a workbook.
    #[arg(long)]
    pub sheet: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PredictArguments {
    /// A model that `kaizen fit` saved.
    pub model: PathBuf,
    /// The rows: whatever `fit` reads.
    pub data: String,
    /// Also write the probability of each class.
    #[arg(long)]
    pub proba: bool,
    /// Where the predictions go: .csv, .tsv, .jsonl or .parquet (default: csv on standard output).
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Threads (default: all cores).
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
}

#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    /// A model that `kaizen fit` saved.
    pub model: PathBuf,
    /// Rows with the target.
    pub data: String,
    /// Threads (default: all cores).
    #[arg(long, default_value_t = 0)]
    pub threads: usize,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The rows: whatever `fit` reads.
    pub data: String,
    /// The column to predict.
    #[arg(long)]
    pub target: Option<String>,
    /// A second table, to see how it differs from the first.
    #[arg(long)]
    pub test: Option<String>,
    /// Also write the findings as an HTML page.
    #[arg(long)]
    pub html: Option<PathBuf>,
    /// The sheet of a workbook.
    #[arg(long)]
    pub sheet: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ModelArgument {
    /// A model that `kaizen fit` saved.
    pub model: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// A model that `kaizen fit` saved.
    pub model: PathBuf,
    /// Where the page goes (default: MODEL with the ending .html).
    #[arg(long)]
    pub out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TaskArgument {
    /// Decided by the target's values, and said aloud.
    Auto,
    Binary,
    Multiclass,
    Regression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PresetArgument {
    /// A good model soon.
    Fast,
    /// The usual.
    Balanced,
    /// The best that the time allows.
    Best,
    /// Only models that a person can read.
    Interpretable,
}

/// Seconds of `90`, `60s`, `5m`, `2h`.
fn parse_duration(text: &str) -> Result<f64, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    parse_with_unit(text, &units, 1.0)
        .filter(|seconds| *seconds > 0.0)
        .ok_or_else(|| "write a time such as 60s, 5m or 2h".to_owned())
}

/// Microseconds of `100us`, `1ms`, `1s`.
fn parse_latency(text: &str) -> Result<f64, String> {
    parse_with_unit(text, &[("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)], 1e3)
        .filter(|time| *time > 0.0)
        .ok_or_else(|| "write a time such as 100us or 1ms".to_owned())
}

/// Bytes of `4GiB`, `500MB`, `1048576`.
fn parse_size(text: &str) -> Result<u64, String> {
    const KIB: f64 = 1024.0;
    let units = [
        ("kib", KIB),
        ("mib", KIB * KIB),
        ("gib", KIB * KIB * KIB),
        ("tib", KIB * KIB * KIB * KIB),
        ("kb", 1e3),
        ("mb", 1e6),
        ("gb", 1e9),
        ("tb", 1e12),
        ("b", 1.0),
    ];
    parse_with_unit(&text.to_lowercase(), &units, 1.0)
        .filter(|bytes| *bytes >= 1.0)
        .map(|bytes| bytes as u64)
        .ok_or_else(|| "write a size such as 4GiB or 500MB".to_owned())
}

fn parse_with_unit(text: &str, units: &[(&str, f64)], bare: f64) -> Option<f64> {
    let text = text.trim();
    let (number, scale) = units
        .iter()
        .filter_map(|(unit, scale)| text.strip_suffix(unit).map(|number| (number, *scale)))
        .find(|(number, _)| number.trim().parse::<f64>().is_ok())
        .unwrap_or((text, bare));
    let value: f64 = number.trim().parse().ok()?;
    (value * scale).is_finite().then_some(value * scale)
}

fn parse_share(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "write a share between 0 and 1, such as 0.2".to_owned())
}

fn parse_monotone(text: &str) -> Result<(String, i8), String> {
    let error = || "write COLUMN=+1 (rising) or COLUMN=-1 (falling)".to_owned();
    let (column, sign) = text.rsplit_once('=').ok_or_else(error)?;
    match sign.trim() {
        "+1" | "1" | "+" => Ok((column.to_owned(), 1)),
        "-1" | "-" => Ok((column.to_owned(), -1)),
        _ => Err(error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        assert_eq!(parse_duration("60s"), Ok(60.0));
        assert_eq!(parse_duration("1.5h"), Ok(5400.0));
        assert_eq!(parse_duration("90"), Ok(90.0));
        assert_eq!(parse_duration("250ms"), Ok(0.25));
        assert!(parse_duration("-3s").is_err() && parse_duration("soon").is_err());
        assert_eq!(parse_size("4GiB"), Ok(4 << 30));
        assert_eq!(parse_size("500 MB"), Ok(500_000_000));
        assert!(parse_size("0").is_err() && parse_size("lots").is_err());
        assert_eq!(parse_latency("1ms"), Ok(1000.0));
        assert_eq!(parse_latency("100us"), Ok(100.0));
        assert_eq!(parse_share("0.2"), Ok(0.2));
        assert!(parse_share("20").is_err());
    }

    #[test]
    fn monotone_columns_may_hold_equals_signs() {
        assert_eq!(parse_monotone("a=b=-1"), Ok(("a=b".to_owned(), -1)));
        assert!(parse_monotone("income=2").is_err());
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
