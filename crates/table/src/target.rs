//! The column to be predicted: classes with names, or numbers.

use crate::column::{Column, MISSING_BOOLEAN, MISSING_CODE, Values, number_text};

/// A target without missing cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The column's name.
    pub name: String,
    /// Its values.
    pub values: TargetValues,
}

/// The values of a target.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetValues {
    /// Class indices into `names`, one a row; every class has at least one row when the target is made from a column.
    Classes {
        /// One index a row.
        codes: Vec<u32>,
        /// Names in class order: by value when all are numbers, else by code point.
        names: Vec<String>,
    },
    /// Finite numbers, one a row.
    Numbers(Vec<f64>),
}

/// Why a column cannot be a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The values are not numbers.
    #[error(
        "column `{name}` is {kind}, not numbers: it cannot be the target of a regression; use --task binary or --task multiclass, or clean the column"
    )]
    NotNumeric {
        /// The column.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// The column holds blocks that have no class.
    #[error("column `{name}` cannot be a target")]
    Unsupported {
        /// The column.
        name: String,
    },
}

impl Target {
    /// Reads classes from a column; rows with a missing cell must have been dropped (see [`present_rows`]).
    ///
    /// # Errors
    /// [`TargetError::Unsupported`] for sparse blocks and for missing cells.
    pub fn classes(column: &Column) -> Result<Self, TargetError> {
        let unsupported = || TargetError::Unsupported { name: column.name.clone() };
        let mut cells = Vec::with_capacity(column.len());
        match &column.values {
            Values::Sparse(_) => return Err(unsupported()),
            // Dictionaries first: a level is written once, not once a row.
            Values::Category(category) => {
                if category.codes.contains(&MISSING_CODE) {
                    return Err(unsupported());
                }
                return Ok(Self::from_codes(&column.name, &category.codes, &category.levels));
            }
            _ => {
                for row in 0..column.len() {
                    cells.push(column.cell_text(row).ok_or_else(unsupported)?);
                }
            }
        }
        let mut levels: Vec<String> = cells.clone();
        levels.sort_unstable();
        levels.dedup();
        let codes: Vec<u32> =
            cells.iter().map(|cell| levels.binary_search(cell).unwrap_or(0) as u32).collect();
        Ok(Self::from_codes(&column.name, &codes, &levels))
    }

    /// Drops unused levels and brings the rest into class order.
    fn from_codes(name: &str, codes: &[u32], levels: &[String]) -> Self {
        let mut used = vec![false; levels.len()];
        for &code in codes {
            used[code as usize] = true;
        }
        let mut order: Vec<usize> = (0..levels.len()).filter(|&level| used[level]).collect();
        let numbers: Option<Vec<f64>> = levels.iter().map(|level| level.parse().ok()).collect();
        match numbers {
            Some(numbers) => order
                .sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]).then_with(|| levels[a].cmp(&levels[b]))),
            None => order.sort_by(|&a, &b| levels[a].cmp(&levels[b])),
        }
        let mut new_code = vec![0u32; levels.len()];
        for (index, &level) in order.iter().enumerate() {
            new_code[level] = index as u32;
        }
        Self {
            name: name.to_owned(),
            values: TargetValues::Classes {
                codes: codes.iter().map(|&code| new_code[code as usize]).collect(),
                names: order.iter().map(|&level| levels[level].clone()).collect(),
            },
        }
    }

    /// Reads numbers from a column; rows with a missing cell must have been dropped (see [`present_rows`]).
    /// Booleans count as 0 and 1.
    ///
    /// # Errors
    /// [`TargetError::NotNumeric`].
    pub fn numbers(column: &Column) -> Result<Self, TargetError> {
        let not_numeric = |kind| TargetError::NotNumeric { name: column.name.clone(), kind };
        let values = match &column.values {
            Values::Number(number) => number.values.clone(),
            Values::Boolean(boolean) => boolean.values.iter().map(|&value| f64::from(value)).collect(),
            Values::Category(_) => return Err(not_numeric("categories")),
            Values::Time(_) => return Err(not_numeric("times")),
            Values::Text(_) => return Err(not_numeric("text")),
            Values::Sparse(_) => return Err(TargetError::Unsupported { name: column.name.clone() }),
        };
        Ok(Self { name: column.name.clone(), values: TargetValues::Numbers(values) })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        match &self.values {
            TargetValues::Classes { codes, .. } => codes.len(),
            TargetValues::Numbers(numbers) => numbers.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class names in order; empty for numbers.
    pub fn class_names(&self) -> &[String] {
        match &self.values {
            TargetValues::Classes { names, .. } => names,
            TargetValues::Numbers(_) => &[],
        }
    }

    /// Class codes, if these are classes.
    pub fn codes(&self) -> Option<&[u32]> {
        match &self.values {
            TargetValues::Classes { codes, .. } => Some(codes),
            TargetValues::Numbers(_) => None,
        }
    }

    /// One number a row: the class index, or the value.
    pub fn to_numbers(&self) -> Vec<f64> {
        match &self.values {
            TargetValues::Classes { codes, .. } => codes.iter().map(|&code| f64::from(code)).collect(),
            TargetValues::Numbers(numbers) => numbers.clone(),
        }
    }

    /// The rows `rows`, in that order; class names stay as they are.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let values = match &self.values {
            TargetValues::Classes { codes, names } => TargetValues::Classes {
                codes: rows.iter().map(|&row| codes[row as usize]).collect(),
                names: names.clone(),
            },
            TargetValues::Numbers(numbers) => {
                TargetValues::Numbers(rows.iter().map(|&row| numbers[row as usize]).collect())
            }
        };
        Self { name: self.name.clone(), values }
    }

    /// The label of a prediction: a class name, or a number as text.
    pub fn label(&self, value: f64) -> String {
        match &self.values {
            TargetValues::Classes { names, .. } => names.get(value as usize).cloned().unwrap_or_default(),
            TargetValues::Numbers(_) => number_text(value, false),
        }
    }
}

