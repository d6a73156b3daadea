//! One named column of a table and the storage behind it.
//!
//! Missing cells: NaN in numbers and times, [`MISSING_CODE`] in categories, `2` in booleans, a flag in text.
//! Numbers are `f64` whatever they were in the file: every learner either bins them or wants floats, and integers up
//! to 2^53 survive exactly.

use std::sync::Arc;

use crate::sparse::Sparse;

/// The code of a missing cell in a category column.
pub const MISSING_CODE: u32 = u32::MAX;

/// The value of a missing cell in a boolean column.
pub const MISSING_BOOLEAN: u8 = 2;

/// A named column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name, unique in its table.
    pub name: String,
    /// The cells.
    pub values: Values,
}

/// The cells of a column, by type.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers and integers.
    Number(Number),
    /// True and false.
    Boolean(Boolean),
    /// One of a list of levels.
    Category(Category),
    /// Moments.
    Time(Time),
    /// Words.
    Text(Text),
    /// A block of numbers, most of them zero; only transforms make these.
    Sparse(Sparse),
}

/// Numbers; NaN is a missing cell, and no cell is infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// One value a row.
    pub values: Vec<f64>,
    /// Whether the source held integers only (they are then printed without a decimal point).
    pub integer: bool,
}

/// Truth values with the words that the source used for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boolean {
    /// 0, 1 or [`MISSING_BOOLEAN`], one a row.
    pub values: Vec<u8>,
    /// The words for false and true, as printed back to the user.
    pub names: [String; 2],
}

/// Categories as codes into a list of levels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Index into `levels`, or [`MISSING_CODE`], one a row.
    pub codes: Vec<u32>,
    /// Distinct levels; their order is fixed when the column is made and carries no meaning.
    pub levels: Arc<Vec<String>>,
}

/// Moments in seconds since 1970-01-01T00:00:00 UTC; NaN is a missing cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Time {
    /// One moment a row.
    pub seconds: Vec<f64>,
    /// The `strftime`-like format it was read by, for instance `%Y-%m-%d`; empty when the source was typed.
    pub format: String,
}

/// Strings in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    bytes: String,
    /// End of each row's string in `bytes`; a missing row repeats the end before it and is flagged.
    ends: Vec<usize>,
    missing: Vec<bool>,
}

impl Column {
    /// A column of numbers; infinities become missing.
    pub fn number(name: impl Into<String>, mut values: Vec<f64>) -> Self {
        let mut integer = true;
        for value in &mut values {
            if value.is_infinite() {
                *value = f64::NAN;
            }
            integer &= value.is_nan() || value.fract() == 0.0;
        }
        Self { name: name.into(), values: Values::Number(Number { values, integer }) }
    }

    /// A column of categories from one optional string a row; levels are sorted.
    pub fn category<S: AsRef<str>>(name: impl Into<String>, cells: &[Option<S>]) -> Self {
        let levels: std::collections::BTreeSet<&str> = cells.iter().flatten().map(AsRef::as_ref).collect();
        let levels: Vec<String> = levels.into_iter().map(str::to_owned).collect();
        let codes = cells
            .iter()
            .map(|cell| match cell {
                Some(text) => levels
                    .binary_search_by(|level| level.as_str().cmp(text.as_ref()))
                    .map_or(MISSING_CODE, |index| index as u32),
                None => MISSING_CODE,
            })
            .collect();
        Self { name: name.into(), values: Values::Category(Category { codes, levels: Arc::new(levels) }) }
    }

    /// A column of text from one optional string a row.
    pub fn text<S: AsRef<str>>(name: impl Into<String>, cells: impl IntoIterator<Item = Option<S>>) -> Self {
        let mut text = Text::default();
        for cell in cells {
            text.push(cell.as_ref().map(AsRef::as_ref));
        }
        Self { name: name.into(), values: Values::Text(text) }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell of `row` as a person would write it; `None` when missing. A sparse block has no text.
    pub fn cell_text(&self, row: usize) -> Option<String> {
        match &self.values {
            Values::Number(number) => {
                let value = number.values[row];
                (!value.is_nan()).then(|| number_text(value, number.integer))
            }
            Values::Boolean(boolean) => boolean.names.get(usize::from(boolean.values[row])).cloned(),
            Values::Category(category) => category.level(row).map(str::to_owned),
            Values::Time(time) => (!time.seconds[row].is_nan()).then(|| time_text(time.seconds[row])),
            Values::Text(text) => text.get(row).map(str::to_owned),
            Values::Sparse(_) => None,
        }
    }
}

/// A number as text: integers without a decimal point, all else with one, shortest form that reads back the same.
pub fn number_text(value: f64, integer: bool) -> String {
    if integer && value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.0}")
    } else if value.fract() == 0.0 && value.abs() < 1e15 {
        format!("{value:.1}")
    } else {
        format!("{value}")
    }
}

/// Seconds since 1970 as `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SS`, in UTC (proleptic Gregorian calendar).
pub fn time_text(seconds: f64) -> String {
    let (days, rest) = ((seconds / 86_400.0).floor(), seconds.rem_euclid(86_400.0) as u32);
    let (year, month, day) = civil_from_days(days as i64);
    if rest == 0 {
        format!("{year:04}-{month:02}-{day:02}")
    } else {
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)
    }
}

