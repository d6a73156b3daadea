//! Delimited text: what the beginning tells about the whole file, and the parser of its rows.

use rayon::prelude::*;

use crate::assemble::{Assembler, Mode};
use crate::builder::{Builder, Plan, WordsBuilder};
use crate::error::DataError;
use crate::finish;
use crate::format::{Facts, Format};
use crate::infer::{Hints, certain_decimal};
use crate::moment::DayOrder;
use crate::names::{Names, any_matches, clean, numbered};
use crate::note::{LINES_KEPT, Note};
use crate::options::ReadOptions;
use crate::record::{Dialect, Fields, Step};
use crate::rewrite::DIALECT;
use crate::sniff::{NO_DELIMITER, Sample, dialect, has_header, is_binary, prescribed_delimiter};
use crate::stream::{ByteStream, Encoding, Input, TextStream};
use crate::waves::{Parse, Sizes, Waves};
use crate::words::trimmed;

/// Text from which dialect, header and types are told.
const SAMPLE_BYTES: usize = 1 << 20;

/// Records from which types are told.
const SAMPLE_RECORDS: usize = 20_000;

/// Columns that a file may have.
const COLUMNS: usize = 1 << 17;

/// Fields that are split before they are parsed, column by column.
const BATCH_FIELDS: usize = 4096;

/// What is known of text that was made here and not by a user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The name of the file that it was made from.
    pub name: &'a str,
    /// Whether the first record is known to name the columns.
    pub header: bool,
}

/// Reads text made by [`Rewriter`](crate::rewrite::Rewriter) into `assembler`.
pub(crate) fn read_text(
    given: Given<'_>,
    text: Vec<u8>,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    let header = if given.header { Some(true) } else { options.header };
    let options = ReadOptions { header, ..options.clone() };
    let size_bytes = text.len() as u64;
    let stream = Input::memory(given.name, text).open_plain();
    let how = How { known: Some((DIALECT, Encoding::Utf8)), sizes: Sizes::USUAL };
    read_how(given.name, stream, size_bytes, how, assembler, &options)
}

/// Reads a delimited file into `assembler`.
pub(crate) fn read(
    name: &str,
    stream: ByteStream,
    size_bytes: u64,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    read_how(name, stream, size_bytes, How { known: None, sizes: Sizes::USUAL }, assembler, options)
}

/// How a text is read.
#[derive(Clone, Copy, Debug)]
struct How {
    /// What need not be found out.
    known: Option<(Dialect, Encoding)>,
    sizes: Sizes,
}

fn read_how(
    name: &str,
    mut stream: ByteStream,
    size_bytes: u64,
    how: How,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    let encoding = match how.known {
        Some((_, encoding)) => encoding,
        None => Encoding::of(stream.peek(SAMPLE_BYTES)?),
    };
    let compression = stream.compression();
    let mut waves =
        Waves::new(TextStream::new(stream, encoding), size_bytes, compression.is_some(), how.sizes);
    let mut first = waves.next()?;
    if encoding != Encoding::Utf8 {
        assembler.notes.push(Note::EncodingRecognised { path: name.to_owned(), encoding: encoding.name() });
    }
    let whole = !waves.is_full(&first) && first.text().len() <= SAMPLE_BYTES;
    let sample = &first.text()[..first.text().len().min(SAMPLE_BYTES)];
    let known = how.known.map(|(dialect, _)| dialect);
    let layout = Layout::of(name, sample, whole, known, assembler, options)?;
    let limit_bytes = options.memory_limit_bytes.unwrap_or(u64::MAX);
    if compression.is_none() {
        layout.check_estimate(name, size_bytes, limit_bytes)?;
    }
    let skipped = (layout.first_row, layout.lines_before(first.text()));
    let mut parser = RowParser {
        dialect: layout.dialect,
        plans: layout
            .slots
            .iter()
            .map(|slot| slot.map_or(Plan::Skip, |slot| assembler.columns[slot].plan.clone()))
            .collect(),
        row_bytes: layout.row_bytes,
        keeps_rows: assembler.mode.keeps_rows(),
        name,
        slots: layout.slots,
        assembler,
        limit_bytes,
        lines_before: skipped.1,
        ragged: Lines::default(),
        broken: Lines::default(),
        pending_blanks: 0,
        rows: 0,
    };
    first.skip(skipped.0);
    waves.run(first, &mut parser)?;
    let row_count = parser.finish(waves.nul_count)?;
    Ok(Facts {
        format: Format::Delimited,
        delimiter: (layout.dialect.delimiter != NO_DELIMITER).then_some(layout.dialect.delimiter),
        encoding: Some(encoding),
        header: Some(layout.header),
        sheet: None,
        compression,
        row_count,
        size_bytes,
        digest: waves.into_stream().digest()?,
    })
}

