//! The columns that a model was fitted on, and how it reads them again from another table.

use std::borrow::Cow;
use std::sync::Arc;

use kaizen_model::{FitError, Handles, Inputs, LoadError, PredictError, Sample, State};
use kaizen_table::{MISSING_BOOLEAN, Sparse, Table, Values};

use crate::levels::Levels;

/// The columns of a model in order.
#[derive(Clone, Debug)]
pub(crate) struct Features {
    list: Vec<Feature>,
}

/// One column of a model.
#[derive(Clone, Debug)]
pub(crate) struct Feature {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// What a model takes a column for.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Numbers, booleans (0 and 1) and times (seconds).
    Number,
    /// Levels as they were when fitting.
    Category(Levels),
    /// A sparse block of this many columns.
    Sparse(usize),
}

/// The cells of one column as a learner sees them, one a row.
pub(crate) enum Cells<'a> {
    /// NaN where missing.
    Number(Cow<'a, [f64]>),
    /// Index of the fitted level, the number of levels for an unseen one, [`kaizen_table::MISSING_CODE`] for none.
    Category(Cow<'a, [u32]>),
    /// A block of the fitted width.
    Sparse(&'a Sparse),
}

impl Features {
    /// All columns of a table, if the learner can look at each.
    ///
    /// # Errors
    /// [`FitError::Unfit`] naming the first column that it cannot.
    pub(crate) fn of(table: &Table, inputs: Inputs) -> Result<Self, FitError> {
        let list = table.columns().iter().map(|column| {
            let refuse = |what: &str, cure: &str| {
                Err(FitError::Unfit(format!(
                    "column `{}` is {what}, which this learner cannot use: {cure}",
                    column.name
                )))
            };
            let kind = match &column.values {
                Values::Number(_) | Values::Boolean(_) | Values::Time(_) => Kind::Number,
                Values::Category(category) if inputs.categories => {
                    Kind::Category(Levels::new(Arc::clone(&category.levels)))
                }
                Values::Category(_) => return refuse("a category", "encode it as numbers"),
                Values::Sparse(block) if inputs.sparse => Kind::Sparse(block.width()),
                Values::Sparse(_) => return refuse("a sparse block", "reduce it with `truncated_svd`"),
                Values::Text(_) => return refuse("text", "turn it into terms with `tf_idf`"),
            };
            Ok(Feature { name: column.name.clone(), kind })
        });
        Ok(Self { list: list.collect::<Result<_, FitError>>()? })
    }

    /// The columns in order.
    pub(crate) fn list(&self) -> &[Feature] {
        &self.list
    }

    /// The cells of a table, in the order of the features.
    ///
    /// # Errors
    /// [`PredictError`] when a column is missing or of another type.
    pub(crate) fn read<'a>(&self, table: &'a Table) -> Result<Vec<Cells<'a>>, PredictError> {
        self.list
            .iter()
            .enumerate()
            .map(|(place, feature)| {
                // Columns mostly come in the order of the fit, and a search for each would cost more than the trees.
                let column = match table.columns().get(place) {
                    Some(column) if column.name == feature.name => column,
                    _ => table
                        .column(&feature.name)
                        .ok_or_else(|| PredictError::NoColumn(feature.name.clone()))?,
                };
                let wrong = |expected| PredictError::Type { name: feature.name.clone(), expected };
                match &feature.kind {
                    Kind::Number => {
                        numbers(&column.values).map(Cells::Number).ok_or_else(|| wrong("numbers"))
                    }
                    Kind::Category(levels) => match &column.values {
                        Values::Category(category) => Ok(Cells::Category(levels.codes(category))),
                        _ => Err(wrong("categories")),
                    },
                    Kind::Sparse(width) => match &column.values {
                        Values::Sparse(block) if block.width() == *width => Ok(Cells::Sparse(block)),
                        _ => Err(wrong("a sparse block of the fitted width")),
                    },
                }
            })
            .collect()
    }

    /// As plain data.
    pub(crate) fn save(&self) -> State {
        let names: Vec<&str> = self.list.iter().map(|feature| feature.name.as_str()).collect();
        let widths: Vec<u64> = self
            .list
            .iter()
            .map(|feature| if let Kind::Sparse(width) = feature.kind { width as u64 } else { 0 })
            .collect();
        let kinds: Vec<&str> = self
            .list
            .iter()
            .map(|feature| match feature.kind {
                Kind::Number => "number",
                Kind::Category(_) => "category",
                Kind::Sparse(_) => "sparse",
            })
            .collect();
        let mut state = State::new(serde_json::json!({ "names": names, "kinds": kinds, "widths": widths }));
        for (index, feature) in self.list.iter().enumerate() {
            if let Kind::Category(levels) = &feature.kind {
                state.parts.insert(index.to_string(), levels.save(State::default()));
            }
        }
        state
    }

    /// Back from plain data that nobody vouches for.
    pub(crate) fn load(state: &State) -> Result<Self, LoadError> {
        let names: Vec<String> = state.read("names")?;
        let kinds: Vec<String> = state.read("kinds")?;
        let widths: Vec<u64> = state.read("widths")?;
        if kinds.len() != names.len() || widths.len() != names.len() {
            return Err(LoadError::damaged("kinds", "not one for each column"));
        }
        let list =
            names.into_iter().zip(kinds).zip(widths).enumerate().map(|(index, ((name, kind), width))| {
                let kind = match kind.as_str() {
                    "number" => Kind::Number,
                    "category" => Kind::Category(Levels::load(state.part(&index.to_string())?)?),
                    "sparse" if width <= SPARSE_WIDTH_LIMIT => Kind::Sparse(width as usize),
                    _ => return Err(LoadError::damaged("kinds", format!("`{kind}` of width {width}"))),
                };
                Ok(Feature { name, kind })
            });
        Ok(Self { list: list.collect::<Result<_, LoadError>>()? })
    }
}

