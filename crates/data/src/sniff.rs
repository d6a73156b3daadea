//! What a file is, told by its first bytes and not by its name: format, delimiter, quotes, header.

use kaizen_table::NumberStyle;

use crate::number::{Reading, read};
use crate::record::{Dialect, Fields, Quotes, Span, Step};
use crate::words::{missing_word, trimmed};

/// What the first bytes of a file say that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Text with fields between delimiters.
    Delimited,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC file (Feather version 2).
    ArrowFile,
    /// Apache Arrow IPC stream.
    ArrowStream,
    /// Office Open XML workbook, or another zip archive.
    Zip,
    /// Something that is no table; what, and what to do.
    Other(&'static str, &'static str),
}

const EXPORT: &str = "export the table as csv or parquet";

/// First bytes of what is no table.
const OTHERS: [(&[u8], &str, &str); 17] = [
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls)", "save it as .xlsx or csv"),
    (b"%PDF", "a PDF document", EXPORT),
    (b"SQLite format 3", "an SQLite database", EXPORT),
    (b"FEA1", "a Feather file of version 1", "write it again as Feather version 2 or parquet"),
    (b"\x89HDF", "an HDF5 file", EXPORT),
    (b"\x89PNG", "a PNG image", EXPORT),
    (b"\xff\xd8\xff", "a JPEG image", EXPORT),
    (b"GIF8", "a GIF image", EXPORT),
    (b"ORC", "an ORC file", "write it as parquet"),
    (b"Obj\x01", "an Avro file", "write it as parquet"),
    (b"\x93NUMPY", "a NumPy array", EXPORT),
    (b"\x80\x04\x95", "a Python pickle", EXPORT),
    (b"\x80\x05\x95", "a Python pickle", EXPORT),
    (b"RDX", "an R data file", EXPORT),
    (b"BZh", "a bzip2 archive", "unpack it first, or pack it with gzip or zstd"),
    (b"\xfd7zXZ", "an xz archive", "unpack it first, or pack it with gzip or zstd"),
    (b"7z\xbc\xaf", "a 7-zip archive", "unpack it first"),
];

/// Tells what begins with `head`; `name` only decides between JSON that was meant and JSON that was not.
pub(crate) fn content(head: &[u8], name: &str) -> Content {
    for (magic, what, advice) in OTHERS {
        // A short magic could begin a csv as well; what follows it there would be plain text.
        let printable = head.iter().take(64).all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'));
        if head.starts_with(magic) && (magic.len() > 4 || !printable || magic == b"%PDF") {
            return Content::Other(what, advice);
        }
    }
    match head {
        [b'P', b'A', b'R', b'1', ..] => return Content::Parquet,
        [b'A', b'R', b'R', b'O', b'W', b'1', 0, 0, ..] => return Content::ArrowFile,
        // The continuation marker, then a length below 16 MiB.
        [0xff, 0xff, 0xff, 0xff, _, _, _, 0, ..] => return Content::ArrowStream,
        [b'P', b'K', 3, 4, ..] => return Content::Zip,
        _ => {}
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let lower = name.to_ascii_lowercase();
    let stem = lower.strip_suffix(".gz").or_else(|| lower.strip_suffix(".zst")).unwrap_or(&lower);
    let table_name = [".csv", ".tsv", ".tab", ".txt", ".psv"].iter().any(|end| stem.ends_with(end));
    let after = |open: usize| text[open..].trim_ascii_start().first().copied();
    match text.first() {
        Some(b'{') if matches!(after(1), Some(b'"' | b'}')) && text.contains(&b':') => {
            if table_name {
                Content::Other("JSON, one object a line", "rename it to .jsonl")
            } else {
                Content::JsonLines
            }
        }
        Some(b'[') if matches!(after(1), Some(b'{')) => Content::Other(
            "JSON (an array of objects)",
            "write one object a line (JSON lines), for instance with: jq -c '.[]' FILE > FILE.jsonl",
        ),
        Some(b'<') if text.len() > 1 && matches!(text[1], b'!' | b'?' | b'h' | b'H') => {
            Content::Other("HTML or XML", EXPORT)
        }
        _ => Content::Delimited,
    }
}

/// Whether text holds so many control characters that it is no text. Bytes of UTF-16 must have been decoded before.
pub(crate) fn is_binary(sample: &[u8]) -> bool {
    let odd = sample.iter().filter(|byte| matches!(byte, 1..=8 | 11 | 14..=26 | 28..=30 | 127)).count();
    odd * 20 > sample.len()
}

/// Delimiters that are looked for, the likeliest first.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A byte that no text holds: the delimiter of a table of one column.
pub(crate) const NO_DELIMITER: u8 = 0x1f;

/// Records that a sniffer looks at.
const SNIFFED_RECORDS: usize = 200;

/// Score below which even records are chance: sentences with commas, say.
const LEAST_SCORE: f64 = 0.4;

/// Finds the dialect of a text that begins with `sample`; `whole` if there is nothing after it.
pub(crate) fn dialect(sample: &[u8], whole: bool) -> Dialect {
    let terminator = if memchr::memchr(b'\n', sample).is_none() && memchr::memchr(b'\r', sample).is_some() {
        b'\r'
    } else {
        b'\n'
    };
    let of = |delimiter, quote| Dialect { delimiter, quote, terminator };
    let mut best = (of(NO_DELIMITER, b'"'), 0.0);
    for delimiter in DELIMITERS {
        let candidate = of(delimiter, b'"');
        let score = score(&Sample::of(candidate, sample, whole, SNIFFED_RECORDS));
        if score > best.1 {
            best = (candidate, score);
        }
    }
    let chosen = if best.1 < LEAST_SCORE { of(NO_DELIMITER, b'"') } else { best.0 };
    if uses_apostrophes(chosen, sample, whole) { of(chosen.delimiter, b'\'') } else { chosen }
}

/// The delimiter that the first line of `text` prescribes in the manner of Excel, `sep=;`, and the bytes of that line.
pub(crate) fn prescribed_delimiter(text: &[u8]) -> Option<(u8, usize)> {
    let (quoted, rest) = text.strip_prefix(b"\"").map_or((false, text), |rest| (true, rest));
    let (word, rest) = rest.split_at_checked(4)?;
    let (&delimiter, rest) = rest.split_first()?;
    let rest = if quoted { rest.strip_prefix(b"\"")? } else { rest };
    let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
    let rest = rest.strip_prefix(b"\n")?;
    let fits = word.eq_ignore_ascii_case(b"sep=") && DELIMITERS.contains(&delimiter);
    fits.then_some((delimiter, text.len() - rest.len()))
}

/// Records of a sample, as fields.
pub(crate) struct Sample<'a> {
    text: &'a [u8],
    fields: Fields,
    /// End of each record in the fields.
    ends: Vec<usize>,
    /// Start of each record in the text.
    starts: Vec<usize>,
    /// Bytes of text in all records.
    used: usize,
    terminator: u8,
}

