//! Whether rows come in groups that share a target: visits of one patient, orders of one customer.
//!
//! Shuffled folds then put rows of a group on both sides, and the score says how well the model recalls known
//! groups, not how well it does on new ones. Which of the two is wanted depends on the use, so a split by group is made
//! without being asked only where the file itself shows repeated measurements: groups stand together in it, or the
//! second table holds other groups.

use std::collections::BTreeSet;

use kaizen_table::{TargetValues, Values};

use crate::finding::{Finding, FindingKind, Severity};
use crate::identifiers::{has_key_word, repeats_text};
use crate::inspection::{Survey, Surveyed};
use crate::profile::cell_hashes;
use crate::target::Goal;
use crate::words::{argument, name};

/// Groups below which a column is a category, not a key.
const GROUPS_MIN: usize = 20;

/// Rows for each distinct code above which a nameless column of codes is a category.
const CODES_PER_ROWS: usize = 20;

/// Mean rows of a group from which rows repeat.
const REPEATS_MIN: f64 = 1.5;

/// Intraclass correlation from which a group tells of its target: small by the rules of thumb for clustered designs,
/// and enough to inflate a score where groups are seen in training.
const CORRELATION_MIN: f64 = 0.05;

/// Standard errors of the F statistic from which the correlation is not chance.
const ERRORS_MIN: f64 = 5.0;

/// Share of possible neighbours of one group that must stand together for the groups to count as contiguous.
const TOGETHER_SHARE: f64 = 0.5;

/// A column that names the group of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grouped {
    pub(crate) column: String,
    /// Whether the evidence is strong enough to split by it without being asked.
    pub(crate) strong: bool,
}

/// Looks for groups; returns the column to split by, if there is one.
pub(crate) fn check(survey: &Survey<'_>, findings: &mut Vec<Finding>) -> Option<Grouped> {
    let goal = survey.goal.as_ref()?;
    let mut best: Option<(f64, Grouped, Finding)> = None;
    for (_, each) in survey.features() {
        let present = survey.table.row_count() - each.profile.missing_count;
        let distinct = each.profile.distinct_count;
        if distinct < GROUPS_MIN || (present as f64) < REPEATS_MIN * distinct as f64 || !is_key_like(each) {
            continue;
        }
        let hashes = cell_hashes(each.column);
        let Some(found) = measure(&hashes, each, goal) else { continue };
        if found.correlation < CORRELATION_MIN || found.errors < ERRORS_MIN {
            continue;
        }
        let apart = other_groups_differ(survey, each, &hashes);
        let strong = found.together >= TOGETHER_SHARE || apart;
        let column = &each.profile.name;
        let what = format!(
            "{} names groups ({}) whose rows have alike targets (intraclass correlation {:.2}).",
            name(column),
            repeats_text(present, distinct),
            found.correlation
        );
        let (action, advice) = if strong {
            (
                "Keeps the rows of a group in one fold, so that the score holds for new groups.",
                format!(
                    "If the model will only see groups that are in this table, the score is too low for it; --ignore {} leaves the column out and shuffles rows.",
                    argument(column)
                ),
            )
        } else {
            (
                "Shuffles rows without regard to groups; the score holds for groups that are in this table.",
                format!("If the model will meet new groups, say --group {}.", argument(column)),
            )
        };
        let finding = Finding::new(FindingKind::Groups, Severity::Warning, &[column], what)
            .evidence("groups", distinct as f64)
            .evidence("intraclass_correlation", found.correlation)
            .evidence("standard_errors", found.errors)
            .evidence("together_share", found.together)
            .action(action)
            .advice(advice);
        if best.as_ref().is_none_or(|(known, ..)| found.correlation > *known) {
            best = Some((found.correlation, Grouped { column: column.clone(), strong }, finding));
        }
    }
    let (_, grouped, finding) = best?;
    findings.push(finding);
    Some(grouped)
}

/// Whether a column is of a type and shape that keys have.
fn is_key_like(each: &Surveyed<'_>) -> bool {
    match &each.column.values {
        Values::Category(_) | Values::Text(_) => {
            // Without a telling name, codes must be many: a size such as 5'4" is of one shape as well.
            let many = each.profile.distinct_count * CODES_PER_ROWS >= each.column.len();
            each.facts.code_like && many || has_key_word(&each.profile.name)
        }
        Values::Number(number) => number.integer && has_key_word(&each.profile.name),
        _ => false,
    }
}

/// Whether the second table has the column, with groups of its own.
fn other_groups_differ(survey: &Survey<'_>, each: &Surveyed<'_>, hashes: &[u64]) -> bool {
    let Some(other) = survey.options.other.and_then(|other| other.column(&each.profile.name)) else {
        return false;
    };
    let known: BTreeSet<u64> = hashes.iter().copied().collect();
    let theirs: BTreeSet<u64> = cell_hashes(other).into_iter().collect();
    let shared = theirs.intersection(&known).count();
    // One in a hundred may be shared by a slip.
    theirs.len() >= GROUPS_MIN && shared * 100 <= theirs.len()
}

