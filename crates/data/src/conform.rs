//! Columns brought into the types of a schema, so that a model sees new rows as it saw the old ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use kaizen_table::{
    Boolean, Category, Column, Field, FieldKind, MISSING_BOOLEAN, MISSING_CODE, Number, Schema, Table, Text,
    Time, Values,
};

use crate::builder::{MomentBuilder, NumberBuilder, Tally, WordsBuilder, decoded};
use crate::finish::Finished;
use crate::moment::{MomentFormat, detect};
use crate::names::matched;
use crate::note::Note;
use crate::words::{missing_word, trimmed, truth_word};

/// Brings a table in memory into the columns, order and types of `schema`: names are matched as by
/// [`read_as`](crate::read_as), missing columns are filled with missing cells, others are left out, and cells that do
/// not fit become missing; the notes say so. Rows stay as they are.
pub fn conform(table: &Table, schema: &Schema) -> (Table, Vec<Note>) {
    let mut notes = Vec::new();
    let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
    let slots = matched(&names, schema, &mut notes);
    let columns = schema
        .fields
        .iter()
        .enumerate()
        .map(|(index, field)| {
            let found = slots.iter().position(|slot| *slot == Some(index));
            if let Some(position) = found {
                let source = &table.columns()[position];
                if source.name == field.name && fits(&source.values, &field.kind) {
                    return Arc::clone(source);
                }
                let (column, mut more) = self::column(source, field);
                notes.append(&mut more);
                return Arc::new(column);
            }
            notes.push(Note::ColumnMissing { column: field.name.clone() });
            Arc::new(absent(field, table.row_count()))
        })
        .collect();
    #[expect(
        clippy::expect_used,
        reason = "a schema's names are unique and all columns have the table's rows"
    )]
    let table = Table::new(columns, table.row_count()).expect("columns of one length with unique names");
    (table, notes)
}

/// Whether a column can be taken as it is.
fn fits(values: &Values, kind: &FieldKind) -> bool {
    match (values, kind) {
        (Values::Number(_), FieldKind::Number { .. })
        | (Values::Time(_), FieldKind::Time { .. })
        | (Values::Text(_), FieldKind::Text) => true,
        (Values::Boolean(boolean), FieldKind::Boolean { names }) => boolean.names == *names,
        (Values::Category(category), FieldKind::Category { levels }) => category.levels == *levels,
        _ => false,
    }
}

/// A column of missing cells.
fn absent(field: &Field, rows: usize) -> Column {
    let mut words = WordsBuilder::default();
    words.codes.resize(rows, MISSING_CODE);
    self::words(field, &words).column
}

/// Brings one column into the type of a field.
pub(crate) fn column(source: &Column, field: &Field) -> (Column, Vec<Note>) {
    if fits(&source.values, &field.kind) {
        return (Column { name: field.name.clone(), values: source.values.clone() }, Vec::new());
    }
    if let (Values::Boolean(boolean), FieldKind::Number { .. }) = (&source.values, &field.kind) {
        let values = boolean
            .values
            .iter()
            .map(|&value| if value < MISSING_BOOLEAN { f64::from(value) } else { f64::NAN });
        let number = Number { values: values.collect(), integer: true };
        return (Column { name: field.name.clone(), values: Values::Number(number) }, Vec::new());
    }
    if let (Values::Boolean(boolean), FieldKind::Boolean { names }) = (&source.values, &field.kind) {
        let values = Values::Boolean(Boolean { values: boolean.values.clone(), names: names.clone() });
        return (Column { name: field.name.clone(), values }, Vec::new());
    }
    let finished = words(field, &words_of(source));
    (finished.column, finished.notes)
}

/// The cells of a column as words.
fn words_of(source: &Column) -> WordsBuilder {
    let mut words = WordsBuilder::default();
    if let Values::Category(category) = &source.values {
        let map: Vec<u32> = category.levels.iter().map(|level| words.insert(level.as_bytes())).collect();
        words.codes = category
            .codes
            .iter()
            .map(|&code| map.get(code as usize).copied().unwrap_or(MISSING_CODE))
            .collect();
        return words;
    }
    for row in 0..source.len() {
        words.push_exact(source.cell_text(row).as_deref().map(str::as_bytes));
    }
    words
}

