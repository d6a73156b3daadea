//! The same table on any number of threads, over more than one wave of text and with quotes that mislead the cuts.

use kaizen_data::{Loaded, ReadOptions, read_bytes_as};

/// A text of about `rows` × 60 bytes: numbers, categories, dates, sentences with quotes, stray quotes, late surprises.
fn text(rows: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        state >> 33
    };
    let mut text = String::from("id,amount,city,day,size,remark\n");
    for row in 0..rows {
        let size = if row + 9 > rows { "huge".to_owned() } else { (next() % 90).to_string() };
        let remark = match next() % 5 {
            0 => format!("\"said \"\"{}\"\",\nthen left for number {}\"", next() % 100, next()),
            1 => format!("{}\" pipe of the longer kind, number {}", next() % 40, next()).replace(',', ";"),
            _ => format!("went to the place of number {} again", next()),
        };
        let line = format!(
            "{row},{}.{:02},city {},2024-{:02}-{:02},{size},{remark}\n",
            next() % 100_000,
            next() % 100,
            next() % 500,
            next() % 12 + 1,
            next() % 28 + 1
        );
        text.push_str(&line);
    }
    text.into_bytes()
}

fn load(bytes: &[u8], threads: usize) -> Loaded {
    let options = ReadOptions { threads: Some(threads), ..ReadOptions::default() };
    read_bytes_as("made.csv", bytes.to_vec(), None, &options).expect("it is a table")
}

#[test]
fn one_and_four_threads_give_the_same_table() {
    // More than one wave of 16 MiB.
    let rows = 240_000;
    let bytes = text(rows);
    assert!(bytes.len() > 17 << 20);
    let (one, four) = (load(&bytes, 1), load(&bytes, 4));
    assert_eq!(one.table.row_count(), rows);
    assert_eq!(one.table.columns().len(), 6);
    assert_eq!(one.schema, four.schema);
    assert_eq!(one.notes, four.notes);
    assert_eq!(one.digest, four.digest);
    for (a, b) in one.table.columns().iter().zip(four.table.columns()) {
        assert!(same(a, b), "{}", a.name);
    }
    let words: Vec<&str> = one.schema.fields.iter().map(|field| field.kind.word()).collect();
    assert_eq!(words, ["integer", "number", "category", "time", "integer", "text"]);
    for row in [0, 1, rows / 2, rows - 1] {
        assert_eq!(one.table.columns()[0].cell_text(row), Some(row.to_string()));
    }
}

/// Equality in which two missing numbers are equal.
fn same(a: &kaizen_table::Column, b: &kaizen_table::Column) -> bool {
    use kaizen_table::Values;
    match (&a.values, &b.values) {
        (Values::Number(a), Values::Number(b)) => {
            a.values.iter().map(|x| x.to_bits()).eq(b.values.iter().map(|x| x.to_bits()))
        }
        (Values::Time(a), Values::Time(b)) => {
            a.seconds.iter().map(|x| x.to_bits()).eq(b.seconds.iter().map(|x| x.to_bits()))
        }
        (a, b) => a == b,
    }
}
