//! How many folds, and how often: decided by rows, cost and time, and said aloud.

use kaizen_table::SplitPlan;
use serde_json::{Value, json};

use crate::request::Preset;

/// Core seconds that one reference fit takes for each row, column and output: a thousand boosting rounds at about
/// 2 nanoseconds for each cell and round (`cargo xtask bench trees` prints seconds to divide).
const REFERENCE_SECONDS_PER_CELL: f64 = 2e-6;

/// The share of the time limit that the folds of one reference fit may take; a search wants some ten of them.
const REFERENCE_SHARE: f64 = 0.12;

/// Rows up to which folds are cut several times: below, which rows fall into which fold decides more than the model.
const REPEAT_ROWS: usize = 2_500;

/// How a search validates.
#[derive(Clone, Debug, PartialEq)]
pub struct Validation {
    /// How rows are cut.
    pub plan: SplitPlan,
    /// Folds of one repeat.
    pub folds_per_repeat: usize,
    /// Repeats.
    pub repeats: usize,
}

/// What decides on folds.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Rows to learn from.
    pub row_count: usize,
    /// Feature columns.
    pub column_count: usize,
    /// Numbers predicted by boosting: classes beyond two, else one.
    pub output_count: usize,
    /// Rows of the rarest class; for numbers all rows.
    pub rarest_class_rows: usize,
    /// Cores to work with.
    pub threads: usize,
    /// Seconds left, if there is a limit.
    pub seconds: Option<f64>,
}

/// Shuffled folds for a workload.
pub fn shuffled(work: &Workload, preset: Preset) -> Validation {
    let by_rows = match work.row_count {
        _ if preset == Preset::Fast => 3,
        0..=10_000 => 8,
        10_001..=100_000 => 5,
        100_001..=500_000 => 3,
        _ => 1,
    };
    let affordable = work.seconds.map_or(by_rows, |seconds| {
        let cells = work.row_count as f64 * work.column_count.max(1) as f64 * work.output_count as f64;
        let fit_seconds = cells * REFERENCE_SECONDS_PER_CELL / work.threads as f64;
        let folds = (seconds * REFERENCE_SHARE / fit_seconds.max(1e-9)).floor();
        match folds as usize {
            0..=1 => 1,
            2..=4 => 3,
            5..=7 => 5,
            _ => by_rows,
        }
    });
    // Every fold should hold a row of the rarest class, and none may be empty.
    let folds = by_rows.min(affordable).min(work.rarest_class_rows.max(2)).min(work.row_count / 2).max(1);
    if folds == 1 {
        let per_thousand = if work.row_count > 100_000 { 100 } else { 200 };
        return Validation { plan: SplitPlan::Holdout { per_thousand }, folds_per_repeat: 1, repeats: 1 };
    }
    let repeats = match work.row_count {
        _ if preset == Preset::Fast => 1,
        0..=500 => 4,
        501..=REPEAT_ROWS => 3,
        _ => 1,
    };
    Validation { plan: SplitPlan::Shuffled { folds, repeats }, folds_per_repeat: folds, repeats }
}

/// Folds by group or forward in time, for a workload.
pub fn structured(work: &Workload, forward: bool, group_count: usize) -> Validation {
    let folds = shuffled(work, Preset::Balanced).folds_per_repeat.clamp(2, 5);
    let (plan, folds) = if forward {
        (SplitPlan::Forward { folds: folds.min(4) }, folds.min(4))
    } else {
        let folds = folds.min(group_count);
        (SplitPlan::Grouped { folds }, folds)
    };
    Validation { plan, folds_per_repeat: folds, repeats: 1 }
}

impl Validation {
    /// As plain data, for the folder of a run.
    pub fn to_json(&self) -> Value {
        let (kind, number) = match self.plan {
            SplitPlan::Shuffled { folds, .. } => ("shuffled", folds),
            SplitPlan::Grouped { folds } => ("grouped", folds),
            SplitPlan::Forward { folds } => ("forward", folds),
            SplitPlan::Holdout { per_thousand } => ("holdout", per_thousand as usize),
        };
        json!({ "kind": kind, "number": number, "repeats": self.repeats })
    }

    /// Reads [`Validation::to_json`]; anything else is `None`.
    pub fn from_json(value: &Value) -> Option<Self> {
        let number = usize::try_from(value.get("number")?.as_u64()?).ok()?;
        let repeats = usize::try_from(value.get("repeats")?.as_u64()?).ok()?;
        let (plan, folds_per_repeat) = match value.get("kind")?.as_str()? {
            "shuffled" => (SplitPlan::Shuffled { folds: number, repeats }, number),
            "grouped" => (SplitPlan::Grouped { folds: number }, number),
            "forward" => (SplitPlan::Forward { folds: number }, number),
            "holdout" => (SplitPlan::Holdout { per_thousand: u32::try_from(number).ok()? }, 1),
            _ => return None,
        };
        Some(Self { plan, folds_per_repeat, repeats })
    }

    /// In words, for the person.
    pub fn words(&self) -> String {
        match self.plan {
            SplitPlan::Shuffled { folds, repeats: 1 } => format!("{folds}-fold cross-validation"),
            SplitPlan::Shuffled { folds, repeats } => {
                format!("{folds}-fold cross-validation, up to {repeats} times")
            }
            SplitPlan::Grouped { folds } => format!("{folds}-fold cross-validation by group"),
            SplitPlan::Forward { folds } => format!("{folds} folds forward in time"),
            SplitPlan::Holdout { per_thousand } => {
                format!("{} % of the rows held out", f64::from(per_thousand) / 10.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(row_count: usize, seconds: Option<f64>) -> Workload {
        Workload {
            row_count,
            column_count: 14,
            output_count: 1,
            rarest_class_rows: row_count,
            threads: 2,
            seconds,
        }
    }

    #[test]
    fn small_tables_are_cut_often_and_large_ones_once() {
        assert_eq!(shuffled(&work(178, None), Preset::Balanced).repeats, 4);
        assert_eq!(shuffled(&work(178, None), Preset::Balanced).folds_per_repeat, 8);
        assert_eq!(shuffled(&work(40_000, None), Preset::Balanced).folds_per_repeat, 5);
        assert_eq!(
            shuffled(&work(1_000_000, None), Preset::Balanced).plan,
            SplitPlan::Holdout { per_thousand: 100 }
        );
    }

    #[test]
    fn little_time_means_few_folds() {
        assert_eq!(shuffled(&work(40_000, Some(600.0)), Preset::Balanced).folds_per_repeat, 5);
        assert_eq!(shuffled(&work(40_000, Some(2.0)), Preset::Balanced).folds_per_repeat, 1);
        assert_eq!(shuffled(&work(200, Some(1.0)), Preset::Balanced).folds_per_repeat, 8);
    }

    #[test]
    fn a_rare_class_limits_the_folds() {
        let rare = Workload { rarest_class_rows: 3, ..work(5_000, None) };
        assert_eq!(shuffled(&rare, Preset::Balanced).folds_per_repeat, 3);
    }
}