/// What the beginning of a file tells about the whole.
struct Layout {
    dialect: Dialect,
    header: bool,
    /// The table's column for each of the file's.
    slots: Vec<Option<usize>>,
    /// Where the first row begins, in bytes.
    first_row: usize,
    /// Bytes of the sampled rows as text, and about as many in a typed table.
    text_bytes: usize,
    typed_bytes: usize,
    row_bytes: usize,
}

impl Layout {
    fn of(
        name: &str,
        text: &[u8],
        whole: bool,
        given: Option<Dialect>,
        assembler: &mut Assembler<'_>,
        options: &ReadOptions,
    ) -> Result<Self, DataError> {
        if given.is_none() && is_binary(text) {
            return Err(DataError::LooksLike {
                path: name.to_owned(),
                looks_like: "binary data",
                advice: "give a csv, parquet, arrow, json lines or xlsx file",
            });
        }
        let prescribed = prescribed_delimiter(text).filter(|_| given.is_none());
        let line_bytes = prescribed.map_or(0, |(_, line_bytes)| line_bytes);
        let text = &text[line_bytes..];
        if trimmed(text).is_empty() {
            return Err(DataError::NoRows { path: name.to_owned(), what: "blank space" });
        }
        let mut dialect = given.unwrap_or_else(|| dialect(text, whole));
        if let Some((delimiter, _)) = prescribed {
            dialect.delimiter = delimiter;
        }
        let sample = Sample::of(dialect, text, whole, SAMPLE_RECORDS);
        if sample.len() == 0 {
            return Err(DataError::Quotes { path: name.to_owned(), line: 1 });
        }
        let header = match options.header {
            Some(header) => header,
            None => match assembler.mode {
                Mode::Prescribed(schema) => any_matches(sample.record(0), schema) || has_header(&sample),
                _ => has_header(&sample),
            },
        };
        let width = columns(name, &sample, header)?;
        let names = column_names(name, &sample, header, width, options, assembler);
        let rows: Vec<usize> =
            (usize::from(header)..sample.len()).filter(|&row| sample.width(row) == width).collect();
        let infer = matches!(assembler.mode, Mode::Infer);
        let plans =
            if infer { plans(&sample, &rows, width, dialect, &mut assembler.hints) } else { Vec::new() };
        let typed_bytes = plans.iter().map(|plan| match plan {
            Plan::Number(_) | Plan::Moment { .. } => 8 * rows.len(),
            Plan::Words | Plan::Names => 4 * rows.len(),
            Plan::Text | Plan::Skip => 0,
        });
        let typed_bytes = typed_bytes.sum();
        let slots = assembler.slots(&names, |column| plans.get(column).cloned().unwrap_or(Plan::Words));
        let first_row = line_bytes + if header { first_record_end(dialect, text, whole) } else { 0 };
        let row_bytes = (sample.text_bytes() / sample.len()).max(1);
        Ok(Self {
            dialect,
            header,
            slots,
            first_row,
            text_bytes: sample.text_bytes(),
            typed_bytes,
            row_bytes,
        })
    }

    fn lines_before(&self, text: &[u8]) -> u64 {
        memchr::memchr_iter(self.dialect.terminator, &text[..self.first_row]).count() as u64
    }

