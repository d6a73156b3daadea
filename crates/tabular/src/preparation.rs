//! What happens to every row before any pipeline: columns are chosen, truth values and moments become numbers.
//!
//! These steps look at no target and at one row at a time, so they are done once for all folds; which date parts vary
//! is read from the training table as a whole. Everything that learns from the distribution of rows or from the target
//! belongs to a pipeline and is fitted inside each fold.

use std::sync::Arc;

use kaizen_model::{FittedTransform, LoadError, PredictError, State};
use kaizen_table::{Table, TableError};
use serde_json::json;

/// Chosen columns and the fitted shared steps.
#[derive(Clone)]
pub struct Preparation {
    columns: Vec<String>,
    steps: Vec<(&'static str, Arc<dyn FittedTransform>)>,
}

impl Preparation {
    /// Keeps `columns` in this order, then applies `steps` (name in the transforms' table, fitted transform).
    pub fn new(columns: Vec<String>, steps: Vec<(&'static str, Arc<dyn FittedTransform>)>) -> Self {
        Self { columns, steps }
    }

    /// The columns that rows must have.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Prepares rows; other columns are ignored.
    ///
    /// # Errors
    /// [`PredictError`] when a column is missing or has another type.
    pub fn apply(&self, table: &Table) -> Result<Table, PredictError> {
        let mut table = table.pick(&self.columns).map_err(|error| match error {
            TableError::NoColumn { name, .. } => PredictError::NoColumn(name),
            other => PredictError::NoColumn(other.to_string()),
        })?;
        for (_, step) in &self.steps {
            table = step.apply(&table)?;
        }
        Ok(table)
    }

    /// As plain data.
    pub fn save(&self) -> State {
        let names: Vec<&str> = self.steps.iter().map(|(name, _)| *name).collect();
        let mut state = State::new(json!({ "columns": self.columns, "steps": names }));
        for (index, (_, step)) in self.steps.iter().enumerate() {
            state = state.with_part(&format!("step_{index}"), step.save());
        }
        state
    }

    /// Brings back what [`Preparation::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(state: &State) -> Result<Self, LoadError> {
        let names: Vec<String> = state.read("steps")?;
        let mut steps: Vec<(&'static str, Arc<dyn FittedTransform>)> = Vec::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            let transform = kaizen_transforms::by_name(name)
                .ok_or_else(|| LoadError::Unknown { kind: "transform", name: name.clone() })?;
            let fitted = transform.load(state.part(&format!("step_{index}"))?)?;
            steps.push((transform.card().name, Arc::from(fitted)));
        }
        Ok(Self { columns: state.read("columns")?, steps })
    }
}
