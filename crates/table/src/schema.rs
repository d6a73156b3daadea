//! What a table looked like when a model was fitted, and so how new rows have to be read.

use std::sync::Arc;

use crate::column::Values;
use crate::table::Table;

/// The fields of a table, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schema {
    /// One entry a column; names are unique.
    pub fields: Vec<Field>,
}

/// One column's name and type.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The column's name after cleaning (trimmed, made unique).
    pub name: String,
    /// Its type with all that is needed to read a cell of it.
    pub kind: FieldKind,
}

/// A type with the rules to read it.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldKind {
    /// A number.
    Number {
        /// Whether all values were integers.
        integer: bool,
        /// How numbers are written in text sources.
        style: NumberStyle,
    },
    /// A truth value.
    Boolean {
        /// Printed words for false and true.
        names: [String; 2],
    },
    /// One of the levels seen when fitting.
    Category {
        /// The levels; a column read by this field has them first, in this order, and unseen ones after them.
        levels: Arc<Vec<String>>,
    },
    /// A moment.
    Time {
        /// The format, empty for typed sources.
        format: String,
    },
    /// Words.
    Text,
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberStyle {
    /// `.` or `,`.
    pub decimal: u8,
    /// The byte between groups of three digits, if any.
    pub thousands: Option<u8>,
    /// Whether a trailing `%` was seen; the number keeps its printed value (12 % is 12).
    pub percent: bool,
    /// Whether currency signs were seen and dropped.
    pub currency: bool,
}

impl Default for NumberStyle {
    fn default() -> Self {
        Self { decimal: b'.', thousands: None, percent: false, currency: false }
    }
}

impl FieldKind {
    /// The word for this type in listings and messages.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Number { integer: true, .. } => "integer",
            Self::Number { .. } => "number",
            Self::Boolean { .. } => "boolean",
            Self::Category { .. } => "category",
            Self::Time { .. } => "time",
            Self::Text => "text",
        }
    }
}

impl Schema {
    /// The schema of a table in memory (numbers in the plain style). Sparse blocks have no field and are left out.
    pub fn of(table: &Table) -> Self {
        let fields = table
            .columns()
            .iter()
            .filter_map(|column| {
                let kind = match &column.values {
                    Values::Number(number) => {
                        FieldKind::Number { integer: number.integer, style: NumberStyle::default() }
                    }
                    Values::Boolean(boolean) => FieldKind::Boolean { names: boolean.names.clone() },
                    Values::Category(category) => {
                        FieldKind::Category { levels: Arc::clone(&category.levels) }
                    }
                    Values::Time(time) => FieldKind::Time { format: time.format.clone() },
                    Values::Text(_) => FieldKind::Text,
                    Values::Sparse(_) => return None,
                };
                Some(Field { name: column.name.clone(), kind })
            })
            .collect();
        Self { fields }
    }

    /// The field called `name`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}
