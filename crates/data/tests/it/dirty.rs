//! Every file of the collection of dirty files: what the reader must find in it, or the error that it must give.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kaizen_data::{DataError, Format, Loaded, ReadOptions, Source, read, read_as};
use kaizen_table::{FieldKind, Values};

/// The collection, if this machine has it.
fn folder() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/dirty"));
    if folder.join("manifest.csv").exists() {
        return Some(folder.to_path_buf());
    }
    println!("skipped: the collection of dirty files is not on this machine");
    None
}

fn load(folder: &Path, file: &str) -> Result<Loaded, DataError> {
    let source = Source::parse(&folder.join(file).display().to_string())?;
    read(&source, &ReadOptions::default())
}

/// What must be true of a file: rows, columns, and the codes of its notes with the columns they concern.
struct Expected {
    file: &'static str,
    rows: usize,
    columns: usize,
    notes: &'static [(&'static str, &'static str)],
}

const fn file(
    file: &'static str,
    rows: usize,
    columns: usize,
    notes: &'static [(&'static str, &'static str)],
) -> Expected {
    Expected { file, rows, columns, notes }
}

/// Rows and columns are those that the manifest states, less what a note says was left out.
const READABLE: &[Expected] = &[
    file("r01_semicolon_decimal_comma.csv", 9357, 14, &[("number_decorated", "RH")]),
    file("r03_bom_header.csv", 1470, 35, &[]),
    file("r05_latin1_text.csv", 5572, 2, &[("encoding_recognised", "")]),
    file("r07_duplicate_header_bom.csv", 210, 7, &[("header_duplicate", "length_2")]),
    file("r08_no_header.csv", 306, 4, &[("header_missing", "")]),
    file("r10_header_spaces_bom.csv", 270, 14, &[("header_trimmed", "")]),
    file(
        "r11_tampered_workbook.xlsx",
        13611,
        18,
        &[
            ("sheet_chosen", ""),
            ("decimal_mark_mixed", "Compactness"),
            ("decimal_mark_mixed", "ShapeFactor3"),
        ],
    ),
    file("r13_survey_many_nulls.csv", 1040, 27, &[]),
    file("c01_ragged_rows.csv", 885, 11, &[("rows_dropped", "")]),
    file("c02_quoted_newlines.csv", 891, 12, &[]),
    file("c03_one_row.csv", 1, 9, &[]),
    file(
        "c06_nan_inf_tokens.csv",
        2000,
        10,
        &[("missing_spellings", "total_rooms"), ("cells_infinite", "total_rooms")],
    ),
    file("c07_high_cardinality_10k.csv", 20000, 3, &[]),
    file("c09_huge_ints.csv", 2000, 6, &[("huge_integers", "account"), ("codes_kept_as_text", "zip")]),
    file("c10_target_missing.csv", 3000, 15, &[]),
    file("c11_constant_target_regression.csv", 2000, 10, &[]),
    file("c12_single_class.csv", 1000, 21, &[]),
    file("c14_all_null_and_constant.csv", 891, 19, &[]),
    file(
        "c15_mixed_types.csv",
        2000,
        10,
        &[
            ("cells_unreadable", "housing_median_age"),
            ("number_decorated", "total_rooms"),
            ("cells_unreadable", "households"),
        ],
    ),
    file(
        "c16_duplicate_columns.csv",
        2000,
        10,
        &[("header_duplicate", "rooms_2"), ("header_duplicate", "rooms_3")],
    ),
    file("c18_latin1.csv", 3000, 15, &[("encoding_recognised", "")]),
    file("c20_tab_named_csv.csv", 3000, 15, &[]),
    file("c21_pipe.txt", 3000, 15, &[]),
    file(
        "c22_currency_thousands_percent.csv",
        2000,
        10,
        &[
            ("number_decorated", "population"),
            ("number_decorated", "median_income"),
            ("number_decorated", "median_house_value"),
        ],
    ),
    file("c24_header_spaces.csv", 2000, 10, &[("header_trimmed", "")]),
    file("c25_wrong_target_name.csv", 2000, 10, &[("header_trimmed", "")]),
    file("c26_target_leak.csv", 3000, 18, &[]),
    file("c28_wide_60x4000.csv", 60, 4001, &[]),
    file("c30_mixed_booleans.csv", 3000, 3, &[("booleans_merged", "flag")]),
    file("c32_nul_bytes.csv", 3000, 15, &[("nul_bytes", "")]),
    // The quote that is opened last closes an earlier one: the row is ragged.
    file("c34_unclosed_quote.csv", 442, 11, &[("rows_dropped", "")]),
    file("c37_train.csv", 2500, 15, &[]),
    file("c37_test_shifted_schema.csv", 500, 14, &[]),
    file("c38_extreme_scales.csv", 2000, 5, &[]),
    file("c39_imbalance_8_in_40000.csv", 40000, 4, &[]),
    file("c41_injection_strings.csv", 500, 15, &[]),
    file("c42_megabyte_cell.csv", 300, 10, &[]),
    file("c43_saved_index.csv", 4177, 9, &[("saved_index", "column_1")]),
    file(
        "c45_odd_types.parquet",
        200,
        5,
        &[("column_ignored", "lst"), ("column_ignored", "st"), ("column_ignored", "bin")],
    ),
    file("c50_int_target_ambiguous.csv", 500, 3, &[]),
];

