//! Keys and saved row numbers.
//!
//! A key is told from a measurement by what makes it a key: it does not repeat where a measurement would. For
//! integers this is the birthday problem. n values drawn from a range of R integers repeat at least n(n-1)/2R times on
//! average, and more often under any distribution that is not uniform; a column that should repeat seven times and
//! never does was made not to. Names count as evidence only together with uniqueness.

use crate::finding::{Finding, FindingKind, Severity};
use crate::inspection::{Survey, Surveyed};
use crate::profile::Role;
use crate::words::{counted, name, names};

/// Rows below which uniqueness means nothing.
const ROWS_MIN: usize = 20;

/// Rows from which order and uniqueness alone, without a telling name, are taken as proof.
const ROWS_SURE: usize = 50;

/// Repetitions that chance would have given a column that has none: the probability of none is at most e^-7 < 0.001.
const EXPECTED_REPEATS: f64 = 7.0;

/// Share of the target's spread that a nameless key may explain before it is kept as a feature.
const TELLING_SKILL: f64 = 0.02;

/// Integers with 13 to 25 digits carry more than anything measures, and no more than account numbers have; beyond lie
/// physical quantities at odd scales.
const LONG_CODE: std::ops::Range<f64> = 1e12..1e25;

/// Finds keys and row numbers and gives them their roles; the last feature is never taken away.
pub(crate) fn check(survey: &mut Survey<'_>, findings: &mut Vec<Finding>) {
    let rows = survey.table.row_count();
    let asked = [survey.options.group, survey.options.time_column];
    let mut found: Vec<(usize, Role)> = Vec::new();
    for (index, each) in survey.features() {
        if asked.contains(&Some(each.profile.name.as_str())) {
            continue;
        }
        if is_row_number(each, rows) {
            found.push((index, Role::RowNumber));
        } else if is_identifier(each, rows) {
            found.push((index, Role::Identifier));
        }
    }
    if found.len() == survey.feature_count() {
        // Better a doubtful feature than none.
        return;
    }
    for (index, role) in &found {
        survey.columns[*index].profile.role = role.clone();
    }
    let of_role = |role: Role| -> Vec<&str> {
        let columns = found.iter().filter(|(_, found)| *found == role);
        columns.map(|(index, _)| survey.columns[*index].profile.name.as_str()).collect()
    };
    let numbers = of_role(Role::RowNumber);
    if !numbers.is_empty() {
        let (verb, noun, it) = match numbers.len() {
            1 => ("counts", "a saved row number", "it"),
            _ => ("count", "saved row numbers", "them"),
        };
        findings.push(
            Finding::new(
                FindingKind::RowNumber,
                Severity::Warning,
                &numbers,
                format!("{} {verb} the rows: {noun}.", names(&numbers)),
            )
            .action(format!("Drops {it}: the position in a file is not known of a new row."))
            .advice("If the rows are in the order of time, name the column as --time-column instead."),
        );
    }
    let keys = of_role(Role::Identifier);
    if !keys.is_empty() {
        let (verb, noun, it) = match keys.len() {
            1 => ("has", "a key", "it"),
            _ => ("have", "keys", "them"),
        };
        findings.push(
            Finding::new(
                FindingKind::Identifier,
                Severity::Warning,
                &keys,
                format!("{} {verb} a new value in (nearly) every row: {noun}.", names(&keys)),
            )
            .evidence("columns", keys.len() as f64)
            .action(format!("Drops {it}: a value seen once says nothing of a new row."))
            .advice(
                "If a part of a key means something (a date, a region), put that part into a column of its own.",
            ),
        );
    }
    note_telling(survey, &found, findings);
}

/// A key that tells the target means that the rows were written in some order of the target.
fn note_telling(survey: &Survey<'_>, found: &[(usize, Role)], findings: &mut Vec<Finding>) {
    for (index, _) in found {
        let each = &survey.columns[*index];
        let Some(power) = each.power.filter(|_| each.profile.number.is_some()) else { continue };
        let telling = match power.area {
            // Four standard errors beyond an area of 0.55: neither chance nor a trifle.
            Some(area) => area - 4.0 * power.area_error > 0.55,
            None => power.skill > 0.1,
        };
        if telling {
            findings.push(
                Finding::new(
                    FindingKind::IdentifierLeak,
                    Severity::Warning,
                    &[&each.profile.name],
                    format!(
                        "{} tells the target although it is only a key: the rows were numbered after the answer was known, or in the order of time.",
                        name(&each.profile.name)
                    ),
                )
                .evidence("skill", power.skill)
                .evidence("area_under_curve", power.area.unwrap_or(f64::NAN))
                .action("Drops it, so that the score does not rest on it.")
                .advice("Find out why; other columns may have been filled in after the answer as well."),
            );
        }
    }
}

