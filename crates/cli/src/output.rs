//! Predictions as rows of a file: the format follows the file's ending.

use std::io::{self, BufWriter, Write};
use std::path::Path;

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
}

impl Format {
    /// By the ending of the path; csv for standard output and for endings unknown here.
    pub(crate) fn of(path: Option<&Path>) -> Self {
        let ending = path.and_then(Path::extension).map(std::ffi::OsStr::to_ascii_lowercase);
        match ending.as_deref().and_then(std::ffi::OsStr::to_str) {
            Some("tsv") => Self::Separated(b'\t'),
            Some("jsonl" | "ndjson" | "json") => Self::JsonLines,
            _ => Self::Separated(b','),
        }
    }
}

/// Writes all rows.
pub(crate) fn write_rows(columns: &[OutputColumn], format: Format, to: impl Write) -> io::Result<()> {
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
    }
    to.flush()
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
        assert_eq!(Format::of(Some(Path::new("x.TSV"))), Format::Separated(b'\t'));
        assert_eq!(Format::of(Some(Path::new("x.jsonl"))), Format::JsonLines);
        assert_eq!(Format::of(None), Format::Separated(b','));
    }
}
