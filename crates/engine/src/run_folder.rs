//! What a run leaves on disk while it goes on, so that nothing finished is lost when it is killed.
//!
//! `OUT.run/` holds `request.json` (what was asked, to be checked on resuming), `journal.jsonl` (the search's events),
//! `lock` (held while the run goes on) and for each finished stage of a trial one file with its fitted pipelines and
//! out-of-fold predictions. The file of a stage is on disk, whole, before the journal says that the stage is done; a
//! stage whose file is missing, damaged or another run's is fitted again. Once the artifact is written the folder is
//! removed. A run that is begun anew where an interrupted one lies moves that one aside, to `OUT.run.old`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kaizen_artifact::{Artifact, Manifest};
use kaizen_base::Digest;
use kaizen_model::{LoadError, Predictions, State, Task, Tensor};
use kaizen_tabular::{FittedPipeline, FoldOutcome};
use serde_json::{Value, json};

use crate::error::EngineError;
use crate::folds::Validation;

/// The memory that a run may take, in `request.json`: the run that goes on with it takes the same unless told otherwise.
const MEMORY: &str = "memory_limit_bytes";

/// A run's folder.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    /// What was asked, in short: files of other requests are none of this run's.
    request: String,
    lock: Mutex<Option<File>>,
}

/// What an interrupted run decided by its clock and machine, to be kept by the run that goes on with it.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// How it validated.
    pub(crate) validation: Option<Validation>,
    /// Memory that it might take.
    pub(crate) memory_bytes: Option<u64>,
}

impl RunFolder {
    /// Where the folder of an artifact is.
    pub(crate) fn beside(out: &Path) -> PathBuf {
        with_ending(out, ".run")
    }

    /// What the interrupted run in `path` decided; `None` when it is the very folder of `out` and nothing is there yet,
    /// so that a run killed before it had anything to keep is simply begun.
    ///
    /// # Errors
    /// [`EngineError::Resume`] when another folder holds no run, or its request cannot be read.
    pub(crate) fn earlier(path: &Path, out: &Path) -> Result<Option<Earlier>, EngineError> {
        let refuse = |why: &str| EngineError::Resume { path: path.to_owned(), why: why.to_owned() };
        let Ok(text) = fs::read_to_string(path.join("request.json")) else {
            let own = Self::beside(out);
            // A path that cannot be made absolute is compared as it stands.
            let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            if absolute(path) == absolute(&own) {
                return Ok(None);
            }
            let why = if path.exists() {
                "it holds no interrupted run (no request.json); without --resume the run begins anew"
            } else {
                "there is no such folder; an interrupted run lies in OUT.run, where OUT is its --out"
            };
            return Err(refuse(why));
        };
        let before: Value = serde_json::from_str(&text)
            .map_err(|_| refuse("its request.json is damaged; without --resume the run begins anew"))?;
        Ok(Some(Earlier {
            validation: before.get("validation").and_then(Validation::from_json),
            memory_bytes: before.get(MEMORY).and_then(Value::as_u64),
        }))
    }

    /// Starts afresh at `path`. An interrupted run that lies there with something finished is moved aside, and the
    /// answer says where to.
    ///
    /// # Errors
    /// [`EngineError::Busy`] while another run goes on there; [`EngineError::Io`].
    pub(crate) fn create(
        path: &Path,
        request: &Value,
        memory_bytes: Option<u64>,
    ) -> Result<(Self, Option<PathBuf>), EngineError> {
        let mut aside = None;
        if path.join("request.json").exists() {
            drop(lock(path)?);
            let is_worth_keeping =
                fs::read_dir(path.join("trials")).is_ok_and(|mut files| files.next().is_some());
            if is_worth_keeping {
                let old = with_ending(path, ".old");
                if old.exists() {
                    fs::remove_dir_all(&old).map_err(|source| EngineError::io(&old, source))?;
                }
                fs::rename(path, &old).map_err(|source| EngineError::io(path, source))?;
                aside = Some(old);
            } else {
                fs::remove_dir_all(path).map_err(|source| EngineError::io(path, source))?;
            }
        }
        let trials = path.join("trials");
        fs::create_dir_all(&trials).map_err(|source| EngineError::io(&trials, source))?;
        let lock = lock(path)?;
        let file = path.join("request.json");
        let mut stored = request.clone();
        if let (Value::Object(stored), Some(bytes)) = (&mut stored, memory_bytes) {
            stored.insert(MEMORY.to_owned(), json!(bytes));
        }
        kaizen_base::write_atomically(&file, stored.to_string().as_bytes())
            .map_err(|source| EngineError::io(&file, source))?;
        Ok((Self::new(path, request, lock), aside))
    }

