//! Properties: no bytes make a reader panic, and what is written as csv is read back.

use kaizen_data::{ReadOptions, read_bytes, read_bytes_as};
use proptest::prelude::*;

/// A cell that csv can hold: no NUL, no white space at its ends (which is not kept), not blank.
fn cell() -> impl Strategy<Value = String> {
    "[a-z,;\"'|\t\n é%$.0-9-]{1,12}".prop_map(|text| format!("x{}x", text.trim()))
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_bytes("x.csv", bytes);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "[a-c0-9,;|\t\r\n\" .%$-]{0,300}") {
        if let Ok(loaded) = read_bytes("x.csv", text.clone().into_bytes()) {
            let options = ReadOptions::default();
            let again = read_bytes_as("x.csv", text.into_bytes(), Some(&loaded.schema), &options);
            prop_assert!(again.is_ok_and(|again| again.table.row_count() >= loaded.table.row_count()));
        }
    }

    #[test]
    fn no_json_makes_a_reader_panic(text in "\\{\"a\": [0-9a-z\\[\\]{}\",:\n .-]{0,80}\\}") {
        let _ = read_bytes("x.jsonl", text.into_bytes());
    }

    #[test]
    fn no_damage_to_a_binary_head_makes_a_reader_panic(
        head in prop_oneof![Just(&b"PAR1"[..]), Just(&b"ARROW1\0\0"[..]), Just(&b"PK\x03\x04"[..]), Just(&b"\x1f\x8b\x08"[..])],
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let whole = [head, &bytes, head].concat();
        prop_assert!(read_bytes("x", whole).is_err());
    }

    #[test]
    fn quoted_cells_come_back(rows in proptest::collection::vec((cell(), cell()), 2..40)) {
        let mut text = "first name,second name\n".to_owned();
        for (a, b) in &rows {
            text = format!("{text}{},{}\n", quoted(a), quoted(b));
        }
        let options = ReadOptions { header: Some(true), ..ReadOptions::default() };
        let loaded = read_bytes_as("x.csv", text.into_bytes(), None, &options).unwrap();
        prop_assert_eq!(loaded.table.row_count(), rows.len());
        for (row, (a, b)) in rows.iter().enumerate() {
            prop_assert_eq!(loaded.table.columns()[0].cell_text(row), Some(a.clone()));
            prop_assert_eq!(loaded.table.columns()[1].cell_text(row), Some(b.clone()));
        }
    }

    #[test]
    fn numbers_come_back_bit_for_bit(values in proptest::collection::vec(any::<f64>().prop_filter("finite", |x| x.is_finite()), 2..50)) {
        let mut text = "x,y\n".to_owned();
        for value in &values {
            text = format!("{text}{value:?},1\n");
        }
        let loaded = read_bytes("x.csv", text.into_bytes()).unwrap();
        let kaizen_table::Values::Number(number) = &loaded.table.columns()[0].values else { panic!("numbers") };
        let expected: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
        prop_assert_eq!(number.values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), expected);
    }
}
