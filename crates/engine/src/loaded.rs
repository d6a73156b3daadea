//! An artifact that predicts again.

use std::path::{Path, PathBuf};

use kaizen_artifact::{Artifact, ArtifactError, Manifest};
use kaizen_data::{Loaded, Note, ReadOptions, Source};
use kaizen_model::{Model, Predictions, Task};
use kaizen_table::target::present_rows;
use kaizen_table::{Column, Field, FieldKind, Schema, Table, Values};
use kaizen_tabular::Ensemble;
use kaizen_tabular::scoring::{task_kind, with_wrapped};
use serde_json::Value;

use crate::error::EngineError;

/// A saved model, loaded and checked.
pub struct LoadedModel {
    /// What the artifact says of itself.
    pub manifest: Manifest,
    /// The report page.
    pub report_html: String,
    /// The model card.
    pub card: Value,
    /// The search's history, one JSON object a line.
    pub history: String,
    ensemble: Ensemble,
    path: PathBuf,
}

/// Predictions of all rows of a source.
pub struct Predicted {
    /// One row a row of the source, in its order.
    pub predictions: Predictions,
    /// What reading the rows brought to light.
    pub notes: Vec<Note>,
}

/// Scores of a model on rows whose target is known.
pub struct Evaluated {
    /// Rows with a target.
    pub row_count: usize,
    /// Rows without one, left out.
    pub dropped_count: usize,
    /// Name and value of every metric that is defined on these rows, the optimised one first.
    pub scores: Vec<(&'static str, f64)>,
    /// What reading the rows brought to light.
    pub notes: Vec<Note>,
}

impl LoadedModel {
    /// Reads, checks and rebuilds the model of an artifact.
    ///
    /// # Errors
    /// [`EngineError::NoArtifact`], [`EngineError::Io`], [`EngineError::Artifact`] or [`EngineError::Load`].
    pub fn open(path: &Path) -> Result<Self, EngineError> {
        let artifact = kaizen_artifact::read(path).map_err(|error| match error {
            ArtifactError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                EngineError::NoArtifact(path.to_owned())
            }
            error => EngineError::artifact(path, error),
        })?;
        Self::from_artifact(artifact, path)
    }

