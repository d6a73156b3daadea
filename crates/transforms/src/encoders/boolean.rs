//! Booleans as 0 and 1.

use std::sync::Arc;

use kaizen_base::Card;
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Transform,
};
use kaizen_space::{Config, Space};
use kaizen_table::{Column, Values};

use crate::columns::{ByColumn, Rule, number, numbers};
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "boolean_number",
    summary: "Turns booleans into the numbers 0 and 1",
    source: "The indicator function; a missing boolean becomes a missing number",
};

/// No parameters.
#[derive(Debug)]
pub struct BooleanNumber;

impl Transform for BooleanNumber {
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
            matches!(column.values, Values::Boolean(_)).then_some(AsNumber)
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<AsNumber>::load(state)?))
    }
}

impl Step for BooleanNumber {
    fn uses(&self) -> Uses {
        Uses::Types
    }
}

struct AsNumber;

impl Rule for AsNumber {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let cells = numbers(&column.values)
            .ok_or_else(|| PredictError::Type { name: column.name.clone(), expected: "a boolean" })?;
        Ok(vec![number(column.name.clone(), cells.into_owned())])
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({}))
    }

    fn load(_state: &State) -> Result<Self, LoadError> {
        Ok(Self)
    }
}