/// Year, month (1 to 12) and day (1 to 31) of a count of days since 1970-01-01.
///
/// Source: Hinnant 2013, "chrono-compatible low-level date algorithms".
pub fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_index + 2) / 5 + 1) as u32;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar (Hinnant 2013).
pub fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl Values {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(number) => number.values.len(),
            Self::Boolean(boolean) => boolean.values.len(),
            Self::Category(category) => category.codes.len(),
            Self::Time(time) => time.seconds.len(),
            Self::Text(text) => text.len(),
            Self::Sparse(sparse) => sparse.row_count(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells of `rows`, in that order; rows may repeat.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let pick = |values: &[f64]| rows.iter().map(|&row| values[row as usize]).collect();
        match self {
            Self::Number(number) => {
                Self::Number(Number { values: pick(&number.values), integer: number.integer })
            }
            Self::Boolean(boolean) => Self::Boolean(Boolean {
                values: rows.iter().map(|&row| boolean.values[row as usize]).collect(),
                names: boolean.names.clone(),
            }),
            Self::Category(category) => Self::Category(Category {
                codes: rows.iter().map(|&row| category.codes[row as usize]).collect(),
                levels: Arc::clone(&category.levels),
            }),
            Self::Time(time) => {
                Self::Time(Time { seconds: pick(&time.seconds), format: time.format.clone() })
            }
            Self::Text(text) => {
                let mut taken = Text::default();
                for &row in rows {
                    taken.push(text.get(row as usize));
                }
                Self::Text(taken)
            }
            Self::Sparse(sparse) => Self::Sparse(sparse.take(rows)),
        }
    }

    /// Whether the cell of `row` is missing. A sparse block has no missing cell.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Number(number) => number.values[row].is_nan(),
            Self::Boolean(boolean) => boolean.values[row] >= MISSING_BOOLEAN,
            Self::Category(category) => category.codes[row] == MISSING_CODE,
            Self::Time(time) => time.seconds[row].is_nan(),
            Self::Text(text) => text.get(row).is_none(),
            Self::Sparse(_) => false,
        }
    }

    /// Number of missing cells.
    pub fn missing_count(&self) -> usize {
        (0..self.len()).filter(|&row| self.is_missing(row)).count()
    }

    /// Memory of the cells, about, in bytes.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::Number(number) => number.values.len() * 8,
            Self::Boolean(boolean) => boolean.values.len(),
            Self::Category(category) => {
                category.codes.len() * 4 + category.levels.iter().map(|level| level.len() + 24).sum::<usize>()
            }
            Self::Time(time) => time.seconds.len() * 8,
            Self::Text(text) => text.size_bytes(),
            Self::Sparse(sparse) => sparse.size_bytes(),
        }
    }
}

impl Category {
    /// The level of `row`; `None` when missing (or when the code lies beyond the levels).
    pub fn level(&self, row: usize) -> Option<&str> {
        self.levels.get(self.codes[row] as usize).map(String::as_str)
    }
}

impl Text {
    /// Adds a row.
    pub fn push(&mut self, cell: Option<&str>) {
        self.bytes.push_str(cell.unwrap_or(""));
        self.ends.push(self.bytes.len());
        self.missing.push(cell.is_none());
    }

    /// Adds all rows of `other`.
    pub fn append(&mut self, other: &Self) {
        let offset = self.bytes.len();
        self.bytes.push_str(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end + offset));
        self.missing.extend_from_slice(&other.missing);
    }

    /// The string of `row`; `None` when missing.
    pub fn get(&self, row: usize) -> Option<&str> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        (!self.missing[row]).then(|| &self.bytes[start..self.ends[row]])
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Memory of the strings, about, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 9
    }

    /// All rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_go_round() {
        for days in [-719_468, -1, 0, 59, 60, 11_016, 18_321, 2_932_896] {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(civil_from_days(0), (1970, 1, 1));
        assert_eq!(time_text(951_782_400.0), "2000-02-29");
        assert_eq!(time_text(-1.0), "1969-12-31T23:59:59");
    }

    #[test]
    fn infinities_become_missing_and_integers_are_noticed() {
        let column = Column::number("x", vec![1.0, f64::INFINITY, f64::NAN, -3.0]);
        assert_eq!(column.values.missing_count(), 2);
        assert_eq!(column.cell_text(3).as_deref(), Some("-3"));
        assert_eq!(number_text(3.0, false), "3.0");
    }

    #[test]
    fn taking_rows_keeps_order_and_repeats() {
        let column = Column::category("c", &[Some("b"), None, Some("a")]);
        let taken = column.values.take(&[2, 2, 1, 0]);
        let Values::Category(category) = &taken else { panic!("kept its type") };
        let levels: Vec<_> = (0..4).map(|row| category.level(row)).collect();
        assert_eq!(levels, [Some("a"), Some("a"), None, Some("b")]);
        let text = Column::text("t", [Some("one"), None, Some("")]);
        let Values::Text(text) = text.values.take(&[2, 1, 0]) else { panic!("kept its type") };
        assert_eq!(text.iter().collect::<Vec<_>>(), [Some(""), None, Some("one")]);
    }
}
