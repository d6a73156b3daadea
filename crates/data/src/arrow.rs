//! Typed sources: Parquet and Arrow IPC. Arrow arrays are poured into the same builders as text, and stay here.
//!
//! Numbers of any width and decimals become `f64`; an integer column stays one, and a float column is none even if
//! all its values are whole. Strings and dictionaries go through the same inference as text, with their spaces kept.
//! Nested and binary columns are left out with a note each.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader};
use arrow_cast::cast;
use arrow_ipc::reader::StreamReader;
use arrow_schema::{DataType, Field, TimeUnit};
use kaizen_base::Digest;
use kaizen_table::MISSING_BOOLEAN;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::reader::{ChunkReader, Length};
use rayon::prelude::*;

use crate::assemble::{Assembler, Mode};
use crate::builder::{Builder, MomentBuilder, NumberBuilder, TextBuilder, WordsBuilder};
use crate::error::DataError;
use crate::format::{Compression, Facts, Format};
use crate::guard::guarded;
use crate::infer::{Decision, Hints, decide};
use crate::ipc::{self, FILE_MAGIC_BYTES};
use crate::names::{Names, clean};
use crate::note::Note;
use crate::options::ReadOptions;
use crate::stream::Input;

/// Rows decoded at a time.
const BATCH_ROWS: usize = 8192;

/// How a column of a typed source is poured into a builder.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Numbers; whether the type holds integers only.
    Number {
        integer: bool,
    },
    /// Seconds are the stored integer times `scale`.
    Moment {
        scale: f64,
    },
    Truth,
    Words,
    Text,
}

impl Kind {
    fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Null => Self::Number { integer: false },
            integer if integer.is_integer() => Self::Number { integer: true },
            float if float.is_floating() => Self::Number { integer: false },
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => Self::Number { integer: *scale <= 0 },
            DataType::Boolean => Self::Truth,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::Words,
            DataType::Date32 => Self::Moment { scale: 86_400.0 },
            DataType::Date64 => Self::Moment { scale: 1e-3 },
            DataType::Timestamp(unit, _) | DataType::Time32(unit) | DataType::Time64(unit) => {
                Self::Moment { scale: seconds_of(*unit) }
            }
            DataType::Duration(_) => Self::Number { integer: true },
            DataType::Dictionary(_, values) => Self::of(values)?,
            _ => return None,
        })
    }

    fn builder(self) -> Builder {
        match self {
            Self::Number { .. } => Builder::Number(NumberBuilder { typed: true, ..NumberBuilder::default() }),
            Self::Moment { .. } => Builder::Moment(MomentBuilder::typed()),
            Self::Truth => Builder::Truth(Vec::new()),
            Self::Words => Builder::Words(WordsBuilder::default()),
            Self::Text => Builder::Text(TextBuilder::default()),
        }
    }

    /// Adds the cells of an array.
    fn pour(self, array: &ArrayRef, builder: &mut Builder) -> Result<(), arrow_schema::ArrowError> {
        match (self, builder) {
            (Self::Number { integer }, Builder::Number(builder)) => {
                if integer {
                    builder.huge_count += huge_integers(array);
                }
                let values = cast(&plain(array)?, &DataType::Float64)?;
                for value in values.as_primitive::<Float64Type>() {
                    builder.infinite_count += u64::from(value.is_some_and(f64::is_infinite));
                    builder.fractional_count += u64::from(!integer && value.is_some());
                    builder.values.push(value.filter(|value| value.is_finite()).unwrap_or(f64::NAN));
                }
            }
            (Self::Moment { scale }, Builder::Moment(builder)) => {
                let values = cast(&plain(array)?, &DataType::Int64)?;
                let seconds = |value: i64| {
                    if scale >= 1.0 { value as f64 * scale } else { value as f64 / (1.0 / scale).round() }
                };
                builder
                    .seconds
                    .extend(values.as_primitive::<Int64Type>().iter().map(|it| it.map_or(f64::NAN, seconds)));
            }
            (Self::Truth, Builder::Truth(builder)) => {
                let values = cast(array, &DataType::Boolean)?;
                builder
                    .extend(values.as_boolean().iter().map(|value| value.map_or(MISSING_BOOLEAN, u8::from)));
            }
            (Self::Words, Builder::Words(builder)) => {
                let values = cast(array, &DataType::LargeUtf8)?;
                values.as_string::<i64>().iter().for_each(|cell| builder.push_exact(cell.map(str::as_bytes)));
            }
            (Self::Text, Builder::Text(builder)) => {
                let values = cast(array, &DataType::LargeUtf8)?;
                values.as_string::<i64>().iter().for_each(|cell| builder.push(cell.unwrap_or("").as_bytes()));
            }
            (_, builder) => builder.push_missing(array.len()),
        }
        Ok(())
    }
}

