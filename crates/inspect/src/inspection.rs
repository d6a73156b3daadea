//! The inspection itself: profiles first, then the target, then each family of checks in turn.

use kaizen_table::{Column, Table, TableError, Target};
use rayon::prelude::*;

use crate::advice::{SplitAdvice, advise};
use crate::binned::{Binned, bin_column};
use crate::finding::{Finding, Severity};
use crate::options::{Options, SAMPLE_ROWS};
use crate::power::{Power, deal_folds, measure};
use crate::profile::{ColumnProfile, Facts, Role, mix, profile_column};
use crate::target::{Goal, TargetProfile, examine};
use crate::task::TaskHint;
use crate::{copies, duplicates, groups, identifiers, leakage, order, quality, shift};

/// What is in a table and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Rows of the table.
    pub row_count: usize,
    /// Memory of the typed table, about, in bytes.
    pub size_bytes: usize,
    /// One profile a column, in the table's order.
    pub columns: Vec<ColumnProfile>,
    /// What is to be predicted, if a target was named.
    pub target: Option<TargetProfile>,
    /// What was found, most severe first.
    pub findings: Vec<Finding>,
    /// How to cut the rows into folds; `None` without a usable target.
    pub split: Option<SplitAdvice>,
}

impl Inspection {
    /// The columns that Kaizen leaves out when fitting, in the table's order.
    pub fn dropped(&self) -> impl Iterator<Item = &ColumnProfile> {
        self.columns.iter().filter(|column| column.role.is_dropped())
    }

    /// The columns that Kaizen predicts from, in the table's order.
    pub fn features(&self) -> impl Iterator<Item = &ColumnProfile> {
        self.columns.iter().filter(|column| column.role == Role::Feature)
    }

    /// The findings that keep a model from being fitted.
    pub fn blocking(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Blocking)
    }

    /// The profile of the column called `name`.
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// One column with all that the checks share.
pub(crate) struct Surveyed<'a> {
    pub(crate) column: &'a Column,
    pub(crate) profile: ColumnProfile,
    pub(crate) facts: Facts,
    /// How well it alone predicts the target; `None` without a usable target.
    pub(crate) power: Option<Power>,
    /// A hash of which sampled rows have equal cells, whatever the cells are; `None` where nearly all differ.
    pub(crate) pattern: Option<u64>,
}

/// A table under inspection.
pub(crate) struct Survey<'a> {
    pub(crate) table: &'a Table,
    pub(crate) columns: Vec<Surveyed<'a>>,
    pub(crate) target_index: Option<usize>,
    pub(crate) goal: Option<Goal>,
    /// Rows of the table that costly checks look at, ascending.
    pub(crate) sample: Vec<u32>,
    pub(crate) options: Options<'a>,
}

impl Survey<'_> {
    /// The columns that are not the target.
    pub(crate) fn others(&self) -> impl Iterator<Item = (usize, &Surveyed<'_>)> {
        self.columns.iter().enumerate().filter(|(index, _)| Some(*index) != self.target_index)
    }

    /// The columns that are still to be predicted from.
    pub(crate) fn features(&self) -> impl Iterator<Item = (usize, &Surveyed<'_>)> {
        self.others().filter(|(_, each)| each.profile.role == Role::Feature)
    }

    /// Number of columns still to be predicted from.
    pub(crate) fn feature_count(&self) -> usize {
        self.features().count()
    }
}

