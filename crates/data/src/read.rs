//! From a source to a table: one file after the other, and a second time where the first reading was contradicted.

use std::collections::BTreeSet;
use std::io::Read as _;

use kaizen_base::Digest;
use kaizen_table::{Schema, Table};

use crate::assemble::{self, Assembler, Mode};
use crate::error::{DataError, name_list};
use crate::format::{Facts, FormatSummary};
use crate::note::Note;
use crate::options::ReadOptions;
use crate::sniff::{Content, content};
use crate::source::Source;
use crate::stream::Input;
use crate::{arrow, delimited, json, workbook};

/// Bytes that tell what a file is.
const HEAD_BYTES: usize = 4096;

/// Bytes of memory for each byte of an upload, and at the least, that reading it may take when nobody sets a limit:
/// a few bytes can claim to be any number of rows.
const UNFOLD: u64 = 1000;
const UNFOLD_LEAST_BYTES: u64 = 64 << 20;

/// A table and all that was found out about where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The table, shape [rows, columns].
    pub table: Table,
    /// How to read more rows in the same way.
    pub schema: Schema,
    /// What was mended, left out or decided, the gravest first.
    pub notes: Vec<Note>,
    /// What kind of file it was.
    pub format: FormatSummary,
    /// SHA-256 of the file as stored; of several files, of their digests in order.
    pub digest: Digest,
}

/// Reads a source; its values decide on the types.
///
/// # Errors
/// See [`DataError`]; there is never half a table.
pub fn read(source: &Source, options: &ReadOptions) -> Result<Loaded, DataError> {
    let inputs = inputs(source, options)?;
    with_threads(options, || infer(&inputs, options))
}

/// Reads new rows by a schema: its columns in its order and with its types, as many rows as the source has.
///
/// Columns are matched by name (see [`conform`](crate::conform())). A row that cannot be read becomes a row of missing
/// cells, a cell that does not fit its type becomes missing, a category has the schema's levels first and unseen ones
/// after them.
///
/// # Errors
/// See [`DataError`]; [`DataError::NoColumnMatches`] if the source has none of the schema's columns.
pub fn read_as(source: &Source, schema: &Schema, options: &ReadOptions) -> Result<Loaded, DataError> {
    let inputs = inputs(source, options)?;
    with_threads(options, || prescribe(&inputs, schema, options))
}

/// Reads bytes in memory as if they were the file `name`. They may unfold to a thousand times their size, and to 64 MiB
/// in any case, unless a limit is set.
///
/// # Errors
/// As [`read`].
pub fn read_bytes(name: &str, bytes: Vec<u8>) -> Result<Loaded, DataError> {
    read_bytes_as(name, bytes, None, &ReadOptions::default())
}

/// Reads bytes in memory as [`read_bytes`], with options; by a schema if there is one.
///
/// # Errors
/// As [`read`] and [`read_as`].
pub fn read_bytes_as(
    name: &str,
    bytes: Vec<u8>,
    schema: Option<&Schema>,
    options: &ReadOptions,
) -> Result<Loaded, DataError> {
    let bound = (bytes.len() as u64).saturating_mul(UNFOLD).max(UNFOLD_LEAST_BYTES);
    let limit = options.memory_limit_bytes.unwrap_or(bound);
    let options = ReadOptions { memory_limit_bytes: Some(limit), ..options.clone() };
    let inputs = [Input::memory(name, bytes)];
    with_threads(&options, || match schema {
        Some(schema) => prescribe(&inputs, schema, &options),
        None => infer(&inputs, &options),
    })
}

fn inputs(source: &Source, options: &ReadOptions) -> Result<Vec<Input>, DataError> {
    match source {
        Source::Files { paths, .. } => Ok(paths.iter().cloned().map(Input::file).collect()),
        Source::Stdin => {
            // A pipe can be read only once, and a reading may have to be repeated: it is kept in memory.
            let limit_bytes = options.memory_limit_bytes.unwrap_or(u64::MAX - 1);
            let mut bytes = Vec::new();
            std::io::stdin()
                .lock()
                .take(limit_bytes + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| DataError::io("standard input", error))?;
            if bytes.len() as u64 > limit_bytes {
                let needed_bytes = bytes.len() as u64;
                return Err(DataError::Memory {
                    path: "standard input".to_owned(),
                    needed_bytes,
                    limit_bytes,
                });
            }
            Ok(vec![Input::memory("standard input", bytes)])
        }
    }
}

/// Runs `work` on the wanted number of threads.
fn with_threads<T: Send>(
    options: &ReadOptions,
    work: impl FnOnce() -> Result<T, DataError> + Send,
) -> Result<T, DataError> {
    let Some(threads) = options.threads else { return work() };
    match rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build() {
        Ok(pool) => pool.install(work),
        Err(error) => Err(DataError::Io {
            path: "threads".to_owned(),
            source: std::io::Error::other(error.to_string()),
        }),
    }
}