    /// Fails if the table, as the sample promises it, will not fit.
    fn check_estimate(&self, name: &str, size_bytes: u64, limit_bytes: u64) -> Result<(), DataError> {
        let share = self.typed_bytes as f64 / self.text_bytes.max(1) as f64;
        let needed_bytes = (size_bytes as f64 * share) as u64;
        if needed_bytes > limit_bytes {
            return Err(DataError::Memory { path: name.to_owned(), needed_bytes, limit_bytes });
        }
        Ok(())
    }
}

/// Number of columns. A header that lacks one name begins after a column of row names (as R writes it); a header with
/// one blank name too many ends with a delimiter.
fn columns(name: &str, sample: &Sample<'_>, header: bool) -> Result<usize, DataError> {
    let usual = sample.usual_width();
    let first = sample.width(0);
    let ragged = |width: usize| {
        let rows = usize::from(header)..sample.len();
        (rows.clone().filter(|&row| sample.width(row) != width).count(), rows.len())
    };
    let width =
        if !header || usual == first + 1 || (usual + 1 == first && trimmed(sample.cell(0, usual)).is_empty())
        {
            usual
        } else {
            first
        };
    if width > COLUMNS {
        return Err(DataError::TooManyColumns { path: name.to_owned(), found: width, limit: COLUMNS });
    }
    let (odd, rows) = ragged(width);
    if odd * 2 > rows {
        let line = (usize::from(header)..sample.len()).find(|&row| sample.width(row) != width).unwrap_or(0);
        return Err(DataError::Ragged {
            path: name.to_owned(),
            line: sample.line(line),
            header: width,
            found: sample.width(line),
            ragged: odd as u64,
            rows: rows as u64,
        });
    }
    Ok(width)
}

fn column_names(
    name: &str,
    sample: &Sample<'_>,
    header: bool,
    width: usize,
    options: &ReadOptions,
    assembler: &mut Assembler<'_>,
) -> Names {
    // A second reading has its notes from the first.
    let mut again = Vec::new();
    let notes = if matches!(assembler.mode, Mode::Infer) { &mut assembler.notes } else { &mut again };
    if !header {
        if options.header.is_none() {
            notes.push(Note::HeaderMissing { path: name.to_owned(), columns: width });
        }
        return numbered(width);
    }
    let row_names = (sample.width(0) < width).then_some(b"".as_slice());
    clean(row_names.into_iter().chain(sample.record(0)).take(width), notes)
}

fn first_record_end(dialect: Dialect, text: &[u8], whole: bool) -> usize {
    let mut position = 0;
    let mut fields = Fields::default();
    loop {
        fields.clear();
        match dialect.split(text, position, whole, &mut fields) {
            Step::Record(next) => {
                let blank = fields.spans.len() == 1 && fields.get(text, fields.spans[0]).is_empty();
                position = next;
                if !blank || position >= text.len() {
                    return position;
                }
            }
            Step::Broken(next) if next < text.len() => position = next,
            Step::Broken(_) | Step::Incomplete => return text.len(),
        }
    }
}

/// Plans for all columns from the sampled rows; what some columns leave no doubt about decides for the others.
fn plans(
    sample: &Sample<'_>,
    rows: &[usize],
    width: usize,
    dialect: Dialect,
    hints: &mut Hints,
) -> Vec<Plan> {
    let columns: Vec<WordsBuilder> = (0..width)
        .into_par_iter()
        .map(|column| {
            let mut words = WordsBuilder::default();
            for &row in rows {
                words.push(trimmed(sample.cell(row, column)));
            }
            words
        })
        .collect();
    let levels: Vec<Vec<(&[u8], u64)>> = columns.par_iter().map(WordsBuilder::levels).collect();
    let marks: Vec<Option<u8>> = levels.par_iter().map(|levels| certain_decimal(levels)).collect();
    let count = |mark: u8| marks.iter().filter(|found| **found == Some(mark)).count();
    hints.delimiter = Some(dialect.delimiter);
    hints.decimal = match (count(b'.'), count(b',')) {
        (0, 0) => None,
        (points, commas) => Some(if commas > points { b',' } else { b'.' }),
    };
    let told = *hints;
    let mut plans: Vec<Plan> = levels.par_iter().map(|levels| finish::plan(levels, told)).collect();
    hints.day_order = day_order(&plans);
    if hints.day_order.is_some() {
        let told = *hints;
        for (plan, levels) in plans.iter_mut().zip(&levels) {
            if matches!(plan, Plan::Moment { ambiguous: true, .. }) {
                *plan = finish::plan(levels, told);
            }
        }
    }
    plans
}

