//! How a second table differs from the first: columns, types, levels, distributions, shared rows.
//!
//! With many rows every difference is significant, so a column is reported only when its difference passes both a test
//! (Benjamini and Hochberg 1995 over all columns, false discovery rate 1 %) and a floor on its size.

use std::collections::BTreeMap;

use kaizen_table::{Column, Table, Values};
use rayon::prelude::*;

use crate::duplicates::row_hashes;
use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::Survey;
use crate::profile::cell_hashes;
use crate::statistics::{benjamini_hochberg, chi_squared_upper, ks_distance, ks_p_value, normal_two_sided};
use crate::words::{count, counted, name, names, percent, verb};

/// Expected share of false alarms among the columns reported.
const FALSE_DISCOVERY_RATE: f64 = 0.01;

/// Share of the probability that must lie elsewhere (the distance of Kolmogorov and Smirnov for numbers, the total
/// variation distance for levels): a tenth of the rows.
const DISTANCE_MIN: f64 = 0.1;

/// Difference of the shares of missing cells that matters.
const MISSING_DIFFERENCE_MIN: f64 = 0.05;

/// Share of rows with levels never seen from which to warn; below, a rare level missed by chance is no surprise.
const UNSEEN_SHARE: f64 = 0.05;

/// Rows in either table below which distributions are not compared.
const ROWS_MIN: usize = 20;

/// Shifted columns listed one by one.
const LISTED: usize = 20;

/// Compares `other` with the table under inspection.
pub(crate) fn check(survey: &Survey<'_>, other: &Table, findings: &mut Vec<Finding>) {
    compare_columns(survey, other, findings);
    note_shared_rows(survey, other, findings);
    if survey.table.row_count() < ROWS_MIN || other.row_count() < ROWS_MIN {
        return;
    }
    let pairs: Vec<(&Column, &Column)> = survey
        .features()
        .filter_map(|(_, each)| Some((each.column, other.column(&each.profile.name)?.as_ref())))
        .filter(|(mine, theirs)| family(mine) == family(theirs))
        .collect();
    let compared: Vec<Compared> = pairs.par_iter().map(|(mine, theirs)| compare(mine, theirs)).collect();
    note_unseen(&pairs, &compared, findings);
    note_shifts(&pairs, &compared, findings);
}

fn compare_columns(survey: &Survey<'_>, other: &Table, findings: &mut Vec<Finding>) {
    let missing: Vec<&str> = survey
        .features()
        .map(|(_, each)| each.profile.name.as_str())
        .filter(|name| other.column(name).is_none())
        .collect();
    if !missing.is_empty() {
        findings.push(
            Finding::new(
                FindingKind::ColumnsMissingInOther,
                Severity::Critical,
                &missing,
                format!("The other table lacks {}: {}.", counted(missing.len(), "feature"), names(&missing)),
            )
            .action("Treats them as missing in every row there.")
            .advice("Add the columns, or leave them out of the model with --ignore."),
        );
    }
    let extra: Vec<&str> = other
        .columns()
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| survey.table.column(name).is_none())
        .collect();
    if !extra.is_empty() {
        findings.push(
            Finding::new(
                FindingKind::ColumnsExtraInOther,
                Severity::Info,
                &extra,
                format!("The other table has {} more: {}.", counted(extra.len(), "column"), names(&extra)),
            )
            .action("Ignores them."),
        );
    }
    for (_, each) in survey.features() {
        let Some(theirs) = other.column(&each.profile.name) else { continue };
        // A column without a single value has no type of its own.
        let empty = theirs.values.missing_count() == theirs.len();
        if !empty && family(each.column) != family(theirs) {
            findings.push(
                Finding::new(
                    FindingKind::ColumnTypeDiffers,
                    Severity::Warning,
                    &[&each.profile.name],
                    format!(
                        "{} holds {} here and {} in the other table.",
                        name(&each.profile.name),
                        family(each.column),
                        family(theirs)
                    ),
                )
                .action(
                    "Reads the other table by the types of this one; cells that do not fit become missing.",
                )
                .advice("Check how the column was exported."),
            );
        }
    }
}

/// The types that can be compared with one another.
fn family(column: &Column) -> &'static str {
    match &column.values {
        Values::Number(_) => "numbers",
        Values::Time(_) => "moments",
        Values::Boolean(_) | Values::Category(_) | Values::Text(_) => "words",
        Values::Sparse(_) => "blocks",
    }
}

