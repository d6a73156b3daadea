//! Rare and unseen levels merged into one.
//!
//! Levels that occur fewer than `min_rows` times among the training rows become the level `(rare)`, and so does every
//! level that was not there when fitting; missing cells stay missing. The list of levels is then short and complete:
//! whatever comes later has one of its levels.

use std::sync::Arc;

use kaizen_base::Card;
use kaizen_model::{
    Ctx, FitError, FittedTransform, LoadError, PredictError, Sample, Shape, State, Tensor, Transform,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{Category, Column, MISSING_CODE, Values};

use super::table_rule::level_weights;
use crate::columns::{ByColumn, Rule, require_category};
use crate::levels::Levels;
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "merge_rare",
    summary: "Merges rare and unseen levels of a category into one level",
    source: "Lumping of sparse categories; Micci-Barreca 2001, section 2",
};

/// The name of the merged level.
const RARE: &str = "(rare)";

/// Parameters: `min_rows`, the number of training rows below which a level is rare (2 to 200, default 5).
#[derive(Debug)]
pub struct MergeRare;

impl Transform for MergeRare {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::int("min_rows", 2, 200).log().starting_at(5)])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let min_rows = config.int("min_rows") as f64;
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Category(category) = &column.values else { return None };
            let levels = Levels::new(Arc::clone(&category.levels));
            let counts = level_weights(&category.codes, levels.count(), sample.train, |_| 1.0);
            let mut list = Vec::new();
            let mut codes = vec![u32::MAX; levels.count()];
            for (level, text) in levels.list().iter().enumerate() {
                if counts[level] >= min_rows && text != RARE {
                    codes[level] = list.len() as u32;
                    list.push(text.clone());
                }
            }
            let rare = list.len() as u32;
            list.push(RARE.to_owned());
            codes.iter_mut().filter(|code| **code == u32::MAX).for_each(|code| *code = rare);
            Some(Merge { levels, codes, merged: Arc::new(list) })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<Merge>::load(state)?))
    }
}

impl Step for MergeRare {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}

struct Merge {
    levels: Levels,
    /// New code of each level.
    codes: Vec<u32>,
    /// The new list; its last entry is the merged level.
    merged: Arc<Vec<String>>,
}

impl Rule for Merge {
    fn change(&self, column: &Arc<Column>) -> Result<Vec<Arc<Column>>, PredictError> {
        let rare = (self.merged.len() - 1) as u32;
        let codes = self.levels.codes(require_category(column)?);
        let codes = codes
            .iter()
            .map(|&code| match code {
                MISSING_CODE => MISSING_CODE,
                code => self.codes.get(code as usize).copied().unwrap_or(rare),
            })
            .collect();
        let values = Values::Category(Category { codes, levels: Arc::clone(&self.merged) });
        Ok(vec![Arc::new(Column { name: column.name.clone(), values })])
    }

    fn save(&self) -> State {
        let merged = Levels::new(Arc::clone(&self.merged)).save(State::default());
        self.levels
            .save(State::default())
            .with("codes", Tensor::U32(self.codes.clone()))
            .with_part("merged", merged)
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let levels = Levels::load(state)?;
        let merged = Arc::clone(Levels::load(state.part("merged")?)?.list());
        let codes = state.u32s("codes")?.to_vec();
        if merged.is_empty()
            || codes.len() != levels.count()
            || codes.iter().any(|&code| code as usize >= merged.len())
        {
            return Err(LoadError::damaged("codes", "not one merged level for each level"));
        }
        Ok(Self { levels, codes, merged })
    }
}
