//! What a run leaves on disk while it goes on, so that nothing finished is lost when it is killed.
//!
//! `OUT.run/` holds `request.json` (what was asked, to be checked on resuming), `journal.jsonl` (the search's events)
//! and for each finished stage of a trial one file with its fitted pipelines and out-of-fold predictions. The file of
//! a stage is on disk, whole, before the journal says that the stage is done; a stage without its file is fitted
//! again. Once the artifact is written the folder is removed.

use std::fs;
use std::path::{Path, PathBuf};

use kaizen_artifact::{Artifact, Manifest};
use kaizen_model::{LoadError, Predictions, State, Task, Tensor};
use kaizen_tabular::{FittedPipeline, FoldOutcome};
use serde_json::{Value, json};

use crate::error::EngineError;
use crate::folds::Validation;

/// A run's folder.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Where the folder of an artifact is.
    pub(crate) fn beside(out: &Path) -> PathBuf {
        let mut name = out.as_os_str().to_owned();
        name.push(".run");
        PathBuf::from(name)
    }

    /// Starts afresh at `path`; what an earlier run left there is removed.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub(crate) fn create(path: &Path, request: &Value) -> Result<Self, EngineError> {
        if path.join("request.json").exists() {
            fs::remove_dir_all(path).map_err(|source| EngineError::io(path, source))?;
        }
        let trials = path.join("trials");
        fs::create_dir_all(&trials).map_err(|source| EngineError::io(&trials, source))?;
        let file = path.join("request.json");
        kaizen_base::write_atomically(&file, request.to_string().as_bytes())
            .map_err(|source| EngineError::io(&file, source))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the folder of an interrupted run.
    ///
    /// # Errors
    /// [`EngineError::Resume`] when it is no such folder, or belongs to another request.
    pub(crate) fn open(path: &Path, request: &Value) -> Result<Self, EngineError> {
        let refuse = |why: String| EngineError::Resume { path: path.to_owned(), why };
        let text = fs::read_to_string(path.join("request.json"))
            .map_err(|_| refuse("it holds no interrupted run (no request.json)".to_owned()))?;
        let before: Value =
            serde_json::from_str(&text).map_err(|_| refuse("its request.json is damaged".to_owned()))?;
        if let (Some(before), Some(now)) = (before.as_object(), request.as_object()) {
            for (name, value) in now {
                if before.get(name) != Some(value) {
                    let old = before.get(name).unwrap_or(&Value::Null);
                    return Err(refuse(format!("it was started with {name} {old}, now it is {value}")));
                }
            }
        }
        Ok(Self { path: path.to_owned() })
    }

    /// How an interrupted run validated: time must not change the folds of a run that is resumed.
    ///
    /// # Errors
    /// [`EngineError::Resume`] when there is no such run.
    pub(crate) fn validation(path: &Path) -> Result<Option<Validation>, EngineError> {
        let refuse = |why: &str| EngineError::Resume { path: path.to_owned(), why: why.to_owned() };
        let text = fs::read_to_string(path.join("request.json"))
            .map_err(|_| refuse("it holds no interrupted run (no request.json)"))?;
        let before: Value = serde_json::from_str(&text).map_err(|_| refuse("its request.json is damaged"))?;
        Ok(before.get("validation").and_then(Validation::from_json))
    }

    /// The journal of the search.
    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    fn stage(&self, trial: u64, from: usize) -> PathBuf {
        self.path.join("trials").join(format!("{trial:06}-{from:03}.kaizen"))
    }

    /// Keeps folds of a trial.
    ///
    /// # Errors
    /// [`EngineError::Io`].
    pub(crate) fn keep(&self, trial: u64, from: usize, folds: &[FoldOutcome]) -> Result<(), EngineError> {
        let mut state = State::new(json!({
            "folds": folds.iter().map(|fold| fold.fold).collect::<Vec<_>>(),
            "outputs": folds.iter().map(|fold| fold.predictions.outputs).collect::<Vec<_>>(),
            "cut_short": folds.iter().map(|fold| fold.cut_short).collect::<Vec<_>>(),
        }));
        for fold in folds {
            if let Some(pipeline) = &fold.pipeline {
                state = state.with_part(&format!("pipeline_{}", fold.fold), pipeline.save());
            }
            state = state
                .with(&format!("predictions_{}", fold.fold), Tensor::F64(fold.predictions.values.clone()));
        }
        let artifact = Artifact {
            manifest: Manifest::new(Task::Regression, "stage"),
            state,
            report_html: String::new(),
            card: Value::Null,
            history: String::new(),
        };
        let path = self.stage(trial, from);
        kaizen_artifact::write(&artifact, &path, None)
            .map_err(|error| EngineError::artifact(&path, error))?;
        Ok(())
    }

    /// The folds of a trial's stage that starts at fold `from`; `None` when its file is absent or damaged.
    pub(crate) fn restore(&self, trial: u64, from: usize) -> Option<Vec<FoldOutcome>> {
        let artifact = kaizen_artifact::read(&self.stage(trial, from)).ok()?;
        folds_of(&artifact.state).ok()
    }

    /// Removes the folder; a leftover is harmless.
    pub(crate) fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn folds_of(state: &State) -> Result<Vec<FoldOutcome>, LoadError> {
    let folds: Vec<usize> = state.read("folds")?;
    let outputs: Vec<usize> = state.read("outputs")?;
    let cut_short: Vec<bool> = state.read("cut_short")?;
    if folds.len() != outputs.len() || folds.len() != cut_short.len() {
        return Err(LoadError::damaged("folds", "lists of different lengths"));
    }
    folds
        .into_iter()
        .zip(outputs)
        .zip(cut_short)
        .map(|((fold, outputs), cut_short)| {
            let values = state.f64s(&format!("predictions_{fold}"))?.to_vec();
            if outputs == 0 || !values.len().is_multiple_of(outputs) {
                return Err(LoadError::damaged("predictions", "do not fill whole rows"));
            }
            let pipeline = FittedPipeline::load(state.part(&format!("pipeline_{fold}"))?)?;
            Ok(FoldOutcome {
                fold,
                effort: pipeline.effort(),
                size_bytes: pipeline.size_bytes(),
                pipeline: Some(pipeline),
                predictions: Predictions::new(outputs, values),
                cut_short,
            })
        })
        .collect()
}
