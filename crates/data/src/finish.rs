//! From a grown column to a typed one, with its notes, or to the wish to read it again as words.

use std::sync::Arc;

use kaizen_table::{
    Boolean, Category, Column, FieldKind, MISSING_BOOLEAN, MISSING_CODE, Number, NumberStyle, Time, Values,
};
use rayon::prelude::*;

use crate::builder::{
    Builder, MomentBuilder, NumberBuilder, Plan, Tally, TextBuilder, WordsBuilder, decoded,
};
use crate::infer::{Decision, ENOUGH, Hints, Words, are_codes, are_huge, decide};
use crate::moment::Detected;
use crate::note::{Counted, Note};
use crate::words::{MissingWord, missing_word, trimmed, truth_word};

/// A column that is done.
#[derive(Debug)]
pub(crate) struct Finished {
    pub column: Column,
    pub kind: FieldKind,
    pub notes: Vec<Note>,
}

/// Turns a builder into a column. `None` if its plan was wrong and the column has to be read again as words; never
/// when `settled` (the type is prescribed), and never for words.
pub(crate) fn finish(name: &str, builder: Builder, hints: Hints, settled: bool) -> Option<Finished> {
    match builder {
        Builder::Number(builder) if !settled && !builder.typed && contradicts(&builder) => None,
        Builder::Number(builder) => Some(number(name, builder)),
        Builder::Moment(builder) if !settled && moment_contradicts(&builder) => None,
        Builder::Moment(builder) => Some(moment(name, builder)),
        Builder::Words(builder) => Some(words(name, &builder, hints)),
        Builder::Text(builder) => Some(text(name, builder)),
        Builder::Truth(values) => Some(truth(name, values)),
        Builder::Skip(rows) => Some(number(name, nothing(rows))),
    }
}

/// The plan for a column whose sample has these distinct values.
pub(crate) fn plan(levels: &[(&[u8], u64)], hints: Hints) -> Plan {
    match decide(levels, hints) {
        Decision::Number(style) => Plan::Number(style),
        Decision::Moment(Detected { format, ambiguous }) => Plan::Moment { format, ambiguous },
        Decision::Text => Plan::Text,
        // Looking for repeats within a part of the file costs as much as it saves when every second string is new.
        Decision::Words(_) if levels.len() as u64 * 2 > levels.iter().map(|(_, count)| count).sum() => {
            Plan::Names
        }
        Decision::Nothing | Decision::Truth | Decision::Words(_) => Plan::Words,
    }
}

fn nothing(rows: usize) -> NumberBuilder {
    NumberBuilder { values: vec![f64::NAN; rows], ..NumberBuilder::default() }
}

/// Whether the whole column speaks against the numbers that its sample promised.
fn contradicts(builder: &NumberBuilder) -> bool {
    let unreadable = builder.unreadable.count();
    let readable = builder.values.iter().filter(|value| !value.is_nan()).count() as u64;
    let wanted = readable + builder.infinite_count;
    if unreadable > 0 && (wanted as f64) < ENOUGH * (wanted + unreadable) as f64 {
        return true;
    }
    // Zeros and ones with words of truth among them are truth values.
    let truth = unreadable > 0
        && builder.unreadable.all_truth()
        && builder.values.iter().all(|value| value.is_nan() || *value == 0.0 || *value == 1.0);
    truth
        || are_codes(builder.code_like_count, builder.fractional_count, readable)
        || are_huge(builder.huge_count, builder.fractional_count, readable)
}

fn moment_contradicts(builder: &MomentBuilder) -> bool {
    let unreadable = builder.unreadable.count();
    let readable = builder.seconds.iter().filter(|value| !value.is_nan()).count() as u64;
    unreadable > 0 && (builder.ambiguous || (readable as f64) < ENOUGH * (readable + unreadable) as f64)
}

fn number(name: &str, builder: NumberBuilder) -> Finished {
    let mut notes = Vec::new();
    push_tallies(&mut notes, name, "number", &builder.missing, &builder.unreadable);
    let column = || name.to_owned();
    if builder.infinite_count > 0 {
        notes.push(Note::CellsInfinite { column: column(), count: builder.infinite_count });
    }
    if builder.other_mark_count > 0 {
        notes.push(Note::DecimalMarkMixed { column: column(), count: builder.other_mark_count });
    }
    if builder.huge_count > 0 {
        notes.push(Note::HugeIntegers { column: column(), count: builder.huge_count, kept_as_text: false });
    }
    if let Some(what) = decoration(builder.style) {
        let commas = if builder.style.decimal == b',' { builder.fractional_count } else { 0 };
        notes.push(Note::NumberDecorated { column: column(), what, count: builder.decorated_count + commas });
    }
    let integer = builder.fractional_count == 0 && builder.values.iter().any(|value| !value.is_nan());
    let mut values = builder.values;
    values.shrink_to_fit();
    Finished {
        column: Column { name: name.to_owned(), values: Values::Number(Number { values, integer }) },
        kind: FieldKind::Number { integer, style: builder.style },
        notes,
    }
}

