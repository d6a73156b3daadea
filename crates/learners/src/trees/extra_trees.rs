//! Deep trees with random thresholds on all rows, averaged.

use kaizen_base::Card;
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Learner, LoadError, Memory, Model, Sample, Shape, State,
};
use kaizen_space::{Config, Space};

use super::forest::{HANDLES, Kind, fit, forest_memory, forest_space};
use super::model::TreeModel;

static CARD: Card = Card {
    name: "extra_trees",
    summary: "Averages deep trees whose thresholds are drawn at random",
    source: "Geurts, Ernst and Wehenkel 2006",
};

/// Parameters: `trees`, `min_rows` (least rows of a leaf), `column_share` (columns that a node may use).
#[derive(Debug)]
pub struct ExtraTrees;

impl Learner for ExtraTrees {
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
        fit(Kind { row_share: 1.0, random_thresholds: true }, config, sample, ctx)
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        Ok(Box::new(TreeModel::load(state)?))
    }
}