fn infer(inputs: &[Input], options: &ReadOptions) -> Result<Loaded, DataError> {
    let mut assembler = Assembler::new(Mode::Infer);
    let facts = read_all(inputs, &mut assembler, options)?;
    let (row_count, hints) = (assembler.row_count, assembler.hints);
    let (mut done, again, mut notes) = assembler.finish();
    if !again.is_empty() {
        let mut second = reread(inputs, &again, hints, options)?;
        for done in done.iter_mut().filter(|done| done.finished.is_none()) {
            if let Some(position) = second.iter().position(|other| other.name == done.name) {
                done.finished = second.swap_remove(position).finished;
            }
        }
    }
    let target = options.target.as_deref().map(str::trim);
    let (table, schema) = assemble::table(done, row_count, target, &mut notes);
    let path = &inputs[0].name;
    if let Some(name) = target
        && table.column(name).is_none()
    {
        let found = table.columns().iter().map(|column| column.name.as_str());
        let hint = kaizen_table::table::nearest(name, found.clone());
        return Err(DataError::NoTarget {
            path: path.clone(),
            name: name.to_owned(),
            hint: hint.map_or(String::new(), |near| format!(" (did you mean `{near}`?)")),
            found: name_list(found),
        });
    }
    Ok(loaded(table, schema, notes, &facts))
}

/// Reads again, as words, the columns whose plans were contradicted.
fn reread(
    inputs: &[Input],
    again: &BTreeSet<String>,
    hints: crate::infer::Hints,
    options: &ReadOptions,
) -> Result<Vec<assemble::Done>, DataError> {
    let mut assembler = Assembler::new(Mode::Again(again));
    assembler.hints = hints;
    read_all(inputs, &mut assembler, options)?;
    Ok(assembler.finish().0)
}

fn prescribe(inputs: &[Input], schema: &Schema, options: &ReadOptions) -> Result<Loaded, DataError> {
    let mut assembler = Assembler::new(Mode::Prescribed(schema));
    let facts = read_all(inputs, &mut assembler, options)?;
    if assembler.found_nothing() {
        let extra: Vec<&str> = assembler
            .notes
            .iter()
            .filter_map(|note| match note {
                Note::ColumnExtra { column } => Some(column.as_str()),
                _ => None,
            })
            .collect();
        return Err(DataError::NoColumnMatches {
            path: inputs[0].name.clone(),
            wanted: name_list(schema.fields.iter().map(|field| field.name.as_str())),
            found: name_list(extra.into_iter()),
        });
    }
    let row_count = assembler.row_count;
    let (done, _, mut notes) = assembler.finish();
    let (table, _) = assemble::table(done, row_count, None, &mut notes);
    Ok(loaded(table, schema.clone(), notes, &facts))
}

fn loaded(table: Table, schema: Schema, mut notes: Vec<Note>, facts: &[Facts]) -> Loaded {
    notes.sort_by_key(|note| std::cmp::Reverse(note.severity()));
    let first = &facts[0];
    let digest = match facts {
        [only] => only.digest,
        all => Digest::of_parts(all.iter().map(|facts| facts.digest.0.as_slice())),
    };
    let format = FormatSummary {
        format: first.format,
        delimiter: first.delimiter,
        encoding: first.encoding,
        header: first.header,
        sheet: first.sheet.clone(),
        compression: first.compression,
        file_count: facts.len(),
        row_count: facts.iter().map(|facts| facts.row_count).sum(),
        size_bytes: facts.iter().map(|facts| facts.size_bytes).sum(),
    };
    Loaded { table, schema, notes, format, digest }
}

fn read_all(
    inputs: &[Input],
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Vec<Facts>, DataError> {
    inputs.iter().map(|input| read_one(input, assembler, options)).collect()
}

fn read_one(input: &Input, assembler: &mut Assembler<'_>, options: &ReadOptions) -> Result<Facts, DataError> {
    let size_bytes = input.size_bytes()?;
    if size_bytes == 0 {
        return Err(DataError::Empty { path: input.name.clone() });
    }
    let mut stream = input.open()?;
    let head = stream.peek(HEAD_BYTES)?.to_vec();
    if head.is_empty() {
        return Err(DataError::Empty { path: input.name.clone() });
    }
    match content(&head, &input.name) {
        Content::Delimited => delimited::read(&input.name, stream, size_bytes, assembler, options),
        Content::JsonLines => json::read(input, assembler, options),
        Content::Parquet => arrow::read_parquet(input, assembler, options),
        Content::ArrowFile => arrow::read_file(input, assembler, options),
        Content::ArrowStream => arrow::read_stream(input, assembler, options),
        Content::Zip => workbook::read(input, assembler, options),
        Content::Other(looks_like, advice) => {
            Err(DataError::LooksLike { path: input.name.clone(), looks_like, advice })
        }
    }
}
