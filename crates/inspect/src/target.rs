//! What is to be predicted, and what is wrong with it.

use kaizen_table::target::present_rows;
use kaizen_table::{Column, Target, Values};

use crate::finding::{Finding, FindingKind, Severity};
use crate::profile::{ColumnProfile, Facts, NumberSummary};
use crate::task::{TaskDecision, TaskHint, TaskKind, decide_task};
use crate::words::{self, count, counted, percent, verb};

/// Rows with a target below which nothing can be fitted and judged: five folds of two rows.
pub(crate) const ROWS_MIN: usize = 10;

/// Rows of a class below which a five-fold split leaves less than two in some fold.
const CLASS_ROWS_MIN: usize = 10;

/// Share of the largest class from which accuracy says nothing (a model that always says that class has it).
const IMBALANCE_SHARE: f64 = 0.9;

/// What is to be predicted.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetProfile {
    /// The column's name.
    pub name: String,
    /// The task and why.
    pub decision: TaskDecision,
    /// Rows without a target; they are left out.
    pub missing_count: usize,
    /// Its values.
    pub summary: TargetSummary,
}

/// The values of a target.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetSummary {
    /// Class names in class order with their rows.
    Classes(Vec<(String, usize)>),
    /// Range and quartiles; `None` without a number.
    Numbers(Option<NumberSummary>),
}

/// A usable target: rows where it is present, and its values there.
pub(crate) struct Goal {
    pub(crate) rows: Vec<u32>,
    pub(crate) target: Target,
}

/// Looks at the target column; the goal is `None` when nothing can be predicted (a blocking finding says why).
pub(crate) fn examine(
    column: &Column,
    hint: TaskHint,
    profile: &ColumnProfile,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) -> (TargetProfile, Option<Goal>) {
    let decision = decide(column, hint, findings);
    let rows = present_rows(column);
    let missing_count = column.len() - rows.len();
    let present = Column { name: column.name.clone(), values: column.values.take(&rows) };
    let read = if decision.task == TaskKind::Regression {
        Target::numbers(&present)
    } else {
        Target::classes(&present)
    };
    note_missing(column, missing_count, findings);
    let mut found = TargetProfile {
        name: column.name.clone(),
        decision,
        missing_count,
        summary: TargetSummary::Numbers(profile.number),
    };
    let target = match read {
        Ok(target) if !rows.is_empty() => target,
        Ok(_) => {
            findings.push(
                Finding::new(
                    FindingKind::EmptyTarget,
                    Severity::Blocking,
                    &[&column.name],
                    format!("The target {} has no value in any row.", words::name(&column.name)),
                )
                .action("Nothing can be fitted.")
                .advice("Choose another --target, or check how missing values are written in the file."),
            );
            return (found, None);
        }
        Err(error) => {
            findings.push(
                Finding::new(
                    FindingKind::WrongTargetType,
                    Severity::Blocking,
                    &[&column.name],
                    format!("The target cannot be read for this task: {error}."),
                )
                .action("Nothing can be fitted.")
                .advice("Choose another --task, or turn the column into numbers first."),
            );
            return (found, None);
        }
    };
    // Said first: a table of one row has a constant target as well, but another target would not help it.
    note_few_rows(rows.len(), findings);
    let usable = if target.codes().is_some() {
        count_classes(&mut found, &target);
        examine_classes(&found, hint, findings)
    } else {
        examine_numbers(&found, profile, facts, findings)
    };
    (found, usable.then_some(Goal { rows, target }))
}

/// Fills in the rows of each class; two classes are a binary task, whatever was asked for.
fn count_classes(found: &mut TargetProfile, target: &Target) {
    let mut sizes = vec![0usize; target.class_names().len()];
    for &code in target.codes().unwrap_or_default() {
        sizes[code as usize] += 1;
    }
    if sizes.len() == 2 {
        found.decision.task = TaskKind::Binary;
    }
    found.summary = TargetSummary::Classes(target.class_names().iter().cloned().zip(sizes).collect());
}

fn note_few_rows(rows: usize, findings: &mut Vec<Finding>) {
    if rows >= ROWS_MIN {
        return;
    }
    findings.push(
        Finding::new(
            FindingKind::TooFewRows,
            Severity::Blocking,
            &[],
            format!(
                "The table has {} with a target, and at least {ROWS_MIN} are needed.",
                counted(rows, "row")
            ),
        )
        .evidence("rows", rows as f64)
        .action("Nothing can be fitted and judged on so few rows.")
        .advice("Collect more rows."),
    );
}