/// What was taken off the numbers, in words.
fn decoration(style: NumberStyle) -> Option<String> {
    let mut parts = Vec::new();
    if style.decimal == b',' {
        parts.push("decimal commas");
    }
    if style.thousands.is_some() {
        parts.push("thousands separators");
    }
    if style.currency {
        parts.push("currency signs");
    }
    if style.percent {
        parts.push("percent signs");
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn moment(name: &str, builder: MomentBuilder) -> Finished {
    let mut notes = Vec::new();
    push_tallies(&mut notes, name, "time", &builder.missing, &builder.unreadable);
    let format = builder.format.map_or(String::new(), |format| format.text().to_owned());
    if builder.ambiguous {
        notes.push(Note::DatesAmbiguous { column: name.to_owned(), format: format.clone() });
    }
    let mut seconds = builder.seconds;
    seconds.shrink_to_fit();
    Finished {
        column: Column {
            name: name.to_owned(),
            values: Values::Time(Time { seconds, format: format.clone() }),
        },
        kind: FieldKind::Time { format },
        notes,
    }
}

fn text(name: &str, builder: TextBuilder) -> Finished {
    let mut notes = Vec::new();
    push_tallies(&mut notes, name, "text", &builder.missing, &Tally::default());
    if builder.foreign_count > 0 {
        notes.push(Note::ForeignBytes { column: name.to_owned(), count: builder.foreign_count });
    }
    Finished {
        column: Column { name: name.to_owned(), values: Values::Text(builder.text) },
        kind: FieldKind::Text,
        notes,
    }
}

/// Typed truth values print as pandas prints them.
fn truth(name: &str, values: Vec<u8>) -> Finished {
    let names = ["False".to_owned(), "True".to_owned()];
    Finished {
        column: Column {
            name: name.to_owned(),
            values: Values::Boolean(Boolean { values, names: names.clone() }),
        },
        kind: FieldKind::Boolean { names },
        notes: Vec::new(),
    }
}

fn push_tallies(
    notes: &mut Vec<Note>,
    name: &str,
    wanted: &'static str,
    missing: &Tally,
    unreadable: &Tally,
) {
    if missing.count() > 0 {
        notes.push(Note::MissingSpellings {
            column: name.to_owned(),
            count: missing.count(),
            spellings: missing.examples(),
        });
    }
    if unreadable.count() > 0 {
        notes.push(Note::CellsUnreadable {
            column: name.to_owned(),
            wanted,
            count: unreadable.count(),
            examples: unreadable.examples(),
        });
    }
}

/// Decides on a column of words from all its values, and converts it without a loss.
fn words(name: &str, builder: &WordsBuilder, hints: Hints) -> Finished {
    let levels = builder.levels();
    match decide(&levels, hints) {
        Decision::Nothing => {
            let mut empty = nothing(builder.codes.len());
            for (level, count) in levels {
                empty.missing.add(level, count);
            }
            number(name, empty)
        }
        Decision::Number(style) => {
            let mut target = NumberBuilder { style, ..NumberBuilder::default() };
            let values: Vec<f64> =
                levels.iter().map(|(level, count)| target.odd_number(trimmed(level), *count)).collect();
            target.values = spread(&builder.codes, &values);
            number(name, target)
        }
        Decision::Moment(Detected { format, ambiguous }) => {
            let mut target = MomentBuilder { format: Some(format), ambiguous, ..MomentBuilder::typed() };
            let values: Vec<f64> =
                levels.iter().map(|(level, count)| target.moment(trimmed(level), *count)).collect();
            target.seconds = spread(&builder.codes, &values);
            moment(name, target)
        }
        Decision::Truth => truth_of_words(name, &builder.codes, &levels),
        Decision::Words(why) => category(name, &builder.codes, &levels, &why),
        Decision::Text => {
            let mut target = TextBuilder::default();
            for &code in &builder.codes {
                match levels.get(code as usize) {
                    Some((level, _)) => target.push(level),
                    None => target.text.push(None),
                }
            }
            text(name, target)
        }
    }
}

fn spread(codes: &[u32], values: &[f64]) -> Vec<f64> {
    codes.iter().map(|&code| values.get(code as usize).copied().unwrap_or(f64::NAN)).collect()
}

/// Truth values that print as their commonest spellings (ties: the first by code point).
fn truth_of_words(name: &str, codes: &[u32], levels: &[(&[u8], u64)]) -> Finished {
    let mut missing = Tally::default();
    let mut spellings: Vec<Counted> = Vec::new();
    let mut names = [("", 0u64); 2];
    let mut truths = Vec::with_capacity(levels.len());
    for (level, count) in levels {
        let level = trimmed(level);
        let Some(truth) = truth_word(level) else {
            missing.add(level, *count);
            truths.push(MISSING_BOOLEAN);
            continue;
        };
        let spelling = std::str::from_utf8(level).unwrap_or_default();
        truths.push(u8::from(truth));
        spellings.push((spelling.to_owned(), *count));
        let best = &mut names[usize::from(truth)];
        // Digits name a class badly: a word is preferred however rare.
        let rank = |text: &str, count: u64| (!text.starts_with(['0', '1']), count);
        if best.1 == 0
            || rank(spelling, *count) > rank(best.0, best.1)
            || (rank(spelling, *count) == rank(best.0, best.1) && spelling < best.0)
        {
            *best = (spelling, *count);
        }
    }
    let mut notes = Vec::new();
    push_tallies(&mut notes, name, "boolean", &missing, &Tally::default());
    if spellings.len() > 2 {
        spellings.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        notes.push(Note::BooleansMerged { column: name.to_owned(), spellings });
    }
    let names = names.map(|(spelling, _)| spelling.to_owned());
    let values =
        codes.iter().map(|&code| truths.get(code as usize).copied().unwrap_or(MISSING_BOOLEAN)).collect();
    Finished {
        column: Column {
            name: name.to_owned(),
            values: Values::Boolean(Boolean { values, names: names.clone() }),
        },
        kind: FieldKind::Boolean { names },
        notes,
    }
}

/// Categories with levels in the order of their code points.
fn category(name: &str, codes: &[u32], levels: &[(&[u8], u64)], why: &Words) -> Finished {
    let mut notes = Vec::new();
    let mut missing = Tally::default();
    let mut foreign = 0;
    // Strings are made here, where they lie in a row, and not once they are sorted and each lies elsewhere.
    let mut texts: Vec<(u64, String, usize)> = Vec::with_capacity(levels.len());
    for (code, (level, count)) in levels.iter().enumerate() {
        let bare = trimmed(level);
        if let Some(word) = missing_word(bare) {
            if !stays_level(bare, word, levels) {
                missing.add(bare, *count);
                continue;
            }
            notes.push(Note::LevelLooksMissing {
                column: name.to_owned(),
                level: String::from_utf8_lossy(bare).into_owned(),
                count: *count,
            });
        }
        let (text, is_foreign) = decoded(level);
        foreign += if is_foreign { *count } else { 0 };
        texts.push((prefix(text.as_bytes()), text.into_owned(), code));
    }
    texts.par_sort_unstable();
    let mut map = vec![MISSING_CODE; levels.len()];
    let mut names: Vec<String> = Vec::with_capacity(texts.len());
    let mut before = None;
    for (prefix, text, code) in texts {
        // Two spellings in different encodings can be one text.
        if before != Some(prefix) || names.last() != Some(&text) {
            names.push(text);
        }
        before = Some(prefix);
        map[code] = (names.len() - 1) as u32;
    }
    if foreign > 0 {
        notes.push(Note::ForeignBytes { column: name.to_owned(), count: foreign });
    }
    push_tallies(&mut notes, name, "category", &missing, &Tally::default());
    match why {
        Words::Plain => {}
        Words::Codes(example) => notes.push(Note::CodesKeptAsText {
            column: name.to_owned(),
            example: String::from_utf8_lossy(example).into_owned(),
        }),
        Words::Huge(count) => {
            notes.push(Note::HugeIntegers { column: name.to_owned(), count: *count, kept_as_text: true });
        }
    }
    let codes = codes.iter().map(|&code| map.get(code as usize).copied().unwrap_or(MISSING_CODE)).collect();
    let names = Arc::new(names);
    Finished {
        column: Column {
            name: name.to_owned(),
            values: Values::Category(Category { codes, levels: Arc::clone(&names) }),
        },
        kind: FieldKind::Category { levels: names },
        notes,
    }
}

/// The first eight bytes, so that most strings are ordered by one comparison of integers.
fn prefix(text: &[u8]) -> u64 {
    let mut word = [0u8; 8];
    let count = text.len().min(8);
    word[..count].copy_from_slice(&text[..count]);
    u64::from_be_bytes(word)
}

/// Whether a word that often means "missing" is a level among `levels`.
///
/// `none`, `nil` and `missing` are levels when other words are there and at least one cell in a hundred says so: a
/// file that writes its missing cells out loud is served as well by a level of their own. A lone `-` is a level
/// beside `+`. `NA` is a level among at least five codes of two capitals (Namibia, North America).
fn stays_level(level: &[u8], word: MissingWord, levels: &[(&[u8], u64)]) -> bool {
    let total: u64 = levels.iter().map(|(_, count)| count).sum();
    let count = levels.iter().find(|(other, _)| trimmed(other) == level).map_or(0, |(_, count)| *count);
    let others =
        || levels.iter().map(|(other, _)| trimmed(other)).filter(|other| missing_word(other).is_none());
    match word {
        MissingWord::Often if level[0].is_ascii_alphabetic() => {
            count * 100 >= total && others().next().is_some()
        }
        MissingWord::Often => others().any(|other| other == b"+" || other == b"++"),
        MissingWord::Always if level == b"NA" => {
            let capitals =
                others().filter(|other| other.len() == 2 && other.iter().all(u8::is_ascii_uppercase));
            let (capitals, all) = (capitals.count(), others().count());
            capitals >= 5 && capitals * 10 >= all * 9
        }
        MissingWord::Always => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(cells: &[&str]) -> Finished {
        let mut builder = Builder::new(&Plan::Words);
        builder.extend(cells.iter().map(|cell| cell.as_bytes()));
        finish("x", builder, Hints::default(), false).unwrap()
    }

    #[test]
    fn a_wrong_plan_asks_to_read_again() {
        let mut builder = Builder::new(&Plan::Number(NumberStyle::default()));
        builder.extend(["1", "2", "a", "b"].iter().map(|cell| cell.as_bytes()));
        assert!(finish("x", builder.clone(), Hints::default(), false).is_none());
        let forced = finish("x", builder, Hints::default(), true).unwrap();
        assert_eq!(forced.column.values.missing_count(), 2);
        assert_eq!(forced.notes.len(), 1);
    }

    #[test]
    fn few_words_among_numbers_become_missing_and_are_counted() {
        let mut cells = vec!["1.5"; 30];
        cells.extend(["unknown", "NA"]);
        let finished = finished(&cells);
        assert!(matches!(finished.kind, FieldKind::Number { integer: false, .. }));
        let codes: Vec<&str> = finished.notes.iter().map(Note::code).collect();
        assert_eq!(codes, ["missing_spellings", "cells_unreadable"]);
    }

    #[test]
    fn booleans_print_their_own_words() {
        let finished = finished(&["yes", "No", "yes", "YES", "no", "no", "1", "", "NA"]);
        let Values::Boolean(boolean) = &finished.column.values else { panic!("booleans") };
        assert_eq!(boolean.names, ["no".to_owned(), "yes".to_owned()]);
        assert_eq!(boolean.values, [1, 0, 1, 1, 0, 0, 1, 2, 2]);
    }

    #[test]
    fn none_is_a_level_when_it_is_common_and_na_is_not() {
        let mut cells = vec!["none"; 9];
        cells.extend(["guarantor", "NA", "?"]);
        let finished = finished(&cells);
        let FieldKind::Category { levels } = &finished.kind else { panic!("categories") };
        assert_eq!(**levels, ["guarantor".to_owned(), "none".to_owned()]);
        assert_eq!(finished.column.values.missing_count(), 2);
        let codes: Vec<&str> = finished.notes.iter().map(Note::code).collect();
        assert_eq!(codes, ["level_looks_missing", "missing_spellings"]);
    }

    #[test]
    fn namibia_is_no_missing_value() {
        let finished = finished(&["DE", "FR", "US", "NA", "ZA", "BW"]);
        assert_eq!(finished.column.values.missing_count(), 0);
    }
}