    /// Rebuilds the model of an artifact in memory; `path` is for messages.
    ///
    /// # Errors
    /// [`EngineError::Load`].
    pub fn from_artifact(artifact: Artifact, path: &Path) -> Result<Self, EngineError> {
        let Artifact { manifest, state, report_html, card, history } = artifact;
        let ensemble = Ensemble::load(&state, manifest.task.clone())
            .map_err(|source| EngineError::Load { path: path.to_owned(), source })?;
        Ok(Self { manifest, report_html, card, history, ensemble, path: path.to_owned() })
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The model: takes tables that have the columns of [`Manifest::inputs`].
    pub fn model(&self) -> &dyn Model {
        &self.ensemble
    }

    /// Predicts rows in memory that were read by the model's schema.
    ///
    /// # Errors
    /// [`EngineError::Predict`].
    pub fn predict_table(&self, table: &Table) -> Result<Predictions, EngineError> {
        Ok(self.ensemble.predict(table)?)
    }

    /// Predicts all rows of a source; a target column, if present, is ignored.
    ///
    /// # Errors
    /// [`EngineError::Data`] or [`EngineError::Predict`].
    pub fn predict(&self, source: &Source, options: &ReadOptions) -> Result<Predicted, EngineError> {
        let Loaded { table, mut notes, .. } = kaizen_data::read_as(source, &self.manifest.inputs, options)?;
        notes.retain(|note| !matches!(note, Note::ColumnExtra { column } if *column == self.manifest.target));
        Ok(Predicted { predictions: self.ensemble.predict(&table)?, notes })
    }

    /// Scores the model on a source that has the target column.
    ///
    /// # Errors
    /// [`EngineError::Data`], [`EngineError::Predict`], or [`EngineError::Table`] when no row has a usable target.
    pub fn evaluate(&self, source: &Source, options: &ReadOptions) -> Result<Evaluated, EngineError> {
        let (table, truth, dropped_count, notes) = labelled(&self.manifest, source, options)?;
        let predictions = self.ensemble.predict(&table)?;
        Ok(Evaluated {
            row_count: table.row_count(),
            dropped_count,
            scores: self.scores(&truth, &predictions)?,
            notes,
        })
    }

    /// Every metric of the task that is defined here, the optimised one first.
    pub fn scores(
        &self,
        truth: &[f64],
        predictions: &Predictions,
    ) -> Result<Vec<(&'static str, f64)>, EngineError> {
        let task = &self.manifest.task;
        let mut scores = with_wrapped(task, truth, predictions, |truth, given| {
            Ok(kaizen_metrics::all()
                .filter(|metric| metric.applies_to(task_kind(task)))
                .filter_map(|metric| Some((metric.name(), metric.value(truth, given, None).ok()?)))
                .collect::<Vec<_>>())
        })?;
        scores.sort_by_key(|(name, _)| *name != self.manifest.metric);
        Ok(scores)
    }

    /// The rows of a source that have a target, and their true values (class indices or numbers).
    ///
    /// # Errors
    /// As [`LoadedModel::evaluate`].
    pub(crate) fn labelled_rows(
        manifest: &Manifest,
        source: &Source,
        options: &ReadOptions,
    ) -> Result<(Table, Vec<f64>), EngineError> {
        labelled(manifest, source, options).map(|(table, truth, ..)| (table, truth))
    }
}

type Labelled = (Table, Vec<f64>, usize, Vec<Note>);

fn labelled(manifest: &Manifest, source: &Source, options: &ReadOptions) -> Result<Labelled, EngineError> {
    let refuse = |why: String| EngineError::Table { file: source.text().to_owned(), why };
    let mut schema = manifest.inputs.clone();
    schema.fields.push(target_field(manifest));
    let Loaded { table, notes, .. } = kaizen_data::read_as(source, &schema, options)?;
    let target = table
        .column(&manifest.target)
        .cloned()
        .ok_or_else(|| refuse(format!("it has no target column `{}`", manifest.target)))?;
    let rows = present_rows(&target);
    if rows.is_empty() {
        return Err(refuse(format!("no row has a value in the target column `{}`", manifest.target)));
    }
    let truth = truth(manifest, &target, &rows).map_err(refuse)?;
    Ok((table.take(&rows), truth, table.row_count() - rows.len(), notes))
}

fn target_field(manifest: &Manifest) -> Field {
    let kind = if manifest.task.is_classification() {
        FieldKind::Category { levels: std::sync::Arc::new(manifest.classes.clone()) }
    } else {
        FieldKind::Number { integer: false, style: kaizen_table::NumberStyle::default() }
    };
    Field { name: manifest.target.clone(), kind }
}

/// Class indices or values of the given rows of the target column.
fn truth(manifest: &Manifest, column: &Column, rows: &[u32]) -> Result<Vec<f64>, String> {
    match &column.values {
        Values::Category(category) => rows
            .iter()
            .map(|&row| {
                let code = category.codes[row as usize];
                if (code as usize) < manifest.classes.len() {
                    return Ok(f64::from(code));
                }
                let level = category.level(row as usize).unwrap_or("");
                Err(format!(
                    "row {}: the class `{level}` was not in the training data (it had {})",
                    row + 1,
                    manifest.classes.join(", ")
                ))
            })
            .collect(),
        Values::Number(number) => Ok(rows.iter().map(|&row| number.values[row as usize]).collect()),
        _ => Err("the target column has another type than in training".to_owned()),
    }
}

/// The fields of `schema` whose names are in `names`, in the order of `names`.
pub fn chosen_fields(schema: &Schema, names: &[String]) -> Schema {
    Schema { fields: names.iter().filter_map(|name| schema.field(name)).cloned().collect() }
}

/// The word for a task, and its classes.
pub fn task_words(task: &Task, classes: &[String]) -> String {
    match task {
        Task::Multiclass { class_count } => format!("multiclass ({class_count} classes)"),
        Task::Binary => format!("binary (positive class `{}`)", classes.last().map_or("", String::as_str)),
        other => other.word().to_owned(),
    }
}
