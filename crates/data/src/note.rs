//! What a reader mended, left out or decided, counted and in plain words.
//!
//! A note is data: whoever shows it can count on its code and on the column it concerns. A reader that changes
//! anything without a note has a bug.

use std::fmt;

use crate::error::shortened;

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Something was lost or mended.
    Warning,
    /// Results may be wrong; never to be overlooked.
    Serious,
}

/// A spelling and how often it occurs.
pub type Counted = (String, u64);

/// Something that the reader mended, left out or decided. Line numbers count from 1 and are physical lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Note {
    /// Rows with too many or too few fields were left out: no value may slide into a wrong column.
    RowsDropped {
        /// The file.
        path: String,
        /// Number of rows.
        count: u64,
        /// Fields that a row must have.
        expected: usize,
        /// The first lines, at most [`LINES_KEPT`].
        lines: Vec<u64>,
    },
    /// Rows that could not be read became rows of missing cells, so that every row keeps its place.
    RowsBlanked {
        /// The file.
        path: String,
        /// Number of rows.
        count: u64,
        /// The first lines, at most [`LINES_KEPT`].
        lines: Vec<u64>,
    },
    /// A quote is opened and never closed.
    UnclosedQuote {
        /// The file.
        path: String,
        /// The first lines, at most [`LINES_KEPT`].
        lines: Vec<u64>,
        /// Number of lines.
        count: u64,
    },
    /// NUL bytes were skipped.
    NulBytes {
        /// The file.
        path: String,
        /// Number of bytes.
        count: u64,
    },
    /// Cells that are not UTF-8 were read as Windows-1252.
    ForeignBytes {
        /// The column.
        column: String,
        /// Number of cells.
        count: u64,
    },
    /// The text is not UTF-8; this encoding was recognised.
    EncodingRecognised {
        /// The file.
        path: String,
        /// Name of the encoding.
        encoding: &'static str,
    },
    /// The first row is data: columns got names `column_1`, `column_2`, ….
    HeaderMissing {
        /// The file.
        path: String,
        /// Number of columns.
        columns: usize,
    },
    /// A column without a name got one.
    HeaderBlank {
        /// The new name.
        column: String,
    },
    /// Several columns have one name; this is the new name of a later one.
    HeaderDuplicate {
        /// The new name.
        column: String,
        /// The name in the file.
        original: String,
    },
    /// Spaces around column names were removed.
    HeaderTrimmed {
        /// Number of names.
        count: usize,
    },
    /// The column counts rows and was saved along with the table; it is left out.
    SavedIndex {
        /// The column's name, empty in most files.
        column: String,
    },
    /// Cells that do not fit the column's type became missing.
    CellsUnreadable {
        /// The column.
        column: String,
        /// The type that was wanted.
        wanted: &'static str,
        /// Number of cells.
        count: u64,
        /// The commonest spellings.
        examples: Vec<Counted>,
    },
    /// Infinite or overflowing numbers became missing.
    CellsInfinite {
        /// The column.
        column: String,
        /// Number of cells.
        count: u64,
    },
    /// Words that stand for a missing value.
    MissingSpellings {
        /// The column.
        column: String,
        /// Number of cells.
        count: u64,
        /// The spellings.
        spellings: Vec<Counted>,
    },
    /// A word that elsewhere stands for a missing value is a level here.
    LevelLooksMissing {
        /// The column.
        column: String,
        /// The word.
        level: String,
        /// Number of cells.
        count: u64,
    },
    /// Numbers with a decimal comma in a column of decimal points (or the other way round).
    DecimalMarkMixed {
        /// The column.
        column: String,
        /// Number of cells.
        count: u64,
    },
    /// Numbers were read through currency signs, thousands separators or percent signs.
    NumberDecorated {
        /// The column.
        column: String,
        /// What was taken off.
        what: String,
        /// Number of cells.
        count: u64,
    },
    /// Integers beyond 2^53, which a 64-bit float cannot tell apart.
    HugeIntegers {
        /// The column.
        column: String,
        /// Number of cells.
        count: u64,
        /// Whether the column is kept as exact text.
        kept_as_text: bool,
    },
    /// Digits that are codes, not amounts (leading zeros, telephone numbers), are kept as text.
    CodesKeptAsText {
        /// The column.
        column: String,
        /// A cell.
        example: String,
    },
    /// Several spellings of true and false were merged.
    BooleansMerged {
        /// The column.
        column: String,
        /// The spellings.
        spellings: Vec<Counted>,
    },
    /// Day and month could be the other way round.
    DatesAmbiguous {
        /// The column.
        column: String,
        /// The format that was chosen.
        format: String,
    },
    /// A nested, binary or otherwise unreadable column is left out.
    ColumnIgnored {
        /// The column.
        column: String,
        /// Its type in the source.
        type_name: String,
    },
    /// The file has other sheets; this one was read.
    SheetChosen {
        /// The sheet.
        sheet: String,
        /// The others.
        others: Vec<String>,
    },
    /// Rows above the table (titles, remarks) were skipped.
    RowsAboveTable {
        /// The file.
        path: String,
        /// Number of rows.
        count: u64,
    },
    /// A column that the schema wants is not there; all its cells are missing.
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// A column that the schema does not know is ignored.
    ColumnExtra {
        /// The column.
        column: String,
    },
    /// A column was matched without regard to upper and lower case.
    ColumnMatchedLoosely {
        /// The schema's name.
        column: String,
        /// The name in the source.
        found: String,
    },
    /// Levels that were not there when the schema was made.
    LevelsUnseen {
        /// The column.
        column: String,
        /// Number of cells.
        count: u64,
        /// The commonest of them.
        examples: Vec<Counted>,
    },
    /// Some files of a pattern lack a column; its cells are missing there.
    ColumnNotInAllFiles {
        /// The column.
        column: String,
        /// Rows without it.
        rows: u64,
    },
}

