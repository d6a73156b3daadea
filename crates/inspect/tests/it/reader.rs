//! A small reader of well-formed comma-separated files, so that these tests need no other crate.

use std::path::{Path, PathBuf};

use kaizen_table::column::days_from_civil;
use kaizen_table::{Column, Table, Time, Values};

/// The folder of shared data, if this checkout has it beside it.
pub(crate) fn shared(path: &str) -> Option<PathBuf> {
    let full = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")).join(path);
    if full.exists() {
        return Some(full);
    }
    println!("skipped: {} is not there", full.display());
    None
}

/// Reads a file with a header; a column is numbers, dates or words by its cells.
pub(crate) fn read(path: &Path) -> Table {
    let bytes = std::fs::read(path).unwrap();
    let text: String = bytes.iter().map(|&byte| byte as char).collect();
    let text = String::from_utf8(bytes).unwrap_or(text);
    let mut records = parse(text.trim_start_matches('\u{feff}'));
    let mut names: Vec<String> = Vec::new();
    for name in records.remove(0) {
        let mut unique = name.trim().to_owned();
        while names.contains(&unique) {
            unique.push_str(".1");
        }
        names.push(unique);
    }
    let columns = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let cells: Vec<Option<&str>> = records
                .iter()
                .map(|record| record.get(index).map(String::as_str).filter(|cell| !cell.trim().is_empty()))
                .collect();
            column(name, &cells)
        })
        .collect();
    Table::from_columns(columns).unwrap()
}

fn column(name: &str, cells: &[Option<&str>]) -> Column {
    let present = || cells.iter().flatten();
    if present().all(|cell| cell.trim().parse::<f64>().is_ok() && !cell.starts_with('+')) {
        let number = |cell: Option<&str>| cell.map_or(f64::NAN, |cell| cell.trim().parse().unwrap());
        return Column::number(name, cells.iter().copied().map(number).collect());
    }
    if present().all(|cell| seconds(cell).is_some()) {
        let values = cells.iter().map(|cell| cell.and_then(seconds).unwrap_or(f64::NAN)).collect();
        return Column {
            name: name.to_owned(),
            values: Values::Time(Time { seconds: values, format: "%Y-%m-%d".to_owned() }),
        };
    }
    let mut distinct: Vec<&str> = present().copied().collect();
    distinct.sort_unstable();
    distinct.dedup();
    if distinct.len() * 2 > cells.len() {
        Column::text(name, cells.iter().copied())
    } else {
        Column::category(name, cells)
    }
}

/// Seconds since 1970 of `YYYY-MM-DD`.
fn seconds(cell: &str) -> Option<f64> {
    let parts: Vec<&str> = cell.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    (cell.len() == 10)
        .then(|| {
            Some(
                days_from_civil(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?) as f64 * 86_400.0,
            )
        })
        .flatten()
}

/// Splits text into records (RFC 4180).
fn parse(text: &str) -> Vec<Vec<String>> {
    let mut records = vec![vec![String::new()]];
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let record = records.last_mut().unwrap();
        let cell = record.last_mut().unwrap();
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(String::new()),
            '\r' if !quoted => {}
            '\n' if !quoted => records.push(vec![String::new()]),
            other => cell.push(other),
        }
    }
    records.retain(|record| record.len() > 1 || !record[0].is_empty());
    records
}
