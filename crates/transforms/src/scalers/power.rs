//! Numbers bent towards a normal shape by a power, chosen by maximum likelihood, then standardised.
//!
//! Box-Cox needs positive values; Yeo-Johnson takes any. `auto` uses Box-Cox where all training values are positive.
//! Values are divided by their standard deviation (Yeo-Johnson, after subtracting nothing, so that zero stays zero) or
//! their geometric mean (Box-Cox) first, so that the power is found at any magnitude. The exponent maximises the
//! profile log-likelihood on [-5, 5] by Brent's method; where the likelihood is flat or not finite the exponent is 1.
//! A later value at or below zero under Box-Cox is treated as the smallest training value.

use std::sync::Arc;

use kaizen_base::{Card, math};
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Column, Values};

use crate::brent::minimise;
use crate::columns::{ByColumn, Rule, number, require_numbers};
use crate::moments::moments;
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "power",
    summary: "Bends numbers towards a normal shape (Box-Cox or Yeo-Johnson), then standardises them",
    source: "Box and Cox 1964; Yeo and Johnson 2000, equation 2.1; exponent by Brent 1973, chapter 5",
};

/// Parameters: `family` (`auto`, `yeo_johnson` or `box_cox`).
#[derive(Debug)]
pub struct Power;

impl Transform for Power {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::choice("family", ["yeo_johnson", "auto", "box_cox"])])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let family = config.choice("family");
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Number(cells) = &column.values else { return None };
            let present: Vec<f64> =
                sample.train.iter().map(|&row| cells.values[row as usize]).filter(|x| !x.is_nan()).collect();
            let positive = !present.is_empty() && present.iter().all(|&x| x > 0.0);
            let box_cox = positive && family != "yeo_johnson";
            Some(Bend::fit(&present, box_cox))
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Bend>::load(state)?))
    }
}

impl Step for Power {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}

#[derive(Clone, Debug)]
struct Bend {
    box_cox: bool,
    /// Divides values before the power; positive.
    unit: f64,
    /// The smallest training value in units; what Box-Cox takes for values at or below zero.
    lowest: f64,
    exponent: f64,
    mean: f64,
    deviation: f64,
}

/// Exponents are sought in [-`EXPONENT_LIMIT`, `EXPONENT_LIMIT`].
const EXPONENT_LIMIT: f64 = 5.0;

/// Bent values are kept within this magnitude; only wild extrapolation gets there.
const LIMIT: f64 = 1e100;

impl Bend {
    fn fit(present: &[f64], box_cox: bool) -> Self {
        let rows: Vec<u32> = (0..present.len() as u32).collect();
        let found = moments(present, &rows, |_| 1.0);
        let flat = Self {
            box_cox: false,
            unit: 1.0,
            lowest: found.lowest,
            exponent: 1.0,
            mean: found.mean.clamp(-LIMIT, LIMIT),
            deviation: 1.0,
        };
        if found.deviation == 0.0 {
            return flat;
        }
        let unit = if box_cox {
            math::exp(present.iter().map(|&x| math::ln(x)).sum::<f64>() / present.len() as f64)
        } else {
            found.deviation
        };
        let scaled: Vec<f64> = present.iter().map(|&x| x / unit).collect();
        // The part of the log-likelihood that comes from the Jacobian, for each unit of (exponent - 1).
        let slope: f64 = scaled
            .iter()
            .map(|&x| if box_cox { math::ln(x) } else { math::log1p(x.abs()) * x.signum() })
            .sum::<f64>();
        let loss = |exponent: f64| {
            let bent: Vec<f64> = scaled.iter().map(|&x| bend(box_cox, x, exponent)).collect();
            let spread = moments(&bent, &rows, |_| 1.0).deviation;
            let loss = present.len() as f64 * math::ln(spread) - (exponent - 1.0) * slope;
            if loss.is_finite() { loss } else { f64::MAX }
        };
        let mut exponent = minimise(loss, -EXPONENT_LIMIT, EXPONENT_LIMIT, 1e-8);
        if loss(exponent) >= loss(1.0) {
            exponent = 1.0;
        }
        let bent: Vec<f64> = scaled.iter().map(|&x| bend(box_cox, x, exponent)).collect();
        let after = moments(&bent, &rows, |_| 1.0);
        if !(after.deviation > 0.0 && after.deviation.is_finite() && after.mean.is_finite()) {
            return flat;
        }
        Self {
            box_cox,
            unit,
            lowest: found.lowest / unit,
            exponent,
            mean: after.mean,
            deviation: after.deviation,
        }
    }

