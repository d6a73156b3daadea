//! What kind of file was read.

use kaizen_base::Digest;

pub use crate::stream::{Compression, Encoding};

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Text with fields between delimiters.
    Delimited,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, file or stream (Feather version 2).
    Arrow,
    /// Office Open XML workbook.
    Xlsx,
}

impl Format {
    /// The usual name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delimited => "csv",
            Self::JsonLines => "json lines",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
            Self::Xlsx => "xlsx",
        }
    }
}

/// What was found out about a source. Of several files, format, dialect and encoding are those of the first; rows and
/// bytes are those of all.
#[derive(Clone, Debug, PartialEq)]
pub struct FormatSummary {
    /// The format.
    pub format: Format,
    /// The byte between fields, where there is one.
    pub delimiter: Option<u8>,
    /// The encoding of text.
    pub encoding: Option<Encoding>,
    /// Whether the first row names the columns, where that is a question.
    pub header: Option<bool>,
    /// The sheet of a workbook.
    pub sheet: Option<String>,
    /// The compression.
    pub compression: Option<Compression>,
    /// Number of files.
    pub file_count: usize,
    /// Rows of the table.
    pub row_count: u64,
    /// Size as stored, in bytes.
    pub size_bytes: u64,
}

impl FormatSummary {
    /// One line for people: `csv, ";" separated, Windows-1252, gzip`.
    pub fn sentence(&self) -> String {
        let mut parts = vec![self.format.name().to_owned()];
        if let Some(delimiter) = self.delimiter {
            parts.push(match delimiter {
                b'\t' => "tab separated".to_owned(),
                other => format!("\"{}\" separated", other as char),
            });
        }
        parts.extend(
            self.encoding.filter(|encoding| *encoding != Encoding::Utf8).map(|it| it.name().to_owned()),
        );
        if self.header == Some(false) {
            parts.push("no header".to_owned());
        }
        parts.extend(self.sheet.as_ref().map(|sheet| format!("sheet \"{sheet}\"")));
        parts.extend(self.compression.map(|compression| compression.name().to_owned()));
        if self.file_count > 1 {
            parts.push(format!("{} files", self.file_count));
        }
        parts.join(", ")
    }
}

/// What was found out about one file.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub format: Format,
    pub delimiter: Option<u8>,
    pub encoding: Option<Encoding>,
    pub header: Option<bool>,
    pub sheet: Option<String>,
    pub compression: Option<Compression>,
    pub row_count: u64,
    pub size_bytes: u64,
    pub digest: Digest,
}