fn decide(column: &Column, hint: TaskHint, findings: &mut Vec<Finding>) -> TaskDecision {
    let automatic = decide_task(column);
    let asked = |task| TaskDecision { task, why: "the task was asked for".to_owned(), doubtful: false };
    match hint {
        TaskHint::Auto => {
            if automatic.doubtful {
                let other = if automatic.task == TaskKind::Regression { "multiclass" } else { "regression" };
                findings.push(
                    Finding::new(
                        FindingKind::DoubtfulTask,
                        Severity::Warning,
                        &[&column.name],
                        format!("The task is not certain: {}.", automatic.why),
                    )
                    .action(format!("Fits a {} model.", automatic.task.word()))
                    .advice(format!("Say --task {other} if that is what you mean.")),
                );
            }
            automatic
        }
        TaskHint::Binary => asked(TaskKind::Binary),
        TaskHint::Multiclass => asked(TaskKind::Multiclass),
        TaskHint::Regression => asked(TaskKind::Regression),
    }
}

fn note_missing(column: &Column, missing_count: usize, findings: &mut Vec<Finding>) {
    if missing_count == 0 || missing_count == column.len() {
        return;
    }
    let share = missing_count as f64 / column.len() as f64;
    let missing = (0..column.len()).filter(|&row| column.values.is_missing(row)).map(|row| row as u32);
    findings.push(
        Finding::new(
            FindingKind::MissingTarget,
            Severity::Warning,
            &[&column.name],
            format!(
                "{} ({}) {} no target.",
                counted(missing_count, "row"),
                percent(share),
                verb(missing_count, "has", "have")
            ),
        )
        .evidence("rows", missing_count as f64)
        .evidence("share", share)
        .rows(missing)
        .action("Leaves these rows out of fitting and scoring; a missing target is never a class.")
        .advice(
            "Make sure that they are missing by accident, not because of what the answer would have been.",
        ),
    );
}

/// Whether there is something to tell apart.
fn examine_classes(found: &TargetProfile, hint: TaskHint, findings: &mut Vec<Finding>) -> bool {
    let TargetSummary::Classes(classes) = &found.summary else { return false };
    if classes.len() == 1 {
        findings.push(
            Finding::new(
                FindingKind::SingleClass,
                Severity::Blocking,
                &[&found.name],
                format!(
                    "The target {} has only one class ({}).",
                    words::name(&found.name),
                    words::shorten(&classes[0].0, 40)
                ),
            )
            .action("Nothing can be fitted: there is nothing to tell apart.")
            .advice("Add rows of another class, or choose another --target."),
        );
        return false;
    }
    if hint == TaskHint::Binary && classes.len() > 2 {
        findings.push(
            Finding::new(
                FindingKind::WrongTargetType,
                Severity::Blocking,
                &[&found.name],
                format!("A binary model was asked for, but the target has {} classes.", count(classes.len())),
            )
            .evidence("classes", classes.len() as f64)
            .action("Nothing is fitted.")
            .advice("Say --task multiclass, or merge the classes into two."),
        );
        return false;
    }
    note_rare_classes(found, classes, findings);
    let total: usize = classes.iter().map(|(_, size)| size).sum();
    let Some((largest_name, largest)) = classes.iter().max_by_key(|(_, size)| *size) else { return true };
    let share = *largest as f64 / total as f64;
    if share >= IMBALANCE_SHARE {
        findings.push(
            Finding::new(
                FindingKind::Imbalance,
                Severity::Warning,
                &[&found.name],
                format!(
                    "{} of the rows are of class {}: a model that always says so is right that often and useless.",
                    percent(share),
                    words::name(largest_name)
                ),
            )
            .evidence("largest_class_share", share)
            .action("Keeps each class's share in every fold; unless told otherwise, judges by ranking or by probabilities, not by accuracy.")
            .advice("Choose a --metric that says what a miss and a false alarm cost, such as average_precision."),
        );
    }
    true
}

