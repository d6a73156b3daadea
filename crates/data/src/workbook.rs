//! Workbooks (Office Open XML): one sheet becomes delimited text in memory and goes the way of all text from there.
//!
//! The sheet is the one that was asked for, else the one with most cells. Rows above the table (titles, remarks) are
//! those with less than half as many cells as the fullest of the first rows.

use std::io::Cursor;
use std::sync::Arc;

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};

use crate::assemble::{Assembler, Mode};
use crate::delimited::{self, Given};
use crate::error::{DataError, name_list};
use crate::format::{Facts, Format};
use crate::guard::guarded;
use crate::note::Note;
use crate::options::ReadOptions;
use crate::rewrite::Rewriter;
use crate::stream::Input;

/// Rows in which the table must begin.
const FIRST_ROWS: usize = 50;

/// Unfolded bytes for each stored byte that a workbook may claim; more is a bomb. Deflate cannot fold text of real
/// tables a hundred times.
const UNFOLD: u64 = 200;

type Book = Xlsx<Cursor<Arc<[u8]>>>;

/// Reads a workbook.
pub(crate) fn read(
    input: &Input,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    let limit_bytes = options.memory_limit_bytes.unwrap_or(u64::MAX);
    let (bytes, compression) = input.whole(limit_bytes)?;
    let digest = input.open()?.digest()?;
    check_archive(&input.name, &bytes, limit_bytes)?;
    let broken = |error: &XlsxError| DataError::broken(&input.name, "xlsx", error);
    let (sheet, extent, text, others) = guarded(&input.name, Format::Xlsx.name(), || {
        let mut book: Book =
            calamine::open_workbook_from_rs(Cursor::new(bytes)).map_err(|error| broken(&error))?;
        let (sheet, extent) = choose(&input.name, &mut book, options)?;
        let text = rewrite(&mut book, &sheet, &extent).map_err(|error| broken(&error))?;
        let others: Vec<String> = book.sheet_names().into_iter().filter(|name| *name != sheet).collect();
        Ok((sheet, extent, text, others))
    })?;
    if matches!(assembler.mode, Mode::Infer) {
        if !others.is_empty() {
            assembler.notes.push(Note::SheetChosen { sheet: sheet.clone(), others });
        }
        if extent.rows_above > 0 {
            assembler.notes.push(Note::RowsAboveTable { path: input.name.clone(), count: extent.rows_above });
        }
    }
    let given = Given { name: &input.name, header: false };
    let facts = delimited::read_text(given, text, assembler, options)?;
    let size_bytes = input.size_bytes()?;
    Ok(Facts {
        format: Format::Xlsx,
        delimiter: None,
        encoding: None,
        sheet: Some(sheet),
        compression,
        size_bytes,
        digest,
        ..facts
    })
}

/// Refuses archives that hold no workbook, and bombs. Only the directory is read.
fn check_archive(name: &str, bytes: &[u8], limit_bytes: u64) -> Result<(), DataError> {
    const ENTRY: &[u8] = b"PK\x01\x02";
    const ENTRY_BYTES: usize = 46;
    let looks_like = |looks_like, advice| DataError::LooksLike { path: name.to_owned(), looks_like, advice };
    let (mut unfolded, mut workbook, mut other) = (0u64, false, None);
    for start in memchr::memmem::find_iter(bytes, ENTRY) {
        let Some(entry) = bytes.get(start..start + ENTRY_BYTES) else { break };
        let number = |at: usize| {
            u64::from(u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]]))
        };
        let length = usize::from(u16::from_le_bytes([entry[28], entry[29]]));
        let Some(path) = bytes.get(start + ENTRY_BYTES..start + ENTRY_BYTES + length) else { continue };
        unfolded += number(24);
        workbook |= path.eq_ignore_ascii_case(b"xl/workbook.xml");
        if path == b"xl/workbook.bin" {
            other = Some(("a binary workbook (.xlsb)", "save it as .xlsx or csv"));
        } else if path == b"content.xml" {
            other = Some(("an OpenDocument file", "save it as .xlsx or csv"));
        } else if path == b"word/document.xml" {
            other = Some(("a Word document", "export the table as csv"));
        }
    }
    if !workbook {
        let (what, advice) =
            other.unwrap_or(("a zip archive", "unpack it first, or pack it with gzip or zstd"));
        return Err(looks_like(what, advice));
    }
    let bound = limit_bytes.min((bytes.len() as u64).saturating_mul(UNFOLD).max(1 << 24));
    if unfolded > bound {
        return Err(DataError::Memory { path: name.to_owned(), needed_bytes: unfolded, limit_bytes: bound });
    }
    Ok(())
}

/// Where the cells of a sheet are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Extent {
    cells: u64,
    /// Row and first and last column, of the first rows with any cell.
    first_rows: Vec<(u32, u64, u32, u32)>,
    first_column: u32,
    last_column: u32,
    last_row: u32,
    /// First row of the table, and rows with cells before it.
    first_row: u32,
    rows_above: u64,
}

