//! Length, number of words and what kinds of characters a text is made of.
//!
//! Adds numbers beside the text: `:length` (characters), `:words`, and the shares of all characters that are digits,
//! upper-case letters and punctuation. An empty text has length 0 and shares 0; a missing one has missing numbers.

use std::sync::Arc;

use kaizen_base::Card;
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Transform,
};
use kaizen_space::{Config, Space};
use kaizen_table::{Column, Values};
use rayon::prelude::*;

use crate::columns::{ByColumn, PARALLEL_ROWS, Rule, number};
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "text_statistics",
    summary: "Adds length, word count and shares of digits, capitals and punctuation of each text",
    source: "Surface features of stylometry (Stamatatos 2009, section 2.1)",
};

/// No parameters.
#[derive(Debug)]
pub struct TextStatistics;

impl Transform for TextStatistics {
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
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            matches!(column.values, Values::Text(_)).then_some(Surface)
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Surface>::load(state)?))
    }
}

impl Step for TextStatistics {
    fn uses(&self) -> Uses {
        Uses::Types
    }
}

struct Surface;

const NAMES: [&str; 5] = ["length", "words", "digits", "upper", "punctuation"];

fn measure(text: &str) -> [f64; 5] {
    let (mut length, mut words, mut digits, mut upper, mut punctuation) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    let mut inside = false;
    for letter in text.chars() {
        length += 1;
        let blank = letter.is_whitespace();
        words += u32::from(!blank && !inside);
        inside = !blank;
        digits += u32::from(letter.is_numeric());
        upper += u32::from(letter.is_uppercase());
        punctuation += u32::from(!blank && !letter.is_alphanumeric());
    }
    let share = |count: u32| if length > 0 { f64::from(count) / f64::from(length) } else { 0.0 };
    [f64::from(length), f64::from(words), share(digits), share(upper), share(punctuation)]
}

impl Rule for Surface {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let Values::Text(text) = &column.values else {
            return Err(PredictError::Type { name: column.name.clone(), expected: "text" });
        };
        let of_row = |row: usize| text.get(row).map_or([f64::NAN; 5], measure);
        let rows: Vec<[f64; 5]> = if text.len() < PARALLEL_ROWS {
            (0..text.len()).map(of_row).collect()
        } else {
            (0..text.len()).into_par_iter().map(of_row).collect()
        };
        let mut made = vec![Arc::clone(column)];
        made.extend(NAMES.iter().enumerate().map(|(index, name)| {
            number(format!("{}:{name}", column.name), rows.iter().map(|row| row[index]).collect())
        }));
        Ok(made)
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({}))
    }

    fn load(_state: &State) -> Result<Self, LoadError> {
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_measured_as_by_hand() {
        assert_eq!(measure("Hi 42!  OK"), [10.0, 3.0, 0.2, 0.3, 0.1]);
        assert_eq!(measure(""), [0.0; 5]);
    }
}
