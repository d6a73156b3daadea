//! Workbooks on hostile bytes: every input ends in a table or an error, and what is a table can be read again by its schema
//! without losing a row.

#![no_main]

use kaizen_data::{ReadOptions, is_decoding, read_bytes, read_bytes_as};
use libfuzzer_sys::fuzz_target;

// A panic inside a foreign decoder becomes an error; any other one ends the run, as libFuzzer wants it.
fn stop_on_own_panics() {
    std::panic::set_hook(Box::new(|panic| {
        if !is_decoding() {
            eprintln!("{panic}");
            std::process::abort();
        }
    }));
}

fuzz_target!(init: stop_on_own_panics(), |data: &[u8]| {
    let Ok(loaded) = read_bytes("x.xlsx", data.to_vec()) else { return };
    assert_eq!(loaded.table.columns().len(), loaded.schema.fields.len());
    let again = read_bytes_as("x.xlsx", data.to_vec(), Some(&loaded.schema), &ReadOptions::default());
    if let Ok(again) = again {
        assert!(again.table.row_count() >= loaded.table.row_count(), "rows were lost");
    }
});
