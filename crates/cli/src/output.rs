//! Predictions as rows of a file: the format follows the file's ending.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use kaizen_table::{Category, Column, Number, Table, Values};

use crate::failure::Failure;

/// A column of the output.
pub(crate) struct OutputColumn {
    pub name: String,
    pub cells: Cells,
}

/// Cells by type.
pub(crate) enum Cells {
    Numbers(Vec<f64>),
    /// Codes into labels: classes are written once.
    Labels {
        codes: Vec<u32>,
        labels: Vec<String>,
    },
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Separated(u8),
    JsonLines,
    Parquet,
}

/// Endings of formats that are read but not written: csv under such a name would mislead.
const NOT_WRITTEN: [&str; 9] = ["arrow", "feather", "ipc", "xlsx", "xls", "ods", "gz", "zst", "orc"];

impl Format {
    /// By the ending of the path; csv for standard output and for endings that mean nothing here.
    ///
    /// # Errors
    /// What can be written, when the ending is that of a format that cannot.
    pub(crate) fn of(path: Option<&Path>) -> Result<Self, String> {
        let ending = path.and_then(Path::extension).map(std::ffi::OsStr::to_ascii_lowercase);
        match ending.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("tsv") => Ok(Self::Separated(b'\t')),
            Some("jsonl" | "ndjson" | "json") => Ok(Self::JsonLines),
            Some("parquet" | "pq") => Ok(Self::Parquet),
            Some(ending) if NOT_WRITTEN.contains(&ending) => {
                Err(format!("predictions are written as .csv, .tsv, .jsonl or .parquet, not as .{ending}"))
            }
            _ => Ok(Self::Separated(b',')),
        }
    }
}

/// Prints text and a line end on standard output.
///
/// # Errors
/// [`Failure`] of the environment; a reader that has seen enough and left is none.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut to = io::stdout().lock();
    let written = writeln!(to, "{text}").and_then(|()| to.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::environment("standard output", &error))
        }
        _ => Ok(()),
    }
}

/// Writes a file whole or not at all; what is no file (a pipe, a device) is written to as it stands.
pub(crate) fn write_file(columns: &[OutputColumn], format: Format, path: &Path) -> io::Result<()> {
    let is_special = path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    if is_special {
        return write_rows(columns, format, File::options().write(true).open(path)?);
    }
    kaizen_base::write_atomically_with(path, |file| write_rows(columns, format, file))
}

/// Writes all rows.
pub(crate) fn write_rows(columns: &[OutputColumn], format: Format, to: impl Write + Send) -> io::Result<()> {
    let mut to = BufWriter::with_capacity(1 << 16, to);
    let rows = columns.first().map_or(0, |column| match &column.cells {
        Cells::Numbers(numbers) => numbers.len(),
        Cells::Labels { codes, .. } => codes.len(),
    });
    match format {
        Format::Separated(separator) => {
            for (index, column) in columns.iter().enumerate() {
                if index > 0 {
                    to.write_all(&[separator])?;
                }
                write_field(&mut to, &column.name, separator)?;
            }
            to.write_all(b"\n")?;
            for row in 0..rows {
                for (index, column) in columns.iter().enumerate() {
                    if index > 0 {
                        to.write_all(&[separator])?;
                    }
                    match &column.cells {
                        Cells::Numbers(numbers) => write!(to, "{}", numbers[row])?,
                        Cells::Labels { codes, labels } => {
                            write_field(&mut to, &labels[codes[row] as usize], separator)?;
                        }
                    }
                }
                to.write_all(b"\n")?;
            }
        }
        Format::JsonLines => {
            for row in 0..rows {
                let mut object = serde_json::Map::new();
                for column in columns {
                    let value = match &column.cells {
                        Cells::Numbers(numbers) => serde_json::json!(numbers[row]),
                        Cells::Labels { codes, labels } => serde_json::json!(labels[codes[row] as usize]),
                    };
                    object.insert(column.name.clone(), value);
                }
                serde_json::to_writer(&mut to, &object)?;
                to.write_all(b"\n")?;
            }
        }
        Format::Parquet => kaizen_data::write_parquet(&table(columns)?, &mut to)?,
    }
    to.flush()
}

/// The columns as a table. Numbers stay real numbers, also where all happen to be whole: a column's type must not
/// depend on the rows.
fn table(columns: &[OutputColumn]) -> io::Result<Table> {
    let column = |column: &OutputColumn| {
        let values = match &column.cells {
            Cells::Numbers(numbers) => Values::Number(Number { values: numbers.clone(), integer: false }),
            Cells::Labels { codes, labels } => {
                Values::Category(Category { codes: codes.clone(), levels: Arc::new(labels.clone()) })
            }
        };
        Column { name: column.name.clone(), values }
    };
    Table::from_columns(columns.iter().map(column).collect()).map_err(io::Error::other)
}

/// RFC 4180: quotes where the text holds the separator, a quote or a line break.
fn write_field(to: &mut impl Write, text: &str, separator: u8) -> io::Result<()> {
    let plain = text.bytes().all(|byte| byte != separator && !matches!(byte, b'"' | b'\n' | b'\r'));
    if plain { to.write_all(text.as_bytes()) } else { write!(to, "\"{}\"", text.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<OutputColumn> {
        vec![
            OutputColumn {
                name: "prediction".to_owned(),
                cells: Cells::Labels { codes: vec![1, 0], labels: vec!["a,b".to_owned(), "c\"d".to_owned()] },
            },
            OutputColumn { name: "p".to_owned(), cells: Cells::Numbers(vec![0.25, 1.0]) },
        ]
    }

    fn written(format: Format) -> String {
        let mut bytes = Vec::new();
        write_rows(&columns(), format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn fields_are_quoted_only_where_they_must_be() {
        assert_eq!(written(Format::Separated(b',')), "prediction,p\n\"c\"\"d\",0.25\n\"a,b\",1\n");
        assert_eq!(written(Format::Separated(b'\t')), "prediction\tp\n\"c\"\"d\"\t0.25\na,b\t1\n");
        assert!(written(Format::JsonLines).starts_with("{\"p\":0.25,\"prediction\":\"c\\\"d\"}\n"));
    }

    #[test]
    fn the_ending_decides() {
        let of = |path: &str| Format::of(Some(Path::new(path)));
        assert_eq!(of("x.TSV"), Ok(Format::Separated(b'\t')));
        assert_eq!(of("x.jsonl"), Ok(Format::JsonLines));
        assert_eq!(of("x.parquet"), Ok(Format::Parquet));
        assert_eq!(of("x.out"), Ok(Format::Separated(b',')));
        assert_eq!(Format::of(None), Ok(Format::Separated(b',')));
        assert!(of("x.xlsx").is_err_and(|why| why.contains(".parquet")));
    }
}