/// Reads words as a field of a schema.
pub(crate) fn words(field: &Field, builder: &WordsBuilder) -> Finished {
    let levels = builder.levels();
    let mut reader =
        LevelReader { missing: Tally::default(), unreadable: Tally::default(), notes: Vec::new() };
    let values = match &field.kind {
        FieldKind::Number { style, .. } => {
            let mut target = NumberBuilder { style: *style, ..NumberBuilder::default() };
            let values: Vec<f64> =
                levels.iter().map(|(level, count)| target.odd_number(trimmed(level), *count)).collect();
            if target.infinite_count > 0 {
                reader
                    .notes
                    .push(Note::CellsInfinite { column: field.name.clone(), count: target.infinite_count });
            }
            reader.unreadable = target.unreadable;
            let integer = target.fractional_count == 0;
            Values::Number(Number { values: spread(&builder.codes, &values, f64::NAN), integer })
        }
        FieldKind::Time { format } => {
            let values = reader.moments(&levels, format);
            Values::Time(Time { seconds: spread(&builder.codes, &values, f64::NAN), format: format.clone() })
        }
        FieldKind::Boolean { names } => {
            let values = reader.truths(&levels, names);
            Values::Boolean(Boolean {
                values: spread(&builder.codes, &values, MISSING_BOOLEAN),
                names: names.clone(),
            })
        }
        FieldKind::Category { levels: known } => {
            let (map, all) = reader.categories(&field.name, &levels, known);
            Values::Category(Category { codes: spread(&builder.codes, &map, MISSING_CODE), levels: all })
        }
        FieldKind::Text => {
            let mut text = Text::default();
            for &code in &builder.codes {
                match levels.get(code as usize) {
                    Some((level, _)) => text.push(Some(&decoded(level).0)),
                    None => text.push(None),
                }
            }
            Values::Text(text)
        }
    };
    if reader.unreadable.count() > 0 {
        reader.notes.push(Note::CellsUnreadable {
            column: field.name.clone(),
            wanted: field.kind.word(),
            count: reader.unreadable.count(),
            examples: reader.unreadable.examples(),
        });
    }
    Finished {
        column: Column { name: field.name.clone(), values },
        kind: field.kind.clone(),
        notes: reader.notes,
    }
}

fn spread<T: Copy>(codes: &[u32], values: &[T], missing: T) -> Vec<T> {
    codes.iter().map(|&code| values.get(code as usize).copied().unwrap_or(missing)).collect()
}

/// Reads distinct values and counts what does not fit.
struct LevelReader {
    missing: Tally,
    unreadable: Tally,
    notes: Vec<Note>,
}

impl LevelReader {
    fn odd(&mut self, level: &[u8], count: u64) {
        let tally = if missing_word(level).is_some() { &mut self.missing } else { &mut self.unreadable };
        tally.add(level, count);
    }

    /// Moments by the schema's format; where it has none (its source was typed), by the one that the values show.
    fn moments(&mut self, levels: &[(&[u8], u64)], format: &str) -> Vec<f64> {
        let present: Vec<(&[u8], u64)> = levels
            .iter()
            .map(|(level, count)| (trimmed(level), *count))
            .filter(|(level, _)| missing_word(level).is_none())
            .collect();
        let own = MomentFormat::parse(format).filter(|format| !format.text().is_empty());
        // A typed source writes its moments as dates; another file may write them in any way.
        let fits = own.as_ref().is_some_and(|own| present.iter().any(|(level, _)| own.read(level).is_some()));
        let format = if fits { own } else { detect(&present, None).map(|found| found.format).or(own) };
        let mut target = MomentBuilder { format, ..MomentBuilder::typed() };
        let values = levels.iter().map(|(level, count)| target.moment(trimmed(level), *count)).collect();
        self.unreadable.append(target.unreadable);
        values
    }

    fn truths(&mut self, levels: &[(&[u8], u64)], names: &[String; 2]) -> Vec<u8> {
        levels
            .iter()
            .map(|(level, count)| {
                let level = trimmed(level);
                if let Some(index) = names.iter().position(|name| name.as_bytes() == level) {
                    return index as u8;
                }
                truth_word(level).map_or_else(
                    || {
                        self.odd(level, *count);
                        MISSING_BOOLEAN
                    },
                    u8::from,
                )
            })
            .collect()
    }

