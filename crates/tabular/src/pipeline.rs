//! A list of transforms and a learner, unfitted and fitted.

use std::fmt::Write as _;
use std::sync::Arc;

use kaizen_model::{
    Ctx, Dataset, FitError, Fitted, FittedTransform, Learner, LoadError, Model, PredictError, Predictions,
    Sample, State, View,
};
use kaizen_space::Config;
use kaizen_table::Table;
use serde_json::json;

/// One transform with its configuration.
#[derive(Clone)]
pub struct PipelineStep {
    /// The transform.
    pub transform: &'static dyn kaizen_transforms::Step,
    /// Its configuration.
    pub config: Config,
}

/// Transforms in order, then a learner.
#[derive(Clone)]
pub struct Pipeline {
    /// Applied in order.
    pub steps: Vec<PipelineStep>,
    /// Learns from what the last step gives.
    pub learner: &'static dyn Learner,
    /// The learner's configuration.
    pub config: Config,
}

/// A transform after its fit, with the name to load it by.
#[derive(Clone)]
struct FittedStep {
    name: &'static str,
    transform: Arc<dyn FittedTransform>,
}

/// A pipeline after its fit: predicts rows of the table that its data set had.
#[derive(Clone)]
pub struct FittedPipeline {
    steps: Vec<FittedStep>,
    learner: &'static str,
    model: Arc<dyn Model>,
}

/// How the memo's keys of transformed tables begin.
pub(crate) const PREPARED: &str = "prepared/";

/// A data set after the steps, for one set of training rows; shared by all trials with these steps.
struct Prepared {
    data: Dataset,
    steps: Vec<FittedStep>,
}

impl Pipeline {
    /// Fits on `sample.train`, transforms included.
    ///
    /// `fold_key` names the training rows: pipelines with equal steps share the transformed data of one key through
    /// the data set's memo. With no steps the data set itself is used, and with it everything the learners keep there.
    ///
    /// # Errors
    /// As [`Learner::fit`].
    pub fn fit(
        &self,
        sample: Sample<'_>,
        fold_key: &str,
        ctx: &Ctx<'_>,
    ) -> Result<(FittedPipeline, Fitted), FitError> {
        self.run(sample, fold_key, ctx, |sample| self.learner.fit(&self.config, sample, ctx))
    }

    /// Fits on all of `sample.train` what was fitted on its folds before, with what validation rows decided there.
    ///
    /// The steps are fitted again, under `key` as in [`Pipeline::fit`]; `sample` has no validation rows.
    ///
    /// # Errors
    /// As [`Learner::refit`].
    pub fn refit(
        &self,
        sample: Sample<'_>,
        key: &str,
        folds: &[FittedPipeline],
        ctx: &Ctx<'_>,
    ) -> Result<(FittedPipeline, Fitted), FitError> {
        let models: Vec<&dyn Model> = folds.iter().map(|fold| &*fold.model).collect();
        self.run(sample, key, ctx, |sample| self.learner.refit(&self.config, sample, &models, ctx))
    }

