//! How to read.

/// What a caller may prescribe; the default leaves everything to the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The sheet of a workbook; `None` takes the one that looks most like data.
    pub sheet: Option<String>,
    /// Threads to read with; `None` takes those of the current rayon pool. The result is the same for any number.
    pub threads: Option<usize>,
    /// Memory that the table may take, in bytes; more is an environment error before it is spent.
    pub memory_limit_bytes: Option<u64>,
    /// The column to be predicted, by its name with or without spaces around it. It must be there, and it is never
    /// taken for a saved index.
    pub target: Option<String>,
    /// Whether the first row of a delimited file or of a sheet names the columns; `None` looks at the rows.
    pub header: Option<bool>,
}
