//! The rule behind the linear scalers: subtract a centre, divide by a spread, without overflow.

use std::sync::Arc;

use kaizen_model::{LoadError, PredictError, State};
use kaizen_table::Column;

use crate::columns::{Rule, number, require_numbers};

/// `(x - centre) / spread`; a missing cell stays missing.
pub(crate) struct Affine {
    centre: f64,
    spread: f64,
}

/// The largest magnitude of a scaled value: no reader of scaled values can overflow squaring it.
const LIMIT: f64 = 1e100;

impl Affine {
    /// Centre and spread; a spread of zero (a constant column) or one that is not finite leaves the difference as it
    /// is for constants, and so gives 0 on training rows.
    pub(crate) fn new(centre: f64, spread: f64) -> Self {
        Self { centre, spread: if spread > 0.0 && spread.is_finite() { spread } else { 1.0 } }
    }

    fn scaled(&self, x: f64) -> f64 {
        // Halves first: the difference of two extremes may overflow, that of their halves cannot.
        let half = x * 0.5 - self.centre * 0.5;
        (half / self.spread * 2.0).clamp(-LIMIT, LIMIT)
    }
}

impl Rule for Affine {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let cells = require_numbers(column)?;
        Ok(vec![number(column.name.clone(), cells.iter().map(|&x| self.scaled(x)).collect())])
    }

    fn save(&self) -> State {
        State::new(serde_json::json!({ "centre": self.centre, "spread": self.spread }))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let (centre, spread) = (state.number("centre")?, state.number("spread")?);
        if spread > 0.0 {
            Ok(Self { centre, spread })
        } else {
            Err(LoadError::damaged("spread", "not positive"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes_stay_finite_and_missing_stays_missing() {
        let rule = Affine::new(-1.7e308, 1.0);
        assert_eq!(rule.scaled(1.7e308), LIMIT);
        assert!(rule.scaled(f64::NAN).is_nan());
        assert_eq!(Affine::new(3.0, 2.0).scaled(7.0), 2.0);
        assert_eq!(Affine::new(5.0, 0.0).scaled(5.0), 0.0);
    }
}