/// Files that cannot be read, with what the message must say.
const REFUSED: &[(&str, &[&str])] = &[
    ("c05_empty.csv", &["c05_empty.csv", "empty (0 bytes)"]),
    ("c33_truncated.csv.gz", &["c33_truncated.csv.gz", "gzip", "cut off", "nothing was read"]),
    ("c47_json_named_csv.csv", &["c47_json_named_csv.csv", "JSON", "one object a line"]),
];

#[test]
fn every_file_is_read_or_refused_as_the_manifest_says() {
    let Some(folder) = folder() else { return };
    let mut failures = Vec::new();
    for expected in READABLE {
        match load(&folder, expected.file) {
            Ok(loaded) => check(expected, &loaded, &mut failures),
            Err(error) => failures.push(format!("{}: {error}", expected.file)),
        }
    }
    for (file, words) in REFUSED {
        match load(&folder, file) {
            Ok(_) => failures.push(format!("{file}: was read")),
            Err(error) => {
                let text = error.to_string();
                if error.is_environment() || !words.iter().all(|word| text.contains(word)) {
                    failures.push(format!("{file}: {text}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn check(expected: &Expected, loaded: &Loaded, failures: &mut Vec<String>) {
    let found = (loaded.table.row_count(), loaded.table.columns().len());
    if found != (expected.rows, expected.columns) {
        failures.push(format!("{}: {found:?}, not {:?}", expected.file, (expected.rows, expected.columns)));
    }
    let notes: BTreeSet<(&str, &str)> =
        loaded.notes.iter().map(|note| (note.code(), note.column().unwrap_or(""))).collect();
    for wanted in expected.notes {
        if !notes.contains(wanted) {
            failures.push(format!("{}: no note {wanted:?} among {notes:?}", expected.file));
        }
    }
    // Whatever was guessed, no number is infinite and the schema describes the table.
    for (column, field) in loaded.table.columns().iter().zip(&loaded.schema.fields) {
        if let Values::Number(number) = &column.values
            && number.values.iter().any(|value| value.is_infinite())
        {
            failures.push(format!("{}: infinite in {}", expected.file, column.name));
        }
        if column.name != field.name {
            failures
                .push(format!("{}: {} is called {} in the schema", expected.file, column.name, field.name));
        }
    }
}

#[test]
fn the_table_above_names_every_file() {
    let Some(folder) = folder() else { return };
    let manifest = load(&folder, "manifest.csv").unwrap();
    let listed: BTreeSet<String> = (0..manifest.table.row_count())
        .filter_map(|row| manifest.table.columns()[0].cell_text(row))
        .collect();
    let known: BTreeSet<String> =
        READABLE.iter().map(|it| it.file).chain(REFUSED.iter().map(|it| it.0)).map(str::to_owned).collect();
    assert_eq!(listed, known);
}

fn word(loaded: &Loaded, column: &str) -> &'static str {
    loaded.schema.field(column).unwrap_or_else(|| panic!("no column {column}")).kind.word()
}

#[test]
fn types_are_what_the_values_are() {
    let Some(folder) = folder() else { return };
    let air = load(&folder, "r01_semicolon_decimal_comma.csv").unwrap();
    assert_eq!((air.format.delimiter, word(&air, "Time")), (Some(b';'), "time"));
    let numbers =
        air.schema.fields.iter().filter(|field| matches!(field.kind, FieldKind::Number { .. })).count();
    assert_eq!(numbers, 13);
    let spam = load(&folder, "r05_latin1_text.csv").unwrap();
    assert_eq!((word(&spam, "label"), word(&spam, "text")), ("category", "text"));
    let tokens = load(&folder, "c06_nan_inf_tokens.csv").unwrap();
    for column in ["total_rooms", "total_bedrooms", "population", "households"] {
        assert_eq!(word(&tokens, column), "number", "{column}");
    }
    let huge = load(&folder, "c09_huge_ints.csv").unwrap();
    assert_eq!(
        (word(&huge, "account"), word(&huge, "zip"), word(&huge, "sci")),
        ("category", "category", "number")
    );
    let latin = load(&folder, "c18_latin1.csv").unwrap();
    assert_eq!(latin.table.columns()[0].name, "Größe");
    assert_eq!(load(&folder, "c20_tab_named_csv.csv").unwrap().format.delimiter, Some(b'\t'));
    assert_eq!(load(&folder, "c21_pipe.txt").unwrap().format.delimiter, Some(b'|'));
    let money = load(&folder, "c22_currency_thousands_percent.csv").unwrap();
    assert_eq!(money.table.column("median_house_value").unwrap().cell_text(0).as_deref(), Some("87500"));
    assert_eq!(money.table.column("median_income").unwrap().cell_text(0).as_deref(), Some("23.3"));
    let flags = load(&folder, "c30_mixed_booleans.csv").unwrap();
    assert_eq!((word(&flags, "flag"), flags.table.columns()[0].values.missing_count()), ("boolean", 0));
    let workbook = load(&folder, "r11_tampered_workbook.xlsx").unwrap();
    assert_eq!((word(&workbook, "Compactness"), workbook.format.format), ("number", Format::Xlsx));
    assert_eq!(workbook.format.sheet.as_deref(), Some("Dry_Beans_Dataset"));
}

#[test]
fn nothing_is_lost_inside_cells() {
    let Some(folder) = folder() else { return };
    let quoted = load(&folder, "c02_quoted_newlines.csv").unwrap();
    let comment = quoted.table.column("comment").unwrap().cell_text(0).unwrap();
    assert!(
        comment.contains("said \"hi\"") && comment.contains('\n') && comment.contains("\nand left,\r\n"),
        "{comment:?}"
    );
    let strings = load(&folder, "c41_injection_strings.csv").unwrap();
    assert!(strings.table.column("a\"b,c\nd").is_some());
    let long = load(&folder, "c42_megabyte_cell.csv").unwrap();
    let column = long.table.column("note").unwrap();
    let longest = (0..column.len()).filter_map(|row| column.cell_text(row)).map(|cell| cell.len()).max();
    assert!(longest.is_some_and(|length| length >= 1_000_000), "{longest:?}");
}

#[test]
fn new_rows_are_read_by_the_schema_and_keep_their_places() {
    let Some(folder) = folder() else { return };
    let mut schema = load(&folder, "c37_train.csv").unwrap().schema;
    schema.fields.retain(|field| field.name != "income");
    let source = Source::parse(&folder.join("c37_test_shifted_schema.csv").display().to_string()).unwrap();
    let loaded = read_as(&source, &schema, &ReadOptions::default()).unwrap();
    assert_eq!(loaded.table.row_count(), 500);
    let names: Vec<&str> = loaded.table.columns().iter().map(|column| column.name.as_str()).collect();
    let wanted: Vec<&str> = schema.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, wanted);
    assert_eq!(loaded.table.column("age").unwrap().cell_text(0).as_deref(), Some("42"));
    assert_eq!(loaded.table.column("capital_loss").unwrap().values.missing_count(), 500);
    assert_eq!(loaded.table.column("workclass").unwrap().cell_text(1).as_deref(), Some("Martian"));
    let codes: BTreeSet<(&str, &str)> =
        loaded.notes.iter().map(|note| (note.code(), note.column().unwrap_or(""))).collect();
    for wanted in
        [("column_extra", "extra"), ("column_missing", "capital_loss"), ("levels_unseen", "workclass")]
    {
        assert!(codes.contains(&wanted), "{wanted:?} in {codes:?}");
    }
    // Ragged rows stay in place when rows must not move.
    let ragged = load(&folder, "c01_ragged_rows.csv").unwrap().schema;
    let source = Source::parse(&folder.join("c01_ragged_rows.csv").display().to_string()).unwrap();
    let loaded = read_as(&source, &ragged, &ReadOptions::default()).unwrap();
    assert_eq!(loaded.table.row_count(), 891);
    assert!(loaded.table.columns().iter().all(|column| column.values.is_missing(4)));
}

#[test]
fn a_wrong_target_is_refused_with_a_hint() {
    let Some(folder) = folder() else { return };
    let source = Source::parse(&folder.join("c25_wrong_target_name.csv").display().to_string()).unwrap();
    let target = |name: &str| ReadOptions { target: Some(name.to_owned()), ..ReadOptions::default() };
    let error = read(&source, &target("Median_House_Value")).unwrap_err();
    assert!(error.to_string().contains("did you mean `median_house_value`?"), "{error}");
    assert!(read(&source, &target(" median_house_value ")).is_ok());
}