    /// The code of each level, and all levels: the schema's first, then unseen ones by code point.
    fn categories(
        &mut self,
        name: &str,
        levels: &[(&[u8], u64)],
        known: &Arc<Vec<String>>,
    ) -> (Vec<u32>, Arc<Vec<String>>) {
        let codes: BTreeMap<&[u8], u32> =
            known.iter().enumerate().map(|(code, level)| (level.as_bytes(), code as u32)).collect();
        let mut unseen: BTreeMap<String, u32> = BTreeMap::new();
        let mut tally = Tally::default();
        let mut map = vec![MISSING_CODE; levels.len()];
        let mut late: Vec<(usize, String)> = Vec::new();
        for (index, (level, count)) in levels.iter().enumerate() {
            let bare = trimmed(level);
            if let Some(&code) = codes.get(level).or_else(|| codes.get(bare)) {
                map[index] = code;
            } else if missing_word(bare).is_some() {
                self.missing.add(bare, *count);
            } else {
                let text = decoded(level).0.into_owned();
                if let Some(&code) = codes.get(text.as_bytes()) {
                    map[index] = code;
                } else if *count > 0 {
                    tally.add(bare, *count);
                    unseen.insert(text.clone(), 0);
                    late.push((index, text));
                }
            }
        }
        if unseen.is_empty() {
            return (map, Arc::clone(known));
        }
        self.notes.push(Note::LevelsUnseen {
            column: name.to_owned(),
            count: tally.count(),
            examples: tally.examples(),
        });
        for (offset, code) in unseen.values_mut().enumerate() {
            *code = (known.len() + offset) as u32;
        }
        for (index, text) in late {
            map[index] = unseen[&text];
        }
        let all = known.iter().cloned().chain(unseen.into_keys()).collect();
        (map, Arc::new(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(name: &str, kind: FieldKind) -> Schema {
        Schema { fields: vec![Field { name: name.to_owned(), kind }] }
    }

    #[test]
    fn levels_keep_their_codes_and_unseen_ones_come_last() {
        let levels = Arc::new(vec!["red".to_owned(), "blue".to_owned()]);
        let schema = schema("c", FieldKind::Category { levels });
        let table = Table::from_columns(vec![Column::category(
            "C",
            &[Some("blue"), Some("green"), None, Some(" red")],
        )])
        .unwrap();
        let (table, notes) = conform(&table, &schema);
        let Values::Category(category) = &table.columns()[0].values else { panic!("a category") };
        assert_eq!(category.codes, [1, 2, MISSING_CODE, 0]);
        assert_eq!(**category.levels, ["red", "blue", "green"]);
        let codes: Vec<&str> = notes.iter().map(Note::code).collect();
        assert_eq!(codes, ["column_matched_loosely", "levels_unseen"]);
    }

    #[test]
    fn other_types_are_read_by_the_schema() {
        let number = FieldKind::Number { integer: false, style: kaizen_table::NumberStyle::default() };
        let table = Table::from_columns(vec![Column::category("x", &[Some("39 "), Some("old"), Some("NA")])])
            .unwrap();
        let (table, notes) = conform(&table, &schema("x", number));
        let Values::Number(number) = &table.columns()[0].values else { panic!("a number") };
        assert_eq!(number.values[0], 39.0);
        assert!(number.values[1].is_nan() && number.values[2].is_nan());
        assert_eq!(notes.len(), 1, "{notes:?}");
        let table = Table::from_columns(vec![Column::number("x", vec![1.0, 0.0, 7.0])]).unwrap();
        let names = ["no".to_owned(), "yes".to_owned()];
        let (table, notes) = conform(&table, &schema("x", FieldKind::Boolean { names }));
        assert_eq!(table.columns()[0].cell_text(0).as_deref(), Some("yes"));
        assert_eq!((table.columns()[0].values.missing_count(), notes.len()), (1, 1));
    }

    #[test]
    fn absent_columns_are_missing_and_others_left_out() {
        let table = Table::from_columns(vec![Column::number("y", vec![1.0, 2.0])]).unwrap();
        let (table, notes) = conform(&table, &schema("x", FieldKind::Text));
        assert_eq!((table.row_count(), table.columns().len()), (2, 1));
        assert_eq!(table.columns()[0].values.missing_count(), 2);
        let codes: Vec<&str> = notes.iter().map(Note::code).collect();
        assert_eq!(codes, ["column_extra", "column_missing"]);
    }
}
