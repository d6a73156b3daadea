//! Several files of one pattern are one table, matched by column name.

use kaizen_data::{Note, ReadOptions, Source, read};

#[test]
fn files_are_joined_by_name_in_the_order_of_their_names() {
    let folder = std::env::temp_dir().join(format!("kaizen-data-concat-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("b.csv"), "city,x,late\nBern,3,7\nChur,,8\n").unwrap();
    std::fs::write(folder.join("a.csv"), "x,city\n1,Basel\n2,Bern\n").unwrap();
    let source = Source::parse(&folder.join("*.csv").display().to_string()).unwrap();
    let loaded = read(&source, &ReadOptions::default()).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let cells = |name: &str| {
        let column = loaded.table.column(name).unwrap();
        (0..column.len()).map(|row| column.cell_text(row)).collect::<Vec<_>>()
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(cells("x"), [some("1"), some("2"), some("3"), None]);
    assert_eq!(cells("city"), [some("Basel"), some("Bern"), some("Bern"), some("Chur")]);
    assert_eq!(cells("late"), [None, None, some("7"), some("8")]);
    assert_eq!((loaded.format.file_count, loaded.format.row_count), (2, 4));
    let absent = Note::ColumnNotInAllFiles { column: "late".to_owned(), rows: 2 };
    assert!(loaded.notes.contains(&absent), "{:?}", loaded.notes);
}
