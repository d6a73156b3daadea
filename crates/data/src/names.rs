//! Column names: cleaned by one rule when a table is read first and ever after, and matched to those of a schema.

use std::collections::{BTreeMap, BTreeSet};

use kaizen_table::Schema;

use crate::builder::decoded;
use crate::note::Note;
use crate::words::trimmed;

/// The names of a file's columns after cleaning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    /// Unique names, in the order of the file.
    pub names: Vec<String>,
    /// Whether the file gave the column no name (or the one that pandas gives to an index).
    pub unnamed: Vec<bool>,
}

/// Cleans names: spaces at the ends go, blank ones become `column_N`, later ones of the same name get `_2`, `_3`, ….
pub(crate) fn clean<'a>(raw: impl Iterator<Item = &'a [u8]>, notes: &mut Vec<Note>) -> Names {
    let mut spaced = 0;
    let texts: Vec<String> = raw
        .map(|cell| {
            let text = decoded(cell).0;
            let clean = text
                .trim_matches(|letter: char| letter.is_whitespace() || matches!(letter, '\0' | '\u{feff}'));
            spaced += usize::from(clean.len() != text.len());
            clean.to_owned()
        })
        .collect();
    if spaced > 0 {
        notes.push(Note::HeaderTrimmed { count: spaced });
    }
    let mut taken: BTreeSet<String> = texts.iter().filter(|text| !text.is_empty()).cloned().collect();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut names = Names::default();
    for (index, text) in texts.iter().enumerate() {
        let occurrence = seen.entry(text).and_modify(|count| *count += 1).or_insert(1);
        names.unnamed.push(text.is_empty() || text.starts_with("Unnamed: "));
        if text.is_empty() {
            let name = fresh(&mut taken, "column", index + 1);
            notes.push(Note::HeaderBlank { column: name.clone() });
            names.names.push(name);
        } else if *occurrence == 1 {
            names.names.push(text.clone());
        } else {
            let name = fresh(&mut taken, text, *occurrence);
            notes.push(Note::HeaderDuplicate { column: name.clone(), original: text.clone() });
            names.names.push(name);
        }
    }
    names
}

/// Names for a file without a header: `column_1`, `column_2`, ….
pub(crate) fn numbered(width: usize) -> Names {
    Names {
        names: (1..=width).map(|number| format!("column_{number}")).collect(),
        unnamed: vec![false; width],
    }
}

fn fresh(taken: &mut BTreeSet<String>, stem: &str, first: usize) -> String {
    let mut number = first;
    loop {
        let name = format!("{stem}_{number}");
        if taken.insert(name.clone()) {
            return name;
        }
        number += 1;
    }
}

/// For each name of a source, the index of the schema's field that it stands for; notes say what did not match well.
///
/// A name matches its equal; failing that, the one that differs by upper and lower case only, if it is the only one.
pub(crate) fn matched(names: &[&str], schema: &Schema, notes: &mut Vec<Note>) -> Vec<Option<usize>> {
    let by_name: BTreeMap<&str, usize> =
        schema.fields.iter().enumerate().map(|(index, field)| (field.name.as_str(), index)).collect();
    let mut used = vec![false; schema.fields.len()];
    let mut found: Vec<Option<usize>> = names.iter().map(|name| by_name.get(name).copied()).collect();
    for index in found.iter().flatten() {
        used[*index] = true;
    }
    let mut by_lower: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, field) in schema.fields.iter().enumerate().filter(|(index, _)| !used[*index]) {
        by_lower.entry(field.name.trim().to_lowercase()).or_default().push(index);
    }
    for (name, slot) in names.iter().zip(&mut found) {
        if slot.is_some() {
            continue;
        }
        match by_lower.get(&name.trim().to_lowercase()).map(Vec::as_slice) {
            Some([index]) if !used[*index] => {
                used[*index] = true;
                *slot = Some(*index);
                notes.push(Note::ColumnMatchedLoosely {
                    column: schema.fields[*index].name.clone(),
                    found: (*name).to_owned(),
                });
            }
            _ => notes.push(Note::ColumnExtra { column: (*name).to_owned() }),
        }
    }
    found
}

/// Whether any cleaned name of a record is one of the schema's, in any case.
pub(crate) fn any_matches<'a>(raw: impl Iterator<Item = &'a [u8]>, schema: &Schema) -> bool {
    let wanted: BTreeSet<String> = schema.fields.iter().map(|field| field.name.to_lowercase()).collect();
    raw.into_iter().any(|cell| wanted.contains(decoded(trimmed(cell)).0.trim().to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::{Field, FieldKind};

    #[test]
    fn names_become_unique_and_stay_so() {
        let mut notes = Vec::new();
        let raw = [" a ", "rooms", "rooms", "", "rooms_2", "rooms"];
        let names = clean(raw.iter().map(|name| name.as_bytes()), &mut notes);
        assert_eq!(names.names, ["a", "rooms", "rooms_3", "column_4", "rooms_2", "rooms_4"]);
        assert!(names.unnamed[3] && !names.unnamed[0]);
        let codes: Vec<&str> = notes.iter().map(Note::code).collect();
        assert_eq!(codes, ["header_trimmed", "header_duplicate", "header_blank", "header_duplicate"]);
    }

    #[test]
    fn equal_names_first_then_any_case() {
        let field = |name: &str| Field { name: name.to_owned(), kind: FieldKind::Text };
        let schema = Schema { fields: vec![field("Age"), field("age"), field("City")] };
        let mut notes = Vec::new();
        assert_eq!(
            matched(&["CITY", "age", "x", "AGE"], &schema, &mut notes),
            [Some(2), Some(1), None, Some(0)]
        );
        let codes: Vec<&str> = notes.iter().map(Note::code).collect();
        assert_eq!(codes, ["column_matched_loosely", "column_extra", "column_matched_loosely"]);
    }
}