fn note_shared_rows(survey: &Survey<'_>, other: &Table, findings: &mut Vec<Finding>) {
    let pairs: Vec<(&Column, &Column)> = survey
        .features()
        .filter_map(|(_, each)| Some((each.column, other.column(&each.profile.name)?.as_ref())))
        .collect();
    // Few columns, or columns with few levels, agree by chance.
    let mine: Vec<&Column> = pairs.iter().map(|pair| pair.0).collect();
    if pairs.is_empty() || mine.len() != survey.feature_count() {
        return;
    }
    let theirs: Vec<&Column> = pairs.iter().map(|pair| pair.1).collect();
    let mut known = row_hashes(&mine, survey.table.row_count());
    known.sort_unstable();
    let unique = known.chunk_by(|a, b| a == b).count();
    if unique * 10 < known.len() * 9 {
        return;
    }
    let shared: Vec<u32> = row_hashes(&theirs, other.row_count())
        .iter()
        .enumerate()
        .filter(|(_, hash)| known.binary_search(hash).is_ok())
        .map(|(row, _)| row as u32)
        .collect();
    if shared.is_empty() {
        return;
    }
    let share = shared.len() as f64 / other.row_count() as f64;
    let severity = if share >= 0.01 { Severity::Warning } else { Severity::Info };
    findings.push(
        Finding::new(
            FindingKind::SharedRows,
            severity,
            &[],
            format!(
                "{} ({}) of the other table are in this one too, with equal features.",
                counted(shared.len(), "row"),
                percent(share)
            ),
        )
        .evidence("rows", shared.len() as f64)
        .evidence("share", share)
        .rows(shared)
        .action("Keeps them.")
        .advice("A score on rows that were learned from is too good: take them out of one of the tables."),
    );
}

/// One column in both tables.
struct Compared {
    distance: f64,
    p_value: f64,
    missing_here: f64,
    missing_there: f64,
    missing_p_value: f64,
    unseen_share: f64,
    unseen_levels: usize,
}

fn compare(mine: &Column, theirs: &Column) -> Compared {
    let (missing_mine, missing_theirs) = (mine.values.missing_count(), theirs.values.missing_count());
    let (rows_mine, rows_theirs) = (mine.len() as f64, theirs.len() as f64);
    let (missing_here, missing_there) =
        (missing_mine as f64 / rows_mine, missing_theirs as f64 / rows_theirs);
    let pooled = (missing_mine + missing_theirs) as f64 / (rows_mine + rows_theirs);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / rows_mine + 1.0 / rows_theirs)).sqrt();
    let missing_p_value =
        if deviation > 0.0 { normal_two_sided((missing_here - missing_there) / deviation) } else { 1.0 };
    let mut compared = Compared {
        distance: 0.0,
        p_value: 1.0,
        missing_here,
        missing_there,
        missing_p_value,
        unseen_share: 0.0,
        unseen_levels: 0,
    };
    match (&mine.values, &theirs.values) {
        (Values::Number(a), Values::Number(b)) => compare_numbers(&a.values, &b.values, &mut compared),
        (Values::Time(a), Values::Time(b)) => compare_numbers(&a.seconds, &b.seconds, &mut compared),
        (Values::Sparse(_), _) | (_, Values::Sparse(_)) => {}
        _ => compare_words(mine, theirs, &mut compared),
    }
    compared
}

fn compare_numbers(mine: &[f64], theirs: &[f64], compared: &mut Compared) {
    let sorted = |values: &[f64]| {
        let mut present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        present.sort_unstable_by(f64::total_cmp);
        present
    };
    let (mine, theirs) = (sorted(mine), sorted(theirs));
    if mine.len() < ROWS_MIN || theirs.len() < ROWS_MIN {
        return;
    }
    compared.distance = ks_distance(&mine, &theirs);
    compared.p_value = ks_p_value(compared.distance, mine.len(), theirs.len());
}

