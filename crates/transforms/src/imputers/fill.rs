//! Fills missing numbers with a fixed value of each column and can mark where it did.
//!
//! Columns without a missing cell among the training rows are filled too when a missing cell turns up later, but get
//! no indicator: it would be constant. Times and booleans are left alone; turn them into numbers first.

use std::sync::Arc;

use kaizen_base::Card;
use kaizen_model::{
    Ctx, Extent, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Column, Values};

use crate::columns::{ByColumn, Rule, number, require_numbers};
use crate::moments::{moments, quantile, sorted_present};
use crate::parameters::space;
use crate::step::{Step, StepMemory, Uses};

static CARD: Card = Card {
    name: "fill_missing",
    summary: "Fills missing numbers with the column's mean, median or a constant, and marks filled cells",
    source: "Little and Rubin 2019, Statistical Analysis with Missing Data, section 4.2 (unconditional mean imputation)",
};

/// Parameters: `value` (`median`, `mean` or `zero`), `indicator` (`true` adds `<column>:missing`, 1 where filled).
#[derive(Debug)]
pub struct FillMissing;

impl Transform for FillMissing {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([
            Param::choice("value", ["median", "mean", "zero"]),
            Param::flag("indicator").starting_at("true"),
        ])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let (value, indicator) = (config.choice("value"), config.flag("indicator"));
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Number(cells) = &column.values else { return None };
            let fill = match value {
                "mean" => moments(&cells.values, sample.train, |row| sample.data.weight(row)).mean,
                "median" => match sorted_present(&cells.values, sample.train).as_slice() {
                    [] => 0.0,
                    present => quantile(present, 0.5),
                },
                _ => 0.0,
            };
            let missing = sample.train.iter().any(|&row| cells.values[row as usize].is_nan());
            Some(Fill { value: fill, mark: indicator && missing })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Fill>::load(state)?))
    }
}

impl Step for FillMissing {
    fn uses(&self) -> Uses {
        Uses::Features
    }

    fn memory(&self, config: &Config, extent: &Extent) -> StepMemory {
        let mut memory = StepMemory::usual(extent);
        if config.flag("indicator") {
            memory.after.add_numbers(extent.number_count, 2 * extent.number_count);
            memory.made_bytes *= 2;
        }
        memory
    }
}

struct Fill {
    value: f64,
    mark: bool,
}

impl Rule for Fill {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let cells = require_numbers(column)?;
        let filled = if cells.iter().any(|cell| cell.is_nan()) {
            let fill = |cell: &f64| if cell.is_nan() { self.value } else { *cell };
            number(column.name.clone(), cells.iter().map(fill).collect())
        } else {
            Arc::clone(column)
        };
        let mut made = vec![filled];
        if self.mark {
            let marks = cells.iter().map(|cell| f64::from(u8::from(cell.is_nan()))).collect();
            made.push(number(format!("{}:missing", column.name), marks));
        }
        Ok(made)
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({ "value": self.value, "mark": self.mark }))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        Ok(Self { value: state.number("value")?, mark: state.read("mark")? })
    }
}