    fn value(&self, x: f64) -> f64 {
        if x.is_nan() {
            return x;
        }
        let scaled = x / self.unit;
        let scaled = if self.box_cox && scaled <= 0.0 { self.lowest } else { scaled };
        let bent = bend(self.box_cox, scaled, self.exponent).clamp(-LIMIT, LIMIT);
        ((bent - self.mean) / self.deviation).clamp(-LIMIT, LIMIT)
    }
}

/// Box and Cox 1964, equation 1 (`x` > 0), or Yeo and Johnson 2000, equation 2.1.
fn bend(box_cox: bool, x: f64, exponent: f64) -> f64 {
    // (e^(exponent * ln) - 1) / exponent, which is `ln` at exponent zero, without cancellation near it.
    let family = |logarithm: f64, exponent: f64| {
        if exponent.abs() < 1e-12 { logarithm } else { math::expm1(exponent * logarithm) / exponent }
    };
    if box_cox {
        family(math::ln(x), exponent)
    } else if x >= 0.0 {
        family(math::log1p(x), exponent)
    } else {
        -family(math::log1p(-x), 2.0 - exponent)
    }
}

impl Rule for Bend {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let cells = require_numbers(column)?;
        Ok(vec![number(column.name.clone(), cells.iter().map(|&x| self.value(x)).collect())])
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({
            "box_cox": self.box_cox, "unit": self.unit, "lowest": self.lowest,
            "exponent": self.exponent, "mean": self.mean, "deviation": self.deviation,
        }))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let bend = Self {
            box_cox: state.read("box_cox")?,
            unit: state.number("unit")?,
            lowest: state.number("lowest")?,
            exponent: state.number("exponent")?,
            mean: state.number("mean")?,
            deviation: state.number("deviation")?,
        };
        let sound = bend.unit > 0.0 && bend.deviation > 0.0 && (!bend.box_cox || bend.lowest > 0.0);
        if sound { Ok(bend) } else { Err(LoadError::damaged("power", "a scale is not positive")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    #[test]
    fn a_log_normal_column_is_found_out() {
        let mut rng = Seed(5).rng();
        let values: Vec<f64> = (0..4_000).map(|_| math::exp(3.0 + 0.5 * rng.normal())).collect();
        let bend = Bend::fit(&values, true);
        // The exponent of a log-normal is 0; its standard error here is below 0.04.
        assert!(bend.exponent.abs() < 0.1, "{}", bend.exponent);
        let scores: Vec<f64> = values.iter().map(|&x| bend.value(x)).collect();
        let third = scores.iter().map(|z| z * z * z).sum::<f64>() / scores.len() as f64;
        assert!(third.abs() < 0.15, "skewness {third}");
    }

    #[test]
    fn formulas_agree_with_values_done_by_hand() {
        assert!((bend(true, 4.0, 0.5) - 2.0).abs() < 1e-14);
        assert!((bend(false, 3.0, 0.0) - 4.0_f64.log(std::f64::consts::E)).abs() < 1e-12);
        assert!((bend(false, -3.0, 1.0) + 3.0).abs() < 1e-14);
        assert!((bend(false, -3.0, 2.0) + 4.0_f64.log(std::f64::consts::E)).abs() < 1e-12);
    }

    #[test]
    fn constants_and_extremes_stay_finite() {
        for values in [vec![3.0; 5], vec![], vec![-1e300, 1e300, 0.0], vec![1e-300, 1e300, 1.0]] {
            for box_cox in [false, true] {
                let box_cox = box_cox && values.iter().all(|&x| x > 0.0) && !values.is_empty();
                let bend = Bend::fit(&values, box_cox);
                for x in [-1.7e308, -1.0, 0.0, 1.0, 1.7e308] {
                    assert!(bend.value(x).is_finite(), "{values:?} {x} {bend:?}");
                }
            }
        }
    }
}
