//! Categories as one integer column.
//!
//! Levels are numbered by how often they occur among the training rows (`frequency`, rarest first, ties by name) or by
//! name (`name`, numbers in their numeric order). An unseen level becomes -1, a missing cell stays missing.

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
    name: "ordinal",
    summary: "Turns categories into integers, ordered by frequency or by name",
    source: "Integer coding; ordering by frequency follows Micci-Barreca 2001, section 3",
};

/// Parameters: `order` (`name` or `frequency`).
#[derive(Debug)]
pub struct Ordinal;

impl Transform for Ordinal {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([Param::choice("order", ["name", "frequency"])])
    }

    fn fit(
        &self,
        config: &Config,
        sample: Sample<'_>,
        ctx: &Ctx<'_>,
    ) -> Result<Box<dyn FittedTransform>, FitError> {
        let by_frequency = config.choice("order") == "frequency";
        let fitted = ByColumn::fit(&sample.data.table, ctx.signal, |column| {
            let Values::Category(category) = &column.values else { return None };
            let levels = Levels::new(category.levels.clone());
            let counts = level_weights(&category.codes, levels.count(), sample.train, |_| 1.0);
            let numbers: Vec<Option<f64>> = levels.list().iter().map(|level| level.parse().ok()).collect();
            let list = levels.list();
            let mut order: Vec<usize> = (0..list.len()).filter(|&level| counts[level] > 0.0).collect();
            order.sort_by(|&a, &b| {
                let by_count =
                    if by_frequency { counts[a].total_cmp(&counts[b]) } else { std::cmp::Ordering::Equal };
                let by_number = match (numbers[a], numbers[b]) {
                    (Some(x), Some(y)) => x.total_cmp(&y),
                    (x, y) => y.is_some().cmp(&x.is_some()),
                };
                by_count.then(by_number).then_with(|| list[a].cmp(&list[b]))
            });
            let mut values = vec![-1.0; list.len() + 2];
            for (rank, level) in order.into_iter().enumerate() {
                values[level] = rank as f64;
            }
            values[list.len() + 1] = f64::NAN;
            Some(LevelTable { levels, names: vec![column.name.clone()], values, keep: false })
        })?;
        Ok(Box::new(fitted))
    }

    fn load(&self, state: &State) -> Result<Box<dyn FittedTransform>, LoadError> {
        Ok(Box::new(ByColumn::<LevelTable>::load(state)?))
    }
}

impl Step for Ordinal {
    fn uses(&self) -> Uses {
        Uses::Features
    }
}