/// An array without a dictionary; durations as integers, since they cast to no other number.
fn plain(array: &ArrayRef) -> Result<ArrayRef, arrow_schema::ArrowError> {
    match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(array, values)?),
        DataType::Date32 | DataType::Time32(_) => cast(array, &DataType::Int32),
        DataType::Duration(_) => cast(array, &DataType::Int64),
        _ => Ok(Arc::clone(array)),
    }
}

fn seconds_of(unit: TimeUnit) -> f64 {
    match unit {
        TimeUnit::Second => 1.0,
        TimeUnit::Millisecond => 1e-3,
        TimeUnit::Microsecond => 1e-6,
        TimeUnit::Nanosecond => 1e-9,
    }
}

/// Integers beyond 2^53.
fn huge_integers(array: &ArrayRef) -> u64 {
    const EXACT: u64 = 1 << 53;
    if !matches!(array.data_type(), DataType::Int64 | DataType::UInt64) {
        return 0;
    }
    cast(array, &DataType::Float64).map_or(0, |values| {
        values
            .as_primitive::<Float64Type>()
            .iter()
            .flatten()
            .filter(|value| value.abs() > EXACT as f64)
            .count() as u64
    })
}

/// The columns of a typed source that can be used, and where they go.
struct Columns {
    /// Index of each column in the source.
    indices: Vec<usize>,
    kinds: Vec<Kind>,
    slots: Vec<Option<usize>>,
}

impl Columns {
    /// Chooses among `fields`; `first` are their first cells, which tell long text from names of kinds.
    fn of(fields: &[Arc<Field>], first: Option<&[ArrayRef]>, assembler: &mut Assembler<'_>) -> Self {
        let mut indices = Vec::new();
        let mut kinds = Vec::new();
        for (index, field) in fields.iter().enumerate() {
            match Kind::of(field.data_type()) {
                Some(kind) => {
                    let text = kind == Kind::Words
                        && matches!(assembler.mode, Mode::Infer)
                        && first.is_some_and(|arrays| is_text(&arrays[index]));
                    indices.push(index);
                    kinds.push(if text { Kind::Text } else { kind });
                }
                None if matches!(assembler.mode, Mode::Infer) => assembler.notes.push(Note::ColumnIgnored {
                    column: field.name().clone(),
                    type_name: type_name(field.data_type()).to_owned(),
                }),
                None => {}
            }
        }
        let mut notes = Vec::new();
        let mut names = clean(indices.iter().map(|&index| fields[index].name().as_bytes()), &mut notes);
        mark_index(&mut names);
        if matches!(assembler.mode, Mode::Infer) {
            assembler.notes.append(&mut notes);
        }
        let slots = assembler.typed_slots(&names, |column| kinds[column].builder());
        Self { indices, kinds, slots }
    }

    /// Adds the rows of a batch of the whole source.
    fn append(
        &self,
        batch: &RecordBatch,
        assembler: &mut Assembler<'_>,
    ) -> Result<(), arrow_schema::ArrowError> {
        let builders: Result<Vec<Builder>, arrow_schema::ArrowError> = self
            .indices
            .par_iter()
            .zip(&self.kinds)
            .map(|(&index, kind)| {
                let mut builder = kind.builder();
                kind.pour(batch.column(index), &mut builder)?;
                Ok(builder)
            })
            .collect();
        assembler.append(&self.slots, vec![builders?], batch.num_rows());
        Ok(())
    }
}

/// The name that pandas gives to an index which it saves as a column.
fn mark_index(names: &mut Names) {
    for (name, unnamed) in names.names.iter().zip(&mut names.unnamed) {
        *unnamed |= name.starts_with("__index_level_");
    }
}

fn is_text(array: &ArrayRef) -> bool {
    let mut builder = Builder::Words(WordsBuilder::default());
    if Kind::Words.pour(array, &mut builder).is_err() {
        return false;
    }
    let Builder::Words(words) = builder else { return false };
    matches!(decide(&words.levels(), Hints::default()), Decision::Text)
}

fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => "list",
        DataType::Struct(_) => "struct",
        DataType::Map(..) => "map",
        DataType::Union(..) => "union",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary"
        }
        DataType::Interval(_) => "interval",
        _ => "unknown",
    }
}