/// Line numbers that a note keeps.
pub const LINES_KEPT: usize = 20;

impl Note {
    /// A stable word for this kind of note, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RowsDropped { .. } => "rows_dropped",
            Self::RowsBlanked { .. } => "rows_blanked",
            Self::UnclosedQuote { .. } => "unclosed_quote",
            Self::NulBytes { .. } => "nul_bytes",
            Self::ForeignBytes { .. } => "foreign_bytes",
            Self::EncodingRecognised { .. } => "encoding_recognised",
            Self::HeaderMissing { .. } => "header_missing",
            Self::HeaderBlank { .. } => "header_blank",
            Self::HeaderDuplicate { .. } => "header_duplicate",
            Self::HeaderTrimmed { .. } => "header_trimmed",
            Self::SavedIndex { .. } => "saved_index",
            Self::CellsUnreadable { .. } => "cells_unreadable",
            Self::CellsInfinite { .. } => "cells_infinite",
            Self::MissingSpellings { .. } => "missing_spellings",
            Self::LevelLooksMissing { .. } => "level_looks_missing",
            Self::DecimalMarkMixed { .. } => "decimal_mark_mixed",
            Self::NumberDecorated { .. } => "number_decorated",
            Self::HugeIntegers { .. } => "huge_integers",
            Self::CodesKeptAsText { .. } => "codes_kept_as_text",
            Self::BooleansMerged { .. } => "booleans_merged",
            Self::DatesAmbiguous { .. } => "dates_ambiguous",
            Self::ColumnIgnored { .. } => "column_ignored",
            Self::SheetChosen { .. } => "sheet_chosen",
            Self::RowsAboveTable { .. } => "rows_above_table",
            Self::ColumnMissing { .. } => "column_missing",
            Self::ColumnExtra { .. } => "column_extra",
            Self::ColumnMatchedLoosely { .. } => "column_matched_loosely",
            Self::LevelsUnseen { .. } => "levels_unseen",
            Self::ColumnNotInAllFiles { .. } => "column_not_in_all_files",
        }
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        match self {
            Self::ColumnMissing { .. } | Self::RowsBlanked { .. } => Severity::Serious,
            Self::RowsDropped { .. }
            | Self::UnclosedQuote { .. }
            | Self::NulBytes { .. }
            | Self::ForeignBytes { .. }
            | Self::HeaderMissing { .. }
            | Self::HeaderDuplicate { .. }
            | Self::CellsUnreadable { .. }
            | Self::CellsInfinite { .. }
            | Self::DecimalMarkMixed { .. }
            | Self::HugeIntegers { .. }
            | Self::DatesAmbiguous { .. }
            | Self::ColumnIgnored { .. }
            | Self::ColumnNotInAllFiles { .. }
            | Self::ColumnMatchedLoosely { .. } => Severity::Warning,
            Self::EncodingRecognised { .. }
            | Self::HeaderBlank { .. }
            | Self::HeaderTrimmed { .. }
            | Self::SavedIndex { .. }
            | Self::MissingSpellings { .. }
            | Self::LevelLooksMissing { .. }
            | Self::NumberDecorated { .. }
            | Self::CodesKeptAsText { .. }
            | Self::BooleansMerged { .. }
            | Self::SheetChosen { .. }
            | Self::RowsAboveTable { .. }
            | Self::ColumnExtra { .. }
            | Self::LevelsUnseen { .. } => Severity::Info,
        }
    }

    /// The column that it concerns, if it concerns one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::ForeignBytes { column, .. }
            | Self::HeaderBlank { column }
            | Self::HeaderDuplicate { column, .. }
            | Self::SavedIndex { column }
            | Self::CellsUnreadable { column, .. }
            | Self::CellsInfinite { column, .. }
            | Self::MissingSpellings { column, .. }
            | Self::LevelLooksMissing { column, .. }
            | Self::DecimalMarkMixed { column, .. }
            | Self::NumberDecorated { column, .. }
            | Self::HugeIntegers { column, .. }
            | Self::CodesKeptAsText { column, .. }
            | Self::BooleansMerged { column, .. }
            | Self::DatesAmbiguous { column, .. }
            | Self::ColumnIgnored { column, .. }
            | Self::ColumnMissing { column }
            | Self::ColumnExtra { column }
            | Self::ColumnMatchedLoosely { column, .. }
            | Self::LevelsUnseen { column, .. }
            | Self::ColumnNotInAllFiles { column, .. } => Some(column),
            Self::RowsDropped { .. }
            | Self::RowsBlanked { .. }
            | Self::UnclosedQuote { .. }
            | Self::NulBytes { .. }
            | Self::EncodingRecognised { .. }
            | Self::HeaderMissing { .. }
            | Self::HeaderTrimmed { .. }
            | Self::SheetChosen { .. }
            | Self::RowsAboveTable { .. } => None,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column() {
            Some(column) => {
                write!(f, "column `{}`: ", shortened(column, 60))?;
                self.write_about_column(f)
            }
            None => self.write_about_file(f),
        }
    }
}