/// The widest block a model will make room for.
const SPARSE_WIDTH_LIMIT: u64 = 1 << 24;

fn numbers(values: &Values) -> Option<Cow<'_, [f64]>> {
    match values {
        Values::Number(number) => Some(Cow::Borrowed(&number.values)),
        Values::Time(time) => Some(Cow::Borrowed(&time.seconds)),
        Values::Boolean(boolean) => {
            let cell = |&value: &u8| if value >= MISSING_BOOLEAN { f64::NAN } else { f64::from(value) };
            Some(Cow::Owned(boolean.values.iter().map(cell).collect()))
        }
        _ => None,
    }
}

/// Refuses what a learner's [`Handles`] exclude, and samples without rows.
///
/// # Errors
/// [`FitError::Unfit`].
pub(crate) fn admit(handles: Handles, sample: Sample<'_>) -> Result<Features, FitError> {
    if !handles.task(&sample.data.task) {
        return Err(FitError::Unfit(format!("this learner has no {} mode", sample.data.task.word())));
    }
    if sample.train.is_empty() {
        return Err(FitError::Unfit("there are no rows to learn from".to_owned()));
    }
    Features::of(&sample.data.table, handles.inputs)
}

/// The cells of the very table that the features were made from.
pub(crate) fn own_cells<'a>(features: &Features, table: &'a Table) -> Result<Vec<Cells<'a>>, FitError> {
    features.read(table).map_err(|error| FitError::Unfit(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::Column;

    const ALL: Inputs = Inputs { missing: true, categories: true, sparse: true, scaled: false };

    #[test]
    fn columns_are_found_by_name_and_checked_by_type() {
        let columns = vec![Column::number("a", vec![1.0]), Column::category("b", &[Some("x")])];
        let features = Features::of(&Table::from_columns(columns).unwrap(), ALL).unwrap();
        let other =
            Table::from_columns(vec![Column::category("b", &[Some("y")]), Column::number("a", vec![2.0])]);
        let other = other.unwrap();
        let cells = features.read(&other).unwrap();
        assert!(matches!(&cells[1], Cells::Category(codes) if codes[..] == [1]), "an unseen level");
        let swapped =
            Table::from_columns(vec![Column::number("b", vec![1.0]), Column::number("a", vec![2.0])]);
        assert!(matches!(features.read(&swapped.unwrap()), Err(PredictError::Type { .. })));
        let short = other.without(|column| column.name == "a");
        assert!(matches!(features.read(&short), Err(PredictError::NoColumn(name)) if name == "a"));
    }

    #[test]
    fn text_is_refused_with_a_cure() {
        let table = Table::from_columns(vec![Column::text("t", [Some("words")])]).unwrap();
        let error = Features::of(&table, ALL).unwrap_err();
        assert!(error.to_string().contains("`t` is text") && error.to_string().contains("tf_idf"));
    }

    #[test]
    fn features_survive_storage() {
        let columns = vec![Column::number("a", vec![1.0]), Column::category("b", &[Some("x")])];
        let features = Features::of(&Table::from_columns(columns).unwrap(), ALL).unwrap();
        let state = features.save();
        assert_eq!(Features::load(&state).unwrap().save(), state);
        let mut bad = state;
        bad.parts.clear();
        assert!(Features::load(&bad).is_err());
    }
}