/// Bytes of a file or of memory that Parquet is read from; never gives more than there is.
enum Chunks {
    File(File, u64),
    Memory(bytes::Bytes),
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        match self {
            Self::File(_, length) => *length,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

impl ChunkReader for Chunks {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        match self {
            Self::File(file, _) => Ok(Box::new(file.get_read(start)?)),
            Self::Memory(bytes) => Ok(Box::new(bytes.get_read(start)?)),
        }
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<bytes::Bytes> {
        // A damaged file may ask for terabytes: refuse before they are allocated.
        if start.checked_add(length as u64).is_none_or(|end| end > self.len()) {
            return Err(parquet::errors::ParquetError::EOF(format!(
                "{length} bytes at {start} are not there"
            )));
        }
        match self {
            Self::File(file, _) => file.get_bytes(start, length),
            Self::Memory(bytes) => bytes.get_bytes(start, length),
        }
    }
}

/// Where a typed source is read from.
enum Place {
    File(PathBuf),
    Memory(Arc<[u8]>, bytes::Bytes),
}

/// A typed source with what is known of it as a file.
struct Typed<'a> {
    input: &'a Input,
    place: Place,
    compression: Option<Compression>,
    size_bytes: u64,
}

impl<'a> Typed<'a> {
    fn of(input: &'a Input, options: &ReadOptions) -> Result<Self, DataError> {
        let size_bytes = input.size_bytes()?;
        let compressed = input.open()?.compression().is_some();
        if let (Some(path), false) = (input.plain_file(), compressed) {
            return Ok(Self { input, place: Place::File(path.clone()), compression: None, size_bytes });
        }
        let (bytes, compression) = input.whole(options.memory_limit_bytes.unwrap_or(u64::MAX))?;
        let place = Place::Memory(Arc::clone(&bytes), bytes::Bytes::from_owner(bytes));
        Ok(Self { input, place, compression, size_bytes })
    }

    fn chunks(&self) -> Result<Chunks, DataError> {
        match &self.place {
            Place::File(path) => {
                let file = File::open(path).map_err(|error| DataError::io(&self.input.name, error))?;
                Ok(Chunks::File(file, self.size_bytes))
            }
            Place::Memory(_, bytes) => Ok(Chunks::Memory(bytes.clone())),
        }
    }

    fn facts(&self, format: Format, row_count: u64, digest: Digest) -> Facts {
        Facts {
            format,
            delimiter: None,
            encoding: None,
            header: None,
            sheet: None,
            compression: self.compression,
            row_count,
            size_bytes: self.size_bytes,
            digest,
        }
    }