/// The order of day and month in the first column that leaves no doubt.
fn day_order(plans: &[Plan]) -> Option<DayOrder> {
    plans.iter().find_map(|plan| match plan {
        Plan::Moment { format, ambiguous: false } => format.day_order(),
        _ => None,
    })
}

/// Some lines, counted; the first of them by their numbers.
#[derive(Clone, Debug, Default)]
struct Lines {
    count: u64,
    first: Vec<u64>,
}

impl Lines {
    fn add(&mut self, text: &[u8], position: usize, terminator: u8) {
        self.count += 1;
        if self.first.len() < LINES_KEPT {
            self.first.push(memchr::memchr_iter(terminator, &text[..position]).count() as u64);
        }
    }

    fn append(&mut self, other: &Self, base: u64) {
        self.count += other.count;
        let room = LINES_KEPT - self.first.len();
        self.first.extend(other.first.iter().take(room).map(|line| line + base));
    }
}

/// What one thread made of a stretch of records.
struct Chunk {
    builders: Vec<Builder>,
    rows: usize,
    /// Line ends in the stretch.
    lines: u64,
    /// Blank lines after the last row. Blank lines are rows only in a file of one column, and there between rows only.
    trailing_blanks: usize,
    leading_blanks: usize,
    ragged: Lines,
    broken: Lines,
}

/// Parses rows of one file into a table.
struct RowParser<'p, 'a> {
    name: &'p str,
    dialect: Dialect,
    slots: Vec<Option<usize>>,
    plans: Vec<Plan>,
    /// Bytes of a row in the sample, to make room for about as many rows as there will be.
    row_bytes: usize,
    keeps_rows: bool,
    assembler: &'p mut Assembler<'a>,
    limit_bytes: u64,
    lines_before: u64,
    ragged: Lines,
    broken: Lines,
    pending_blanks: usize,
    rows: usize,
}

/// What is wrong with a row, if anything is.
enum Row {
    Good,
    Blank,
    Ragged,
    Broken,
}

impl RowParser<'_, '_> {
    fn row(&self, text: &[u8], fields: &mut Fields, start: usize) -> Row {
        let width = self.plans.len();
        let found = fields.spans.len() - start;
        if found == 1 && trimmed(fields.get(text, fields.spans[start])).is_empty() {
            return Row::Blank;
        }
        if found == width {
            return Row::Good;
        }
        // Delimiters at the end of a line add nothing.
        let surplus = &fields.spans[(start + width).min(fields.spans.len())..];
        if found > width && surplus.iter().all(|&span| trimmed(fields.get(text, span)).is_empty()) {
            fields.spans.truncate(start + width);
            return Row::Good;
        }
        Row::Ragged
    }

    /// Hands the fields of whole rows to the builders, column by column.
    fn flush(builders: &mut [Builder], text: &[u8], fields: &mut Fields) {
        let width = builders.len();
        let rows = fields.spans.len() / width;
        for (column, builder) in builders.iter_mut().enumerate() {
            builder.extend((0..rows).map(|row| fields.get(text, fields.spans[row * width + column])));
        }
        fields.clear();
    }

    fn notes(&mut self, nul_count: u64) {
        let path = || self.name.to_owned();
        let mut notes = Vec::new();
        if nul_count > 0 {
            notes.push(Note::NulBytes { path: path(), count: nul_count });
        }
        let Lines { count, first } = self.broken.clone();
        if count > 0 {
            notes.push(Note::UnclosedQuote { path: path(), lines: first, count });
        }
        let Lines { count, first } = self.ragged.clone();
        if count > 0 && self.keeps_rows {
            notes.push(Note::RowsBlanked { path: path(), count, lines: first });
        } else if count > 0 {
            notes.push(Note::RowsDropped { path: path(), count, expected: self.plans.len(), lines: first });
        }
        if !matches!(self.assembler.mode, Mode::Again(_)) {
            self.assembler.notes.append(&mut notes);
        }
    }