    fn run(
        &self,
        sample: Sample<'_>,
        fold_key: &str,
        ctx: &Ctx<'_>,
        learn: impl FnOnce(Sample<'_>) -> Result<Fitted, FitError>,
    ) -> Result<(FittedPipeline, Fitted), FitError> {
        let (steps, fitted) = if self.steps.is_empty() {
            (Vec::new(), learn(sample)?)
        } else {
            let prepared = self.prepare(sample, fold_key, ctx)?;
            let sample = Sample { data: &prepared.data, ..sample };
            (prepared.steps.clone(), learn(sample)?)
        };
        let Fitted { model, valid_predictions, cut_short } = fitted;
        let model: Arc<dyn Model> = Arc::from(model);
        let pipeline = FittedPipeline { steps, learner: self.learner.card().name, model: Arc::clone(&model) };
        Ok((pipeline, Fitted { model: Box::new(SharedModel(model)), valid_predictions, cut_short }))
    }

    /// `start`, then the steps with their configurations.
    pub(crate) fn steps_key(&self, start: &str) -> String {
        let mut key = start.to_owned();
        for step in &self.steps {
            // Writing to a string cannot fail.
            let _ = write!(key, "/{}:{}", step.transform.card().name, step.config.digest());
        }
        key
    }

    fn prepare(&self, sample: Sample<'_>, fold_key: &str, ctx: &Ctx<'_>) -> Result<Arc<Prepared>, FitError> {
        let key = self.steps_key(&format!("{PREPARED}{fold_key}"));
        if let Some(prepared) = sample.data.memo.get::<Prepared>(&key) {
            return Ok(prepared);
        }
        let mut steps = Vec::with_capacity(self.steps.len());
        let mut data: Option<Dataset> = None;
        for step in &self.steps {
            let current = data.as_ref().unwrap_or(sample.data);
            // The seed must not depend on the trial: what is shared has to be the same whoever makes it first.
            let shared = Ctx { seed: kaizen_base::Seed(0).child(step.transform.card().name, 0), ..*ctx };
            let (fitted, table) =
                step.transform.fit_apply(&step.config, Sample { data: current, ..sample }, &shared)?;
            let next = current.with_table(table);
            data = Some(next);
            steps.push(FittedStep { name: step.transform.card().name, transform: Arc::from(fitted) });
        }
        let data = match data {
            Some(data) => data,
            None => sample.data.with_table(sample.data.table.clone()),
        };
        Ok(sample.data.memo.get_or_make(&key, || Prepared { data, steps }))
    }
}

/// Lets a model be owned by a pipeline and looked at by a caller.
struct SharedModel(Arc<dyn Model>);

impl Model for SharedModel {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        self.0.predict(table)
    }

    fn view(&self) -> View<'_> {
        self.0.view()
    }

    fn save(&self) -> State {
        self.0.save()
    }
}

/// What it takes to predict one row: data by which the cost of a blend is estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// So many trees.
    Trees(usize),
    /// A weighted sum.
    Linear,
    /// Unknown.
    Opaque,
}

impl FittedPipeline {
    /// What it takes to predict one row.
    pub fn effort(&self) -> Effort {
        match self.model.view() {
            View::Trees { tree_count, .. } => Effort::Trees(tree_count),
            View::Linear { .. } => Effort::Linear,
            View::Opaque => Effort::Opaque,
        }
    }

    /// The learner's name.
    pub fn learner(&self) -> &'static str {
        self.learner
    }

    /// The model behind the transforms.
    pub fn model(&self) -> &dyn Model {
        &*self.model
    }

    /// Predictions of all rows.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        let table = self.steps.iter().try_fold(table.clone(), |table, step| step.transform.apply(&table))?;
        self.model.predict(&table)
    }

    /// Bytes of the fitted numbers, steps included.
    pub fn size_bytes(&self) -> usize {
        self.save().size_bytes()
    }

    /// As plain data that needs nothing else.
    pub fn save(&self) -> State {
        let mut steps = StepPool::default();
        let state = self.save_sharing(&mut steps);
        steps.into_parts(state)
    }

    /// As plain data without its fitted steps, which go to the pool: pipelines of one fold have many in common.
    pub fn save_sharing(&self, steps: &mut StepPool) -> State {
        let places: Vec<usize> = self.steps.iter().map(|step| steps.place_of(step)).collect();
        State::new(json!({ "learner": self.learner, "steps": places })).with_part("model", self.model.save())
    }

    /// Brings back what [`FittedPipeline::save`] gave.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(state: &State) -> Result<Self, LoadError> {
        Self::load_sharing(state, &FittedSteps::load(state)?)
    }

    /// Brings back what [`FittedPipeline::save_sharing`] gave.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load_sharing(state: &State, steps: &FittedSteps) -> Result<Self, LoadError> {
        let places: Vec<usize> = state.read("steps")?;
        let steps = places
            .into_iter()
            .map(|place| {
                steps.0.get(place).cloned().ok_or_else(|| LoadError::Missing(format!("step {place}")))
            })
            .collect::<Result<_, LoadError>>()?;
        let name = state.text("learner")?;
        let learner = kaizen_learners::by_name(name)
            .ok_or_else(|| LoadError::Unknown { kind: "learner", name: name.to_owned() })?;
        let model = learner.load(state.part("model")?)?;
        Ok(Self { steps, learner: learner.card().name, model: Arc::from(model) })
    }
}

