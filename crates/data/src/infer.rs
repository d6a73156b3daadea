//! What a column is, decided from its values and never from its name.
//!
//! The input is always the distinct values with their counts: of a sample, to plan how the file is read, and of the
//! whole column, when it was read as words. Both go through [`decide`], so the two cannot disagree on the rule.

use kaizen_table::NumberStyle;

use crate::moment::{DayOrder, Detected, MomentFormat, detect};
use crate::number::{Marks, Reading, Value, is_infinity, read, shape, undecorated};
use crate::words::{missing_word, trimmed, truth_word};

/// Share of the present cells that must be numbers (or moments) for the column to be one; the rest becomes missing.
pub(crate) const ENOUGH: f64 = 0.9;

/// Share of codes (leading zeros) from which digits are text: one in a thousand.
const CODES_SHARE: f64 = 0.001;

/// Share of integers beyond 2^53 from which digits are text.
const HUGE_SHARE: f64 = 0.1;

/// What other columns of the file tell about this one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Hints {
    /// The byte between fields.
    pub delimiter: Option<u8>,
    /// The decimal mark of columns that leave no doubt.
    pub decimal: Option<u8>,
    /// The order of day and month in columns that leave no doubt.
    pub day_order: Option<DayOrder>,
}

/// What a column is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Every cell is missing.
    Nothing,
    /// Numbers in this style.
    Number(NumberStyle),
    /// Moments.
    Moment(Detected),
    /// Truth values.
    Truth,
    /// Categories.
    Words(Words),
    /// Free text.
    Text,
}

/// Why digits stay words.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Words {
    /// They are words.
    Plain,
    /// They are codes such as this one.
    Codes(Vec<u8>),
    /// So many of them are integers beyond 2^53.
    Huge(u64),
}

/// Decides what a column is from its distinct values and how often each occurs. Blank values must not be among them.
pub(crate) fn decide(levels: &[(&[u8], u64)], hints: Hints) -> Decision {
    let present: Vec<(&[u8], u64)> = levels
        .iter()
        .map(|(level, count)| (trimmed(level), *count))
        .filter(|(level, _)| missing_word(level).is_none())
        .collect();
    if present.is_empty() {
        return Decision::Nothing;
    }
    if is_truth(&present) {
        return Decision::Truth;
    }
    let total: u64 = present.iter().map(|(_, count)| count).sum();
    if may_be_numbers(&present) {
        let style = style(&present, hints);
        let numbers = Numbers::of(&present, style);
        if numbers.readable > 0 && (numbers.readable + numbers.infinite) as f64 >= ENOUGH * total as f64 {
            return numbers.decide(&present, style);
        }
    }
    if let Some(found) = detect(&present, hints.day_order) {
        return Decision::Moment(found);
    }
    if is_text(&present, total) { Decision::Text } else { Decision::Words(Words::Plain) }
}

/// Whether a thousand values, evenly spread over all, leave it possible that most are numbers in some style. It spares
/// a million names the look at every one.
fn may_be_numbers(present: &[(&[u8], u64)]) -> bool {
    const LOOKED_AT: usize = 1000;
    let step = present.len().div_ceil(LOOKED_AT);
    let (mut weight, mut numbers) = (0, 0);
    for (level, count) in present.iter().step_by(step) {
        weight += count;
        let shaped = undecorated(level).is_some_and(|bare| shape(bare.digits).is_some());
        numbers += if shaped || is_infinity(level) { *count } else { 0 };
    }
    numbers * 2 >= weight || present.len() <= 2 * LOOKED_AT
}

/// The decimal mark that `levels` leave no doubt about.
pub(crate) fn certain_decimal(levels: &[(&[u8], u64)]) -> Option<u8> {
    let marks = MarkCounts::of(levels.iter().map(|(level, count)| (trimmed(level), *count)));
    match (marks.points, marks.commas) {
        (0, 0) => None,
        (points, commas) => Some(if commas > points { b',' } else { b'.' }),
    }
}

/// Whether all values say true or false, both occur, and at least one is a word and no digit.
fn is_truth(present: &[(&[u8], u64)]) -> bool {
    let (mut truths, mut lies, mut words) = (false, false, false);
    for (level, _) in present {
        match truth_word(level) {
            Some(true) => truths = true,
            Some(false) => lies = true,
            None => return false,
        }
        words |= !level[0].is_ascii_digit();
    }
    truths && lies && words
}

/// Whether digits are codes: so many with leading zeros, and no fraction among them.
pub(crate) fn are_codes(code_like: u64, fractional: u64, readable: u64) -> bool {
    code_like > 0 && fractional == 0 && code_like as f64 >= CODES_SHARE * readable as f64
}

