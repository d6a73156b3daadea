//! A table while it grows out of one file or several: columns matched by name, builders joined in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kaizen_table::{Column, Field, FieldKind, Schema, Table, Values};
use rayon::prelude::*;

use crate::builder::{Builder, Plan};
use crate::error::DataError;
use crate::finish::{Finished, finish};
use crate::infer::Hints;
use crate::moment::MomentFormat;
use crate::names::{Names, matched};
use crate::note::Note;

/// Who decides on columns and types.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode<'a> {
    /// The values.
    Infer,
    /// An earlier reading found these columns to be words.
    Again(&'a BTreeSet<String>),
    /// A schema; every row of the source keeps its place.
    Prescribed(&'a Schema),
}

impl Mode<'_> {
    /// Whether rows that cannot be read stay, with missing cells.
    pub(crate) fn keeps_rows(self) -> bool {
        matches!(self, Self::Prescribed(_))
    }
}

/// A column that grows.
#[derive(Debug)]
pub(crate) struct Growing {
    pub name: String,
    pub plan: Plan,
    pub builder: Builder,
    /// Whether the file gives it no name.
    unnamed: bool,
    /// Rows of files that lack it.
    absent_rows: u64,
}

/// A growing table.
#[derive(Debug)]
pub(crate) struct Assembler<'a> {
    pub mode: Mode<'a>,
    pub columns: Vec<Growing>,
    pub row_count: usize,
    pub notes: Vec<Note>,
    pub hints: Hints,
    by_name: BTreeMap<String, usize>,
    /// Columns of a prescribed schema that were found in some file.
    found: BTreeSet<usize>,
}

impl<'a> Assembler<'a> {
    /// An empty table; of a prescribed schema it has all columns already.
    pub(crate) fn new(mode: Mode<'a>) -> Self {
        let mut assembler = Self {
            mode,
            columns: Vec::new(),
            row_count: 0,
            notes: Vec::new(),
            hints: Hints::default(),
            by_name: BTreeMap::new(),
            found: BTreeSet::new(),
        };
        if let Mode::Prescribed(schema) = mode {
            for field in &schema.fields {
                assembler.add(field.name.clone(), plan_of(&field.kind), false);
            }
        }
        assembler
    }

    /// The column of the table for each column of a file; `None` for columns that are not wanted. Columns met for the
    /// first time are added, with missing cells in all rows so far.
    pub(crate) fn slots(&mut self, names: &Names, plan: impl Fn(usize) -> Plan) -> Vec<Option<usize>> {
        match self.mode {
            Mode::Prescribed(schema) => {
                let texts: Vec<&str> = names.names.iter().map(String::as_str).collect();
                let slots = matched(&texts, schema, &mut self.notes);
                self.found.extend(slots.iter().flatten());
                slots
            }
            Mode::Infer | Mode::Again(_) => (0..names.names.len())
                .map(|index| {
                    let name = &names.names[index];
                    if let Some(&slot) = self.by_name.get(name) {
                        return Some(slot);
                    }
                    let plan = match self.mode {
                        Mode::Again(wanted) if wanted.contains(name) => Plan::Words,
                        Mode::Again(_) => return None,
                        _ => plan(index),
                    };
                    Some(self.add(name.clone(), plan, names.unnamed[index]))
                })
                .collect(),
        }
    }

    /// As [`Assembler::slots`], for a typed source: new columns begin with the builder of their type.
    pub(crate) fn typed_slots(
        &mut self,
        names: &Names,
        builder: impl Fn(usize) -> Builder,
    ) -> Vec<Option<usize>> {
        let before = self.columns.len();
        let slots = self.slots(names, |_| Plan::Words);
        if self.row_count == 0 && !matches!(self.mode, Mode::Again(_)) {
            for (index, slot) in slots.iter().enumerate() {
                if let Some(slot) = slot
                    && (*slot >= before || matches!(self.mode, Mode::Prescribed(_)))
                {
                    self.columns[*slot].builder = builder(index);
                }
            }
        }
        slots
    }

    fn add(&mut self, name: String, plan: Plan, unnamed: bool) -> usize {
        let mut builder = Builder::new(&plan);
        builder.push_missing(self.row_count);
        self.by_name.insert(name.clone(), self.columns.len());
        self.columns.push(Growing { name, plan, builder, unnamed, absent_rows: self.row_count as u64 });
        self.columns.len() - 1
    }

    /// Adds rows: `parts` holds, for each stretch of rows, one builder for each column of the file.
    pub(crate) fn append(&mut self, slots: &[Option<usize>], parts: Vec<Vec<Builder>>, rows: usize) {
        let mut by_column: Vec<Vec<Builder>> = self.columns.iter().map(|_| Vec::new()).collect();
        for part in parts {
            for (slot, builder) in slots.iter().zip(part) {
                if let Some(slot) = slot {
                    by_column[*slot].push(builder);
                }
            }
        }
        self.row_count += rows;
        let row_count = self.row_count;
        self.columns.par_iter_mut().zip(by_column).for_each(|(column, parts)| {
            column.builder.append(parts);
            let absent = row_count - column.builder.len();
            column.builder.push_missing(absent);
            column.absent_rows += absent as u64;
        });
    }

