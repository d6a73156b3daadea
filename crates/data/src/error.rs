//! Why a source could not be read: what is wrong, where, and what to do about it.

use std::path::Path;

/// Why reading failed. Nothing is ever half read: an error means that there is no table.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The path leads nowhere.
    #[error("{path}: there is no such file; check the path")]
    NotFound {
        /// The path as it was given.
        path: String,
    },
    /// A glob matches no file.
    #[error("{pattern}: no file matches this pattern; check it, and quote it if the shell expanded it")]
    NoMatch {
        /// The pattern as it was given.
        pattern: String,
    },
    /// The source is of a kind that cannot be read.
    #[error("{source_text}: {what} cannot be read; {advice}")]
    Unsupported {
        /// The source as it was given.
        source_text: String,
        /// What it is.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// There is not a single byte.
    #[error("{path}: the file is empty (0 bytes); export it again")]
    Empty {
        /// The file.
        path: String,
    },
    /// There is a header or only blank space, but no row.
    #[error("{path}: there is no row of data, only {what}; export it again with its rows")]
    NoRows {
        /// The file.
        path: String,
        /// What is there.
        what: &'static str,
    },
    /// The content is something else than a table.
    #[error("{path}: this looks like {looks_like}, not like a table; {advice}")]
    LooksLike {
        /// The file.
        path: String,
        /// What it looks like.
        looks_like: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A compressed file ends before its end.
    #[error(
        "{path}: the {compression} data is cut off or damaged ({detail}); copy the file again; nothing was read"
    )]
    Truncated {
        /// The file.
        path: String,
        /// Name of the compression.
        compression: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// A binary format does not hold together.
    #[error("{path}: this {format} file is damaged or of an unknown flavour: {detail}; write it again")]
    Broken {
        /// The file.
        path: String,
        /// Name of the format.
        format: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// A line is not a JSON object.
    #[error(
        "{path}, line {line}, column {column}: {detail}; every line must be one JSON object of plain values"
    )]
    JsonLine {
        /// The file.
        path: String,
        /// Line, from 1.
        line: u64,
        /// Character in the line, from 1.
        column: usize,
        /// What is wrong.
        detail: String,
    },
    /// Most rows do not have as many fields as the header.
    #[error(
        "{path}, line {line}: the header has {header} columns but {ragged} of the first {rows} rows have another number \
         (this one has {found}); check the separator and the quotes"
    )]
    Ragged {
        /// The file.
        path: String,
        /// First line that differs, from 1.
        line: u64,
        /// Columns in the header.
        header: usize,
        /// Fields in that line.
        found: usize,
        /// Rows that differ.
        ragged: u64,
        /// Rows looked at.
        rows: u64,
    },
    /// A quote is opened and the end of its field is nowhere near.
    #[error(
        "{path}, line {line}: a quote is opened here or soon after and never closed; close it or take it away"
    )]
    Quotes {
        /// The file.
        path: String,
        /// The line, from 1.
        line: u64,
    },
    /// More columns than the reader accepts.
    #[error("{path}: {found} columns, more than the limit of {limit}; is the separator right?")]
    TooManyColumns {
        /// The file.
        path: String,
        /// Columns found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The workbook has no such sheet.
    #[error("{path}: there is no sheet `{wanted}`; it has {available}")]
    NoSheet {
        /// The file.
        path: String,
        /// The sheet that was asked for.
        wanted: String,
        /// The sheets that exist.
        available: String,
    },
    /// Not one of the schema's columns was found.
    #[error(
        "{path}: none of the model's columns is here: it wants {wanted}, the file has {found}; is this the right file?"
    )]
    NoColumnMatches {
        /// The file.
        path: String,
        /// Some of the wanted names.
        wanted: String,
        /// Some of the names that are there.
        found: String,
    },
    /// The target is not among the columns.
    #[error("{path}: there is no column `{name}`{hint}; the columns are {found}")]
    NoTarget {
        /// The file.
        path: String,
        /// The name that was asked for.
        name: String,
        /// Empty, or ` (did you mean `x`?)`.
        hint: String,
        /// Some of the names that are there.
        found: String,
    },
    /// The table would not fit into the memory that was allowed.
    #[error(
        "{path}: reading it needs about {needed_bytes} bytes of memory, the limit is {limit_bytes}; \
         raise the limit or give fewer rows or columns"
    )]
    Memory {
        /// The file.
        path: String,
        /// Bytes needed, about.
        needed_bytes: u64,
        /// Bytes allowed.
        limit_bytes: u64,
    },
    /// The system refused to read.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl DataError {
    /// Whether the environment is at fault (memory, disk, permission) and not the input.
    pub fn is_environment(&self) -> bool {
        matches!(self, Self::Memory { .. } | Self::Io { .. })
    }

    /// The error for what the system said about `path`; a missing file is the input's fault.
    pub(crate) fn io(path: &str, source: std::io::Error) -> Self {
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::NotFound { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), source },
        }
    }

    /// The error for a damaged file of a binary format.
    pub(crate) fn broken(path: &str, format: &'static str, detail: impl std::fmt::Display) -> Self {
        Self::Broken { path: path.to_owned(), format, detail: detail.to_string() }
    }
}

/// A path as it is shown to the user.
pub(crate) fn path_text(path: &Path) -> String {
    path.display().to_string()
}

/// The first names of a list as they are shown to the user; at most eight, each at most 40 characters.
pub(crate) fn name_list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let count = names.len();
    let mut text =
        names.take(SHOWN).map(|name| format!("`{}`", shortened(name, 40))).collect::<Vec<_>>().join(", ");
    if count > SHOWN {
        text = format!("{text} and {} more", count - SHOWN);
    }
    if count == 0 { "nothing".to_owned() } else { text }
}

/// At most `limit` characters of `text`, with an ellipsis where some were cut; line breaks become spaces.
pub(crate) fn shortened(text: &str, limit: usize) -> String {
    let mut short: String = text.chars().take(limit).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(limit).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_the_users_and_a_refusal_the_systems() {
        let missing = DataError::io("a.csv", std::io::ErrorKind::NotFound.into());
        assert!(!missing.is_environment());
        assert_eq!(missing.to_string(), "a.csv: there is no such file; check the path");
        assert!(DataError::io("a.csv", std::io::ErrorKind::PermissionDenied.into()).is_environment());
    }

    #[test]
    fn long_lists_and_names_are_cut() {
        let names: Vec<String> = (0..12).map(|index| format!("c{index}")).collect();
        let text = name_list(names.iter().map(String::as_str));
        assert!(text.ends_with("`c7` and 4 more"), "{text}");
        assert_eq!(shortened("a\nbcd", 3), "a b…");
    }
}