impl Note {
    fn write_about_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowsDropped { path, count, expected, lines } => write!(
                f,
                "{path}: {} without exactly {expected} fields left out ({})",
                counted(*count, "row"),
                line_list(lines, *count)
            ),
            Self::RowsBlanked { path, count, lines } => write!(
                f,
                "{path}: {} could not be read; kept in place with every cell missing ({})",
                counted(*count, "row"),
                line_list(lines, *count)
            ),
            Self::UnclosedQuote { path, lines, count } => write!(
                f,
                "{path}: a quote is opened and never closed in {} ({}); those rows could not be read",
                counted(*count, "row"),
                line_list(lines, *count)
            ),
            Self::NulBytes { path, count } => write!(f, "{path}: {} skipped", counted(*count, "NUL byte")),
            Self::EncodingRecognised { path, encoding } => write!(f, "{path}: read as {encoding}"),
            Self::HeaderMissing { path, columns } => write!(
                f,
                "{path}: the first row looks like data, so there is no header; the columns are called `column_1` to `column_{columns}`"
            ),
            Self::HeaderTrimmed { count } => {
                write!(f, "spaces around {} removed", counted(*count as u64, "column name"))
            }
            Self::SheetChosen { sheet, others } => {
                write!(f, "sheet `{sheet}` was read; the others are `{}`", others.join("`, `"))
            }
            Self::RowsAboveTable { path, count } => {
                write!(f, "{path}: {} above the table skipped", counted(*count, "row"))
            }
            _ => Ok(()),
        }
    }

    fn write_about_column(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignBytes { count, .. } => {
                write!(f, "{} not in UTF-8, read as Windows-1252", counted(*count, "cell"))
            }
            Self::HeaderBlank { .. } => write!(f, "had no name"),
            Self::HeaderDuplicate { original, .. } => {
                write!(f, "is called `{}` in the file, as one before it", shortened(original, 60))
            }
            Self::SavedIndex { .. } => write!(f, "only counts the rows; left out"),
            Self::CellsUnreadable { wanted, count, examples, .. } => write!(
                f,
                "{} that cannot be read as {wanted} became missing ({})",
                counted(*count, "cell"),
                example_list(examples)
            ),
            Self::CellsInfinite { count, .. } => {
                write!(f, "{} became missing", counted(*count, "infinite or overflowing number"))
            }
            Self::MissingSpellings { count, spellings, .. } => {
                write!(
                    f,
                    "{} that stand for a missing value ({})",
                    counted(*count, "cell"),
                    example_list(spellings)
                )
            }
            Self::LevelLooksMissing { level, count, .. } => write!(
                f,
                "`{level}` ({}) is kept as a level; elsewhere it stands for a missing value",
                counted(*count, "cell")
            ),
            Self::DecimalMarkMixed { count, .. } => {
                write!(f, "{} with the other decimal mark were read all the same", counted(*count, "number"))
            }
            Self::NumberDecorated { what, count, .. } => {
                write!(f, "{} read through {what}", counted(*count, "number"))
            }
            Self::HugeIntegers { count, kept_as_text: true, .. } => {
                write!(f, "{} beyond 2^53; kept as exact text", counted(*count, "integer"))
            }
            Self::HugeIntegers { count, .. } => {
                write!(f, "{} beyond 2^53 rounded to 16 digits", counted(*count, "integer"))
            }
            Self::CodesKeptAsText { example, .. } => {
                write!(f, "digits such as `{}` are codes; kept as text", shortened(example, 30))
            }
            Self::BooleansMerged { spellings, .. } => {
                write!(
                    f,
                    "{} of true and false merged ({})",
                    counted(spellings.len() as u64, "spelling"),
                    example_list(spellings)
                )
            }
            Self::DatesAmbiguous { format, .. } => {
                write!(f, "no value tells day from month; read as `{format}`")
            }
            Self::ColumnIgnored { type_name, .. } => {
                write!(f, "is of type {}, which has no use as a feature; left out", shortened(type_name, 60))
            }
            Self::ColumnMissing { .. } => write!(f, "IS NOT IN THE DATA; all its cells count as missing"),
            Self::ColumnExtra { .. } => write!(f, "is not used by the model; ignored"),
            Self::ColumnMatchedLoosely { found, .. } => {
                write!(f, "found under the name `{}`", shortened(found, 60))
            }
            Self::LevelsUnseen { count, examples, .. } => {
                write!(
                    f,
                    "{} with a level never seen before ({})",
                    counted(*count, "cell"),
                    example_list(examples)
                )
            }
            Self::ColumnNotInAllFiles { rows, .. } => {
                write!(f, "is not in every file; missing in {}", counted(*rows, "row"))
            }
            _ => Ok(()),
        }
    }
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn line_list(lines: &[u64], count: u64) -> String {
    let shown: Vec<String> = lines.iter().map(u64::to_string).collect();
    let more = if count > lines.len() as u64 { ", …" } else { "" };
    format!("{} {}{more}", if count == 1 { "line" } else { "lines" }, shown.join(", "))
}

fn example_list(examples: &[Counted]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> = examples
        .iter()
        .take(SHOWN)
        .map(|(text, count)| format!("`{}` ×{count}", shortened(text, 30)))
        .collect();
    let more = if examples.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_count_and_name() {
        let note = Note::RowsDropped { path: "a.csv".to_owned(), count: 2, expected: 3, lines: vec![6, 9] };
        assert_eq!(note.to_string(), "a.csv: 2 rows without exactly 3 fields left out (lines 6, 9)");
        let note = Note::CellsUnreadable {
            column: "age".to_owned(),
            wanted: "number",
            count: 3,
            examples: vec![("old".to_owned(), 2), ("very\nold".to_owned(), 1)],
        };
        assert_eq!(
            note.to_string(),
            "column `age`: 3 cells that cannot be read as number became missing (`old` ×2, `very old` ×1)"
        );
        assert_eq!((note.code(), note.severity()), ("cells_unreadable", Severity::Warning));
        assert_eq!(note.column(), Some("age"));
    }
}