    /// Opens the folder of an interrupted run.
    ///
    /// # Errors
    /// [`EngineError::Resume`] when it is no such folder, or belongs to another request; [`EngineError::Busy`] while
    /// another run goes on there.
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
        // A crash may have come before the folder was there, or somebody may have emptied it.
        let trials = path.join("trials");
        fs::create_dir_all(&trials).map_err(|source| EngineError::io(&trials, source))?;
        Ok(Self::new(path, request, lock(path)?))
    }

    fn new(path: &Path, request: &Value, lock: File) -> Self {
        let request = Digest::of(request.to_string().as_bytes()).to_string();
        Self { path: path.to_owned(), request, lock: Mutex::new(Some(lock)) }
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
            "stage": self.stage_words(trial, from),
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

    /// The folds of a trial's stage that starts at fold `from`; `None` when its file is absent, damaged, or not of this
    /// stage of this run.
    pub(crate) fn restore(&self, trial: u64, from: usize) -> Option<Vec<FoldOutcome>> {
        let artifact = kaizen_artifact::read(&self.stage(trial, from)).ok()?;
        let is_own = artifact.state.text("stage") == Ok(self.stage_words(trial, from).as_str());
        if is_own { folds_of(&artifact.state).ok() } else { None }
    }

    /// What a stage's file says of where it belongs.
    fn stage_words(&self, trial: u64, from: usize) -> String {
        format!("{} trial {trial} from fold {from}", self.request)
    }

    /// Removes the folder; a leftover is harmless.
    pub(crate) fn remove(&self) {
        // Some systems remove no file that is open.
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.components().as_path().as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Holds the folder against a second run for as long as the file is open.
fn lock(folder: &Path) -> Result<File, EngineError> {
    let path = folder.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|source| EngineError::io(&path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(EngineError::Busy(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(EngineError::io(&path, source)),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("kaizen-run-folder-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn nothing_to_resume_is_a_beginning_in_its_own_folder_and_a_mistake_elsewhere() {
        let root = folder("nothing");
        let out = root.join("model.kaizen");
        let own = root.join("./model.kaizen.run/");
        assert!(RunFolder::earlier(&own, &out).unwrap().is_none());
        let error = RunFolder::earlier(&root.join("other.run"), &out).unwrap_err();
        assert!(error.to_string().contains("no such folder"), "{error}");
        fs::create_dir_all(root.join("model.kaizen.run")).unwrap();
        assert!(RunFolder::earlier(&own, &out).unwrap().is_none(), "killed before the request was written");
        let error = RunFolder::earlier(&root, &out).unwrap_err();
        assert!(error.to_string().contains("holds no interrupted run"), "{error}");
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn one_run_at_a_time_and_what_it_decided_is_kept() {
        let path = folder("busy");
        let request = json!({ "target": "y" });
        let (first, aside) = RunFolder::create(&path, &request, Some(5)).unwrap();
        assert_eq!(aside, None);
        assert!(matches!(RunFolder::create(&path, &request, None), Err(EngineError::Busy(_))));
        assert!(matches!(RunFolder::open(&path, &request), Err(EngineError::Busy(_))));
        drop(first);
        let earlier = RunFolder::earlier(&path, Path::new("elsewhere")).unwrap().unwrap();
        assert_eq!(earlier.memory_bytes, Some(5));
        let other = RunFolder::open(&path, &json!({ "target": "z" })).unwrap_err();
        assert!(other.to_string().contains("started with target \"y\", now it is \"z\""), "{other}");
        // The memory is no part of the request: a run that died of it goes on with less.
        let again = RunFolder::open(&path, &request).unwrap();
        again.remove();
        assert!(!path.exists());
    }

    #[test]
    fn a_run_begun_anew_does_not_throw_away_what_another_had_finished() {
        let path = folder("aside");
        let request = json!({ "target": "y" });
        let (first, _) = RunFolder::create(&path, &request, None).unwrap();
        first.keep(0, 0, &[]).unwrap();
        drop(first);
        let (second, aside) = RunFolder::create(&path, &request, None).unwrap();
        let old = aside.unwrap();
        assert_eq!(old, with_ending(&path, ".old"));
        assert!(RunFolder::open(&old, &request).unwrap().restore(0, 0).is_some());
        assert!(second.restore(0, 0).is_none());
        drop(second);
        // Nothing was finished: nothing is kept, and what was put aside stays.
        let (third, aside) = RunFolder::create(&path, &request, None).unwrap();
        assert_eq!((aside, old.exists()), (None, true));
        third.remove();
        fs::remove_dir_all(&old).unwrap();
    }

    #[test]
    fn stages_of_others_and_torn_ones_are_not_taken_for_own() {
        let path = folder("stages");
        let (run, _) = RunFolder::create(&path, &json!({ "target": "y" }), None).unwrap();
        run.keep(3, 0, &[]).unwrap();
        assert_eq!(run.restore(3, 0).map(|folds| folds.len()), Some(0));
        // Under the name of another stage.
        fs::copy(run.stage(3, 0), run.stage(4, 0)).unwrap();
        assert!(run.restore(4, 0).is_none());
        // Torn.
        let bytes = fs::read(run.stage(3, 0)).unwrap();
        fs::write(run.stage(3, 0), &bytes[..bytes.len() - 9]).unwrap();
        assert!(run.restore(3, 0).is_none());
        // Of another request.
        let elsewhere = folder("stages-elsewhere");
        let (other, _) = RunFolder::create(&elsewhere, &json!({ "target": "z" }), None).unwrap();
        fs::write(other.stage(3, 0), bytes).unwrap();
        assert!(other.restore(3, 0).is_none());
        run.remove();
        other.remove();
    }
}
