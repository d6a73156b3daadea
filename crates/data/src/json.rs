//! JSON lines: one object of plain values a line. The lines become delimited text in memory, with one column for each
//! key in the order of first sight, and go the way of all text from there; so types are decided by the same rule.
//!
//! Objects and arrays as values have no use as features: such cells are missing, and counted.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use rayon::prelude::*;
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Error as JsonError;
use serde_json::error::Category;

use crate::assemble::{Assembler, Mode};
use crate::delimited::{self, Given};
use crate::error::DataError;
use crate::format::{Facts, Format};
use crate::note::{LINES_KEPT, Note};
use crate::options::ReadOptions;
use crate::rewrite::Rewriter;
use crate::stream::{Encoding, Input, TextStream};

/// Text parsed by one thread at a time, in bytes.
const CHUNK_BYTES: usize = 512 << 10;

/// Reads a file of JSON lines.
pub(crate) fn read(
    input: &Input,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    let limit_bytes = options.memory_limit_bytes.unwrap_or(u64::MAX);
    let mut stream = input.open()?;
    let encoding = Encoding::of(stream.peek(1 << 16)?);
    let compression = stream.compression();
    let (text, digest) = TextStream::new(stream, encoding).whole(&input.name, limit_bytes)?;
    let chunks = chunks(&text);
    let scans: Vec<Scan<'_>> = chunks.par_iter().map(|chunk| scan(chunk)).collect();
    let keeps_rows = assembler.mode.keeps_rows();
    let broken = broken_lines(&input.name, &scans, keeps_rows)?;
    let (keys, nested) = keys(&scans);
    let width = keys.len();
    if width == 0 {
        return Err(DataError::NoRows { path: input.name.clone(), what: "empty objects" });
    }
    let index: BTreeMap<&str, usize> = keys.iter().enumerate().map(|(index, key)| (&**key, index)).collect();
    let mut out = Rewriter::new(width);
    out.row(keys.iter().map(|key| Some(key.as_ref())));
    let parts: Vec<Rewriter> = chunks
        .par_iter()
        .map(|chunk| {
            let mut part = Rewriter::new(width);
            rewrite(chunk, &index, &mut part);
            part
        })
        .collect();
    let mut text = out.into_bytes();
    for part in parts {
        text.append(&mut part.into_bytes());
    }
    if broken.count > 0 {
        assembler.notes.push(broken.note(&input.name));
    }
    if matches!(assembler.mode, Mode::Infer) {
        assembler.notes.extend(
            nested
                .into_iter()
                .map(|(column, type_name)| Note::ColumnIgnored { column, type_name: type_name.to_owned() }),
        );
    }
    let given = Given { name: &input.name, header: true };
    let facts = delimited::read_text(given, text, assembler, options)?;
    let size_bytes = input.size_bytes()?;
    let header = None;
    Ok(Facts {
        format: Format::JsonLines,
        delimiter: None,
        header,
        encoding: Some(encoding),
        compression,
        size_bytes,
        digest,
        ..facts
    })
}

/// Cuts text after line ends.
fn chunks(text: &[u8]) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let least = CHUNK_BYTES.min(rest.len());
        let end = memchr::memchr(b'\n', &rest[least..]).map_or(rest.len(), |found| least + found + 1);
        let (chunk, next) = rest.split_at(end);
        chunks.push(chunk);
        rest = next;
    }
    chunks
}

/// Lines that are not blank, with their numbers from 0.
fn lines(chunk: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    (0..).zip(chunk.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.trim_ascii().is_empty())
}

/// A value as far as a table can hold it.
enum Cell<'a> {
    Missing,
    Text(Cow<'a, str>),
    Nested(&'static str),
}

/// What a look over a chunk finds.
#[derive(Default)]
struct Scan<'a> {
    line_count: u64,
    /// Keys in the order of first sight.
    keys: Vec<Cow<'a, str>>,
    /// Per key: plain values, and the kind of nested ones.
    values: BTreeMap<Cow<'a, str>, (u64, Option<&'static str>)>,
    broken_count: u64,
    /// Line, column and fault of the first broken lines.
    broken: Vec<(u64, usize, String)>,
}

fn scan(chunk: &[u8]) -> Scan<'_> {
    let mut scan = Scan { line_count: memchr::memchr_iter(b'\n', chunk).count() as u64, ..Scan::default() };
    for (number, line) in lines(chunk) {
        match object(line) {
            Ok(pairs) => {
                for (key, cell) in pairs {
                    if !scan.values.contains_key(&key) {
                        scan.keys.push(key.clone());
                    }
                    let seen = scan.values.entry(key).or_default();
                    match cell {
                        Cell::Missing => {}
                        Cell::Text(_) => seen.0 += 1,
                        Cell::Nested(kind) => seen.1 = Some(kind),
                    }
                }
            }
            Err(error) => {
                scan.broken_count += 1;
                if scan.broken.len() < LINES_KEPT {
                    scan.broken.push((number, error.column(), fault(&error)));
                }
            }
        }
    }
    scan
}

fn fault(error: &JsonError) -> String {
    if error.classify() == Category::Eof {
        return "the object is cut off".to_owned();
    }
    let text = error.to_string();
    // The place is said by the caller.
    text.split(" at line").next().unwrap_or_default().to_owned()
}