/// Whether so many integers are beyond 2^53 that the column has to stay exact.
pub(crate) fn are_huge(huge: u64, fractional: u64, readable: u64) -> bool {
    huge > 0 && fractional == 0 && huge as f64 >= HUGE_SHARE * readable as f64
}

/// How the values look as numbers.
struct Numbers {
    readable: u64,
    infinite: u64,
    fractional: u64,
    code_like: u64,
    huge: u64,
    code_example: Vec<u8>,
}

impl Numbers {
    fn of(present: &[(&[u8], u64)], style: NumberStyle) -> Self {
        let mut numbers =
            Self { readable: 0, infinite: 0, fractional: 0, code_like: 0, huge: 0, code_example: Vec::new() };
        for (level, count) in present {
            match read(level, style) {
                Reading::Value(Value { integer, code_like, huge, .. }) => {
                    numbers.readable += count;
                    numbers.fractional += if integer { 0 } else { *count };
                    numbers.huge += if huge { *count } else { 0 };
                    if code_like {
                        numbers.code_like += count;
                        if numbers.code_example.is_empty() {
                            numbers.code_example = level.to_vec();
                        }
                    }
                }
                Reading::Infinite => numbers.infinite += count,
                Reading::Not => {}
            }
        }
        numbers
    }

    fn decide(self, present: &[(&[u8], u64)], style: NumberStyle) -> Decision {
        if let Some(found) = compact_dates(present) {
            return Decision::Moment(found);
        }
        if are_codes(self.code_like, self.fractional, self.readable) {
            return Decision::Words(Words::Codes(self.code_example));
        }
        if are_huge(self.huge, self.fractional, self.readable) {
            return Decision::Words(Words::Huge(self.huge));
        }
        Decision::Number(style)
    }
}

/// Whether all values are dates such as 20240131 of the years 1900 to 2099; at least five different ones, since a few
/// eight-digit numbers can look like dates by chance.
fn compact_dates(present: &[(&[u8], u64)]) -> Option<Detected> {
    const LEAST: usize = 5;
    let format = MomentFormat::parse("%Y%m%d")?;
    let fits = |level: &[u8]| {
        level.len() == 8 && matches!(&level[..2], b"19" | b"20") && format.read(level).is_some()
    };
    (present.len() >= LEAST && present.iter().all(|(level, _)| fits(level)))
        .then_some(Detected { format, ambiguous: false })
}

/// How often each mark leaves no doubt, or does.
#[derive(Default)]
struct MarkCounts {
    points: u64,
    commas: u64,
    either_point: u64,
    either_comma: u64,
    group_point: u64,
    group_comma: u64,
    group_space: u64,
    group_quote: u64,
    percent: u64,
    currency: u64,
}

impl MarkCounts {
    fn of<'a>(levels: impl Iterator<Item = (&'a [u8], u64)>) -> Self {
        let mut counts = Self::default();
        for (level, count) in levels {
            let Some(bare) = undecorated(level) else { continue };
            let Some(shape) = shape(bare.digits) else { continue };
            counts.percent += if bare.percent { count } else { 0 };
            counts.currency += if bare.currency { count } else { 0 };
            match shape.marks {
                Marks::None => {}
                Marks::Decimal(mark) => counts.decimal(mark, count),
                Marks::Either(b',') => counts.either_comma += count,
                Marks::Either(_) => counts.either_point += count,
                Marks::Thousands(mark) => counts.group(mark, count),
                Marks::Both { thousands, decimal } => {
                    counts.decimal(decimal, count);
                    counts.group(thousands, count);
                }
            }
        }
        counts
    }

    fn decimal(&mut self, mark: u8, count: u64) {
        *(if mark == b',' { &mut self.commas } else { &mut self.points }) += count;
    }

    fn group(&mut self, mark: u8, count: u64) {
        *(match mark {
            b',' => &mut self.group_comma,
            b'.' => &mut self.group_point,
            b'\'' => &mut self.group_quote,
            _ => &mut self.group_space,
        }) += count;
    }

    /// The decimal mark: what leaves no doubt, then what thousands separators leave over, then the rest of the file,
    /// then custom (a comma where fields are separated by semicolons).
    fn decimal_mark(&self, hints: Hints) -> u8 {
        if self.points + self.commas > 0 {
            return if self.commas > self.points { b',' } else { b'.' };
        }
        if self.group_comma + self.group_point > 0 {
            return if self.group_point > self.group_comma { b',' } else { b'.' };
        }
        match hints.decimal {
            Some(mark) => mark,
            None if self.either_comma > 0 && hints.delimiter == Some(b';') => b',',
            None => b'.',
        }
    }
}

