//! Columns that say the same thing twice, and columns that say what the target says.

use std::collections::BTreeMap;

use kaizen_table::Values;
use rayon::prelude::*;

use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::Survey;
use crate::options::PAIR_ROWS;
use crate::profile::{Role, cell_hashes};
use crate::statistics::correlation;
use crate::target::is_ordinal;
use crate::words::name;

/// Correlation from which one number stands in for another: less than a fifth of a percent of the variance differs.
const NEAR_COPY: f64 = 0.999;

/// Correlation of a number with a numeric target that only a rescaled copy has.
const TARGET_COPY: f64 = 1.0 - 1e-9;

/// Numeric columns compared pair by pair; beyond, the first of them are.
const PAIR_COLUMNS_MAX: usize = 256;

/// Rows below which equal patterns may be chance.
const ROWS_MIN: usize = 20;

/// Near-copies named one by one before they are only counted.
const PAIRS_NAMED: usize = 5;

/// Finds copies, gives the later of two its role, and the copies of the target theirs.
pub(crate) fn check(survey: &mut Survey<'_>, findings: &mut Vec<Finding>) {
    note_target_copies(survey, findings);
    note_duplicates(survey, findings);
    note_near_copies(survey, findings);
}

fn note_target_copies(survey: &mut Survey<'_>, findings: &mut Vec<Finding>) {
    let (Some(index), Some(goal)) = (survey.target_index, &survey.goal) else { return };
    if goal.rows.len() < ROWS_MIN {
        return;
    }
    let target = &survey.columns[index];
    let copies: Vec<usize> = survey
        .features()
        .filter(|(_, each)| {
            let renamed = each.pattern.is_some() && each.pattern == target.pattern;
            if renamed {
                return is_renaming(
                    &rows_of(&cell_hashes(each.column), &goal.rows),
                    &rows_of(&cell_hashes(target.column), &goal.rows),
                );
            }
            let numbers = goal.target.codes().is_none() && is_ordinal(each.column);
            numbers
                && as_numbers(&each.column.values).is_some_and(|values| {
                    let picked: Vec<f64> = goal.rows.iter().map(|&row| values[row as usize]).collect();
                    !picked.iter().any(|value| value.is_nan())
                        && correlation(&picked, &goal.target.to_numbers())
                            .is_some_and(|r| r.abs() >= TARGET_COPY)
                })
        })
        .map(|(index, _)| index)
        .collect();
    let all = copies.len() == survey.feature_count();
    let target_name = survey.columns[index].profile.name.clone();
    for &copy in &copies {
        let each = &mut survey.columns[copy].profile;
        let action = if all {
            "Keeps it, since nothing else is left; the score will be perfect and worthless."
        } else {
            each.role = Role::TargetCopy;
            "Drops it: a value that is the answer cannot be known before the answer."
        };
        findings.push(
            Finding::new(
                FindingKind::TargetCopy,
                Severity::Critical,
                &[&each.name],
                format!("{} is the target {} under another name.", name(&each.name), name(&target_name)),
            )
            .action(action)
            .advice("If it is known before the answer, the task needs no model: use the column."),
        );
    }
}

fn rows_of(hashes: &[u64], rows: &[u32]) -> Vec<u64> {
    rows.iter().map(|&row| hashes[row as usize]).collect()
}

/// Whether equal cells of one side always meet equal cells of the other, both ways.
fn is_renaming(first: &[u64], second: &[u64]) -> bool {
    let (mut there, mut back) = (BTreeMap::new(), BTreeMap::new());
    first
        .iter()
        .zip(second)
        .all(|(a, b)| there.entry(*a).or_insert(*b) == b && back.entry(*b).or_insert(*a) == a)
}

