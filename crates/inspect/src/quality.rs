//! Columns that carry little or nothing, and tables of an awkward shape.

use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::Survey;
use crate::profile::Role;
use crate::words::{self, count, counted, it, name, names, percent};

/// Share of one value from which a column is nearly constant: with 1 row in 200 left, a five-fold split of 1,000 rows
/// has one differing row in each fold.
const NEARLY_CONSTANT_SHARE: f64 = 0.995;

/// Share of missing cells from which a column says more by being there than by its value.
const MOSTLY_MISSING_SHARE: f64 = 0.9;

/// Levels from which one-hot columns no longer fit; encoders by target or frequency are used instead.
const HIGH_CARDINALITY: usize = 1_000;

/// Distinct values below which an extreme is a level rather than a code for missing.
const MISSING_CODE_DISTINCT: usize = 20;

/// Columns without information and columns to be careful with; in one finding a kind, since a table may have hundreds.
pub(crate) fn check(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let rows = survey.table.row_count();
    if rows == 0 {
        return;
    }
    let with_role = |role: &Role| -> Vec<&str> {
        survey
            .others()
            .filter(|(_, c)| c.profile.role == *role)
            .map(|(_, c)| c.profile.name.as_str())
            .collect()
    };
    let empty = with_role(&Role::AllMissing);
    if !empty.is_empty() {
        let what = format!("{} without any value: {}.", counted(empty.len(), "column"), names(&empty));
        let action = format!("Drops {}.", it(empty.len()));
        findings.push(
            Finding::new(FindingKind::AllMissingColumn, Severity::Warning, &empty, what)
                .evidence("columns", empty.len() as f64)
                .action(action),
        );
    }
    let constant = with_role(&Role::Constant);
    let action = format!("Drops {}.", it(constant.len()));
    if !constant.is_empty() {
        let what = format!(
            "{} with one value in every row: {}.",
            counted(constant.len(), "column"),
            names(&constant)
        );
        findings.push(
            Finding::new(FindingKind::ConstantColumn, Severity::Warning, &constant, what)
                .evidence("columns", constant.len() as f64)
                .action(action),
        );
    }
    note_nearly_constant(survey, rows, findings);
    note_mostly_missing(survey, rows, findings);
    note_missing_codes(survey, findings);
}

fn note_nearly_constant(survey: &Survey<'_>, rows: usize, findings: &mut Vec<Finding>) {
    let nearly: Vec<&str> = survey
        .features()
        .filter(|(_, c)| c.profile.distinct_count > 1)
        .filter(|(_, c)| c.facts.top_count as f64 >= NEARLY_CONSTANT_SHARE * rows as f64)
        .map(|(_, c)| c.profile.name.as_str())
        .collect();
    if nearly.is_empty() {
        return;
    }
    let what = format!(
        "{} with one value in at least {} of the rows: {}.",
        counted(nearly.len(), "column"),
        percent(NEARLY_CONSTANT_SHARE),
        names(&nearly)
    );
    findings.push(
        Finding::new(FindingKind::NearlyConstantColumn, Severity::Info, &nearly, what)
            .evidence("columns", nearly.len() as f64)
            .action(format!("Keeps {}: a rare value may be the one that matters.", it(nearly.len()))),
    );
}

fn note_mostly_missing(survey: &Survey<'_>, rows: usize, findings: &mut Vec<Finding>) {
    let mostly: Vec<&str> = survey
        .features()
        .filter(|(_, c)| c.profile.missing_share(rows) >= MOSTLY_MISSING_SHARE)
        .map(|(_, c)| c.profile.name.as_str())
        .collect();
    if mostly.is_empty() {
        return;
    }
    let what = format!(
        "{} missing in at least {} of the rows: {}.",
        counted(mostly.len(), "column"),
        percent(MOSTLY_MISSING_SHARE),
        names(&mostly)
    );
    findings.push(
        Finding::new(FindingKind::MostlyMissingColumn, Severity::Info, &mostly, what)
            .evidence("columns", mostly.len() as f64)
            .action(format!(
                "Keeps {}: whether a value is there is itself used to predict.",
                it(mostly.len())
            )),
    );
}