/// The rows of `column` whose cell is present.
pub fn present_rows(column: &Column) -> Vec<u32> {
    (0..column.len()).filter(|&row| !column.values.is_missing(row)).map(|row| row as u32).collect()
}

/// Number of distinct present values, counted up to `limit` and not further.
pub fn distinct_count(column: &Column, limit: usize) -> usize {
    match &column.values {
        Values::Category(category) => {
            let mut used = vec![false; category.levels.len()];
            for &code in &category.codes {
                if let Some(seen) = used.get_mut(code as usize) {
                    *seen = true;
                }
            }
            used.iter().filter(|&&seen| seen).count().min(limit)
        }
        Values::Boolean(boolean) => {
            (0..MISSING_BOOLEAN).filter(|value| boolean.values.contains(value)).count().min(limit)
        }
        Values::Number(number) => distinct_numbers(&number.values, limit),
        Values::Time(time) => distinct_numbers(&time.seconds, limit),
        Values::Text(text) => {
            let mut seen = std::collections::BTreeSet::new();
            for cell in text.iter().flatten() {
                seen.insert(cell);
                if seen.len() >= limit {
                    break;
                }
            }
            seen.len()
        }
        Values::Sparse(_) => limit,
    }
}

fn distinct_numbers(values: &[f64], limit: usize) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    for value in values.iter().filter(|value| !value.is_nan()) {
        // Adding zero makes the two zeros one.
        seen.insert((value + 0.0).to_bits());
        if seen.len() >= limit {
            break;
        }
    }
    seen.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_class_names_are_ordered_by_value() {
        let target = Target::classes(&Column::number("y", vec![10.0, 2.0, 2.0, 1.0])).unwrap();
        assert_eq!(target.class_names(), ["1", "2", "10"]);
        assert_eq!(target.codes().unwrap(), [2, 1, 1, 0]);
    }

    #[test]
    fn unused_levels_are_no_classes() {
        let column = Column::category("y", &[Some("b"), Some("a"), Some("c")]);
        let taken = Column { name: "y".to_owned(), values: column.values.take(&[0, 2]) };
        assert_eq!(Target::classes(&taken).unwrap().class_names(), ["b", "c"]);
    }

    #[test]
    fn text_cannot_be_regressed() {
        let error = Target::numbers(&Column::category("y", &[Some("b")])).unwrap_err();
        assert!(error.to_string().contains("`y` is categories"));
    }
}