/// Inspects a table.
///
/// With a target, also decides the task, looks for leaks and advises on folds. The cost is about one sort of each
/// numeric column; memory beyond the table is one such copy a thread plus some bytes a row.
///
/// # Errors
/// [`TableError::NoColumn`] when the target, the group column or the time column is not in the table. Everything
/// that is wrong with the data itself is a finding, not an error.
///
/// ```
/// use kaizen_inspect::{FindingKind, Options, TaskHint, inspect};
/// use kaizen_table::{Column, Table};
///
/// let table = Table::from_columns(vec![
///     Column::number("x", (0..50).map(|row| f64::from(row % 7)).collect()),
///     Column::number("y", vec![3.0; 50]),
/// ])?;
/// let inspection = inspect(&table, Some(("y", TaskHint::Regression)), &Options::default())?;
/// assert_eq!(inspection.blocking().next().map(|finding| finding.kind), Some(FindingKind::ConstantTarget));
/// # Ok::<(), kaizen_table::TableError>(())
/// ```
pub fn inspect(
    table: &Table,
    target: Option<(&str, TaskHint)>,
    options: &Options<'_>,
) -> Result<Inspection, TableError> {
    let named = [target.map(|(name, _)| name), options.group, options.time_column];
    for name in named.into_iter().flatten() {
        table.require(name)?;
    }
    let mut findings = Vec::new();
    let profiled: Vec<(ColumnProfile, Facts)> =
        table.columns().par_iter().map(|column| profile_column(column)).collect();
    let target_index = target.and_then(|(name, _)| table.columns().iter().position(|c| c.name == name));
    let (mut target_profile, mut goal) = (None, None);
    if let (Some(index), Some((_, hint))) = (target_index, target) {
        let (profile, facts) = &profiled[index];
        let (found, usable) = examine(&table.columns()[index], hint, profile, facts, &mut findings);
        (target_profile, goal) = (Some(found), usable);
    }
    let mut survey = survey(table, profiled, target_index, goal, *options);
    if let Some(index) = target_index {
        survey.columns[index].profile.role = Role::Target;
    }
    // Roles first, since later checks look at features only.
    quality::check(&survey, &mut findings);
    copies::check(&mut survey, &mut findings);
    identifiers::check(&mut survey, &mut findings);
    quality::check_shape(&survey, &mut findings);
    duplicates::check(&survey, &mut findings);
    leakage::check(&survey, &mut findings);
    let ordered = order::check(&survey, &mut findings);
    let grouped = groups::check(&survey, &mut findings);
    if let Some(other) = options.other {
        shift::check(&survey, other, &mut findings);
    }
    let split = survey.goal.as_ref().map(|goal| advise(goal, options, ordered, grouped));
    // The sort is stable: within a severity, findings stay in the order of the checks.
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Inspection {
        row_count: table.row_count(),
        size_bytes: table.size_bytes(),
        columns: survey.columns.into_iter().map(|each| each.profile).collect(),
        target: target_profile,
        findings,
        split,
    })
}

/// Draws the sample and measures every column on it.
fn survey<'a>(
    table: &'a Table,
    profiled: Vec<(ColumnProfile, Facts)>,
    target_index: Option<usize>,
    goal: Option<Goal>,
    options: Options<'a>,
) -> Survey<'a> {
    let usable: Vec<u32> = match &goal {
        Some(goal) => (0..goal.rows.len() as u32).collect(),
        None => (0..table.row_count() as u32).collect(),
    };
    let picked = if usable.len() > SAMPLE_ROWS {
        options.seed.child("inspect", 0).rng().sample_sorted(usable.len(), SAMPLE_ROWS)
    } else {
        usable
    };
    let sampled_target: Option<Target> = goal.as_ref().map(|goal| goal.target.take(&picked));
    let sample: Vec<u32> = match &goal {
        Some(goal) => picked.iter().map(|&index| goal.rows[index as usize]).collect(),
        None => picked,
    };
    let folds = deal_folds(sample.len(), options.seed);
    let columns = table
        .columns()
        .par_iter()
        .zip(profiled)
        .map(|(column, (profile, facts))| {
            let binned = bin_column(column, &sample);
            let power = sampled_target.as_ref().and_then(|target| measure(&binned, target, &folds));
            Surveyed { column, profile, facts, power, pattern: pattern(&binned) }
        })
        .collect();
    Survey { table, columns, target_index, goal, sample, options }
}

/// Renumbers codes by first appearance and hashes them: equal for columns that are renamings of one another.
fn pattern(binned: &Binned) -> Option<u64> {
    if !binned.exact || binned.code_count < 2 || binned.code_count * 2 > binned.codes.len() {
        return None;
    }
    let mut number_of = vec![u32::MAX; binned.code_count];
    let mut next = 0;
    let mut hash = 0;
    for &code in &binned.codes {
        let number = &mut number_of[code as usize];
        if *number == u32::MAX {
            *number = next;
            next += 1;
        }
        hash = mix(hash ^ u64::from(*number)).wrapping_add(u64::from(*number));
    }
    Some(hash)
}
