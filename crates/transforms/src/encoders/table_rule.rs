//! The rule behind encoders that give each level one or more numbers.

use std::sync::Arc;

use kaizen_model::{LoadError, PredictError, State, Tensor};
use kaizen_table::{Column, MISSING_CODE};

use crate::columns::{Rule, number, require_category};
use crate::levels::Levels;

/// Numbers for each level, for an unseen level and for a missing cell.
pub(crate) struct LevelTable {
    pub(crate) levels: Levels,
    /// Names of the columns made, one for each number.
    pub(crate) names: Vec<String>,
    /// [levels + 2, names]: one row a level, then the row of unseen levels, then that of missing cells. NaN means
    /// that the made cell is missing.
    pub(crate) values: Vec<f64>,
    /// Whether the column itself stays beside the made ones.
    pub(crate) keep: bool,
}

impl LevelTable {
    /// The row of `values` for a code.
    pub(crate) fn row_of(&self, code: u32) -> usize {
        let count = self.levels.count();
        match code {
            MISSING_CODE => count + 1,
            code if (code as usize) < count => code as usize,
            _ => count,
        }
    }

    /// The made columns of coded rows.
    pub(crate) fn columns(&self, codes: &[u32]) -> Vec<Vec<f64>> {
        let width = self.names.len();
        (0..width)
            .map(|output| codes.iter().map(|&code| self.values[self.row_of(code) * width + output]).collect())
            .collect()
    }
}

impl Rule for LevelTable {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let codes = self.levels.codes(require_category(column)?);
        let mut made: Vec<Arc<Column>> = if self.keep { vec![Arc::clone(column)] } else { Vec::new() };
        let columns = self.columns(&codes);
        made.extend(self.names.iter().zip(columns).map(|(name, values)| number(name.clone(), values)));
        Ok(made)
    }

    fn save(&self) -> State {
        let state = State::new(serde_json::json!({ "names": self.names, "keep": self.keep }));
        self.levels.save(state).with("values", Tensor::F64(self.values.clone()))
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let levels = Levels::load(state)?;
        let names: Vec<String> = state.read("names")?;
        let values = state.f64s("values")?.to_vec();
        let unique: std::collections::BTreeSet<&String> = names.iter().collect();
        if values.len() != (levels.count() + 2) * names.len() || unique.len() != names.len() {
            return Err(LoadError::damaged("values", "not one row a level"));
        }
        if values.iter().any(|value| value.is_infinite()) {
            return Err(LoadError::damaged("values", "infinite"));
        }
        Ok(Self { levels, names, values, keep: state.read("keep")? })
    }
}

/// Weighted number of training rows of each level, then of missing cells (last entry). Codes beyond the levels count
/// as missing.
pub(crate) fn level_weights(
    codes: &[u32],
    level_count: usize,
    rows: &[u32],
    weight: impl Fn(u32) -> f64,
) -> Vec<f64> {
    let mut counts = vec![0.0; level_count + 1];
    for &row in rows {
        let code = (codes[row as usize] as usize).min(level_count);
        counts[code] += weight(row);
    }
    counts
}
