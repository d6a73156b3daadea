//! The one writer: predictions leave as Parquet with their types.

use std::io::{self, Write};
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, Schema};
use kaizen_table::{MISSING_BOOLEAN, Table, Values};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// Rows that are turned into arrays together, which bounds the memory that writing takes.
const BATCH_ROWS: usize = 65_536;

/// Integers up to here are exact in 64-bit floats, and numbers of integers are written as such.
const MOST_INTEGER: f64 = 9_007_199_254_740_992.0;

/// Writes a table as Parquet, compressed with Snappy: whole numbers and real numbers, truth values, strings for
/// categories and texts, moments in microseconds of UTC. Missing cells are null. The bytes depend on the table alone.
///
/// # Errors
/// Whatever `to` says; [`io::ErrorKind::InvalidInput`] for a sparse block, which has no column type.
pub fn write_parquet(table: &Table, to: impl Write + Send) -> io::Result<()> {
    let rows = table.row_count();
    // A table without rows has its columns all the same.
    let first = batch(table, 0, rows.min(BATCH_ROWS))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("kaizen ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut writer = ArrowWriter::try_new(to, first.schema(), Some(properties)).map_err(io::Error::other)?;
    writer.write(&first).map_err(io::Error::other)?;
    for start in (BATCH_ROWS..rows).step_by(BATCH_ROWS) {
        let next = batch(table, start, (start + BATCH_ROWS).min(rows))?;
        writer.write(&next).map_err(io::Error::other)?;
    }
    writer.close().map_err(io::Error::other)?;
    Ok(())
}

/// Rows `start..end`. The types follow the whole table, so that all batches have the same.
fn batch(table: &Table, start: usize, end: usize) -> io::Result<RecordBatch> {
    let arrays: Vec<(String, ArrayRef)> = table
        .columns()
        .iter()
        .map(|column| Ok((column.name.clone(), array(&column.name, &column.values, start, end)?)))
        .collect::<io::Result<_>>()?;
    if arrays.is_empty() {
        return Ok(RecordBatch::new_empty(Arc::new(Schema::empty())));
    }
    let nullable = arrays.into_iter().map(|(name, array)| (name, array, true));
    RecordBatch::try_from_iter_with_nullable(nullable).map_err(|error: ArrowError| io::Error::other(error))
}

fn array(name: &str, values: &Values, start: usize, end: usize) -> io::Result<ArrayRef> {
    let present = |value: &f64| (!value.is_nan()).then_some(*value);
    Ok(match values {
        Values::Number(number) => {
            let is_whole = number.integer
                && number.values.iter().all(|value| value.is_nan() || value.abs() <= MOST_INTEGER);
            let cells = number.values[start..end].iter().map(present);
            if is_whole {
                Arc::new(cells.map(|cell| cell.map(|value| value as i64)).collect::<Int64Array>())
            } else {
                Arc::new(cells.collect::<Float64Array>())
            }
        }
        Values::Boolean(boolean) => Arc::new(
            boolean.values[start..end]
                .iter()
                .map(|&value| (value < MISSING_BOOLEAN).then_some(value == 1))
                .collect::<BooleanArray>(),
        ),
        Values::Time(time) => {
            let microseconds = |value: &f64| present(value).map(|seconds| (seconds * 1e6).round() as i64);
            let cells = time.seconds[start..end].iter().map(microseconds);
            Arc::new(cells.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
        }
        Values::Category(category) => {
            Arc::new((start..end).map(|row| category.level(row)).collect::<StringArray>())
        }
        Values::Text(text) => Arc::new((start..end).map(|row| text.get(row)).collect::<StringArray>()),
        Values::Sparse(_) => {
            let words = format!("column `{name}` is a sparse block, which no file can hold");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, read_bytes};
    use kaizen_table::{Column, Sparse};

    #[test]
    fn what_is_written_is_read_again() {
        let rows = BATCH_ROWS + 10;
        let share: Vec<f64> =
            (0..rows).map(|row| if row == 3 { f64::NAN } else { row as f64 / 7.0 }).collect();
        let count: Vec<f64> = (0..rows).map(|row| (row % 90) as f64).collect();
        let class: Vec<Option<&str>> =
            (0..rows).map(|row| (row != 5).then_some(["no", "yes, \"quoted\""][row % 2])).collect();
        let table = Table::from_columns(vec![
            Column::category("prediction", &class),
            Column::number("proba", share.clone()),
            Column::number("count", count.clone()),
        ])
        .unwrap();
        let mut bytes = Vec::new();
        write_parquet(&table, &mut bytes).unwrap();
        let mut again = Vec::new();
        write_parquet(&table, &mut again).unwrap();
        assert_eq!(bytes, again);
        let read = read_bytes("p.parquet", bytes).unwrap();
        assert_eq!(read.format.format, Format::Parquet);
        assert_eq!(read.table.row_count(), rows);
        for (row, expected) in share.iter().enumerate() {
            for (column, original) in read.table.columns().iter().zip(table.columns()) {
                assert_eq!(column.name, original.name);
                if row % 977 == 0 || !(9..BATCH_ROWS).contains(&row) {
                    let of = |column: &Column| match &column.values {
                        // Two words may come back as truth values.
                        Values::Boolean(boolean) if boolean.values[row] < MISSING_BOOLEAN => {
                            Some(boolean.names[usize::from(boolean.values[row])].clone())
                        }
                        _ => column.cell_text(row),
                    };
                    assert_eq!(of(column), of(original), "{} {row}", column.name);
                }
            }
            if !expected.is_nan() {
                let Values::Number(number) = &read.table.columns()[1].values else { panic!("numbers") };
                assert_eq!(number.values[row].to_bits(), expected.to_bits());
            }
        }
    }

    #[test]
    fn no_rows_are_a_file_with_columns_and_sparse_blocks_are_refused() {
        let table = Table::from_columns(vec![Column::number("p", Vec::new())]).unwrap();
        let mut bytes = Vec::new();
        write_parquet(&table, &mut bytes).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
        let block = Column { name: "terms".to_owned(), values: Values::Sparse(Sparse::new(3)) };
        let refused = write_parquet(&Table::from_columns(vec![block]).unwrap(), &mut bytes).unwrap_err();
        assert!(refused.to_string().contains("`terms`"), "{refused}");
    }
}