/// Pearson's chi-squared test of homogeneity over the levels; levels expected fewer than five times are pooled
/// (Cochran 1954).
fn compare_words(mine: &Column, theirs: &Column, compared: &mut Compared) {
    let mut counts: BTreeMap<u64, [f64; 2]> = BTreeMap::new();
    let mut totals = [0.0; 2];
    for (side, column) in [mine, theirs].into_iter().enumerate() {
        for (row, hash) in cell_hashes(column).into_iter().enumerate() {
            if !column.values.is_missing(row) {
                counts.entry(hash).or_default()[side] += 1.0;
                totals[side] += 1.0;
            }
        }
    }
    if totals[0] < ROWS_MIN as f64 || totals[1] < ROWS_MIN as f64 {
        return;
    }
    let unseen: Vec<f64> = counts.values().filter(|cell| cell[0] == 0.0).map(|cell| cell[1]).collect();
    compared.unseen_levels = unseen.len();
    compared.unseen_share = unseen.iter().sum::<f64>() / totals[1];
    let all = totals[0] + totals[1];
    let least = totals[0].min(totals[1]);
    let mut pooled = [0.0; 2];
    let (mut statistic, mut cells, mut distance) = (0.0, 0usize, 0.0);
    let mut add = |cell: &[f64; 2]| {
        let sum = cell[0] + cell[1];
        for side in 0..2 {
            let expected = sum * totals[side] / all;
            statistic += (cell[side] - expected) * (cell[side] - expected) / expected;
        }
        distance += (cell[0] / totals[0] - cell[1] / totals[1]).abs() / 2.0;
        cells += 1;
    };
    for cell in counts.values() {
        if (cell[0] + cell[1]) * least / all < 5.0 {
            pooled[0] += cell[0];
            pooled[1] += cell[1];
        } else {
            add(cell);
        }
    }
    if pooled[0] + pooled[1] > 0.0 {
        add(&pooled);
    }
    compared.distance = distance;
    compared.p_value = chi_squared_upper(statistic, cells.saturating_sub(1));
}

fn note_unseen(pairs: &[(&Column, &Column)], compared: &[Compared], findings: &mut Vec<Finding>) {
    for ((mine, theirs), found) in pairs.iter().zip(compared) {
        // Text is read word by word; a sentence never seen is no surprise.
        let is_text = matches!(mine.values, Values::Text(_)) || matches!(theirs.values, Values::Text(_));
        if found.unseen_levels == 0 || is_text {
            continue;
        }
        let severity = if found.unseen_share >= UNSEEN_SHARE { Severity::Warning } else { Severity::Info };
        findings.push(
            Finding::new(
                FindingKind::UnseenLevels,
                severity,
                &[&mine.name],
                format!(
                    "{} of {} in the other table ({} of its rows) {} not occur here.",
                    counted(found.unseen_levels, "level"),
                    name(&mine.name),
                    percent(found.unseen_share),
                    verb(found.unseen_levels, "does", "do")
                ),
            )
            .evidence("levels", found.unseen_levels as f64)
            .evidence("share", found.unseen_share)
            .action("Treats them as one level that was never seen."),
        );
    }
}

fn note_shifts(pairs: &[(&Column, &Column)], compared: &[Compared], findings: &mut Vec<Finding>) {
    let p_values: Vec<f64> =
        compared.iter().flat_map(|found| [found.p_value, found.missing_p_value]).collect();
    let rejected = benjamini_hochberg(&p_values, FALSE_DISCOVERY_RATE);
    let mut shifted: Vec<(f64, Finding)> = Vec::new();
    for (index, ((mine, _), found)) in pairs.iter().zip(compared).enumerate() {
        let moved = rejected[2 * index] && found.distance >= DISTANCE_MIN;
        let missing = (found.missing_here - found.missing_there).abs();
        let gone = rejected[2 * index + 1] && missing >= MISSING_DIFFERENCE_MIN;
        if !moved && !gone {
            continue;
        }
        let mut parts = Vec::new();
        if moved {
            parts.push(format!("{} of its rows lie elsewhere", percent(found.distance)));
        }
        if gone {
            parts.push(format!(
                "missing in {} there against {} here",
                percent(found.missing_there),
                percent(found.missing_here)
            ));
        }
        let finding = Finding::new(
            FindingKind::Shift,
            Severity::Warning,
            &[&mine.name],
            format!(
                "{} is distributed otherwise in the other table: {}.",
                name(&mine.name),
                parts.join("; ")
            ),
        )
        .evidence("distance", found.distance)
        .evidence("p_value", found.p_value)
        .evidence("missing_share_here", found.missing_here)
        .evidence("missing_share_there", found.missing_there)
        .action("Keeps it; the score on this table may not hold on the other.")
        .advice("Find out what changed between the two before trusting the model there.");
        shifted.push((found.distance.max(missing), finding));
    }
    shifted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let left_out = shifted.len().saturating_sub(LISTED);
    if left_out > 0
        && let Some((_, first)) = shifted.first_mut()
    {
        first.what += " So are ";
        first.what += &count(left_out);
        first.what += " more columns than are listed here.";
    }
    findings.extend(shifted.into_iter().take(LISTED).map(|(_, finding)| finding));
}
