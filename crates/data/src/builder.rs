//! Columns while they grow: cells go in, part by part, and what was odd about them is counted.
//!
//! A builder is chosen by a [`Plan`], made from a sample. It never loses what it needs to find out that the plan was
//! wrong; [`crate::finish`] then asks for the column to be read again as words, which keep everything.

use std::collections::BTreeMap;

use kaizen_table::{MISSING_BOOLEAN, MISSING_CODE, NumberStyle, Text};
use rayon::prelude::*;

use crate::dictionary::Dictionary;
use crate::moment::MomentFormat;
use crate::note::Counted;
use crate::number::{Reading, plain_with, read};
use crate::shards::Shards;
use crate::words::{MissingWord, missing_word, trimmed, truth_word};

/// What a column is read as.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// Numbers in this style.
    Number(NumberStyle),
    /// Moments in this format; `ambiguous` if day and month could be exchanged.
    Moment {
        /// The format.
        format: MomentFormat,
        /// Whether the sample left the order of day and month open.
        ambiguous: bool,
    },
    /// Distinct strings; everything can still be made of them.
    Words,
    /// As `Words`; hardly a string of the sample occurs twice.
    Names,
    /// Long strings.
    Text,
    /// Nothing: the column is not wanted.
    Skip,
}

/// Counts of spellings, with a bound on how many different ones are kept.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    count: u64,
    spellings: BTreeMap<Vec<u8>, u64>,
}

impl Tally {
    /// Different spellings that are kept, and the bytes that are kept of each.
    const KEPT: usize = 64;
    const KEPT_BYTES: usize = 120;

    /// Counts `times` cells spelled `spelling`.
    pub(crate) fn add(&mut self, spelling: &[u8], times: u64) {
        self.count += times;
        let spelling = &spelling[..spelling.len().min(Self::KEPT_BYTES)];
        if let Some(seen) = self.spellings.get_mut(spelling) {
            *seen += times;
        } else if self.spellings.len() < Self::KEPT {
            self.spellings.insert(spelling.to_vec(), times);
        }
    }

    /// Adds the counts of `other`.
    pub(crate) fn append(&mut self, other: Self) {
        let kept: u64 = other.spellings.values().sum();
        for (spelling, times) in other.spellings {
            self.add(&spelling, times);
        }
        self.count += other.count - kept;
    }

    /// Number of cells.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Whether every spelling says true or false.
    pub(crate) fn all_truth(&self) -> bool {
        self.spellings.keys().all(|spelling| truth_word(spelling).is_some())
    }

    /// The spellings, the commonest first, ties by their bytes.
    pub(crate) fn examples(&self) -> Vec<Counted> {
        let mut examples: Vec<Counted> = self
            .spellings
            .iter()
            .map(|(spelling, count)| (String::from_utf8_lossy(spelling).into_owned(), *count))
            .collect();
        examples.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        examples
    }
}

/// A growing column.
#[derive(Clone, Debug)]
pub(crate) enum Builder {
    Number(NumberBuilder),
    Moment(MomentBuilder),
    Words(WordsBuilder),
    Text(TextBuilder),
    /// Typed truth values: 0, 1 or missing.
    Truth(Vec<u8>),
    /// Only the number of rows.
    Skip(usize),
}

/// Numbers, and what was odd about their spelling.
#[derive(Clone, Debug, Default)]
pub(crate) struct NumberBuilder {
    pub values: Vec<f64>,
    pub style: NumberStyle,
    /// Whether the source says that these are numbers.
    pub typed: bool,
    /// Cells written with a decimal mark or an exponent.
    pub fractional_count: u64,
    pub code_like_count: u64,
    pub huge_count: u64,
    pub infinite_count: u64,
    pub other_mark_count: u64,
    /// Cells read through decoration; with decimal commas those without a comma, the others being fractional.
    pub decorated_count: u64,
    pub missing: Tally,
    pub unreadable: Tally,
    /// A code-like cell.
    pub code_example: Vec<u8>,
}

/// Moments in seconds.
#[derive(Clone, Debug)]
pub(crate) struct MomentBuilder {
    pub seconds: Vec<f64>,
    /// `None` for typed sources.
    pub format: Option<MomentFormat>,
    pub ambiguous: bool,
    pub missing: Tally,
    pub unreadable: Tally,
}

/// Strings and a code a row.
#[derive(Clone, Debug, Default)]
pub(crate) struct WordsBuilder {
    /// The strings while there are few; empty once they went to `shards`.
    dictionary: Dictionary,
    shards: Option<Box<Shards>>,
    pub codes: Vec<u32>,
    /// Whether each cell gets a code of its own: a part of a column in which strings hardly repeat, whose codes become
    /// those of distinct strings when it is appended to the whole.
    repeats: bool,
}

