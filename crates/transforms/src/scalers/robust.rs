//! Numbers with median 0 and interquartile range 1 over the training rows, whatever the outliers.
//!
//! Where more than half of the cells are one value the interquartile range is zero and the standard deviation stands in.
//! Weights are not used.

use kaizen_base::Card;
use kaizen_model::{Ctx, FitError, FittedTransform, LoadError, Sample, Shape, State, Transform};
use kaizen_space::{Config, Space};
use kaizen_table::Values;

use super::affine::Affine;
use crate::columns::ByColumn;
use crate::moments::{moments, quantile, sorted_present};
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "robust_scale",
    summary: "Subtracts the median and divides by the interquartile range",
    source: "Huber and Ronchetti 2009, Robust Statistics, chapter 1 (median and quartiles, which outliers cannot move)",
};

/// No parameters. Constant columns become 0; missing cells stay missing.
#[derive(Debug)]
pub struct RobustScale;

impl Transform for RobustScale {
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
            let present = sorted_present(&cells.values, sample.train);
            if present.is_empty() {
                return Some(Affine::new(0.0, 1.0));
            }
            let (low, high) = (quantile(&present, 0.25), quantile(&present, 0.75));
            let deviation = || moments(&cells.values, sample.train, |_| 1.0).deviation;
            let spread = if high > low { high - low } else { deviation() };
            Some(Affine::new(quantile(&present, 0.5), spread))
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Affine>::load(state)?))
    }
}

impl Step for RobustScale {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}
