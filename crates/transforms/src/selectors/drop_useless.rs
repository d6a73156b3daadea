//! Leaves out columns that say nothing, or nothing new.
//!
//! A column is constant if its training rows hold at most one distinct cell, a missing cell counting as a value. A
//! column is a duplicate if an earlier column of the same type has the same cells in all training rows. Dropped columns
//! need not be there later.

use std::collections::{BTreeMap, BTreeSet};

use kaizen_base::Card;
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Transform,
};
use kaizen_space::{Config, Space};
use kaizen_table::{Column, Table, Values};
use rayon::prelude::*;

use crate::columns::check;
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "drop_useless",
    summary: "Drops columns that are constant or equal to another column",
    source: "Zero-variance and identity filters (Kuhn and Johnson 2013, Applied Predictive Modeling, section 3.5)",
};

/// No parameters.
#[derive(Debug)]
pub struct DropUseless;

impl Transform for DropUseless {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([])
    }

    fn fit(
        &self,
        _config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        check(ctx.signal)?;
        let columns = sample.data.table.columns();
        let marks: Vec<Mark> = columns.par_iter().map(|column| mark(column, sample.train)).collect();
        let mut dropped = BTreeSet::new();
        let mut kept: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, mark) in marks.iter().enumerate() {
            let Mark::Varies(hash) = mark else {
                dropped.insert(columns[index].name.clone());
                continue;
            };
            let alike = kept.entry(*hash).or_default();
            if alike.iter().any(|&earlier| same(&columns[earlier], &columns[index], sample.train)) {
                dropped.insert(columns[index].name.clone());
            } else {
                alike.push(index);
            }
        }
        Ok(Box::new(Dropped(dropped)))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(Dropped(state.read("dropped")?)))
    }
}

impl Step for DropUseless {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}

struct Dropped(BTreeSet<String>);

impl FittedTransform for Dropped {
    fn apply(&self, table: &Table) -> Result<Table, PredictError> {
        Ok(table.without(|column| self.0.contains(&column.name)))
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({ "dropped": self.0 }))
    }
}

enum Mark {
    Constant,
    /// A hash of the training cells.
    Varies(u64),
}

/// One number for each cell by which equal cells can be told; the level itself for categories, since the codes of two
/// columns may number the same levels differently.
fn key(values: &Values, row: usize) -> u64 {
    let of_text = |text: Option<&str>| text.map_or(u64::MAX, |text| text.bytes().fold(1, hash_step));
    match values {
        // Adding zero makes the two zeros one; every NaN is the same missing cell.
        Values::Number(number) if number.values[row].is_nan() => u64::MAX,
        Values::Number(number) => (number.values[row] + 0.0).to_bits(),
        Values::Time(time) if time.seconds[row].is_nan() => u64::MAX,
        Values::Time(time) => (time.seconds[row] + 0.0).to_bits(),
        Values::Boolean(boolean) => u64::from(boolean.values[row]),
        Values::Category(category) => of_text(category.level(row)),
        Values::Text(text) => of_text(text.get(row)),
        Values::Sparse(block) => {
            let (columns, values) = block.row(row);
            columns.iter().zip(values).fold(1, |hash, (&column, value)| {
                mix(hash, u64::from(column) << 32 | u64::from(value.to_bits()))
            })
        }
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash.rotate_left(29) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn hash_step(hash: u64, byte: u8) -> u64 {
    mix(hash, u64::from(byte))
}

fn mark(column: &Column, rows: &[u32]) -> Mark {
    let mut keys = rows.iter().map(|&row| key(&column.values, row as usize));
    let Some(first) = keys.next() else { return Mark::Constant };
    let (mut hash, mut varies) = (mix(0, first), false);
    for key in keys {
        varies |= key != first;
        hash = mix(hash, key);
    }
    // Two texts of one hash are rare; two different columns of one hash are told apart below.
    if varies { Mark::Varies(hash) } else { Mark::Constant }
}

fn same(a: &Column, b: &Column, rows: &[u32]) -> bool {
    if std::mem::discriminant(&a.values) != std::mem::discriminant(&b.values) {
        return false;
    }
    rows.iter().all(|&row| {
        let row = row as usize;
        match (&a.values, &b.values) {
            (Values::Sparse(a), Values::Sparse(b)) => a.row(row) == b.row(row),
            (Values::Category(a), Values::Category(b)) => a.level(row) == b.level(row),
            (Values::Text(a), Values::Text(b)) => a.get(row) == b.get(row),
            (a, b) => key(a, row) == key(b, row),
        }
    })
}