/// Long strings.
#[derive(Clone, Debug, Default)]
pub(crate) struct TextBuilder {
    pub text: Text,
    pub missing: Tally,
    /// Cells that were not UTF-8.
    pub foreign_count: u64,
}

impl Builder {
    /// An empty column for `plan`.
    pub(crate) fn new(plan: &Plan) -> Self {
        match plan {
            Plan::Number(style) => Self::Number(NumberBuilder { style: *style, ..NumberBuilder::default() }),
            Plan::Moment { format, ambiguous } => Self::Moment(MomentBuilder {
                seconds: Vec::new(),
                format: Some(format.clone()),
                ambiguous: *ambiguous,
                missing: Tally::default(),
                unreadable: Tally::default(),
            }),
            Plan::Words | Plan::Names => Self::Words(WordsBuilder::default()),
            Plan::Text => Self::Text(TextBuilder::default()),
            Plan::Skip => Self::Skip(0),
        }
    }

    /// An empty part of a column for `plan`, to be appended to a whole one and not to be looked at before.
    pub(crate) fn part(plan: &Plan) -> Self {
        match plan {
            Plan::Names => Self::Words(WordsBuilder { repeats: true, ..WordsBuilder::default() }),
            plan => Self::new(plan),
        }
    }

    /// Makes room for more rows.
    pub(crate) fn reserve(&mut self, rows: usize) {
        match self {
            Self::Number(builder) => builder.values.reserve(rows),
            Self::Moment(builder) => builder.seconds.reserve(rows),
            Self::Words(builder) => builder.codes.reserve(rows),
            Self::Truth(values) => values.reserve(rows),
            Self::Text(_) | Self::Skip(_) => {}
        }
    }

    /// Adds cells as they stand in the file; white space at their ends does not count.
    pub(crate) fn extend<'a>(&mut self, cells: impl ExactSizeIterator<Item = &'a [u8]>) {
        match self {
            Self::Number(builder) => cells.for_each(|cell| builder.push(cell)),
            Self::Moment(builder) => cells.for_each(|cell| builder.push(cell)),
            Self::Words(builder) if builder.repeats => {
                cells.for_each(|cell| builder.push_name(trimmed(cell)));
            }
            Self::Words(builder) => cells.for_each(|cell| builder.push(trimmed(cell))),
            Self::Text(builder) => cells.for_each(|cell| builder.push(cell)),
            Self::Truth(values) => cells.for_each(|cell| {
                values.push(truth_word(trimmed(cell)).map_or(MISSING_BOOLEAN, u8::from));
            }),
            Self::Skip(rows) => *rows += cells.len(),
        }
    }

    /// Adds `count` missing cells.
    pub(crate) fn push_missing(&mut self, count: usize) {
        match self {
            Self::Number(builder) => builder.values.resize(builder.values.len() + count, f64::NAN),
            Self::Moment(builder) => builder.seconds.resize(builder.seconds.len() + count, f64::NAN),
            Self::Words(builder) => builder.codes.resize(builder.codes.len() + count, MISSING_CODE),
            Self::Text(builder) => (0..count).for_each(|_| builder.text.push(None)),
            Self::Truth(values) => values.resize(values.len() + count, MISSING_BOOLEAN),
            Self::Skip(rows) => *rows += count,
        }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Number(builder) => builder.values.len(),
            Self::Moment(builder) => builder.seconds.len(),
            Self::Words(builder) => builder.codes.len(),
            Self::Text(builder) => builder.text.len(),
            Self::Truth(values) => values.len(),
            Self::Skip(rows) => *rows,
        }
    }

    /// Memory, about, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Self::Number(builder) => builder.values.len() * 8,
            Self::Moment(builder) => builder.seconds.len() * 8,
            Self::Words(builder) => builder.size_bytes(),
            Self::Text(builder) => builder.text.size_bytes(),
            Self::Truth(values) => values.len(),
            Self::Skip(_) => 0,
        }
    }

    /// Adds all rows of all `parts` in order; columns of two kinds become words, which hold both.
    pub(crate) fn append(&mut self, parts: Vec<Self>) {
        let words = |part: &Self| matches!(part, Self::Words(_));
        if let Self::Words(own) = self
            && parts.iter().all(words)
        {
            let parts = parts.into_iter().filter_map(|part| match part {
                Self::Words(words) => Some(words),
                _ => None,
            });
            return own.append(&parts.collect::<Vec<_>>());
        }
        for part in parts {
            self.append_one(part);
        }
    }

    fn append_one(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Number(own), Self::Number(other)) => own.append(other),
            (Self::Moment(own), Self::Moment(other)) => own.append(other),
            (Self::Words(own), Self::Words(other)) => own.append(&[other]),
            (Self::Text(own), Self::Text(other)) => own.append(other),
            (Self::Truth(own), Self::Truth(other)) => own.extend(other),
            (Self::Skip(own), Self::Skip(other)) => *own += other,
            (_, other) => {
                let mut words = std::mem::replace(self, Self::Skip(0)).into_words();
                words.append(&[other.into_words()]);
                *self = Self::Words(words);
            }
        }
    }

    /// This column as words, numbers and moments as a person would write them.
    fn into_words(self) -> WordsBuilder {
        let mut words = WordsBuilder::default();
        match self {
            Self::Words(words) => return words,
            Self::Number(builder) => {
                let integer = builder.fractional_count == 0;
                for value in builder.values {
                    let text = (!value.is_nan()).then(|| kaizen_table::column::number_text(value, integer));
                    words.push_exact(text.as_deref().map(str::as_bytes));
                }
            }
            Self::Moment(builder) => {
                for seconds in builder.seconds {
                    let text = (!seconds.is_nan()).then(|| kaizen_table::column::time_text(seconds));
                    words.push_exact(text.as_deref().map(str::as_bytes));
                }
            }
            Self::Text(builder) => {
                builder.text.iter().for_each(|cell| words.push_exact(cell.map(str::as_bytes)));
            }
            Self::Truth(values) => {
                for value in values {
                    words.push_exact(
                        [Some(b"False".as_slice()), Some(b"True")].get(usize::from(value)).copied().flatten(),
                    );
                }
            }
            Self::Skip(rows) => (0..rows).for_each(|_| words.push_exact(None)),
        }
        words
    }
}

