//! Numbers in [0, 1] over the training rows; later rows may fall outside.

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
    name: "min_max_scale",
    summary: "Maps the smallest training value to 0 and the largest to 1",
    source: "The affine map of the observed range to [0, 1]",
};

/// No parameters. Constant columns become 0; missing cells stay missing.
#[derive(Debug)]
pub struct MinMaxScale;

impl Transform for MinMaxScale {
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
            let found = moments(&cells.values, sample.train, |_| 1.0);
            Some(Affine::new(found.lowest, found.highest - found.lowest))
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Affine>::load(state)?))
    }
}

impl Step for MinMaxScale {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}