/// Columns with equal cells, and columns of words that rename one another.
fn note_duplicates(survey: &mut Survey<'_>, findings: &mut Vec<Finding>) {
    let rows = survey.table.row_count();
    let mut by_content: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    let mut by_pattern: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (index, each) in survey.features() {
        by_content.entry(each.facts.content_hash).or_default().push(index);
        let is_words = matches!(each.column.values, Values::Category(_) | Values::Text(_));
        if let Some(pattern) = each.pattern.filter(|_| is_words && rows >= ROWS_MIN) {
            by_pattern.entry(pattern).or_default().push(index);
        }
    }
    let candidates: Vec<(Vec<usize>, bool)> = by_content
        .into_values()
        .map(|group| (group, true))
        .chain(by_pattern.into_values().map(|group| (group, false)))
        .filter(|(group, _)| group.len() > 1)
        .collect();
    for (group, equal) in candidates {
        let first = cell_hashes(survey.columns[group[0]].column);
        for &index in &group[1..] {
            if survey.columns[index].profile.role != Role::Feature {
                continue;
            }
            let other = cell_hashes(survey.columns[index].column);
            if !(if equal { first == other } else { is_renaming(&first, &other) }) {
                continue;
            }
            let original = survey.columns[group[0]].profile.name.clone();
            let each = &mut survey.columns[index].profile;
            let how = if equal { "has the same cells as" } else { "says the same in other words as" };
            findings.push(
                Finding::new(
                    FindingKind::DuplicateColumns,
                    Severity::Info,
                    &[&each.name, &original],
                    format!("{} {how} {}.", name(&each.name), name(&original)),
                )
                .action(format!("Drops {}.", name(&each.name))),
            );
            each.role = Role::DuplicateOf(original);
        }
    }
}

/// Pairs of numbers that go together almost perfectly.
fn note_near_copies(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let stride = survey.sample.len().div_ceil(PAIR_ROWS).max(1);
    let rows: Vec<u32> = survey.sample.iter().step_by(stride).copied().collect();
    if rows.len() < ROWS_MIN {
        return;
    }
    let numeric: Vec<(usize, Vec<f32>)> = survey
        .features()
        .filter(|(_, each)| each.profile.distinct_count > 2)
        .filter_map(|(index, each)| Some((index, standardise(as_numbers(&each.column.values)?, &rows)?)))
        .take(PAIR_COLUMNS_MAX)
        .collect();
    let pairs: Vec<(usize, usize, f64)> = (0..numeric.len())
        .into_par_iter()
        .flat_map_iter(|i| {
            let (first, others) = (&numeric[i], &numeric[i + 1..]);
            others.iter().filter_map(move |second| {
                let r: f32 = first.1.iter().zip(&second.1).map(|(a, b)| a * b).sum();
                (f64::from(r.abs()) >= NEAR_COPY).then_some((first.0, second.0, f64::from(r)))
            })
        })
        .collect();
    for &(first, second, r) in pairs.iter().take(PAIRS_NAMED) {
        let (first, second) = (&survey.columns[first].profile.name, &survey.columns[second].profile.name);
        let more = if pairs.len() > PAIRS_NAMED { pairs.len() - PAIRS_NAMED } else { 0 };
        let mut finding = Finding::new(
            FindingKind::NearCopies,
            Severity::Info,
            &[first, second],
            format!("{} and {} are nearly the same (correlation {r:.4}).", name(first), name(second)),
        )
        .evidence("correlation", r)
        .action("Keeps both: trees do not mind, and linear models are regularised.");
        if more > 0 {
            finding = finding.evidence("more_pairs", more as f64);
        }
        findings.push(finding.advice("Their importances share one effect; read them together."));
    }
}

fn as_numbers(values: &Values) -> Option<&[f64]> {
    match values {
        Values::Number(number) => Some(&number.values),
        Values::Time(time) => Some(&time.seconds),
        _ => None,
    }
}

/// The cells of `rows` moved to mean 0 and length 1, missing ones at 0; `None` for a constant.
fn standardise(values: &[f64], rows: &[u32]) -> Option<Vec<f32>> {
    let picked: Vec<f64> = rows.iter().map(|&row| values[row as usize]).collect();
    let present = || picked.iter().filter(|value| !value.is_nan());
    let scale = present().map(|value| value.abs()).fold(0.0, f64::max);
    let count = present().count() as f64;
    if scale == 0.0 || count < ROWS_MIN as f64 {
        return None;
    }
    let mean = present().map(|value| value / scale).sum::<f64>() / count;
    let length = present().map(|value| (value / scale - mean) * (value / scale - mean)).sum::<f64>().sqrt();
    (length > 1e-12).then(|| {
        let move_one =
            |value: &f64| if value.is_nan() { 0.0 } else { ((value / scale - mean) / length) as f32 };
        picked.iter().map(move_one).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renamings_go_both_ways() {
        assert!(is_renaming(&[1, 2, 1, 3], &[9, 8, 9, 7]));
        assert!(!is_renaming(&[1, 2, 1, 3], &[9, 8, 9, 8]));
        assert!(!is_renaming(&[1, 1, 1, 3], &[9, 8, 9, 7]));
    }
}