/// The style in which most of the values are written.
fn style(present: &[(&[u8], u64)], hints: Hints) -> NumberStyle {
    let marks = MarkCounts::of(present.iter().copied());
    let decimal = marks.decimal_mark(hints);
    let other = if decimal == b',' {
        (b'.', marks.either_point + marks.group_point)
    } else {
        (b',', marks.either_comma + marks.group_comma)
    };
    let separators = [other, (b' ', marks.group_space), (b'\'', marks.group_quote)];
    let thousands = separators.into_iter().filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count);
    NumberStyle {
        decimal,
        thousands: thousands.map(|(mark, _)| mark),
        percent: marks.percent > 0,
        currency: marks.currency > 0,
    }
}

/// Whether values are sentences and not names of kinds: long, of several words, and mostly different, or very long.
fn is_text(present: &[(&[u8], u64)], total: u64) -> bool {
    const LONG_BYTES: f64 = 20.0;
    const VERY_LONG_BYTES: f64 = 100.0;
    const WORDS: f64 = 3.0;
    let count = present.len() as f64;
    let bytes = present.iter().map(|(level, _)| level.len() as f64).sum::<f64>() / count;
    let spaces =
        present.iter().map(|(level, _)| memchr::memchr_iter(b' ', level).count() as f64).sum::<f64>() / count;
    let different = count / total as f64;
    let wordy = spaces + 1.0 >= WORDS;
    // Five rows are the least that can show that values do not repeat.
    total >= 5
        && wordy
        && ((bytes >= LONG_BYTES && different > 0.5) || (bytes >= VERY_LONG_BYTES && different > 0.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cells: &[&str]) -> Decision {
        with(cells, Hints { delimiter: Some(b','), ..Hints::default() })
    }

    fn with(cells: &[&str], hints: Hints) -> Decision {
        let levels: Vec<(&[u8], u64)> = cells.iter().map(|cell| (cell.as_bytes(), 1)).collect();
        decide(&levels, hints)
    }

    fn number(decision: Decision) -> NumberStyle {
        match decision {
            Decision::Number(style) => style,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_with_decoration() {
        assert_eq!(number(of(&["1", "2.5", "-3e4", "NA", "?"])), NumberStyle::default());
        let style = number(of(&["$1,234", "$87,500", "$5"]));
        assert_eq!((style.decimal, style.thousands, style.currency), (b'.', Some(b','), true));
        assert!(number(of(&["23.3%", "5%"])).percent);
        let german =
            number(with(&["1,5", "2", "1.234,5"], Hints { delimiter: Some(b';'), ..Hints::default() }));
        assert_eq!((german.decimal, german.thousands), (b',', Some(b'.')));
    }

    #[test]
    fn a_comma_before_three_digits_means_what_the_file_says() {
        assert_eq!(number(of(&["1,234", "2,345"])).decimal, b'.');
        let semicolon = Hints { delimiter: Some(b';'), ..Hints::default() };
        assert_eq!(number(with(&["1,234", "2,345"], semicolon)).decimal, b',');
        let told = Hints { delimiter: Some(b';'), decimal: Some(b'.'), day_order: None };
        assert_eq!(number(with(&["1,234", "2,345"], told)).decimal, b'.');
    }

    #[test]
    fn codes_and_huge_integers_stay_words() {
        assert_eq!(of(&["01234", "56789"]), Decision::Words(Words::Codes(b"01234".to_vec())));
        assert_eq!(of(&["9999999999999999999999", "41387561"]), Decision::Words(Words::Huge(1)));
        assert!(matches!(of(&["0.5", "01"]), Decision::Number(_)));
    }

    #[test]
    fn truth_words_dates_text_and_categories() {
        assert_eq!(of(&["true", "no", "Y", "1", "0", "NA"]), Decision::Truth);
        assert!(matches!(of(&["1", "0"]), Decision::Number(_)));
        assert_eq!(of(&["yes", "yes "]), Decision::Words(Words::Plain));
        assert!(matches!(of(&["2020-01-01", "2020-01-02"]), Decision::Moment(_)));
        let days = ["20200101", "20200102", "20200103", "20200104", "20200105"];
        assert!(matches!(of(&days), Decision::Moment(_)));
        assert!(matches!(of(&["20200101", "20209999", "1", "2", "3"]), Decision::Number(_)));
        assert_eq!(of(&["NA", "nan"]), Decision::Nothing);
        let sentences: Vec<String> =
            (0..9).map(|index| format!("the cat number {index} sat on the mat")).collect();
        let sentences: Vec<&str> = sentences.iter().map(String::as_str).collect();
        assert_eq!(of(&sentences), Decision::Text);
        assert_eq!(of(&["A/5 21171", "PC 17599", "113803"]), Decision::Words(Words::Plain));
    }
}
