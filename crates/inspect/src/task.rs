//! Which task a target column asks for.
//!
//! Words are classes and measured numbers are a regression; integers with few values can be either, and no rule
//! over values can know. The rule below then chooses, says so, and marks the choice as doubtful, so that the caller
//! can tell the person how to choose otherwise.

use kaizen_table::target::distinct_count;
use kaizen_table::{Column, Values};

use crate::words::{count, counted};

/// What the person asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskHint {
    /// Nothing: decide from the values.
    #[default]
    Auto,
    /// Two classes.
    Binary,
    /// Classes.
    Multiclass,
    /// A number.
    Regression,
}

/// What is to be predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskKind {
    /// One of two classes.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A number.
    Regression,
}

impl TaskKind {
    /// The word used on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
            Self::Regression => "regression",
        }
    }
}

/// A task with the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDecision {
    /// The task.
    pub task: TaskKind,
    /// Why, one sentence.
    pub why: String,
    /// Whether another task would be as sensible; the person should then be told.
    pub doubtful: bool,
}

/// Integers with more distinct values than this are amounts: no rating scale in use has more than eleven points
/// (0 to 10), and codes of classes beyond that are rarely numbered.
const INTEGER_CLASSES_MAX: usize = 11;

/// Rows for each distinct integer below which integers are not taken for classes: with fewer, a stratified five-fold
/// split cannot put two rows of a class into each fold.
const ROWS_PER_INTEGER_CLASS: usize = 10;

/// Distinct values looked at; more tell nothing.
const DISTINCT_LIMIT: usize = 10_000;

/// Decides the task of a target column from its present values; names play no part.
///
/// Missing cells are ignored. An empty column, and one with a single value, gets the task of its type (`inspect`
/// reports them as blocking).
///
/// ```
/// use kaizen_inspect::{TaskKind, decide_task};
/// use kaizen_table::Column;
///
/// let prices = Column::number("price", (0..100).map(|row| f64::from(row) * 1.5).collect());
/// assert_eq!(decide_task(&prices).task, TaskKind::Regression);
/// let answer = Column::category("answer", &[Some("yes"), Some("no"), None]);
/// assert_eq!(decide_task(&answer).task, TaskKind::Binary);
/// ```
pub fn decide_task(column: &Column) -> TaskDecision {
    let distinct = distinct_count(column, DISTINCT_LIMIT);
    let decided = |task, why: String, doubtful| TaskDecision { task, why, doubtful };
    match &column.values {
        Values::Boolean(_) => decided(TaskKind::Binary, "the target holds truth values".to_owned(), false),
        Values::Category(_) | Values::Text(_) if distinct <= 2 => decided(
            TaskKind::Binary,
            format!("the target holds {}", counted(distinct, "distinct word")),
            false,
        ),
        Values::Category(_) | Values::Text(_) => {
            let present = column.len() - column.values.missing_count();
            // Half the rows alone in their class: it is a name or a sentence rather than a class.
            let doubtful = distinct * 2 > present;
            let why = format!("the target holds {} distinct words", count(distinct));
            decided(TaskKind::Multiclass, why, doubtful)
        }
        Values::Number(number) => decide_number(&number.values, number.integer, distinct),
        Values::Time(_) => decided(
            TaskKind::Regression,
            "the target holds moments, which have to be turned into numbers first".to_owned(),
            true,
        ),
        Values::Sparse(_) => {
            decided(TaskKind::Regression, "the target is a block of numbers".to_owned(), true)
        }
    }
}

fn decide_number(values: &[f64], integer: bool, distinct: usize) -> TaskDecision {
    let decided = |task, why, doubtful| TaskDecision { task, why, doubtful };
    if distinct == 2 {
        return decided(TaskKind::Binary, "the target holds two distinct numbers".to_owned(), !integer);
    }
    let present = values.iter().filter(|value| !value.is_nan());
    let (rows, low, high) = present
        .fold((0, f64::INFINITY, f64::NEG_INFINITY), |(rows, low, high): (usize, f64, f64), &value| {
            (rows + 1, low.min(value), high.max(value))
        });
    if !integer {
        return decided(
            TaskKind::Regression,
            format!("the target holds numbers with decimals ({} distinct)", counts(distinct)),
            false,
        );
    }
    if distinct > INTEGER_CLASSES_MAX || distinct <= 1 {
        let why = format!("the target holds {} distinct integers", counts(distinct));
        return decided(TaskKind::Regression, why, false);
    }
    // Codes of classes follow one another; amounts (10, 20, 50) leave gaps.
    let contiguous = high - low < 2.0 * distinct as f64;
    let why = format!("the target holds {distinct} distinct integers from {low:.0} to {high:.0}");
    if contiguous && rows >= ROWS_PER_INTEGER_CLASS * distinct {
        let why = format!("{why}, taken for classes; they could be a rating or a count as well");
        decided(TaskKind::Multiclass, why, true)
    } else {
        let why = format!("{why}, taken for amounts; they could be codes of classes as well");
        decided(TaskKind::Regression, why, true)
    }
}

fn counts(distinct: usize) -> String {
    if distinct >= DISTINCT_LIMIT { format!("at least {}", count(distinct)) } else { count(distinct) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(rows: usize, pick: impl Fn(usize) -> f64) -> Column {
        Column::number("y", (0..rows).map(pick).collect())
    }

    #[test]
    fn each_kind_of_target_finds_its_task() {
        let check = |column: &Column, task, doubtful| {
            let decision = decide_task(column);
            assert_eq!((decision.task, decision.doubtful), (task, doubtful), "{}", decision.why);
        };
        // A rating of 1 to 5: classes, but said aloud.
        check(&integers(400, |row| (row % 5 + 1) as f64), TaskKind::Multiclass, true);
        check(&integers(400, |row| (row % 2) as f64), TaskKind::Binary, false);
        check(&integers(400, |row| (row % 29) as f64), TaskKind::Regression, false);
        check(&integers(400, |row| [10.0, 20.0, 50.0, 100.0][row % 4]), TaskKind::Regression, true);
        // Seven integers in twenty rows leave less than three rows a class.
        check(&integers(20, |row| (row % 7) as f64), TaskKind::Regression, true);
        check(&integers(400, |row| (row % 3) as f64 + 0.5), TaskKind::Regression, false);
        check(
            &Column::category("y", &[Some("a"), Some("b"), Some("c"), Some("a"), Some("b"), Some("c")]),
            TaskKind::Multiclass,
            false,
        );
        check(
            &Column::text("y", (0..50).map(|row| Some(format!("sentence {row}")))),
            TaskKind::Multiclass,
            true,
        );
    }

    #[test]
    fn missing_cells_are_no_class() {
        let column = Column::category("y", &[Some("yes"), None, Some("no"), None]);
        assert_eq!(decide_task(&column).task, TaskKind::Binary);
        let decision = decide_task(&Column::number("y", vec![f64::NAN; 4]));
        assert_eq!(decision.task, TaskKind::Regression);
    }
}
