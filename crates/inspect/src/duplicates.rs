//! Rows that occur more than once, and rows that agree in every feature but not in the target.

use kaizen_table::{Column, TargetValues};

use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::Survey;
use crate::profile::{cell_hashes, mix};
use crate::words::{counted, percent, verb};

/// Share of rows in conflict from which no model can be nearly perfect.
const CONFLICT_SHARE: f64 = 0.01;

/// Counts duplicate rows and conflicting labels. Keys, row numbers and columns without information are left aside.
pub(crate) fn check(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let rows = survey.table.row_count();
    let features: Vec<&Column> = survey.features().map(|(_, each)| each.column).collect();
    if rows < 2 || features.is_empty() {
        return;
    }
    let hashes = row_hashes(&features, rows);
    let same = equal_rows(&features, &hashes);
    note_duplicates(survey, &same, findings);
    note_conflicts(survey, &same, findings);
}

/// A hash of each row over `columns`.
pub(crate) fn row_hashes(columns: &[&Column], rows: usize) -> Vec<u64> {
    let mut hashes = vec![0u64; rows];
    for column in columns {
        for (hash, cell) in hashes.iter_mut().zip(cell_hashes(column)) {
            *hash = mix(*hash ^ cell).wrapping_add(cell);
        }
    }
    hashes
}

/// Rows with equal cells in all `columns`, two or more together, each group ascending, groups by first row.
///
/// Rows with equal hashes are compared cell by cell, so the groups are exact.
fn equal_rows(columns: &[&Column], hashes: &[u64]) -> Vec<Vec<u32>> {
    let mut order: Vec<u32> = (0..hashes.len() as u32).collect();
    order.sort_unstable_by_key(|&row| (hashes[row as usize], row));
    let mut groups = Vec::new();
    for run in order.chunk_by(|&a, &b| hashes[a as usize] == hashes[b as usize]) {
        let mut left = run.to_vec();
        // One turn unless two different rows collide in 64 bits.
        while left.len() > 1 {
            let first = left[0];
            let (equal, rest): (Vec<u32>, Vec<u32>) =
                left.iter().partition(|&&row| columns.iter().all(|column| cells_equal(column, first, row)));
            if equal.len() > 1 {
                groups.push(equal);
            }
            left = rest;
        }
    }
    groups.sort_unstable_by_key(|group| group[0]);
    groups
}

fn cells_equal(column: &Column, a: u32, b: u32) -> bool {
    use kaizen_table::Values::{Boolean, Category, Number, Sparse, Text, Time};
    let (a, b) = (a as usize, b as usize);
    let same_number = |values: &[f64]| values[a] == values[b] || values[a].is_nan() && values[b].is_nan();
    match &column.values {
        Number(number) => same_number(&number.values),
        Time(time) => same_number(&time.seconds),
        Boolean(boolean) => boolean.values[a] == boolean.values[b],
        Category(category) => category.codes[a] == category.codes[b],
        Text(text) => text.get(a) == text.get(b),
        Sparse(sparse) => sparse.row(a) == sparse.row(b),
    }
}

fn note_duplicates(survey: &Survey<'_>, same: &[Vec<u32>], findings: &mut Vec<Finding>) {
    let target = survey.target_index.map(|index| survey.columns[index].column);
    let mut repeated: Vec<u32> = Vec::new();
    for group in same {
        for (position, &row) in group.iter().enumerate().skip(1) {
            let earlier = &group[..position];
            let is_repeat = match target {
                Some(target) => earlier.iter().any(|&before| cells_equal(target, before, row)),
                None => true,
            };
            if is_repeat {
                repeated.push(row);
            }
        }
    }
    if repeated.is_empty() {
        return;
    }
    repeated.sort_unstable();
    let share = repeated.len() as f64 / survey.table.row_count() as f64;
    // Below one in a hundred, copies on both sides of a split cannot move a score beyond its interval.
    let severity = if share >= 0.01 { Severity::Warning } else { Severity::Info };
    findings.push(
        Finding::new(
            FindingKind::DuplicateRows,
            severity,
            &[],
            format!(
                "{} ({}) {} an earlier row in every column.",
                counted(repeated.len(), "row"),
                percent(share),
                verb(repeated.len(), "repeats", "repeat")
            ),
        )
        .evidence("rows", repeated.len() as f64)
        .evidence("share", share)
        .rows(repeated)
        .action("Keeps them: they may be real repetitions.")
        .advice(
            "If they are copying errors, remove them; copies on both sides of a split make a score too good.",
        ),
    );
}

fn note_conflicts(survey: &Survey<'_>, same: &[Vec<u32>], findings: &mut Vec<Finding>) {
    let Some(goal) = &survey.goal else { return };
    let TargetValues::Classes { codes, names } = &goal.target.values else { return };
    let mut class_of = vec![u32::MAX; survey.table.row_count()];
    for (&row, &code) in goal.rows.iter().zip(codes) {
        class_of[row as usize] = code;
    }
    let (mut in_conflict, mut outvoted, mut examples) = (0usize, 0usize, Vec::new());
    let mut votes = vec![0usize; names.len()];
    for group in same {
        let known: Vec<u32> =
            group.iter().copied().filter(|&row| class_of[row as usize] != u32::MAX).collect();
        for &row in &known {
            votes[class_of[row as usize] as usize] += 1;
        }
        let most = known.iter().map(|&row| votes[class_of[row as usize] as usize]).max().unwrap_or(0);
        if most < known.len() {
            in_conflict += known.len();
            outvoted += known.len() - most;
            examples.extend(known.iter().take(2));
        }
        for &row in &known {
            votes[class_of[row as usize] as usize] = 0;
        }
    }
    if in_conflict == 0 {
        return;
    }
    let total = goal.rows.len() as f64;
    let severity =
        if in_conflict as f64 >= CONFLICT_SHARE * total { Severity::Warning } else { Severity::Info };
    findings.push(
        Finding::new(
            FindingKind::ConflictingLabels,
            severity,
            &[],
            format!(
                "{} agree with another row in every feature but not in the target; on these rows no model can be right more than {} of the time.",
                counted(in_conflict, "row"),
                percent(1.0 - outvoted as f64 / in_conflict as f64)
            ),
        )
        .evidence("rows", in_conflict as f64)
        .evidence("least_error_share", outvoted as f64 / total)
        .rows(examples)
        .action("Keeps them all, so that predicted probabilities tell the doubt.")
        .advice("Look at the example rows: a feature that tells them apart may be missing, or the labels are noisy."),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_are_exact_even_when_hashes_collide() {
        let number = Column::number("a", vec![1.0, 2.0, 1.0, f64::NAN, f64::NAN, 2.0]);
        let word = Column::category("b", &[Some("x"), Some("y"), Some("x"), None, None, Some("z")]);
        let columns = [&number, &word];
        let wanted = vec![vec![0, 2], vec![3, 4]];
        assert_eq!(equal_rows(&columns, &row_hashes(&columns, 6)), wanted);
        assert_eq!(equal_rows(&columns, &[7; 6]), wanted);
    }
}