fn note_rare_classes(found: &TargetProfile, classes: &[(String, usize)], findings: &mut Vec<Finding>) {
    let mut rare: Vec<&(String, usize)> = classes.iter().filter(|(_, size)| *size < CLASS_ROWS_MIN).collect();
    rare.sort_by_key(|(_, size)| *size);
    let Some((rarest_name, rarest)) = rare.first() else { return };
    let what = if rare.len() == 1 {
        format!("Class {} has only {}.", words::name(rarest_name), counted(*rarest, "row"))
    } else {
        format!(
            "{} have fewer than {CLASS_ROWS_MIN} rows; {} has {}.",
            counted(rare.len(), "class"),
            words::name(rarest_name),
            counted(*rarest, "row")
        )
    };
    let action = if *rarest < 2 {
        "Keeps a class of one row in training; no score can be given for it."
    } else {
        "Deals the rows so that every fold has some of each class where the count allows."
    };
    findings.push(
        Finding::new(FindingKind::RareClass, Severity::Warning, &[&found.name], what)
            .evidence("classes", rare.len() as f64)
            .evidence("rows_of_rarest", *rarest as f64)
            .action(action)
            .advice("Scores for so few rows are wide guesses: collect more of them or merge classes."),
    );
}

/// Whether the numbers differ.
fn examine_numbers(
    found: &TargetProfile,
    profile: &ColumnProfile,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) -> bool {
    if profile.distinct_count <= 1 {
        findings.push(
            Finding::new(
                FindingKind::ConstantTarget,
                Severity::Blocking,
                &[&found.name],
                format!(
                    "The target {} is constant: every row has {}.",
                    words::name(&found.name),
                    profile
                        .number
                        .map_or_else(|| "one value".to_owned(), |summary| words::number(summary.min))
                ),
            )
            .action("Nothing can be fitted: there is nothing to predict.")
            .advice("Choose another --target."),
        );
        return false;
    }
    if let Some(summary) = &profile.number {
        note_zeros(found, profile, summary, findings);
        note_tail(found, summary, findings);
        note_cap(found, profile, facts, summary, findings);
    }
    true
}

fn note_zeros(
    found: &TargetProfile,
    profile: &ColumnProfile,
    summary: &NumberSummary,
    findings: &mut Vec<Finding>,
) {
    if summary.zero_share < ZERO_SHARE || summary.min < 0.0 || profile.distinct_count <= 10 {
        return;
    }
    let share = percent(summary.zero_share);
    findings.push(
        Finding::new(
            FindingKind::ZeroTarget,
            Severity::Info,
            &[&found.name],
            format!("{share} of the targets are exactly zero and the rest are above it."),
        )
        .evidence("zero_share", summary.zero_share)
        .action("Keeps the values as they are.")
        .advice(
            "If zero means that nothing happened, a model for whether and one for how much may serve better.",
        ),
    );
}

fn note_tail(found: &TargetProfile, summary: &NumberSummary, findings: &mut Vec<Finding>) {
    if summary.skewness.abs() < SKEWNESS {
        return;
    }
    findings.push(
        Finding::new(
            FindingKind::SkewedTarget,
            Severity::Info,
            &[&found.name],
            format!(
                "The target has a long tail (skewness {}): a few far values weigh heavily in a squared error.",
                words::number(summary.skewness)
            ),
        )
        .evidence("skewness", summary.skewness)
        .action("Keeps the values as they are.")
        .advice("Choose --metric mae or rmsle if errors matter one by one or in proportion."),
    );
}

fn note_cap(
    found: &TargetProfile,
    profile: &ColumnProfile,
    facts: &Facts,
    summary: &NumberSummary,
    findings: &mut Vec<Finding>,
) {
    let present = profile.histogram.as_ref().map_or(0, |histogram| histogram.counts.iter().sum()).max(1);
    let capped = facts.end_counts.1;
    // One value for every fifty rows at the very end of a range with many values.
    if capped * 50 < present || profile.distinct_count <= 100 {
        return;
    }
    findings.push(
        Finding::new(
            FindingKind::CappedTarget,
            Severity::Info,
            &[&found.name],
            format!(
                "{} ({}) have the greatest target, {}: it looks cut off there.",
                counted(capped, "row"),
                percent(capped as f64 / present as f64),
                words::number(summary.max)
            ),
        )
        .evidence("rows", capped as f64)
        .evidence("value", summary.max)
        .action("Keeps these rows as they are.")
        .advice("A model cannot predict beyond the cut; leave such rows out if the truth lies above it."),
    );
}

/// Skewness from which the tail dominates a squared error: that of the exponential distribution.
const SKEWNESS: f64 = 2.0;

/// Share of zeros from which a target is a mixture of "nothing" and "how much".
const ZERO_SHARE: f64 = 0.2;

/// Whether the target can be put into an order for tests along the rows.
pub(crate) fn is_ordinal(column: &Column) -> bool {
    matches!(&column.values, Values::Number(_) | Values::Boolean(_) | Values::Time(_))
}
