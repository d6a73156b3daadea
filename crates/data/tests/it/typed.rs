//! Typed sources: the fixtures that `tests/fixtures/make.py` writes.

use std::path::Path;

use kaizen_data::{Format, Loaded, Note, ReadOptions, Source, read, read_as};
use kaizen_table::{Column, FieldKind, Schema, Values};

fn load(file: &str) -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("fixtures").join(file);
    read(&Source::parse(&path.display().to_string()).unwrap(), &ReadOptions::default()).unwrap()
}

fn cells(column: &Column) -> Vec<Option<String>> {
    (0..column.len()).map(|row| column.cell_text(row)).collect()
}

fn texts(cells: &[&str]) -> Vec<Option<String>> {
    cells.iter().map(|cell| (!cell.is_empty()).then(|| (*cell).to_owned())).collect()
}

#[test]
fn parquet_feather_and_stream_give_the_same_table() {
    for (file, format) in [
        ("typed.parquet", Format::Parquet),
        ("typed.feather", Format::Arrow),
        ("typed.arrows", Format::Arrow),
    ] {
        let loaded = load(file);
        assert_eq!(loaded.format.format, format, "{file}");
        let column =
            |name: &str| cells(loaded.table.column(name).unwrap_or_else(|| panic!("{file}: no {name}")));
        assert_eq!(column("whole"), texts(&["1", "", "3", "4"]), "{file}");
        assert_eq!(column("float"), texts(&["1.0", "2.0", "", ""]), "{file}");
        assert_eq!(column("money"), texts(&["1.25", "", "2.5", "3.75"]), "{file}");
        assert_eq!(column("flag"), texts(&["True", "False", "", "True"]), "{file}");
        assert_eq!(column("day"), texts(&["1970-01-02", "", "2024-02-29", "1969-12-31"]), "{file}");
        let moment = "2024-02-29T11:30:00";
        assert_eq!(column("moment"), texts(&[moment, "", moment, moment]), "{file}");
        assert_eq!(column("kind"), texts(&["b", " a", "", "b"]), "{file}");
        assert_eq!(column("code"), texts(&["1", "2", "x", ""]), "{file}");
        let words: Vec<&str> = loaded.schema.fields.iter().map(|field| field.kind.word()).collect();
        let wanted =
            ["integer", "number", "integer", "number", "boolean", "time", "time", "category", "category"];
        assert_eq!(words, wanted, "{file}");
        let mut codes: Vec<(&str, &str)> =
            loaded.notes.iter().map(|note| (note.code(), note.column().unwrap_or(""))).collect();
        codes.sort_unstable();
        let ignored = [("column_ignored", "bytes"), ("column_ignored", "list")];
        assert_eq!(
            codes,
            [("cells_infinite", "float"), ignored[0], ignored[1], ("huge_integers", "huge")],
            "{file}"
        );
    }
}

#[test]
fn a_typed_source_is_read_by_the_schema_of_a_csv() {
    let csv = "code,whole,kind\n01,1.5,a\n02,2.5,b\n03,3.5,a\n".as_bytes().to_vec();
    let schema = kaizen_data::read_bytes("x.csv", csv).unwrap().schema;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/typed.parquet");
    let source = Source::parse(&path.display().to_string()).unwrap();
    let loaded = read_as(&source, &schema, &ReadOptions::default()).unwrap();
    let names: Vec<&str> = loaded.table.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["code", "whole", "kind"]);
    let Values::Category(kind) = &loaded.table.columns()[2].values else { panic!("a category") };
    // The level " a" of the file is the level "a" of the schema.
    assert_eq!((&kind.codes[..2], kind.levels.len()), ([1, 0].as_slice(), 2));
    assert!(
        loaded.notes.iter().any(|note| matches!(note, Note::LevelsUnseen { column, .. } if column == "code"))
    );
}

#[test]
fn a_workbook_is_read_from_its_data_sheet_below_the_title() {
    let loaded = load("book.xlsx");
    assert_eq!(loaded.format.sheet.as_deref(), Some("Data"));
    assert_eq!(loaded.table.row_count(), 9);
    let words: Vec<&str> = loaded.schema.fields.iter().map(|field| field.kind.word()).collect();
    assert_eq!(words, ["category", "number", "time", "boolean"]);
    assert_eq!(cells(&loaded.table.columns()[2])[..2], texts(&["2024-03-01", "2024-03-02"])[..]);
    assert_eq!(cells(&loaded.table.columns()[3])[..2], texts(&["True", "False"])[..]);
    let codes: Vec<&str> = loaded.notes.iter().map(Note::code).collect();
    assert!(codes.contains(&"sheet_chosen") && codes.contains(&"rows_above_table"), "{codes:?}");
}

#[test]
fn damage_to_a_typed_file_is_an_error_and_never_a_panic() {
    for file in ["typed.parquet", "typed.feather", "typed.arrows", "book.xlsx"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("fixtures").join(file);
        let whole = std::fs::read(path).unwrap();
        for cut in [whole.len() / 4, whole.len() / 2, whole.len() - 8] {
            let cut_off = kaizen_data::read_bytes(file, whole[..cut].to_vec());
            assert!(cut_off.is_err() || file == "typed.arrows", "{file} cut at {cut}");
        }
        for position in (8..whole.len()).step_by(7) {
            let mut damaged = whole.clone();
            damaged[position] ^= 0x55;
            // Some damage is invisible (a changed value); it only must not end in a panic.
            let _ = kaizen_data::read_bytes(file, damaged);
        }
    }
}

#[test]
fn a_schema_prescribes_types_to_later_files() {
    let csv = b"x,y,day\n1.5,a,2024-01-02\n2.5,b,2024-01-03\n".to_vec();
    let schema: Schema = kaizen_data::read_bytes("x.csv", csv).unwrap().schema;
    let later = b"Day,Y,x,z\n2024-05-06,c,NA,1\nnever,a,7,2\nbroken row\n,,,\n".to_vec();
    let loaded = kaizen_data::read_bytes_as("y.csv", later, Some(&schema), &ReadOptions::default()).unwrap();
    assert_eq!(loaded.table.row_count(), 4);
    assert_eq!(cells(&loaded.table.columns()[0]), texts(&["", "7", "", ""]));
    assert_eq!(cells(&loaded.table.columns()[1]), texts(&["c", "a", "", ""]));
    assert_eq!(cells(&loaded.table.columns()[2]), texts(&["2024-05-06", "", "", ""]));
    assert!(matches!(schema.fields[2].kind, FieldKind::Time { .. }));
    let other = b"p,q\n1,2\n3,4\n".to_vec();
    let error =
        kaizen_data::read_bytes_as("z.csv", other, Some(&schema), &ReadOptions::default()).unwrap_err();
    assert!(error.to_string().contains("none of the model's columns"), "{error}");
}
