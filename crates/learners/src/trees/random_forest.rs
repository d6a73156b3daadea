//! Deep trees on random rows and columns, averaged.

use kaizen_base::Card;
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Learner, LoadError, Memory, Model, Sample, Shape, State,
};
use kaizen_space::{Config, Space};

use super::forest::{HANDLES, Kind, fit, forest_memory, forest_space};
use super::model::TreeModel;

static CARD: Card = Card {
    name: "random_forest",
    summary: "Averages deep trees, each on random rows, each node on random columns",
    source: "Breiman 2001",
};

/// Parameters: `trees`, `min_rows` (least rows of a leaf), `column_share` (columns that a node may use).
#[derive(Debug)]
pub struct RandomForest;

impl Learner for RandomForest {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn handles(&self) -> Handles {
        HANDLES
    }

    fn space(&self, shape: &Shape) -> Space {
        forest_space(shape)
    }

    fn memory(&self, config: &Config, extent: &Extent) -> Memory {
        forest_memory(config, extent)
    }

    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError> {
        fit(Kind { row_share: 0.632, random_thresholds: false }, config, sample, ctx)
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        Ok(Box::new(TreeModel::load(state)?))
    }
}