    /// Says what was left out; gives the number of rows.
    fn finish(mut self, nul_count: u64) -> Result<u64, DataError> {
        if self.rows == 0 {
            return Err(DataError::NoRows { path: self.name.to_owned(), what: "a header" });
        }
        let lost = self.ragged.count;
        if !self.keeps_rows && lost > self.rows as u64 {
            return Err(DataError::Ragged {
                path: self.name.to_owned(),
                line: self.ragged.first.first().copied().unwrap_or(0),
                header: self.plans.len(),
                found: 0,
                ragged: lost,
                rows: lost + self.rows as u64,
            });
        }
        self.notes(nul_count);
        Ok(self.rows as u64)
    }
}

impl Parse for RowParser<'_, '_> {
    type Part = Chunk;

    fn marks(&self) -> (Option<u8>, u8) {
        (Some(self.dialect.quote), self.dialect.terminator)
    }

    fn parse(&self, text: &[u8], at_end: bool) -> (Chunk, usize) {
        let width = self.plans.len();
        let terminator = self.dialect.terminator;
        let mut chunk = Chunk {
            builders: self.plans.iter().map(Builder::part).collect(),
            rows: 0,
            lines: 0,
            trailing_blanks: 0,
            leading_blanks: 0,
            ragged: Lines::default(),
            broken: Lines::default(),
        };
        let rows = text.len() / self.row_bytes + 1;
        for builder in &mut chunk.builders {
            builder.reserve(rows);
        }
        let batch = (BATCH_FIELDS / width).max(1) * width;
        let mut fields = Fields::default();
        let mut position = 0;
        while position < text.len() {
            let start = fields.spans.len();
            let (next, row) = match self.dialect.split(text, position, at_end, &mut fields) {
                Step::Record(next) => (next, self.row(text, &mut fields, start)),
                Step::Broken(next) => (next, Row::Broken),
                Step::Incomplete => {
                    fields.spans.truncate(start);
                    break;
                }
            };
            let mut added = 1;
            match row {
                Row::Good => {}
                Row::Blank => {
                    added = 0;
                    chunk.trailing_blanks += usize::from(width == 1);
                }
                Row::Ragged | Row::Broken => {
                    let lines =
                        if matches!(row, Row::Ragged) { &mut chunk.ragged } else { &mut chunk.broken };
                    lines.add(text, position, terminator);
                    added = usize::from(self.keeps_rows);
                }
            }
            if !matches!(row, Row::Good) {
                fields.spans.truncate(start);
                (0..added * width).for_each(|_| fields.push_empty());
            }
            if added == 1 && chunk.trailing_blanks > 0 {
                // Blank lines between rows of a single column are missing cells, before the row just split.
                if chunk.rows == 0 {
                    chunk.leading_blanks = chunk.trailing_blanks;
                } else {
                    let last = fields.spans.pop();
                    (0..chunk.trailing_blanks).for_each(|_| fields.push_empty());
                    fields.spans.extend(last);
                    chunk.rows += chunk.trailing_blanks;
                }
                chunk.trailing_blanks = 0;
            }
            chunk.rows += added;
            position = next;
            if fields.spans.len() >= batch {
                Self::flush(&mut chunk.builders, text, &mut fields);
            }
        }
        Self::flush(&mut chunk.builders, text, &mut fields);
        chunk.lines = memchr::memchr_iter(terminator, &text[..position]).count() as u64;
        (chunk, position)
    }