/// Numbers such as -999 that stand far off and repeat. One code in several columns makes one finding.
fn note_missing_codes(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    let mut by_value: Vec<(f64, Vec<&str>, usize)> = Vec::new();
    for (_, each) in survey.features() {
        let Some((value, rows)) = each.facts.far_extreme else { continue };
        if each.profile.distinct_count < MISSING_CODE_DISTINCT || !looks_like_a_code(value) {
            continue;
        }
        match by_value.iter_mut().find(|(known, ..)| *known == value) {
            Some((_, columns, total)) => {
                columns.push(&each.profile.name);
                *total += rows;
            }
            None => by_value.push((value, vec![&each.profile.name], rows)),
        }
    }
    for (value, columns, cells) in by_value {
        let what = format!(
            "The value {value} stands far from all others in {}: it looks like a code for missing ({}).",
            names(&columns),
            counted(cells, "cell")
        );
        findings.push(
            Finding::new(FindingKind::MissingCode, Severity::Warning, &columns, what)
                .evidence("value", value)
                .evidence("cells", cells as f64)
                .action("Keeps it as a number; trees can set it apart, linear models cannot.")
                .advice("If it means missing, write these cells as empty."),
        );
    }
}

/// Codes that people use: -1 and the like, rows of nines, and round negative numbers.
fn looks_like_a_code(value: f64) -> bool {
    if value.fract() != 0.0 || value == 0.0 || value.abs() > 1e12 {
        return false;
    }
    let digits = format!("{:.0}", value.abs());
    let nines = digits.len() >= 2 && digits.bytes().all(|digit| digit == b'9');
    let round = digits.bytes().skip(1).all(|digit| digit == b'0');
    nines || value < 0.0 && round
}

/// What is left to predict from, once roles are known.
pub(crate) fn check_shape(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    note_high_cardinality(survey, findings);
    let Some(goal) = &survey.goal else { return };
    let (rows, features) = (goal.rows.len(), survey.feature_count());
    if features == 0 {
        findings.push(
            Finding::new(
                FindingKind::NoFeatures,
                Severity::Blocking,
                &[],
                "No column is left to predict from.",
            )
            .action("Nothing can be fitted.")
            .advice("Add columns that are known before the answer is."),
        );
    } else if features * 2 > rows {
        findings.push(
            Finding::new(
                FindingKind::WideTable,
                Severity::Warning,
                &[],
                format!(
                    "{} for {}: some of them fit the target by chance alone.",
                    counted(features, "feature"),
                    counted(rows, "row")
                ),
            )
            .evidence("features", features as f64)
            .evidence("rows", rows as f64)
            .action("Fits every transform that learns from the data inside its training fold only, and cuts the folds anew where rows are few.")
            .advice("Trust the interval of the score rather than the score, and confirm on new rows."),
        );
    }
}

fn note_high_cardinality(survey: &Survey<'_>, findings: &mut Vec<Finding>) {
    for (_, each) in survey.features() {
        let present = survey.table.row_count() - each.profile.missing_count;
        let words_per_cell = each.profile.text.map_or(0.0, |text| text.words_mean);
        let levels = each.profile.distinct_count;
        // Sentences are text, and text is read word by word.
        if each.profile.text.is_none() || words_per_cell > 3.0 {
            continue;
        }
        if levels >= HIGH_CARDINALITY || levels >= 50 && levels * 2 > present {
            findings.push(
                Finding::new(
                    FindingKind::HighCardinality,
                    Severity::Info,
                    &[&each.profile.name],
                    format!(
                        "{} has {} distinct values, {} rows each on average.",
                        name(&each.profile.name),
                        count(levels),
                        words::number(present as f64 / levels as f64)
                    ),
                )
                .evidence("levels", levels as f64)
                .action("Never makes one column of each value: groups values by the target in training rows alone, or reads them as text."),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_people_use() {
        for code in [-1.0, -200.0, -999.0, 999.0, 9999.0, 99.0, -9.0] {
            assert!(looks_like_a_code(code), "{code}");
        }
        for number in [0.0, 9.0, 500001.0, -12.5, 123.0, -37.0, 200.0] {
            assert!(!looks_like_a_code(number), "{number}");
        }
    }
}