fn is_row_number(each: &Surveyed<'_>, rows: usize) -> bool {
    let Some(summary) = each.profile.number.filter(|_| each.profile.kind == "integer") else { return false };
    if each.facts.step.is_none_or(|step| step.abs() != 1.0) {
        return false;
    }
    let from_start = summary.min == 0.0 || summary.min == 1.0;
    if is_row_name(&each.profile.name) || has_key_word(&each.profile.name) {
        rows >= 3
    } else {
        from_start && rows >= ROWS_SURE || rows >= 20 * ROWS_SURE
    }
}

fn is_identifier(each: &Surveyed<'_>, rows: usize) -> bool {
    let profile = &each.profile;
    let present = rows - profile.missing_count;
    // One row in twenty may lack its key or share it: real keys have stand-ins and duplicate rows.
    let unique = profile.distinct_count * 20 >= present * 19 && profile.missing_count * 20 <= rows;
    if rows < ROWS_MIN || !unique {
        return false;
    }
    let named = has_key_word(&profile.name);
    if let Some(text) = &profile.text {
        return each.facts.code_like || named && text.words_mean < 1.5;
    }
    let Some(summary) = profile.number.filter(|_| profile.kind == "integer") else { return false };
    if named {
        return true;
    }
    if rows < ROWS_SURE || is_epoch(summary.min, summary.max) {
        return false;
    }
    // Without a telling name, a column that predicts is kept: it may be a measurement after all.
    if each.power.is_some_and(|power| power.skill > TELLING_SKILL) {
        return false;
    }
    if LONG_CODE.contains(&summary.median.abs()) {
        return true;
    }
    let repeats = (present - profile.distinct_count) as f64;
    let range = summary.max - summary.min + 1.0;
    let expected = present as f64 * (present as f64 - 1.0) / (2.0 * range);
    expected >= EXPECTED_REPEATS && repeats * 10.0 <= expected || each.facts.is_ordered(rows)
}

/// Whether all values lie between 2000 and 2040 when read as seconds or milliseconds since 1970.
fn is_epoch(min: f64, max: f64) -> bool {
    const FROM: f64 = 946_684_800.0;
    const TO: f64 = 2_208_988_800.0;
    (min >= FROM && max <= TO) || (min >= FROM * 1e3 && max <= TO * 1e3)
}

/// Names that tools give to a saved row number.
fn is_row_name(text: &str) -> bool {
    let name = text.trim().to_lowercase();
    name.is_empty()
        || name.starts_with("unnamed")
        || matches!(
            name.as_str(),
            "index" | "level_0" | "row" | "rownum" | "row_number" | "rownames" | "instant" | "x1"
        )
}

/// Whether the last word of a name says that it is a key.
pub(crate) fn has_key_word(text: &str) -> bool {
    const WORDS: [&str; 13] = [
        "id",
        "ids",
        "key",
        "uuid",
        "guid",
        "index",
        "number",
        "nr",
        "no",
        "pk",
        "rowid",
        "serial",
        "identifier",
    ];
    words_of(text).last().is_some_and(|last| WORDS.contains(&last.as_str()))
}

/// The words of a name: cut at signs and where a lower-case letter or digit is followed by an upper-case one.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut previous = ' ';
    for character in text.trim().chars() {
        let starts = !character.is_alphanumeric() || previous.is_lowercase() && character.is_uppercase();
        if starts {
            words.push(String::new());
        }
        if character.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(character.to_lowercase());
        }
        previous = character;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How many rows share a value, on average, as words for a sentence.
pub(crate) fn repeats_text(present: usize, distinct: usize) -> String {
    format!("{} for {}", counted(distinct, "value"), counted(present, "row"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_words_in_names() {
        for name in [
            "id",
            "ID",
            "customerID",
            "RespondentID",
            "EmployeeNumber",
            "user_id",
            "patient.key",
            "row index",
        ] {
            assert!(has_key_word(name), "{name}");
        }
        for name in ["paid", "idle", "valid", "number_of_rooms", "", "grid", "numbers"] {
            assert!(!has_key_word(name), "{name}");
        }
    }
}