    fn absorb(&mut self, parts: Vec<Chunk>) -> Result<(), DataError> {
        let mut builders = Vec::with_capacity(parts.len());
        let mut rows = 0;
        for chunk in parts {
            self.ragged.append(&chunk.ragged, self.lines_before + 1);
            self.broken.append(&chunk.broken, self.lines_before + 1);
            self.lines_before += chunk.lines;
            if chunk.rows == 0 {
                self.pending_blanks += chunk.trailing_blanks;
                continue;
            }
            let blanks = self.pending_blanks + chunk.leading_blanks;
            if blanks > 0 {
                let mut missing: Vec<Builder> = self.plans.iter().map(Builder::new).collect();
                for builder in &mut missing {
                    builder.push_missing(blanks);
                }
                builders.push(missing);
            }
            self.pending_blanks = chunk.trailing_blanks;
            rows += chunk.rows + blanks;
            builders.push(chunk.builders);
        }
        self.rows += rows;
        self.assembler.append(&self.slots, builders, rows);
        self.assembler.check_memory(self.name, 0, self.limit_bytes)
    }

    fn too_long(&self) -> DataError {
        DataError::Quotes { path: self.name.to_owned(), line: self.lines_before + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use kaizen_table::Column;
    use proptest::prelude::*;

    /// The table that `text` makes when it is cut into pieces of these sizes.
    fn table(text: &[u8], sizes: Sizes) -> Result<(Vec<Arc<Column>>, Vec<Note>), String> {
        let stream = Input::memory("x.csv", text.to_vec()).open().map_err(|error| error.to_string())?;
        let mut assembler = Assembler::new(Mode::Infer);
        let how = How { known: Some((DIALECT, Encoding::Utf8)), sizes };
        read_how("x.csv", stream, text.len() as u64, how, &mut assembler, &ReadOptions::default())
            .map_err(|error| error.to_string())?;
        let row_count = assembler.row_count;
        let (done, _, mut notes) = assembler.finish();
        let table = crate::assemble::table(done, row_count, None, &mut notes).0;
        Ok((table.columns().to_vec(), notes))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_cut_changes_a_record(text in "[ab1,\"\r\n]{0,200}", chunk_bytes in 1usize..60) {
            let whole = table(text.as_bytes(), Sizes::USUAL);
            let cut = table(text.as_bytes(), Sizes { chunk_bytes, ..Sizes::USUAL });
            // Debug text, in which missing numbers are equal.
            prop_assert_eq!(format!("{:?}", whole), format!("{:?}", cut));
        }
    }

    #[test]
    fn a_line_that_prescribes_the_delimiter_is_no_row() {
        let loaded = crate::read_bytes("x.csv", b"sep=;\na;b\n1,5;x\n2,5;y\n".to_vec()).unwrap();
        let names: Vec<&str> = loaded.table.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!((names, loaded.table.row_count()), (vec!["a", "b"], 2));
        assert_eq!(loaded.table.columns()[0].cell_text(1).as_deref(), Some("2.5"));
        let error = crate::read_bytes("x.csv", b"sep=;\n".to_vec()).unwrap_err();
        assert!(matches!(error, DataError::NoRows { .. }), "{error}");
    }

    #[test]
    fn waves_join_records_and_mostly_new_words() {
        let rows = (0..40_000).map(|row| {
            let remark = if row % 7 == 0 { "\"one,\ntwo\"" } else { "three" };
            format!("{row},name {},{remark}\n", row * 7919 % 39_989)
        });
        let text = format!("id,name,remark\n{}", rows.collect::<Vec<_>>().concat());
        let whole = table(text.as_bytes(), Sizes::USUAL).unwrap();
        // Waves smaller than the sample end it early; the columns are the same all along.
        for (wave_bytes, chunk_bytes) in [(1 << 16, 1000), (100_000, 4096)] {
            assert_eq!(table(text.as_bytes(), Sizes { wave_bytes, chunk_bytes }).unwrap(), whole);
        }
        let (columns, notes) = whole;
        assert!(notes.is_empty(), "{notes:?}");
        assert_eq!((columns.len(), columns[0].len()), (3, 40_000));
        for row in [0, 1, 39_988, 39_989, 39_999] {
            let name = format!("name {}", row * 7919 % 39_989);
            assert_eq!(columns[1].cell_text(row), Some(name), "{row}");
            let remark = if row % 7 == 0 { "one,\ntwo" } else { "three" };
            assert_eq!(columns[2].cell_text(row).as_deref(), Some(remark), "{row}");
        }
    }
}
