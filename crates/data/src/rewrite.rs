//! Rows of formats that are not text, written as delimited text, so that one reader decides on all types.

use crate::record::Dialect;

/// How [`Rewriter`] writes.
pub(crate) const DIALECT: Dialect = Dialect { delimiter: b',', quote: b'"', terminator: b'\n' };

/// A writer of delimited text (RFC 4180).
#[derive(Debug)]
pub(crate) struct Rewriter {
    width: usize,
    bytes: Vec<u8>,
}

impl Rewriter {
    /// A writer of rows of `width` cells.
    pub(crate) fn new(width: usize) -> Self {
        Self { width, bytes: Vec::new() }
    }

    /// Writes a row; `None` is a missing cell.
    pub(crate) fn row<'a>(&mut self, cells: impl Iterator<Item = Option<&'a str>>) {
        for (index, cell) in cells.enumerate() {
            if index > 0 {
                self.bytes.push(DIALECT.delimiter);
            }
            match cell {
                Some(text) if text.contains([',', '"', '\n', '\r', '\0']) || text.starts_with(' ') => {
                    self.quoted(text);
                }
                Some(text) => self.bytes.extend_from_slice(text.as_bytes()),
                // A line of nothing would be no row.
                None if self.width == 1 => self.bytes.extend_from_slice(b"NA"),
                None => {}
            }
        }
        self.bytes.push(DIALECT.terminator);
    }

    /// The text.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn quoted(&mut self, text: &str) {
        self.bytes.push(DIALECT.quote);
        for byte in text.bytes() {
            if byte == DIALECT.quote {
                self.bytes.push(byte);
            }
            self.bytes.push(byte);
        }
        self.bytes.push(DIALECT.quote);
    }
}
