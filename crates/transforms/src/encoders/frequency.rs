//! Categories as the share of training rows that have their level.
//!
//! An unseen level gets 0; a missing cell gets the share of missing cells.

use kaizen_base::Card;
use kaizen_model::{Ctx, FitError, FittedTransform, LoadError, Sample, Shape, State, Transform};
use kaizen_space::{Config, Param, Space};
use kaizen_table::Values;

use super::table_rule::{LevelTable, level_weights};
use crate::columns::ByColumn;
use crate::levels::Levels;
use crate::parameters::space;
use crate::step::{Step, Uses};

static CARD: Card = Card {
    name: "frequency",
    summary: "Gives each category the share of training rows of its level",
    source: "Count encoding; Micci-Barreca 2001 compares it with target statistics",
};

/// Parameters: `keep` (`true` adds `<column>:frequency` beside the column, `false` puts it in the column's place) and
/// `from_levels`, the number of levels from which on a column is encoded.
#[derive(Debug)]
pub struct Frequency;

impl Transform for Frequency {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([
            Param::flag("keep").starting_at("true"),
            Param::int("from_levels", 1, 1_000).log().starting_at(10),
        ])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let (keep, from_levels) = (config.flag("keep"), config.int("from_levels") as usize);
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Category(category) = &column.values else { return None };
            let levels = Levels::new(category.levels.clone());
            let counts =
                level_weights(&category.codes, levels.count(), sample.train, |row| sample.data.weight(row));
            let total: f64 = counts.iter().sum();
            if levels.count() < from_levels || total <= 0.0 {
                return None;
            }
            let mut values: Vec<f64> = counts.iter().map(|count| count / total).collect();
            values.insert(levels.count(), 0.0);
            let name = format!("{}:frequency", column.name);
            Some(LevelTable { levels, names: vec![name], values, keep })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<LevelTable>::load(state)?))
    }
}

impl Step for Frequency {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}