/// Broken lines of all chunks.
struct BrokenLines {
    count: u64,
    lines: Vec<u64>,
}

impl BrokenLines {
    fn note(&self, path: &str) -> Note {
        Note::RowsBlanked { path: path.to_owned(), count: self.count, lines: self.lines.clone() }
    }
}

/// Counts broken lines; where rows need not be kept, the first one is an error.
fn broken_lines(path: &str, scans: &[Scan<'_>], keeps_rows: bool) -> Result<BrokenLines, DataError> {
    let mut all = BrokenLines { count: 0, lines: Vec::new() };
    let mut base = 1;
    for scan in scans {
        if let (Some((line, column, detail)), false) = (scan.broken.first(), keeps_rows) {
            return Err(DataError::JsonLine {
                path: path.to_owned(),
                line: base + line,
                column: *column,
                detail: detail.clone(),
            });
        }
        all.count += scan.broken_count;
        let room = LINES_KEPT - all.lines.len();
        all.lines.extend(scan.broken.iter().take(room).map(|(line, ..)| base + line));
        base += scan.line_count;
    }
    Ok(all)
}

type Nested = Vec<(String, &'static str)>;

/// Keys of plain values in the order of first sight, and keys that hold nothing but nested values.
fn keys<'a>(scans: &[Scan<'a>]) -> (Vec<Cow<'a, str>>, Nested) {
    let mut order: Vec<Cow<'a, str>> = Vec::new();
    let mut values: BTreeMap<Cow<'a, str>, (u64, Option<&'static str>)> = BTreeMap::new();
    for scan in scans {
        for key in &scan.keys {
            let (count, kind) = scan.values[key];
            let seen = values.entry(key.clone()).or_insert_with(|| {
                order.push(key.clone());
                (0, None)
            });
            *seen = (seen.0 + count, seen.1.or(kind));
        }
    }
    let mut nested = Vec::new();
    order.retain(|key| match values[key] {
        (0, Some(kind)) => {
            nested.push((key.clone().into_owned(), kind));
            false
        }
        _ => true,
    });
    (order, nested)
}

/// Writes a chunk's lines as rows; a broken line is a row of missing cells.
fn rewrite(chunk: &[u8], index: &BTreeMap<&str, usize>, out: &mut Rewriter) {
    let mut row: Vec<Option<Cow<'_, str>>> = vec![None; index.len()];
    for (_, line) in lines(chunk) {
        row.fill(None);
        for (key, cell) in object(line).unwrap_or_default() {
            if let (Some(&column), Cell::Text(text)) = (index.get(&*key), cell) {
                row[column] = Some(text);
            }
        }
        out.row(row.iter().map(Option::as_deref));
    }
}

/// The pairs of one object.
fn object(line: &[u8]) -> Result<Vec<(Cow<'_, str>, Cell<'_>)>, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(line);
    let pairs = reader.deserialize_map(ObjectVisitor)?;
    reader.end()?;
    Ok(pairs)
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Vec<(Cow<'de, str>, Cell<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs: Self::Value = Vec::new();
        while let Some(key) = map.next_key_seed(TextSeed)? {
            pairs.push((key, map.next_value_seed(CellSeed)?));
        }
        Ok(pairs)
    }
}

/// A key, borrowed from the line where it needs no unescaping.
struct TextSeed;

impl<'de> serde::de::DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A value.
struct CellSeed;

impl<'de> serde::de::DeserializeSeed<'de> for CellSeed {
    type Value = Cell<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cell::Missing)
    }

    /// Truth values print as pandas prints them.
    fn visit_bool<E>(self, truth: bool) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Borrowed(if truth { "True" } else { "False" })))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cell::Text(number.to_string().into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cell::Text(number.to_string().into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cell::Text(kaizen_table::column::number_text(number, false).into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cell::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cell::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested("list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested("object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_bytes;
    use kaizen_table::Values;

    #[test]
    fn objects_become_rows_with_all_keys_as_columns() {
        let text = "{\"a\": 1, \"b\": \"x, \\\"y\\\"\"}\n\n{\"b\": null, \"c\": true, \"a\": 2}\n{\"c\": false, \"d\": [1]}\n";
        let loaded = read_bytes("a.jsonl", text.as_bytes().to_vec()).unwrap();
        let names: Vec<&str> = loaded.table.columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(loaded.table.row_count(), 3);
        assert_eq!(loaded.table.columns()[1].cell_text(0).as_deref(), Some("x, \"y\""));
        let Values::Boolean(boolean) = &loaded.table.columns()[2].values else { panic!("booleans") };
        assert_eq!((boolean.names[1].as_str(), &boolean.values[..]), ("True", [2u8, 1, 0].as_slice()));
        assert!(matches!(&loaded.notes[..], [Note::ColumnIgnored { column, .. }] if column == "d"));
    }

    #[test]
    fn a_broken_line_is_named() {
        let error = read_bytes("a.jsonl", b"{\"a\": 1}\n{\"a\": 2\n{\"a\": 3}\n".to_vec()).unwrap_err();
        assert!(matches!(error, DataError::JsonLine { line: 2, .. }), "{error}");
        let error = read_bytes("a.jsonl", b"{\"a\": 1}\n5\n".to_vec()).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
