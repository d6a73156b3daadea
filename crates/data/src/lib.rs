//! Readers: files as people really send them become typed tables, and what had to be mended is said.
//!
//! [`read`] decides on columns and types from the values; [`read_as`] reads new rows by the schema that came out
//! of it, never dropping or moving a row; [`conform`] does the same for a table in memory. What a file is, is told by
//! its content and never by its name. Everything that was changed, left out or guessed is a [`Note`]; everything that
//! cannot be read is a [`DataError`] that says where it is and what to do. Nothing is ever half read.
//!
//! Text goes from the file straight into typed columns, in parallel, with types planned from a sample and checked
//! against every cell; see `waves`, `delimited` and `infer`. The road not taken is a reader into Arrow arrays with
//! types inferred from a sample alone: it is as fast, but a contradiction after the sample is an error there, and all
//! cells would have to be copied once more.
//!
//! ```
//! let loaded = kaizen_data::read_bytes("a.csv", b"x;city\n1,5;Bern\n2,5;Chur\n".to_vec())?;
//! assert_eq!(loaded.table.row_count(), 2);
//! assert_eq!(loaded.format.sentence(), "csv, \";\" separated");
//! # Ok::<(), kaizen_data::DataError>(())
//! ```

mod arrow;
mod assemble;
mod builder;
mod conform;
mod delimited;
mod dictionary;
mod error;
mod finish;
mod format;
mod guard;
mod infer;
mod ipc;
mod json;
mod moment;
mod names;
mod note;
mod number;
mod options;
mod read;
mod record;
mod rewrite;
mod shards;
mod sniff;
mod source;
mod stream;
mod waves;
mod words;
mod workbook;
mod write;

pub use conform::conform;
pub use error::DataError;
pub use format::{Compression, Encoding, Format, FormatSummary};
pub use guard::is_decoding;
pub use note::{Counted, LINES_KEPT, Note, Severity};
pub use options::ReadOptions;
pub use read::{Loaded, read, read_as, read_bytes, read_bytes_as};
pub use source::Source;
pub use write::write_parquet;