impl NumberBuilder {
    /// Adds a cell as it stands in the file.
    #[inline]
    pub(crate) fn push(&mut self, cell: &[u8]) {
        match plain_with(cell, self.style.decimal) {
            Some(value) if value.number.is_finite() => {
                self.fractional_count += u64::from(!value.integer);
                self.huge_count += u64::from(value.huge);
                if value.code_like {
                    self.note_code(cell);
                }
                self.values.push(value.number);
            }
            _ => self.push_odd(trimmed(cell)),
        }
    }

    #[cold]
    fn note_code(&mut self, cell: &[u8]) {
        if self.code_like_count == 0 {
            self.code_example = cell.to_vec();
        }
        self.code_like_count += 1;
    }

    #[cold]
    fn push_odd(&mut self, cell: &[u8]) {
        let number = if cell.is_empty() { f64::NAN } else { self.odd_number(cell, 1) };
        self.values.push(number);
    }

    /// The number of a cell that is not blank and occurs `times` times; NaN if it is none, and counted.
    pub(crate) fn odd_number(&mut self, cell: &[u8], times: u64) -> f64 {
        match read(cell, self.style) {
            Reading::Value(value) => {
                self.fractional_count += if value.integer { 0 } else { times };
                self.huge_count += if value.huge { times } else { 0 };
                self.other_mark_count += if value.other_mark { times } else { 0 };
                let is_counted = value.decorated && (value.integer || self.style.decimal != b',');
                self.decorated_count += if is_counted { times } else { 0 };
                if value.code_like {
                    self.note_code(cell);
                    self.code_like_count += times - 1;
                }
                value.number
            }
            Reading::Infinite => {
                self.infinite_count += times;
                f64::NAN
            }
            Reading::Not if missing_word(cell).is_some() => {
                self.missing.add(cell, times);
                f64::NAN
            }
            Reading::Not => {
                self.unreadable.add(cell, times);
                f64::NAN
            }
        }
    }

    fn append(&mut self, other: Self) {
        self.values.extend_from_slice(&other.values);
        self.fractional_count += other.fractional_count;
        if self.code_like_count == 0 {
            self.code_example = other.code_example;
        }
        self.code_like_count += other.code_like_count;
        self.huge_count += other.huge_count;
        self.infinite_count += other.infinite_count;
        self.other_mark_count += other.other_mark_count;
        self.decorated_count += other.decorated_count;
        self.missing.append(other.missing);
        self.unreadable.append(other.unreadable);
    }
}

impl MomentBuilder {
    /// An empty column of a typed source.
    pub(crate) fn typed() -> Self {
        Self {
            seconds: Vec::new(),
            format: None,
            ambiguous: false,
            missing: Tally::default(),
            unreadable: Tally::default(),
        }
    }

    fn push(&mut self, cell: &[u8]) {
        let cell = trimmed(cell);
        let seconds = if cell.is_empty() { f64::NAN } else { self.moment(cell, 1) };
        self.seconds.push(seconds);
    }

    /// The seconds of a cell that is not blank and occurs `times` times; NaN if it is no moment, and counted.
    pub(crate) fn moment(&mut self, cell: &[u8], times: u64) -> f64 {
        if let Some(seconds) = self.format.as_ref().and_then(|format| format.read(cell)) {
            return seconds;
        }
        let tally = if missing_word(cell).is_some() { &mut self.missing } else { &mut self.unreadable };
        tally.add(cell, times);
        f64::NAN
    }

