//! What every reader has to do with hostile bytes: end in a table or an error, and read again what it has read.

use kaizen_data::{ReadOptions, is_decoding, read_bytes, read_bytes_as};
use kaizen_table::{MISSING_CODE, Values};

/// Ends the run on every panic except those inside a foreign decoder, which become errors. libFuzzer's own hook would
/// end it on those too.
pub fn stop_on_own_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if !is_decoding() {
            eprintln!("{panic}");
            std::process::abort();
        }
    }));
}

/// Reads `bytes` as the file `name`. What is a table keeps its own rules, and its schema reads the same bytes again
/// without losing a row.
pub fn read_hostile(name: &str, bytes: &[u8]) {
    let Ok(loaded) = read_bytes(name, bytes.to_vec()) else { return };
    let table = &loaded.table;
    assert_eq!(table.columns().len(), loaded.schema.fields.len());
    for (column, field) in table.columns().iter().zip(&loaded.schema.fields) {
        assert_eq!((&column.name, column.len()), (&field.name, table.row_count()));
        match &column.values {
            Values::Number(number) => assert!(number.values.iter().all(|value| !value.is_infinite())),
            Values::Category(category) => {
                assert!(category.levels.is_sorted_by(|a, b| a < b), "levels are sorted and distinct");
                let known = |code: u32| code == MISSING_CODE || (code as usize) < category.levels.len();
                assert!(category.codes.iter().all(|&code| known(code)));
            }
            _ => {}
        }
    }
    // More memory may be needed than an upload is allowed; nothing else may go wrong.
    match read_bytes_as(name, bytes.to_vec(), Some(&loaded.schema), &ReadOptions::default()) {
        Ok(again) => assert!(again.table.row_count() >= table.row_count(), "rows were lost"),
        Err(error) => assert!(error.is_environment(), "the schema does not read its own file: {error}"),
    }
}
