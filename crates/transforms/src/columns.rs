//! Transforms that change one column at a time: the loop, the naming and the storage that they share.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use kaizen_base::{Flow, Signal};
use kaizen_model::{FitError, FittedTransform, LoadError, PredictError, State};
use kaizen_table::{Category, Column, MISSING_BOOLEAN, Table, Values};
use rayon::prelude::*;

/// What is done with one column.
pub(crate) trait Rule: Sized + Send + Sync {
    /// The columns that take this column's place (itself among them, if it stays).
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError>;

    /// As plain data.
    fn save(&self) -> State;

    /// Back from plain data that nobody vouches for.
    fn load(state: &State) -> Result<Self, LoadError>;
}

/// Rules by column name; columns without a rule pass through.
pub(crate) struct ByColumn<R> {
    rules: BTreeMap<String, R>,
}

impl<R: Rule> ByColumn<R> {
    /// Puts rules together.
    pub(crate) fn new(rules: impl IntoIterator<Item = (String, R)>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    /// Fits a rule for each column for which `fit` gives one.
    pub(crate) fn fit(
        table: &Table,
        signal: &Signal,
        fit: impl Fn(&Column) -> Option<R> + Sync,
    ) -> Result<Self, FitError> {
        let rules: Vec<Option<(String, R)>> = table
            .columns()
            .par_iter()
            .map(|column| {
                check(signal)?;
                Ok(fit(column).map(|rule| (column.name.clone(), rule)))
            })
            .collect::<Result<_, FitError>>()?;
        Ok(Self::new(rules.into_iter().flatten()))
    }

    /// The rule of a column.
    pub(crate) fn rule(&self, name: &str) -> Option<&R> {
        self.rules.get(name)
    }

    /// Brings rules back.
    pub(crate) fn load(state: &State) -> Result<Self, LoadError> {
        let names: Vec<String> = state.read("columns")?;
        let mut rules = BTreeMap::new();
        for (index, name) in names.into_iter().enumerate() {
            let rule = R::load(state.part(&index.to_string())?)?;
            if rules.insert(name, rule).is_some() {
                return Err(LoadError::damaged("columns", "a name stands twice"));
            }
        }
        Ok(Self { rules })
    }
}

impl<R: Rule> FittedTransform for ByColumn<R> {
    fn apply(&self, table: &Table) -> Result<Table, PredictError> {
        if self.rules.is_empty() {
            return Ok(table.clone());
        }
        if let Some(missing) = self.rules.keys().find(|name| table.column(name).is_none()) {
            return Err(PredictError::NoColumn(missing.clone()));
        }
        let change = |column: &Arc<Column>| match self.rules.get(&column.name) {
            Some(rule) => rule.change(column).map(|made| (made, true)),
            None => Ok((vec![Arc::clone(column)], false)),
        };
        // One row must not pay for waking threads.
        let changed: Result<Vec<_>, PredictError> = if table.row_count() < PARALLEL_ROWS {
            table.columns().iter().map(change).collect()
        } else {
            table.columns().par_iter().map(change).collect()
        };
        Ok(assemble(changed?, table.row_count()))
    }

    fn save(&self) -> State {
        let names: Vec<&String> = self.rules.keys().collect();
        let mut state = State::new(serde_json::json!({ "columns": names }));
        for (index, rule) in self.rules.values().enumerate() {
            state.parts.insert(index.to_string(), rule.save());
        }
        state
    }
}

/// Rows from which on work is spread over threads.
pub(crate) const PARALLEL_ROWS: usize = 512;

/// A table of columns in order, each marked as made here or passed through.
///
/// A passed column gives way to a made one of the same name, and among made ones the first wins: names of made columns
/// derive from names of unique columns, so only a table that was not fitted on can collide at all.
pub(crate) fn assemble(columns: Vec<(Vec<Arc<Column>>, bool)>, row_count: usize) -> Table {
    let mut chosen: BTreeMap<String, (bool, usize)> = BTreeMap::new();
    let flat: Vec<(Arc<Column>, bool)> = columns
        .into_iter()
        .flat_map(|(columns, made)| columns.into_iter().map(move |column| (column, made)))
        .collect();
    for (index, (column, made)) in flat.iter().enumerate() {
        let entry = chosen.entry(column.name.clone()).or_insert((*made, index));
        if *made && !entry.0 {
            *entry = (true, index);
        }
    }
    let kept = flat
        .into_iter()
        .enumerate()
        .filter(|(index, (column, _))| chosen.get(&column.name).is_some_and(|(_, wanted)| wanted == index))
        .map(|(_, (column, _))| column)
        .collect();
    #[expect(
        clippy::expect_used,
        reason = "names were made unique above and every rule keeps the number of rows"
    )]
    Table::new(kept, row_count).expect("unique names and equal lengths")
}

/// A made column: real numbers.
pub(crate) fn number(name: String, values: Vec<f64>) -> Arc<Column> {
    Arc::new(Column::number(name, values))
}

/// The cells of a number, boolean or time column as numbers, NaN where missing; `None` for other types.
pub(crate) fn numbers(values: &Values) -> Option<Cow<'_, [f64]>> {
    match values {
        Values::Number(number) => Some(Cow::Borrowed(&number.values)),
        Values::Time(time) => Some(Cow::Borrowed(&time.seconds)),
        Values::Boolean(boolean) => Some(Cow::Owned(
            boolean
                .values
                .iter()
                .map(|&value| if value >= MISSING_BOOLEAN { f64::NAN } else { f64::from(value) })
                .collect(),
        )),
        _ => None,
    }
}

/// The numbers of a number column, or the error that a model gives for another type.
pub(crate) fn require_numbers(column: &Column) -> Result<&[f64], PredictError> {
    match &column.values {
        Values::Number(number) => Ok(&number.values),
        _ => Err(PredictError::Type { name: column.name.clone(), expected: "numbers" }),
    }
}

/// The categories of a category column, or the error that a model gives for another type.
pub(crate) fn require_category(column: &Column) -> Result<&Category, PredictError> {
    match &column.values {
        Values::Category(category) => Ok(category),
        _ => Err(PredictError::Type { name: column.name.clone(), expected: "categories" }),
    }
}

/// Gives up when told to; a transform has nothing worth returning before it is done, so it goes on under
/// [`Flow::Finish`], of which every fit here is at most a moment away.
pub(crate) fn check(signal: &Signal) -> Result<(), FitError> {
    if signal.flow() == Flow::Stop { Err(FitError::Stopped) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_column_wins_over_a_passed_one() {
        let passed = (vec![number("a".to_owned(), vec![1.0])], false);
        let made = (vec![number("a".to_owned(), vec![2.0]), number("b".to_owned(), vec![3.0])], true);
        let table = assemble(vec![passed, made], 1);
        let cells: Vec<_> = table.columns().iter().map(|column| column.cell_text(0)).collect();
        assert_eq!(cells, [Some("2".to_owned()), Some("3".to_owned())]);
    }
}
