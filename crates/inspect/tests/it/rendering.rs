//! What people and programs see of an inspection.

use kaizen_inspect::{Options, TaskHint, TerminalStyle, inspect, render_html, render_terminal, to_json};
use kaizen_table::{Column, Table};

fn hostile() -> Table {
    let attack = "<script>alert(1)</script>\u{1b}[2J";
    Table::from_columns(vec![
        Column::number(attack, (0..60).map(f64::from).collect()),
        Column::category(
            "\"><img src=x onerror=alert(1)>",
            &(0..60).map(|row| Some(["<b>", "&"][row % 2])).collect::<Vec<_>>(),
        ),
        Column::text("text", (0..60).map(|row| Some(format!("{}{row}", "long ".repeat(2000))))),
        Column::category(
            "y",
            &(0..60).map(|row| Some(["=cmd()", "'; DROP TABLE x"][row % 2])).collect::<Vec<_>>(),
        ),
    ])
    .unwrap()
}

#[test]
fn nothing_from_the_data_escapes() {
    let found = inspect(&hostile(), Some(("y", TaskHint::Auto)), &Options::default()).unwrap();
    let page = render_html(&found);
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>&"));
    assert!(page.contains("&lt;script&gt;") && page.len() < 100_000);
    let terminal = render_terminal(&found, TerminalStyle::default());
    assert!(!terminal.contains('\u{1b}') && terminal.len() < 20_000);
}

#[test]
fn lines_fit_the_terminal() {
    let found = inspect(&hostile(), Some(("y", TaskHint::Auto)), &Options::default()).unwrap();
    for width in [60, 80, 120] {
        let text = render_terminal(&found, TerminalStyle { width, colour: false });
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
    let coloured = render_terminal(&found, TerminalStyle { width: 80, colour: true });
    assert!(coloured.contains("\u{1b}[") && !coloured.contains("\u{1b}[2J"));
}

#[test]
fn json_has_its_version_and_names() {
    let found = inspect(&hostile(), Some(("y", TaskHint::Auto)), &Options::default()).unwrap();
    let json = to_json(&found);
    assert_eq!(json["version"], 1);
    assert_eq!(json["rows"], 60);
    assert_eq!(json["target"]["task"], "binary");
    assert_eq!(json["columns"].as_array().unwrap().len(), 4);
    assert_eq!(json["findings"].as_array().unwrap().len(), found.findings.len());
    assert!(json["split"]["reason"].as_str().unwrap().contains("folds"));
    let columns = json["columns"].as_array().unwrap();
    assert!(columns.iter().all(|column| column["kind"].is_string() && column["role"].is_string()));
}

#[test]
fn a_small_table_as_people_see_it() {
    let table = Table::from_columns(vec![
        Column::number("id", (1..=60).map(f64::from).collect()),
        Column::number(
            "age",
            (0..60).map(|row| if row % 12 == 0 { f64::NAN } else { f64::from(20 + row * 7 % 50) }).collect(),
        ),
        Column::category(
            "city",
            &(0..60).map(|row| Some(["Bern", "Chur", "Genf"][row * row % 11 % 3])).collect::<Vec<_>>(),
        ),
        Column::category(
            "bought",
            &(0..60).map(|row| Some(["no", "yes"][usize::from(row * 11 % 7 < 3)])).collect::<Vec<_>>(),
        ),
    ])
    .unwrap();
    let found = inspect(&table, Some(("bought", TaskHint::Auto)), &Options::default()).unwrap();
    let text = render_terminal(&found, TerminalStyle { width: 100, colour: false });
    assert_eq!(text, include_str!("small_table.txt"), "\n{text}");
}
