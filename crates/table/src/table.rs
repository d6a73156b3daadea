//! A table: named columns of equal length, shared between tables that hold the same column.

use std::sync::Arc;

use kaizen_base::edit_distance;

use crate::column::Column;

/// Named columns of equal length. Cloning shares the columns.
#[derive(Clone, Debug, Default)]
pub struct Table {
    columns: Vec<Arc<Column>>,
    row_count: usize,
}

/// Why columns do not make a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A column is longer or shorter than the others.
    #[error("column `{name}` has {rows} rows, the table has {expected}")]
    Length {
        /// The column.
        name: String,
        /// Its rows.
        rows: usize,
        /// The table's rows.
        expected: usize,
    },
    /// Two columns have one name.
    #[error("two columns are called `{0}`")]
    DuplicateName(String),
    /// A wanted column is not there.
    #[error("there is no column `{name}`{hint}")]
    NoColumn {
        /// The wanted name.
        name: String,
        /// Empty, or a hint such as ` (did you mean `x`?)`.
        hint: String,
    },
}

impl Table {
    /// Makes a table of `row_count` rows.
    ///
    /// # Errors
    /// [`TableError::Length`] or [`TableError::DuplicateName`].
    pub fn new(columns: Vec<Arc<Column>>, row_count: usize) -> Result<Self, TableError> {
        let mut names = std::collections::BTreeSet::new();
        for column in &columns {
            if column.len() != row_count {
                return Err(TableError::Length {
                    name: column.name.clone(),
                    rows: column.len(),
                    expected: row_count,
                });
            }
            if !names.insert(column.name.as_str()) {
                return Err(TableError::DuplicateName(column.name.clone()));
            }
        }
        Ok(Self { columns, row_count })
    }

    /// Makes a table of owned columns; the first one tells the number of rows (none: zero).
    ///
    /// # Errors
    /// As [`Table::new`].
    pub fn from_columns(columns: Vec<Column>) -> Result<Self, TableError> {
        let row_count = columns.first().map_or(0, Column::len);
        Self::new(columns.into_iter().map(Arc::new).collect(), row_count)
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Arc<Column>] {
        &self.columns
    }

    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// The column called `name`.
    pub fn column(&self, name: &str) -> Option<&Arc<Column>> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column called `name`, or an error that names near ones.
    ///
    /// # Errors
    /// [`TableError::NoColumn`] with the nearest name, if one is near.
    pub fn require(&self, name: &str) -> Result<&Arc<Column>, TableError> {
        self.column(name).ok_or_else(|| {
            let names = self.columns.iter().map(|column| column.name.as_str());
            let hint =
                nearest(name, names).map_or(String::new(), |near| format!(" (did you mean `{near}`?)"));
            TableError::NoColumn { name: name.to_owned(), hint }
        })
    }

    /// The columns called `names`, in that order; names are different from each other.
    ///
    /// # Errors
    /// [`TableError::NoColumn`] with the first name that is not there, [`TableError::DuplicateName`].
    pub fn pick(&self, names: &[String]) -> Result<Self, TableError> {
        // Rows read by a model's own schema have its columns at its places, and one row must not pay for a search.
        let begins =
            self.columns.iter().zip(names).take_while(|(column, name)| column.name == **name).count();
        if begins == names.len() {
            return Ok(Self { columns: self.columns[..begins].to_vec(), row_count: self.row_count });
        }
        let columns = names.iter().map(|name| self.require(name).cloned()).collect::<Result<_, _>>()?;
        Self::new(columns, self.row_count)
    }

    /// This table without the columns for which `drop` holds.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&Column) -> bool) -> Self {
        let columns = self.columns.iter().filter(|column| !drop(column)).cloned().collect();
        Self { columns, row_count: self.row_count }
    }

    /// The rows `rows`, in that order; rows may repeat.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|column| Arc::new(Column { name: column.name.clone(), values: column.values.take(rows) }))
            .collect();
        Self { columns, row_count: rows.len() }
    }

    /// Memory of all columns, about, in bytes (shared columns count here too).
    pub fn size_bytes(&self) -> usize {
        self.columns.iter().map(|column| column.values.size_bytes()).sum()
    }
}

/// The candidate nearest to `name` by edit distance without regard to case, if it is near enough to be a slip:
/// at most one third of the longer name's characters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.trim().to_lowercase().chars().collect();
    candidates
        .into_iter()
        .map(|candidate| {
            let letters: Vec<char> = candidate.trim().to_lowercase().chars().collect();
            (edit_distance(&wanted, &letters), wanted.len().max(letters.len()), candidate)
        })
        .filter(|(distance, length, _)| distance * 3 <= *length)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(_, _, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uneven_and_duplicate_columns_are_refused() {
        let uneven =
            Table::from_columns(vec![Column::number("a", vec![1.0]), Column::number("b", vec![1.0, 2.0])]);
        assert_eq!(uneven.err(), Some(TableError::Length { name: "b".to_owned(), rows: 2, expected: 1 }));
        let twice = Table::from_columns(vec![Column::number("a", vec![1.0]), Column::number("a", vec![2.0])]);
        assert_eq!(twice.err(), Some(TableError::DuplicateName("a".to_owned())));
    }

    #[test]
    fn columns_are_picked_from_their_places_or_by_name() {
        let one = |name: &str, value| Column::number(name, vec![value]);
        let table = Table::from_columns(vec![one("a", 1.0), one("b", 2.0), one("c", 3.0)]).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let picked = |wanted: &[&str]| {
            let picked = table.pick(&names(wanted)).unwrap();
            picked.columns().iter().map(|column| column.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(picked(&["a", "b"]), ["a", "b"]);
        assert_eq!(picked(&["c", "a"]), ["c", "a"]);
        assert!(matches!(table.pick(&names(&["a", "x"])), Err(TableError::NoColumn { .. })));
        assert!(matches!(table.pick(&names(&["b", "b"])), Err(TableError::DuplicateName(_))));
    }

    #[test]
    fn a_slip_in_a_name_is_pointed_out() {
        let table = Table::from_columns(vec![Column::number("median_house_value", vec![1.0])]).unwrap();
        let error = table.require("Median_House_Value").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no column `Median_House_Value` (did you mean `median_house_value`?)"
        );
        assert_eq!(table.require("x").unwrap_err().to_string(), "there is no column `x`");
        // Two letters of three in the wrong order are one slip.
        assert_eq!(nearest("aeg", ["age", "sex"]), Some("age"));
    }
}