struct Measured {
    correlation: f64,
    errors: f64,
    together: f64,
}

/// Intraclass correlation ICC(1) from a one-way analysis of variance (Shrout and Fleiss 1979, with the mean group
/// size of Donner 1986 for unequal groups), class indicators taken together for classes.
fn measure(hashes: &[u64], each: &Surveyed<'_>, goal: &Goal) -> Option<Measured> {
    let mut order: Vec<u32> = (0..goal.rows.len() as u32)
        .filter(|&position| !each.column.values.is_missing(goal.rows[position as usize] as usize))
        .collect();
    let group_of = |position: u32| hashes[goal.rows[position as usize] as usize];
    let neighbours = order.windows(2).filter(|pair| group_of(pair[0]) == group_of(pair[1])).count();
    order.sort_by_key(|&position| group_of(position));
    let groups: Vec<&[u32]> = order.chunk_by(|&a, &b| group_of(a) == group_of(b)).collect();
    let (count, group_count) = (order.len() as f64, groups.len() as f64);
    if group_count < GROUPS_MIN as f64 || count <= group_count {
        return None;
    }
    let (within, between) = match &goal.target.values {
        TargetValues::Classes { codes, names } => class_squares(&groups, codes, names.len()),
        TargetValues::Numbers(numbers) => number_squares(&groups, numbers),
    };
    let mean_within = within / (count - group_count);
    let mean_between = between / (group_count - 1.0);
    let squares: f64 = groups.iter().map(|group| (group.len() * group.len()) as f64).sum();
    let size = (count - squares / count) / (group_count - 1.0);
    let denominator = mean_between + (size - 1.0) * mean_within;
    if denominator <= 0.0 {
        return None;
    }
    let ratio = if mean_within > 0.0 { mean_between / mean_within } else { f64::INFINITY };
    let deviation = (2.0 / (group_count - 1.0) + 2.0 / (count - group_count)).sqrt();
    Some(Measured {
        correlation: (mean_between - mean_within) / denominator,
        errors: ((ratio - 1.0) / deviation).min(1e6),
        together: neighbours as f64 / (count - group_count),
    })
}

/// Sums of squares within and between groups, over all class indicators.
fn class_squares(groups: &[&[u32]], codes: &[u32], class_count: usize) -> (f64, f64) {
    let mut overall = vec![0.0; class_count];
    let mut votes = vec![0.0; class_count];
    let (mut explained, mut total) = (0.0, 0.0);
    for group in groups {
        for &position in *group {
            votes[codes[position as usize] as usize] += 1.0;
        }
        let size = group.len() as f64;
        for &position in *group {
            let class = codes[position as usize] as usize;
            let vote = std::mem::take(&mut votes[class]);
            explained += vote * vote / size;
            overall[class] += vote;
        }
        total += size;
    }
    let squares: f64 = overall.iter().map(|sum| sum * sum / total).sum();
    (total - explained, explained - squares)
}

/// Sums of squares within and between groups.
fn number_squares(groups: &[&[u32]], numbers: &[f64]) -> (f64, f64) {
    let scale = numbers.iter().map(|value| value.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let value = |position: &u32| numbers[*position as usize] / scale;
    let total: f64 = groups.iter().map(|group| group.len() as f64).sum();
    let mean = groups.iter().flat_map(|group| group.iter()).map(value).sum::<f64>() / total;
    let (mut within, mut between) = (0.0, 0.0);
    for group in groups {
        let own = group.iter().map(value).sum::<f64>() / group.len() as f64;
        between += group.len() as f64 * (own - mean) * (own - mean);
        within += group.iter().map(|position| (value(position) - own) * (value(position) - own)).sum::<f64>();
    }
    (within, between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_by_hand() {
        // Groups (1, 3) and (5, 7), mean 4: within 2 + 2, between 2 * 4 + 2 * 4. The values are scaled by 1 / 7.
        let (within, between) = number_squares(&[&[0, 1], &[2, 3]], &[1.0, 3.0, 5.0, 7.0]);
        assert!((within * 49.0 - 4.0).abs() < 1e-12 && (between * 49.0 - 16.0).abs() < 1e-12);
        // Pure groups: all of the spread lies between them.
        let (within, between) = class_squares(&[&[0, 1], &[2, 3]], &[0, 0, 1, 1], 2);
        assert!(within.abs() < 1e-12 && (between - 2.0).abs() < 1e-12);
        let (within, between) = class_squares(&[&[0, 2], &[1, 3]], &[0, 0, 1, 1], 2);
        assert!((within - 2.0).abs() < 1e-12 && between.abs() < 1e-12);
    }
}