impl Extent {
    fn of(book: &mut Book, sheet: &str) -> Result<Self, XlsxError> {
        let mut extent = Self { first_column: u32::MAX, ..Self::default() };
        let mut later = (u32::MAX, 0);
        let mut reader = book.worksheet_cells_reader(sheet)?;
        while let Some(cell) = reader.next_cell()? {
            if is_empty(cell.get_value()) {
                continue;
            }
            let (row, column) = cell.get_position();
            extent.cells += 1;
            extent.last_row = extent.last_row.max(row);
            let room = extent.first_rows.len() < FIRST_ROWS;
            match extent.first_rows.last_mut() {
                Some(last) if last.0 == row => {
                    last.1 += 1;
                    (last.2, last.3) = (last.2.min(column), last.3.max(column));
                }
                _ if room => extent.first_rows.push((row, 1, column, column)),
                _ => later = (later.0.min(column), later.1.max(column)),
            }
        }
        let fullest = extent.first_rows.iter().map(|row| row.1).max().unwrap_or(0);
        let begin = extent.first_rows.iter().position(|row| row.1 * 2 >= fullest).unwrap_or(0);
        let table = &extent.first_rows[begin..];
        extent.first_column = table.iter().map(|row| row.2).min().unwrap_or(0).min(later.0);
        extent.last_column = table.iter().map(|row| row.3).max().unwrap_or(0).max(later.1);
        extent.first_row = table.first().map_or(0, |row| row.0);
        extent.rows_above = begin as u64;
        Ok(extent)
    }

    /// Whether the cells lie so far apart that they are no table (and would not fit into memory as one).
    fn is_scattered(&self) -> bool {
        const SPREAD: u64 = 50;
        const SMALL: u64 = 1 << 20;
        let rows = u64::from(self.last_row.saturating_sub(self.first_row)) + 1;
        let width = u64::from(self.last_column.saturating_sub(self.first_column)) + 1;
        rows.saturating_mul(width) > self.cells.saturating_mul(SPREAD).saturating_add(SMALL)
    }
}

fn is_empty(cell: &DataRef<'_>) -> bool {
    match cell {
        DataRef::Empty => true,
        DataRef::String(text) => text.trim().is_empty(),
        DataRef::SharedString(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The sheet to read, and where its cells are.
fn choose(name: &str, book: &mut Book, options: &ReadOptions) -> Result<(String, Extent), DataError> {
    let broken = |error: &XlsxError| DataError::broken(name, "xlsx", error);
    let sheets = book.sheet_names();
    if let Some(wanted) = &options.sheet {
        let Some(sheet) =
            sheets.iter().find(|sheet| *sheet == wanted || sheet.eq_ignore_ascii_case(wanted.trim()))
        else {
            return Err(DataError::NoSheet {
                path: name.to_owned(),
                wanted: wanted.clone(),
                available: name_list(sheets.iter().map(String::as_str)),
            });
        };
        let extent = Extent::of(book, sheet).map_err(|error| broken(&error))?;
        return checked(name, sheet.clone(), extent);
    }
    let mut best: Option<(String, Extent)> = None;
    for sheet in sheets {
        // A sheet of charts has no cells to read.
        let extent = match Extent::of(book, &sheet) {
            Ok(extent) => extent,
            Err(XlsxError::WorksheetNotFound(_)) => continue,
            Err(error) => return Err(broken(&error)),
        };
        if best.as_ref().is_none_or(|(_, other)| extent.cells > other.cells) {
            best = Some((sheet, extent));
        }
    }
    match best {
        Some((sheet, extent)) => checked(name, sheet, extent),
        None => Err(DataError::NoRows { path: name.to_owned(), what: "a workbook without sheets" }),
    }
}

fn checked(name: &str, sheet: String, extent: Extent) -> Result<(String, Extent), DataError> {
    if extent.cells == 0 {
        return Err(DataError::NoRows { path: name.to_owned(), what: "empty sheets" });
    }
    if extent.is_scattered() {
        return Err(DataError::broken(
            name,
            "xlsx",
            format!("the cells of sheet `{sheet}` lie too far apart for a table"),
        ));
    }
    Ok((sheet, extent))
}

/// The sheet as delimited text; rows without cells between others are kept.
fn rewrite(book: &mut Book, sheet: &str, extent: &Extent) -> Result<Vec<u8>, XlsxError> {
    let width = (extent.last_column - extent.first_column) as usize + 1;
    let mut out = Rewriter::new(width);
    let mut row: Vec<Option<String>> = vec![None; width];
    let mut current = extent.first_row;
    let mut reader = book.worksheet_cells_reader(sheet)?;
    let mut any = false;
    while let Some(cell) = reader.next_cell()? {
        let (at, column) = cell.get_position();
        if at < current || is_empty(cell.get_value()) {
            continue;
        }
        while current < at {
            out.row(row.iter().map(Option::as_deref));
            row.fill(None);
            current += 1;
        }
        if let Some(slot) =
            column.checked_sub(extent.first_column).and_then(|index| row.get_mut(index as usize))
        {
            *slot = text_of(cell.get_value());
            any = true;
        }
    }
    if any {
        out.row(row.iter().map(Option::as_deref));
    }
    Ok(out.into_bytes())
}

/// A cell as text; workbooks know no integers, so whole numbers count as such.
fn text_of(cell: &DataRef<'_>) -> Option<String> {
    Some(match cell {
        DataRef::Empty => return None,
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => kaizen_table::column::number_text(*number, true),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(truth) => if *truth { "True" } else { "False" }.to_owned(),
        DataRef::DateTime(moment) => {
            let (year, month, day, hour, minute, second, milli) = moment.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}")
        }
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(_) => "#N/A".to_owned(),
    })
}
