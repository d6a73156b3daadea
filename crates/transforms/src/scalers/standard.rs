//! Numbers with mean 0 and standard deviation 1 over the training rows.

use kaizen_base::Card;
use kaizen_model::{Ctx, FitError, FittedTransform, LoadError, Sample, Shape, State, Transform};
use kaizen_space::{Config, Space};
use kaizen_table::Values;

use super::affine::Affine;
use crate::columns::ByColumn;
use crate::moments::moments;
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "standard_scale",
    summary: "Subtracts the mean and divides by the standard deviation",
    source: "The standard score; weighted moments of the training rows, divided by the sum of weights",
};

/// No parameters. Constant columns become 0; missing cells stay missing.
#[derive(Debug)]
pub struct StandardScale;

impl Transform for StandardScale {
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
            let Values::Number(cells) = &column.values else { return None };
            let found = moments(&cells.values, sample.train, |row| sample.data.weight(row));
            Some(Affine::new(found.mean, found.deviation))
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Affine>::load(state)?))
    }
}

impl Step for StandardScale {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}
