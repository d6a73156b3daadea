//! Numbers mapped to the standard normal through their ranks.
//!
//! Up to `knots` quantiles of the training rows are kept. A value between two knots is interpolated in probability;
//! a value equal to a run of knots gets the middle of the run, so that ties stay ties. Probabilities are kept inside
//! [1e-7, 1 - 1e-7], which bounds the result by 5.2 in magnitude.

use std::sync::Arc;

use kaizen_base::{Card, math};
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Tensor, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Column, Values};

use crate::columns::{ByColumn, Rule, number, require_numbers};
use crate::moments::{quantile, sorted_present};
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "quantile_normal",
    summary: "Maps numbers to a standard normal through their ranks",
    source: "van der Waerden 1952, normal scores; quantiles of type 7 (Hyndman and Fan 1996)",
};

/// Probabilities this close to 0 or 1 are moved inside.
const EDGE: f64 = 1e-7;

/// Parameters: `knots`, the number of quantiles kept (10 to 10,000, default 1,000).
#[derive(Debug)]
pub struct QuantileNormal;

impl Transform for QuantileNormal {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::int("knots", 10, 10_000).log().starting_at(1_000)])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let knots = config.int("knots") as usize;
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Number(cells) = &column.values else { return None };
            let present = sorted_present(&cells.values, sample.train);
            if present.is_empty() {
                return Some(Ranks { knots: vec![0.0] });
            }
            let count = knots.min(present.len());
            let share = |index: usize| index as f64 / (count.max(2) - 1) as f64;
            Some(Ranks { knots: (0..count).map(|index| quantile(&present, share(index))).collect() })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Ranks>::load(state)?))
    }
}

impl Step for QuantileNormal {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}

struct Ranks {
    /// Quantiles at evenly spaced probabilities, ascending, at least one.
    knots: Vec<f64>,
}

impl Ranks {
    fn score(&self, x: f64) -> f64 {
        if x.is_nan() {
            return x;
        }
        let last = (self.knots.len() - 1) as f64;
        let below = self.knots.partition_point(|&knot| knot < x);
        let through = self.knots.partition_point(|&knot| knot <= x);
        let place = if through > below {
            // Equal to the knots below..through.
            (below + through - 1) as f64 / 2.0
        } else if below == 0 {
            0.0
        } else if below == self.knots.len() {
            last
        } else {
            let (left, right) = (self.knots[below - 1], self.knots[below]);
            (below - 1) as f64 + (x * 0.5 - left * 0.5) / (right * 0.5 - left * 0.5)
        };
        let share = if last > 0.0 { place / last } else { 0.5 };
        math::normal_quantile(share.clamp(EDGE, 1.0 - EDGE))
    }
}

impl Rule for Ranks {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let cells = require_numbers(column)?;
        Ok(vec![number(column.name.clone(), cells.iter().map(|&x| self.score(x)).collect())])
    }

    fn save(&self) -> State {
        State::default().with("knots", Tensor::F64(self.knots.clone()))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let knots = state.f64s("knots")?.to_vec();
        let ascending = knots.windows(2).all(|pair| pair[0] <= pair[1]);
        if knots.is_empty() || !ascending || knots.iter().any(|knot| !knot.is_finite()) {
            return Err(LoadError::damaged("knots", "not ascending finite numbers"));
        }
        Ok(Self { knots })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_maps_to_zero_and_ties_to_the_middle_of_their_ranks() {
        let ranks = Ranks { knots: vec![1.0, 2.0, 3.0] };
        assert_eq!(ranks.score(2.0), 0.0);
        assert!((ranks.score(1.5) - math::normal_quantile(0.25)).abs() < 1e-12);
        assert!(ranks.score(99.0) > 5.0 && ranks.score(99.0).is_finite());
        let tied = Ranks { knots: vec![0.0, 0.0, 0.0, 4.0, 5.0] };
        assert!((tied.score(0.0) - math::normal_quantile(0.25)).abs() < 1e-12);
        assert_eq!(Ranks { knots: vec![7.0] }.score(7.0), 0.0);
    }
}