    fn append(&mut self, other: Self) {
        self.seconds.extend_from_slice(&other.seconds);
        self.missing.append(other.missing);
        self.unreadable.append(other.unreadable);
    }
}

impl WordsBuilder {
    /// Distinct strings from which looking them up in shards pays: more than a second-level cache holds.
    const FEW: usize = 1 << 15;

    /// Adds a trimmed cell; an empty one is missing.
    #[inline]
    pub(crate) fn push(&mut self, cell: &[u8]) {
        let code = if cell.is_empty() { MISSING_CODE } else { self.insert(cell) };
        self.codes.push(code);
    }

    /// As [`WordsBuilder::push`], without looking whether the string is there.
    #[inline]
    fn push_name(&mut self, cell: &[u8]) {
        let code = if cell.is_empty() { MISSING_CODE } else { self.dictionary.push(cell) };
        self.codes.push(code);
    }

    /// Adds a cell of a typed source as it is; a blank one is missing.
    pub(crate) fn push_exact(&mut self, cell: Option<&[u8]>) {
        let code = match cell {
            Some(cell) if !trimmed(cell).is_empty() => self.insert(cell),
            _ => MISSING_CODE,
        };
        self.codes.push(code);
    }

    /// The code of a string, without a row for it.
    #[inline]
    pub(crate) fn insert(&mut self, text: &[u8]) -> u32 {
        match &mut self.shards {
            None => self.dictionary.insert(text),
            Some(shards) => shards.insert(text),
        }
    }

    /// Adds all rows of all `parts` in order.
    fn append(&mut self, parts: &[Self]) {
        let mut parts = parts.iter();
        // One after the other while the strings are few, and then all at once.
        while self.shards.is_none()
            && let Some(part) = parts.next()
        {
            let map: Vec<u32> = part.strings().iter().map(|text| self.dictionary.insert(text)).collect();
            self.codes.extend(part.codes.iter().map(|&code| mapped(&map, code)));
            if self.dictionary.len() > Self::FEW {
                self.shards = Some(Box::new(Shards::of(&std::mem::take(&mut self.dictionary))));
            }
        }
        let (Some(shards), parts) = (&mut self.shards, parts.as_slice()) else { return };
        if parts.is_empty() {
            return;
        }
        let strings: Vec<Vec<&[u8]>> = parts.par_iter().map(Self::strings).collect();
        let maps = shards.append(&strings);
        for (part, map) in parts.iter().zip(&maps) {
            self.codes.extend(part.codes.iter().map(|&code| mapped(map, code)));
        }
    }

    /// All strings in the order of their codes.
    fn strings(&self) -> Vec<&[u8]> {
        match &self.shards {
            None => self.dictionary.iter().collect(),
            Some(shards) => shards.strings(),
        }
    }

    /// All strings in the order of their codes, and how often each occurs.
    pub(crate) fn levels(&self) -> Vec<(&[u8], u64)> {
        let strings = self.strings();
        let mut counts = vec![0u64; strings.len()];
        for &code in &self.codes {
            if let Some(count) = counts.get_mut(code as usize) {
                *count += 1;
            }
        }
        strings.into_iter().zip(counts).collect()
    }

    fn size_bytes(&self) -> usize {
        let sharded = self.shards.as_ref().map_or(0, |shards| shards.size_bytes());
        self.codes.len() * 4 + self.dictionary.size_bytes() + sharded
    }
}

/// `code` by `map`; a missing cell stays one.
#[inline]
fn mapped(map: &[u32], code: u32) -> u32 {
    map.get(code as usize).copied().unwrap_or(MISSING_CODE)
}

impl TextBuilder {
    /// Adds a cell with the white space at its ends; a blank one is missing.
    pub(crate) fn push(&mut self, cell: &[u8]) {
        let bare = trimmed(cell);
        if bare.is_empty() {
            self.text.push(None);
        } else if missing_word(bare) == Some(MissingWord::Always) {
            self.missing.add(bare, 1);
            self.text.push(None);
        } else {
            let (text, foreign) = decoded(cell);
            self.foreign_count += u64::from(foreign);
            self.text.push(Some(&text));
        }
    }

    fn append(&mut self, other: Self) {
        self.text.append(&other.text);
        self.missing.append(other.missing);
        self.foreign_count += other.foreign_count;
    }
}

/// `cell` as text; what is not UTF-8 is read as Windows-1252, and then the second value is true.
pub(crate) fn decoded(cell: &[u8]) -> (std::borrow::Cow<'_, str>, bool) {
    match std::str::from_utf8(cell) {
        Ok(text) => (text.into(), false),
        Err(_) => (encoding_rs::WINDOWS_1252.decode_without_bom_handling(cell).0, true),
    }
}