/// Rows on their way through the steps of several pipelines: steps that begin two pipelines are gone through once.
pub struct Passage<'a> {
    stages: Vec<Stage<'a>>,
}

/// Rows after a step.
struct Stage<'a> {
    /// The stage and the step that led here; nothing led to the first stage.
    way: Option<(usize, &'a FittedStep)>,
    table: Table,
}

impl<'a> Passage<'a> {
    /// Rows before any step.
    pub fn new(table: Table) -> Self {
        Self { stages: vec![Stage { way: None, table }] }
    }

    /// Takes the rows through the steps of a pipeline; the answer is the stage at which its model stands.
    ///
    /// # Errors
    /// [`PredictError`].
    pub fn stage(&mut self, pipeline: &'a FittedPipeline) -> Result<usize, PredictError> {
        let mut at = 0;
        for step in &pipeline.steps {
            let same = |known: &FittedStep| Arc::ptr_eq(&known.transform, &step.transform);
            let leads_on =
                |stage: &Stage<'_>| stage.way.is_some_and(|(from, known)| from == at && same(known));
            at = if let Some(known) = self.stages.iter().position(leads_on) {
                known
            } else {
                let table = step.transform.apply(&self.stages[at].table)?;
                self.stages.push(Stage { way: Some((at, step)), table });
                self.stages.len() - 1
            };
        }
        Ok(at)
    }

    /// The rows at a stage.
    pub fn rows(&self, stage: usize) -> &Table {
        &self.stages[stage].table
    }
}

/// Fitted steps as plain data, each kept once however many pipelines use it.
#[derive(Default)]
pub struct StepPool {
    kept: Vec<(&'static str, State)>,
}

impl StepPool {
    fn place_of(&mut self, step: &FittedStep) -> usize {
        let state = step.transform.save();
        let known = self.kept.iter().position(|(name, kept)| *name == step.name && *kept == state);
        known.unwrap_or_else(|| {
            self.kept.push((step.name, state));
            self.kept.len() - 1
        })
    }

    /// Adds the steps to the state of what uses them.
    #[must_use]
    pub fn into_parts(self, mut state: State) -> State {
        let names: Vec<&str> = self.kept.iter().map(|(name, _)| *name).collect();
        if let serde_json::Value::Object(meta) = &mut state.meta {
            meta.insert("step_names".to_owned(), json!(names));
        }
        for (place, (_, step)) in self.kept.into_iter().enumerate() {
            state = state.with_part(&format!("step_{place}"), step);
        }
        state
    }
}

/// The steps of [`StepPool::into_parts`], loaded.
pub struct FittedSteps(Vec<FittedStep>);

impl FittedSteps {
    /// Loads every step of a state.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(state: &State) -> Result<Self, LoadError> {
        let names: Vec<String> = state.read("step_names")?;
        names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let transform = kaizen_transforms::by_name(name)
                    .ok_or_else(|| LoadError::Unknown { kind: "transform", name: name.clone() })?;
                let fitted = transform.load(state.part(&format!("step_{place}"))?)?;
                Ok(FittedStep { name: transform.card().name, transform: Arc::from(fitted) })
            })
            .collect::<Result<_, LoadError>>()
            .map(Self)
    }
}