impl<'a> Sample<'a> {
    /// Splits at most `limit` records; blank lines and broken ones are left out.
    pub(crate) fn of(dialect: Dialect, text: &'a [u8], whole: bool, limit: usize) -> Self {
        let mut sample = Self {
            text,
            fields: Fields::default(),
            ends: Vec::new(),
            starts: Vec::new(),
            used: 0,
            terminator: dialect.terminator,
        };
        let mut position = 0;
        while position < text.len() && sample.ends.len() < limit {
            let before = sample.fields.spans.len();
            match dialect.split(text, position, whole, &mut sample.fields) {
                Step::Record(next) => {
                    let blank = sample.fields.spans.len() == before + 1
                        && sample.fields.get(text, sample.fields.spans[before]).is_empty();
                    if blank {
                        sample.fields.spans.truncate(before);
                    } else {
                        sample.ends.push(sample.fields.spans.len());
                        sample.starts.push(position);
                    }
                    position = next;
                    sample.used = next;
                }
                Step::Broken(next) => {
                    position = next;
                    sample.fields.spans.truncate(before);
                }
                Step::Incomplete => {
                    sample.fields.spans.truncate(before);
                    break;
                }
            }
        }
        sample
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Number of fields of a record.
    pub(crate) fn width(&self, record: usize) -> usize {
        self.ends[record] - self.start(record)
    }

    /// The fields of a record.
    pub(crate) fn record(&self, record: usize) -> impl ExactSizeIterator<Item = &[u8]> {
        self.fields.spans[self.start(record)..self.ends[record]]
            .iter()
            .map(|&span| self.fields.get(self.text, span))
    }

    /// The fields of a record, as ranges.
    fn spans(&self, record: usize) -> &[Span] {
        &self.fields.spans[self.start(record)..self.ends[record]]
    }

    /// A field of a record.
    pub(crate) fn cell(&self, record: usize, column: usize) -> &[u8] {
        self.fields.get(self.text, self.fields.spans[self.start(record) + column])
    }

    /// Bytes of text in all records.
    pub(crate) fn text_bytes(&self) -> usize {
        self.used
    }

    /// The line, from 1, on which a record begins.
    pub(crate) fn line(&self, record: usize) -> u64 {
        1 + memchr::memchr_iter(self.terminator, &self.text[..self.starts[record]]).count() as u64
    }

    fn start(&self, record: usize) -> usize {
        if record == 0 { 0 } else { self.ends[record - 1] }
    }

    /// The commonest number of fields after the first record (of all records if there is one only).
    pub(crate) fn usual_width(&self) -> usize {
        let first = usize::from(self.len() > 1);
        let mut counts = std::collections::BTreeMap::new();
        for record in first..self.len() {
            *counts.entry(self.width(record)).or_insert(0usize) += 1;
        }
        counts.into_iter().max_by_key(|(width, count)| (*count, *width)).map_or(0, |(width, _)| width)
    }
}

/// How much the sample looks like a table: the share of records of the usual width, less for cells that hold other
/// delimiters; with wider tables preferred among equals.
fn score(sample: &Sample<'_>) -> f64 {
    let width = sample.usual_width();
    if width < 2 {
        return 0.0;
    }
    let (mut alike, mut cells, mut untidy) = (0usize, 0usize, 0usize);
    for record in 0..sample.len() {
        if sample.width(record) == width {
            alike += 1;
            cells += width;
            untidy += sample.spans(record).iter().filter(|&&span| is_untidy(sample, span)).count();
        }
    }
    let alike = alike as f64 / sample.len() as f64;
    let tidy = 1.0 - untidy as f64 / cells as f64;
    alike * (0.2 + 0.8 * tidy) + 1e-4 * width.min(100) as f64
}

/// Whether a field looks as if the delimiter were a wrong one: it holds another delimiter, or a quote that is not
/// around it. Commas are common in words and numbers.
fn is_untidy(sample: &Sample<'_>, span: Span) -> bool {
    let odd = |byte: &u8| matches!(byte, b';' | b'\t' | b'|' | b'"');
    match span.quotes {
        Quotes::None => sample.fields.get(sample.text, span).iter().any(odd),
        Quotes::Around => false,
        Quotes::Mended => true,
    }
}

/// Whether fields are quoted with apostrophes: no double quote anywhere, and a fifth of the fields in apostrophes.
fn uses_apostrophes(dialect: Dialect, sample: &[u8], whole: bool) -> bool {
    if memchr::memchr(b'"', sample).is_some() || memchr::memchr(b'\'', sample).is_none() {
        return false;
    }
    let records = Sample::of(Dialect { quote: b'\'', ..dialect }, sample, whole, SNIFFED_RECORDS);
    let plain = Sample::of(dialect, sample, whole, SNIFFED_RECORDS);
    let inside = |cell: &[u8]| cell.len() >= 2 && cell.starts_with(b"'") && cell.ends_with(b"'");
    let (mut quoted, mut cells) = (0usize, 0usize);
    for record in 0..plain.len() {
        cells += plain.width(record);
        quoted += plain.record(record).filter(|cell| inside(trimmed(cell))).count();
    }
    let width = records.usual_width();
    let alike = (0..records.len()).filter(|&record| records.width(record) == width).count();
    quoted * 5 >= cells && alike * 10 >= records.len() * 9
}

/// Whether the first record of a sample names the columns.
///
/// It does not if it has a number in every column where the rows below have numbers (and there is such a column), or
/// if half of its cells come again below in their own columns. Years in a row (2019, 2020, 2021) do name columns.
pub(crate) fn has_header(sample: &Sample<'_>) -> bool {
    const LOOKED_AT: usize = 100;
    if sample.len() < 2 {
        return sample.len() == 0 || !sample.record(0).all(is_number);
    }
    let width = sample.width(0);
    let rows: Vec<usize> =
        (1..sample.len()).filter(|&record| sample.width(record) == width).take(LOOKED_AT).collect();
    if rows.is_empty() {
        return true;
    }
    let (mut numeric, mut numeric_first, mut again, mut filled) = (0usize, 0usize, 0usize, 0usize);
    for column in 0..width {
        let name = trimmed(sample.cell(0, column));
        let cells = || rows.iter().map(|&row| trimmed(sample.cell(row, column)));
        let present = cells().filter(|cell| !cell.is_empty() && missing_word(cell).is_none()).count();
        let numbers = cells().filter(|cell| is_number(cell)).count();
        if numbers > 0 && numbers * 10 >= present * 9 {
            numeric += 1;
            numeric_first += usize::from(is_number(name) || name.is_empty() || missing_word(name).is_some());
        }
        if !name.is_empty() {
            filled += 1;
            again += usize::from(cells().any(|cell| cell == name));
        }
    }
    let names_numbers = sample.record(0).any(is_number);
    if are_years(sample) {
        return true;
    }
    if numeric > 0 && names_numbers && numeric_first == numeric {
        return false;
    }
    !(filled > 0 && again * 2 >= filled && numeric_first * 2 >= numeric)
}

fn is_number(cell: &[u8]) -> bool {
    let cell = trimmed(cell);
    let european = NumberStyle { decimal: b',', ..NumberStyle::default() };
    matches!(read(cell, NumberStyle::default()), Reading::Value(_))
        || matches!(read(cell, european), Reading::Value(_))
}

/// Whether the numbers of the first record are two or more years in steps of one.
fn are_years(sample: &Sample<'_>) -> bool {
    let years: Vec<f64> = sample
        .record(0)
        .filter_map(|cell| match read(trimmed(cell), NumberStyle::default()) {
            Reading::Value(value) => Some(value.number),
            _ => None,
        })
        .collect();
    years.len() >= 2
        && (1800.0..2200.0).contains(&years[0])
        && years.windows(2).all(|pair| (pair[1] - pair[0]).abs() == 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delimiter(text: &str) -> u8 {
        dialect(text.as_bytes(), true).delimiter
    }

    fn header(text: &str) -> bool {
        has_header(&Sample::of(dialect(text.as_bytes(), true), text.as_bytes(), true, 100))
    }

    #[test]
    fn a_first_line_can_prescribe_the_delimiter() {
        assert_eq!(prescribed_delimiter(b"sep=;\na;b\n"), Some((b';', 6)));
        assert_eq!(prescribed_delimiter(b"SEP=\t\r\na\tb\n"), Some((b'\t', 7)));
        assert_eq!(prescribed_delimiter(b"\"sep=|\"\r\na|b\n"), Some((b'|', 9)));
        for text in [b"sep=;".as_slice(), b"sep=;;\n", b"sep=x\n", b"sep,a\n", b"\"sep=;\n", b""] {
            assert_eq!(prescribed_delimiter(text), None, "{text:?}");
        }
    }

    #[test]
    fn delimiters_are_told_by_even_records() {
        assert_eq!(delimiter("a,b\n1,2\n3,4\n"), b',');
        assert_eq!(delimiter("a;b;c\n1,5;2,5;3\n3,5;4,5;3\n"), b';');
        assert_eq!(delimiter("x;y\n1,5;2,5\n3,5;4,5\n"), b';');
        assert_eq!(delimiter("a\tb\n1,000\t2\n3\t4\n"), b'\t');
        assert_eq!(delimiter("a|b\nx, y|2\nz|4\n"), b'|');
        assert_eq!(delimiter("text\nhello, world\nno comma\none, two, three\n"), NO_DELIMITER);
        assert_eq!(delimiter("x\n1\n2\n"), NO_DELIMITER);
        assert_eq!(dialect(b"a,b\r1,2\r", true).terminator, b'\r');
        assert_eq!(dialect(b"'a','b'\n'1,5','2'\n'3','4'\n", true).quote, b'\'');
    }

    #[test]
    fn headers_are_told_from_data() {
        assert!(header("age,name\n1,x\n2,y\n"));
        assert!(!header("30,64,1\n30,62,3\n31,65,1\n"));
        assert!(header("country,2019,2020\nDE,5,6\nFR,7,8\n"));
        assert!(header(",a\n0,1.5\n1,2.5\n"));
        assert!(!header("vhigh,low\nvhigh,low\nlow,vhigh\nvhigh,low\n"));
        assert!(!header("M,0.5,15\nF,0.4,7\n"));
        assert!(header("a,b\nx,y\nz,w\n"));
    }

    #[test]
    fn content_over_name() {
        assert_eq!(content(b"PAR1....", "a.csv"), Content::Parquet);
        assert!(matches!(content(b"[{\"a\": 1}]", "a.csv"), Content::Other(..)));
        assert!(matches!(content(b"{\"a\": 1}\n", "a.csv"), Content::Other(..)));
        assert_eq!(content(b"{\"a\": 1}\n", "-"), Content::JsonLines);
        assert_eq!(content(b"[id],[name]\n1,x\n", "a.csv"), Content::Delimited);
        assert_eq!(content(b"ORCHID,ROSE\n1,2\n", "a.csv"), Content::Delimited);
        assert!(is_binary(&[1, 2, 3, 4, 5, 6, 7, 8]) && !is_binary(b"a,b\n1,2\n"));
    }
}