    /// Memory of all columns, about, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.builder.size_bytes()).sum()
    }

    /// Fails if the table has grown beyond what is allowed.
    pub(crate) fn check_memory(
        &self,
        path: &str,
        more_bytes: u64,
        limit_bytes: u64,
    ) -> Result<(), DataError> {
        let needed_bytes = self.size_bytes() as u64 + more_bytes;
        if needed_bytes > limit_bytes {
            return Err(DataError::Memory { path: path.to_owned(), needed_bytes, limit_bytes });
        }
        Ok(())
    }

    /// Whether a schema is prescribed and not one of its columns was found.
    pub(crate) fn found_nothing(&self) -> bool {
        matches!(self.mode, Mode::Prescribed(schema) if !schema.fields.is_empty()) && self.found.is_empty()
    }

    /// The types of all columns. Gives the names of columns that have to be read again as words.
    pub(crate) fn finish(self) -> (Vec<Done>, BTreeSet<String>, Vec<Note>) {
        let Self { mode, columns, mut notes, hints, found, .. } = self;
        let settled = matches!(mode, Mode::Prescribed(_));
        for (index, column) in columns.iter().enumerate() {
            if settled && !found.contains(&index) {
                notes.push(Note::ColumnMissing { column: column.name.clone() });
            } else if column.absent_rows > 0 {
                notes.push(Note::ColumnNotInAllFiles {
                    column: column.name.clone(),
                    rows: column.absent_rows,
                });
            }
        }
        let done: Vec<Done> = columns
            .into_par_iter()
            .map(|column| {
                let Growing { name, builder, unnamed, .. } = column;
                let finished = match mode {
                    Mode::Prescribed(schema) => prescribed(&name, builder, schema),
                    _ => finish(&name, builder, hints, false),
                };
                Done { name, unnamed, finished }
            })
            .collect();
        let again =
            done.iter().filter(|done| done.finished.is_none()).map(|done| done.name.clone()).collect();
        (done, again, notes)
    }
}

/// A column after its last row.
#[derive(Debug)]
pub(crate) struct Done {
    pub name: String,
    pub unnamed: bool,
    /// `None` if it has to be read again.
    pub finished: Option<Finished>,
}

/// The plan to read a field of a schema. Truth values are read as words, since any spelling will do.
fn plan_of(kind: &FieldKind) -> Plan {
    match kind {
        FieldKind::Number { style, .. } => Plan::Number(*style),
        FieldKind::Time { format } => match MomentFormat::parse(format) {
            Some(format) if !format.text().is_empty() => Plan::Moment { format, ambiguous: false },
            _ => Plan::Words,
        },
        FieldKind::Text => Plan::Text,
        FieldKind::Boolean { .. } | FieldKind::Category { .. } => Plan::Words,
    }
}

/// Finishes a column of a prescribed type.
fn prescribed(name: &str, builder: Builder, schema: &Schema) -> Option<Finished> {
    let field = schema.field(name)?;
    match builder {
        Builder::Words(words) => Some(crate::conform::words(field, &words)),
        builder => {
            let finished = finish(name, builder, Hints::default(), true)?;
            let (column, mut notes) = crate::conform::column(&finished.column, field);
            let mut all = finished.notes;
            // How numbers are decorated was said when the schema was made.
            all.retain(|note| !matches!(note, Note::NumberDecorated { .. }));
            all.append(&mut notes);
            Some(Finished { column, kind: field.kind.clone(), notes: all })
        }
    }
}

/// The table and its schema. A column without a name that counts the rows is left out, unless it is `target`.
pub(crate) fn table(
    done: Vec<Done>,
    row_count: usize,
    target: Option<&str>,
    notes: &mut Vec<Note>,
) -> (Table, Schema) {
    let mut columns = Vec::with_capacity(done.len());
    let mut schema = Schema::default();
    for Done { name, unnamed, finished } in done {
        let Some(finished) = finished else { continue };
        if unnamed && target != Some(&name) && counts_rows(&finished.column) {
            notes.retain(|note| !matches!(note, Note::HeaderBlank { column } if *column == name));
            notes.push(Note::SavedIndex { column: name });
            continue;
        }
        notes.extend(finished.notes);
        schema.fields.push(Field { name, kind: finished.kind });
        columns.push(Arc::new(finished.column));
    }
    #[expect(
        clippy::expect_used,
        reason = "names are unique and every builder was filled up to the row count"
    )]
    let table = Table::new(columns, row_count).expect("columns of one length with unique names");
    (table, schema)
}

/// Whether a column is 0, 1, 2, … or 1, 2, 3, ….
fn counts_rows(column: &Column) -> bool {
    let Values::Number(number) = &column.values else { return false };
    number.integer
        && number.values.len() > 1
        && matches!(number.values[0], 0.0 | 1.0)
        && number.values.windows(2).all(|pair| pair[1] - pair[0] == 1.0)
}
