//! The space of pipelines, and the way from a configuration to a pipeline.
//!
//! One choice, `learner`; below each option the learner's own space and, where there is something to choose, how its
//! columns are prepared. What a learner needs of its columns is read from its [`Inputs`]: a
//! learner that cannot see missing cells gets them filled, one that wants numbers on one scale gets them scaled, and
//! text reaches it as a sparse block or as a few dense components. So a new learner needs no line here.

use kaizen_model::{Inputs, Learner, Shape};
use kaizen_space::{Config, Param, Space, SpaceError, Value};
use kaizen_table::{Table, Values};

use crate::pipeline::{Pipeline, PipelineStep};

/// The name of the choice between learners.
const LEARNER: &str = "learner";

/// How numbers are brought to one scale; options are names of transforms.
const NUMBERS: &str = "numbers";

/// Scalers on offer, the usual one first.
const SCALERS: [&str; 2] = ["standard_scale", "quantile_normal"];

/// Levels up to which a category becomes one column a level for learners that see numbers only; beyond it the mean of
/// the target stands in.
const ONE_HOT_LEVELS: i64 = 30;

/// Rows for each dense component of a text column.
const ROWS_PER_COMPONENT: i64 = 40;

/// What kinds of columns a table has after the shared preparation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Columns {
    /// Category columns.
    pub categories: bool,
    /// Text columns.
    pub text: bool,
    /// Missing cells in number columns.
    pub missing: bool,
    /// Number columns.
    pub numbers: bool,
}

/// Which learners compete and what may be chosen for each.
pub struct PipelineSpace {
    space: Space,
    learners: Vec<(&'static dyn Learner, Space)>,
    columns: Columns,
    row_count: usize,
}

impl Columns {
    /// Looks at a table.
    pub fn of(table: &Table) -> Self {
        let mut columns = Self::default();
        for column in table.columns() {
            match &column.values {
                Values::Category(_) => columns.categories = true,
                Values::Text(_) => columns.text = true,
                Values::Number(number) => {
                    columns.numbers = true;
                    columns.missing |= number.values.iter().any(|value| value.is_nan());
                }
                Values::Boolean(_) | Values::Time(_) | Values::Sparse(_) => {}
            }
        }
        columns
    }
}

impl PipelineSpace {
    /// Joins the spaces of the learners that can do the task.
    ///
    /// # Errors
    /// [`SpaceError`] when no learner is left.
    pub fn new(
        learners: impl IntoIterator<Item = &'static dyn Learner>,
        shape: &Shape,
        columns: Columns,
    ) -> Result<Self, SpaceError> {
        let mut parts = Vec::new();
        let mut spaces = Vec::new();
        for learner in learners {
            if !learner.handles().task(&shape.task) {
                continue;
            }
            let own = learner.space(shape);
            let preparation = preparation_space(learner.handles().inputs, columns)?;
            parts.push((learner.card().name, own.clone().and(preparation)?));
            spaces.push((learner, own));
        }
        let space = Space::join(LEARNER, &parts)?;
        Ok(Self { space, learners: spaces, columns, row_count: shape.row_count })
    }

    /// The joined space.
    pub fn space(&self) -> &Space {
        &self.space
    }

    /// The learners that compete.
    pub fn learners(&self) -> impl Iterator<Item = &'static dyn Learner> {
        self.learners.iter().map(|(learner, _)| *learner)
    }

    /// The configuration of the joined space for a learner with some values of its own, the rest at their starts.
    /// `None` when the learner does not compete or a value does not fit its space here.
    pub fn config(&self, learner: &str, values: &[(&str, Value)]) -> Option<Config> {
        let pairs = values
            .iter()
            .map(|(name, value)| (format!("{learner}.{name}"), value.clone()))
            .chain([(LEARNER.to_owned(), Value::from(learner))]);
        Config::filled(&self.space, pairs).ok()
    }

    /// The learner that a configuration chooses.
    pub fn learner_of<'a>(&self, config: &'a Config) -> &'a str {
        config.choice(LEARNER)
    }

    /// The pipeline of a configuration.
    ///
    /// # Errors
    /// [`SpaceError`] when the configuration belongs to another space.
    pub fn pipeline(&self, config: &Config) -> Result<Pipeline, SpaceError> {
        let name = config.choice(LEARNER);
        let (learner, space) = self
            .learners
            .iter()
            .find(|(learner, _)| learner.card().name == name)
            .ok_or_else(|| SpaceError::Unknown(name.to_owned()))?;
        let inner = config.below(name);
        let own = inner.iter().filter(|(name, _)| space.index(name).is_some());
        let own = Config::new(space, own.map(|(name, value)| (name, value.clone())))?;
        let steps = self.steps(learner.handles().inputs, &inner)?;
        Ok(Pipeline { steps, learner: *learner, config: own })
    }

    fn steps(&self, inputs: Inputs, config: &Config) -> Result<Vec<PipelineStep>, SpaceError> {
        let mut steps = Vec::new();
        let columns = self.columns;
        if columns.text {
            steps.push(step("tf_idf", &[])?);
            if !inputs.sparse {
                let components = (self.row_count as i64 / ROWS_PER_COMPONENT).clamp(8, 32);
                steps.push(step("truncated_svd", &[("components", Value::from(components))])?);
            }
        }
        if columns.categories && !inputs.categories {
            let beyond = [("from_levels", Value::from(ONE_HOT_LEVELS + 1)), ("keep", Value::from(false))];
            steps.push(step("target_mean", &beyond)?);
            steps.push(step("one_hot", &[("max_levels", Value::from(ONE_HOT_LEVELS))])?);
        }
        if columns.missing && !inputs.missing {
            steps.push(step("fill_missing", &[])?);
        }
        if inputs.scaled && (columns.numbers || columns.categories && !inputs.categories) {
            let scaler = if config.contains(NUMBERS) { config.choice(NUMBERS) } else { SCALERS[0] };
            steps.push(step(scaler, &[])?);
        }
        Ok(steps)
    }
}

fn preparation_space(inputs: Inputs, columns: Columns) -> Result<Space, SpaceError> {
    let mut params = Vec::new();
    if inputs.scaled && columns.numbers {
        params.push(Param::choice(NUMBERS, SCALERS));
    }
    Space::new(params)
}

fn step(name: &str, values: &[(&str, Value)]) -> Result<PipelineStep, SpaceError> {
    let transform = kaizen_transforms::by_name(name).ok_or_else(|| SpaceError::Unknown(name.to_owned()))?;
    let shape = Shape {
        row_count: 0,
        column_count: 0,
        category_count: 0,
        text_count: 0,
        task: kaizen_model::Task::Regression,
    };
    let space = transform.space(&shape);
    let config =
        Config::filled(&space, values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())))?;
    Ok(PipelineStep { transform, config })
}
