//! Tables in memory, the schema that new rows are read by, and the splits that cut rows into folds.
//!
//! A [`Table`] is a list of named, typed [`Column`]s of equal length, cheap to clone (columns are shared). It is not
//! a data frame: there is no query language and no index, since Kaizen only ever reads columns, picks rows and adds
//! columns. Arrow stays at the edge, in the readers, so that nothing below them has to build it.

pub mod column;
pub mod schema;
pub mod sparse;
pub mod splits;
pub mod table;
pub mod target;

pub use column::{Boolean, Category, Column, MISSING_BOOLEAN, MISSING_CODE, Number, Text, Time, Values};
pub use schema::{Field, FieldKind, NumberStyle, Schema};
pub use sparse::Sparse;
pub use splits::{Fold, RowLabels, SplitError, SplitPlan};
pub use table::{Table, TableError};
pub use target::{Target, TargetError, TargetValues};
