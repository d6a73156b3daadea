//! Categories of few levels as one 0/1 column a level.
//!
//! Columns are made for levels that occur among the training rows, most frequent first where there are too many. An
//! unseen level gives zeros everywhere; a missing cell has a column of its own if one was missing in training.

use kaizen_base::Card;
use kaizen_model::{Ctx, Extent, FitError, FittedTransform, LoadError, Sample, Shape, State, Transform};
use kaizen_space::{Config, Param, Space};
use kaizen_table::Values;

use super::table_rule::{LevelTable, level_weights};
use crate::columns::ByColumn;
use crate::levels::Levels;
use crate::parameters::space;
use crate::step::{Step, StepMemory, Uses};

static CARD: Card = Card {
    name: "one_hot",
    summary: "Turns categories of few levels into one 0/1 column a level",
    source: "Dummy coding without a reference level (Suits 1957)",
};

/// Parameters: `max_levels`, up to which a column is encoded; columns with more pass through unchanged.
#[derive(Debug)]
pub struct OneHot;

impl Transform for OneHot {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::int("max_levels", 2, 256).log().starting_at(20)])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let max_levels = config.int("max_levels") as usize;
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Category(category) = &column.values else { return None };
            let levels = Levels::new(category.levels.clone());
            let counts = level_weights(&category.codes, levels.count(), sample.train, |_| 1.0);
            let mut shown: Vec<usize> = (0..counts.len()).filter(|&level| counts[level] > 0.0).collect();
            if shown.len() > max_levels {
                return None;
            }
            if shown.len() == 2 && counts[levels.count()] == 0.0 {
                // The second column would be one less the first.
                shown.pop();
            }
            let (count, width) = (levels.count(), shown.len());
            let mut values = vec![0.0; (count + 2) * width];
            let mut names = Vec::with_capacity(width);
            for (output, &level) in shown.iter().enumerate() {
                let row = if level == count { count + 1 } else { level };
                values[row * width + output] = 1.0;
                names.push(match levels.list().get(level) {
                    Some(text) => format!("{}={text}", column.name),
                    None => format!("{}:missing", column.name),
                });
            }
            Some(LevelTable { levels, names, values, keep: false })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<LevelTable>::load(state)?))
    }
}

impl Step for OneHot {
    fn uses(&self) -> Uses {
        Uses::Features
    }

    fn memory(&self, config: &Config, extent: &Extent) -> StepMemory {
        let most = config.int("max_levels") as usize;
        let mut after = extent.clone();
        // A level more for missing cells; of levels that do not all occur, too many may turn out few enough.
        let shown = |&levels: &usize| (levels + 1).min(most);
        let width: usize = extent.level_counts.iter().map(shown).sum();
        after.level_counts.retain(|&levels| levels > most);
        after.add_numbers(width, 2 * width);
        let cells: usize = extent.level_counts.iter().map(|levels| (levels + 2) * shown(levels)).sum();
        StepMemory {
            after,
            made_bytes: extent.row_bytes(width),
            working_bytes: 0,
            fitted_bytes: 8 * cells as u64,
        }
    }
}