    fn broken(&self, format: Format, error: &dyn std::fmt::Display) -> DataError {
        DataError::broken(&self.input.name, format.name(), error)
    }
}

/// Reads a Parquet file.
pub(crate) fn read_parquet(
    input: &Input,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    let typed = Typed::of(input, options)?;
    let before = assembler.row_count;
    let (digest, read) = rayon::join(|| input.open()?.digest(), || row_groups(&typed, assembler, options));
    read?;
    let rows = (assembler.row_count - before) as u64;
    if rows == 0 {
        return Err(DataError::NoRows { path: input.name.clone(), what: "a schema" });
    }
    Ok(typed.facts(Format::Parquet, rows, digest?))
}

fn row_groups(
    typed: &Typed<'_>,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<(), DataError> {
    let name = &typed.input.name;
    let broken = |error: &dyn std::fmt::Display| typed.broken(Format::Parquet, error);
    let limit_bytes = options.memory_limit_bytes.unwrap_or(u64::MAX);
    let metadata = guarded(name, Format::Parquet.name(), || {
        ArrowReaderMetadata::load(&typed.chunks()?, ArrowReaderOptions::new()).map_err(|error| broken(&error))
    })?;
    let fields = metadata.schema().fields().to_vec();
    let reader = |columns: &[usize], group: usize| {
        let mask = ProjectionMask::roots(metadata.parquet_schema(), columns.iter().copied());
        ParquetRecordBatchReaderBuilder::new_with_metadata(typed.chunks()?, metadata.clone())
            .with_batch_size(BATCH_ROWS)
            .with_projection(mask)
            .with_row_groups(vec![group])
            .build()
            .map_err(|error| broken(&error))
    };
    let group_count = metadata.metadata().num_row_groups();
    let first = if group_count == 0 {
        None
    } else {
        let usable: Vec<usize> = (0..fields.len())
            .filter(|&index| Kind::of(fields[index].data_type()) == Some(Kind::Words))
            .collect();
        guarded(name, Format::Parquet.name(), || {
            first_cells(reader(&usable, 0)?, &usable, fields.len()).map_err(|error| broken(&error))
        })?
    };
    let columns = Columns::of(&fields, first.as_deref(), assembler);
    for group in 0..group_count {
        let rows = usize::try_from(metadata.metadata().row_group(group).num_rows()).unwrap_or(usize::MAX);
        // What dictionaries fold can be large: the bound holds before a group is unfolded.
        let more = (rows as u64).saturating_mul(columns.indices.len() as u64).saturating_mul(4);
        assembler.check_memory(name, more, limit_bytes)?;
        let builders: Result<Vec<Builder>, DataError> = columns
            .indices
            .par_iter()
            .zip(&columns.kinds)
            .map(|(&index, &kind)| {
                guarded(name, Format::Parquet.name(), || {
                    let mut builder = kind.builder();
                    for batch in reader(&[index], group)? {
                        let batch = batch.map_err(|error| broken(&error))?;
                        kind.pour(batch.column(0), &mut builder).map_err(|error| broken(&error))?;
                        if builder.len() > rows {
                            return Err(broken(&"a column has more rows than its group"));
                        }
                    }
                    Ok(builder)
                })
            })
            .collect();
        let builders = builders?;
        if builders.iter().any(|builder| builder.len() != rows) {
            return Err(broken(&"columns have different numbers of rows"));
        }
        assembler.append(&columns.slots, vec![builders], rows);
        assembler.check_memory(name, 0, limit_bytes)?;
    }
    Ok(())
}

/// The first cells of the columns `usable`, in a list of all columns.
fn first_cells(
    mut reader: impl RecordBatchReader,
    usable: &[usize],
    width: usize,
) -> Result<Option<Vec<ArrayRef>>, arrow_schema::ArrowError> {
    let Some(batch) = reader.next() else { return Ok(None) };
    let batch = batch?;
    let nothing: ArrayRef = Arc::new(arrow_array::NullArray::new(0));
    let mut arrays = vec![nothing; width];
    for (&index, array) in usable.iter().zip(batch.columns()) {
        arrays[index] = Arc::clone(array);
    }
    Ok(Some(arrays))
}

/// Reads an Arrow IPC file (Feather version 2).
pub(crate) fn read_file(
    input: &Input,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    read_ipc(input, assembler, options, FILE_MAGIC_BYTES)
}

/// Reads an Arrow IPC stream.
pub(crate) fn read_stream(
    input: &Input,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
) -> Result<Facts, DataError> {
    read_ipc(input, assembler, options, 0)
}

/// Reads the stream of batches that begins at `start`.
fn read_ipc(
    input: &Input,
    assembler: &mut Assembler<'_>,
    options: &ReadOptions,
    start: u64,
) -> Result<Facts, DataError> {
    let typed = Typed::of(input, options)?;
    let broken = |error: &arrow_schema::ArrowError| typed.broken(Format::Arrow, error);
    let before = assembler.row_count;
    let limit_bytes = options.memory_limit_bytes.unwrap_or(u64::MAX);
    let (digest, read) = rayon::join(
        || input.open()?.digest(),
        || {
            let format = Format::Arrow.name();
            let (mut place, size_bytes): (Box<dyn ipc::Place>, u64) = match &typed.place {
                Place::File(path) => {
                    let file = File::open(path).map_err(|error| DataError::io(&input.name, error))?;
                    (Box::new(std::io::BufReader::new(file)), typed.size_bytes)
                }
                Place::Memory(bytes, _) => (Box::new(Cursor::new(Arc::clone(bytes))), bytes.len() as u64),
            };
            let mut reader = guarded(&input.name, format, || {
                ipc::check(&mut *place, start, size_bytes)
                    .map_err(|error| DataError::broken(&input.name, format, error))?;
                StreamReader::try_new(place, None).map_err(|error| broken(&error))
            })?;
            let fields = reader.schema().fields().to_vec();
            let mut columns = None;
            while let Some(batch) =
                guarded(&input.name, format, || reader.next().transpose().map_err(|error| broken(&error)))?
            {
                let columns =
                    columns.get_or_insert_with(|| Columns::of(&fields, Some(batch.columns()), assembler));
                columns.append(&batch, assembler).map_err(|error| broken(&error))?;
                assembler.check_memory(&input.name, 0, limit_bytes)?;
            }
            Ok(())
        },
    );
    read?;
    let rows = (assembler.row_count - before) as u64;
    if rows == 0 {
        return Err(DataError::NoRows { path: input.name.clone(), what: "a schema" });
    }
    Ok(typed.facts(Format::Arrow, rows, digest?))
}
