//! Out-of-fold predictions of one learner with its starting values:
//! `cargo run --release -p kaizen-tabular --example quality TABLE TARGET TASK FOLDS OUT [key=value]...`.
//!
//! FOLDS holds the fold of each row that has a target, one number a line. The rows of a fold are predicted by a model
//! that has seen nothing of them: columns are inspected and prepared, and the learner is fitted, on the other rows
//! alone. OUT gets class names, seconds and predictions as JSON.
//!
//! Keys are `learner` (`symmetric_trees`), `threads` (2), `seed` (0), `given=true` (every column as it stands in the
//! file, words as categories, in place of what `kaizen fit` would make of it), `inner=true` (the number of rounds is
//! found on a fifth of the learning rows, then the learner is fitted on all of them) and the learner's own parameters.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use kaizen_base::{Seed, Signal};
use kaizen_data::{ReadOptions, Source};
use kaizen_inspect::{Options, TaskHint, inspect};
use kaizen_model::{Ctx, Dataset, Sample, Shape, Task, View};
use kaizen_space::Value;
use kaizen_table::target::present_rows;
use kaizen_table::{Column, Fold, RowLabels, SplitPlan, Table, Target, Values};
use kaizen_tabular::pipeline_space::Columns;
use kaizen_tabular::{FittedPipeline, PipelineSpace};
use serde_json::json;

/// What `kaizen fit` does to every row before any pipeline.
const SHARED_STEPS: [&str; 3] = ["boolean_number", "date_parts", "text_statistics"];

/// What is fitted, and how.
struct Job {
    target_name: String,
    hint: TaskHint,
    task: Task,
    target: Vec<f64>,
    learner: String,
    values: Vec<(String, Value)>,
    as_given: bool,
    inner: bool,
    seed: Seed,
}

/// One fold's model with the seconds it took.
struct FoldResult {
    predictions: Vec<Vec<f64>>,
    fit_seconds: f64,
    predict_seconds: f64,
    tree_count: usize,
}

#[expect(clippy::print_stdout, reason = "a program that prints its figure")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, target_name, task, folds, out, options @ ..] = arguments.as_slice() else {
        bail!("usage: quality TABLE TARGET TASK FOLDS OUT [key=value]...")
    };
    // Reading is the first to use the shared threads.
    let threads = options.iter().find_map(|option| option.strip_prefix("threads=")).unwrap_or("2");
    rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    let read = kaizen_data::read(&Source::parse(path)?, &ReadOptions::default())?.table;
    let column = read.require(target_name)?;
    let rows = present_rows(column);
    let present = Column { name: column.name.clone(), values: column.values.take(&rows) };
    let (hint, target) = match task.as_str() {
        "regression" => (TaskHint::Regression, Target::numbers(&present)?),
        "binary" => (TaskHint::Binary, Target::classes(&present)?),
        "multiclass" => (TaskHint::Multiclass, Target::classes(&present)?),
        other => bail!("{other} is not binary, multiclass or regression"),
    };
    let classes = target.class_names().to_vec();
    let task = match classes.len() {
        0 => Task::Regression,
        2 => Task::Binary,
        class_count => Task::Multiclass { class_count },
    };
    let folds = std::fs::read_to_string(folds)?;
    let folds: Vec<u32> = folds.lines().map(str::parse).collect::<Result<_, _>>().context("folds")?;
    ensure!(folds.len() == rows.len(), "{} folds for {} rows with a target", folds.len(), rows.len());
    let job = job(target_name, hint, task, target.to_numbers(), options)?;
    let table = read.take(&rows);
    let fold_count = folds.iter().max().map_or(0, |last| last + 1);
    let mut predictions = vec![Vec::new(); rows.len()];
    let (mut fit, mut predict, mut trees) = (Vec::new(), Vec::new(), Vec::new());
    for fold in 0..fold_count {
        let (test, train): (Vec<u32>, Vec<u32>) =
            (0..rows.len() as u32).partition(|row| folds[*row as usize] == fold);
        let result = job.fold(&table, &train, &test)?;
        for (row, values) in test.iter().zip(result.predictions) {
            predictions[*row as usize] = values;
        }
        fit.push(result.fit_seconds);
        predict.push(result.predict_seconds);
        trees.push(result.tree_count);
    }
    let seconds: f64 = fit.iter().sum();
    let all = json!({
        "classes": classes,
        "fit_seconds": fit,
        "predict_seconds": predict,
        "tree_counts": trees,
        "predictions": predictions,
    });
    std::fs::write(Path::new(out), serde_json::to_vec(&all)?)?;
    println!("{fold_count} fits in {seconds:.2} s");
    Ok(())
}

/// The job that the options describe.
fn job(
    target_name: &str,
    hint: TaskHint,
    task: Task,
    target: Vec<f64>,
    options: &[String],
) -> anyhow::Result<Job> {
    let mut job = Job {
        target_name: target_name.to_owned(),
        hint,
        task,
        target,
        learner: "symmetric_trees".to_owned(),
        values: Vec::new(),
        as_given: false,
        inner: false,
        seed: Seed(0),
    };
    for option in options {
        let (key, value) = option.split_once('=').with_context(|| format!("{option} is not key=value"))?;
        match key {
            "learner" => value.clone_into(&mut job.learner),
            "threads" => {}
            "seed" => job.seed = Seed(value.parse()?),
            "given" => job.as_given = value.parse()?,
            "inner" => job.inner = value.parse()?,
            _ => {
                let parsed = match (value.parse::<i64>(), value.parse::<f64>()) {
                    (Ok(whole), _) => Value::from(whole),
                    (_, Ok(number)) => Value::from(number),
                    _ => Value::from(value),
                };
                job.values.push((key.to_owned(), parsed));
            }
        }
    }
    Ok(job)
}

impl Job {
    #[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
    fn fold(&self, table: &Table, train: &[u32], test: &[u32]) -> anyhow::Result<FoldResult> {
        let start = Instant::now();
        let target: Vec<f64> = train.iter().map(|row| self.target[*row as usize]).collect();
        let (learn, unseen) = if self.as_given {
            let given = as_given(&table.without(|column| column.name == self.target_name))?;
            (given.take(train), given.take(test))
        } else {
            self.prepare(&table.take(train), &table.take(test), &target)?
        };
        let data = Dataset::new(learn, self.task.clone(), std::sync::Arc::new(target), None);
        let model = self.fit(&data)?;
        let fit_seconds = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let found = model.predict(&unseen)?;
        let predict_seconds = start.elapsed().as_secs_f64();
        let predictions = (0..test.len()).map(|row| found.row(row).to_vec()).collect();
        Ok(FoldResult { predictions, fit_seconds, predict_seconds, tree_count: tree_count(&model) })
    }

    /// The columns that an inspection keeps, after the steps that all pipelines share, fitted on `learn`.
    fn prepare(&self, learn: &Table, unseen: &Table, target: &[f64]) -> anyhow::Result<(Table, Table)> {
        let inspection = inspect(learn, Some((&self.target_name, self.hint)), &Options::default())?;
        let kept: Vec<&str> = inspection.features().map(|profile| profile.name.as_str()).collect();
        let keep = |table: &Table| table.without(|column| !kept.contains(&column.name.as_str()));
        let (learn, mut unseen) = (keep(learn), keep(unseen));
        let rows: Vec<u32> = (0..learn.row_count() as u32).collect();
        let mut data = Dataset::new(learn, self.task.clone(), std::sync::Arc::new(target.to_vec()), None);
        let signal = Signal::new();
        for name in SHARED_STEPS {
            let step = kaizen_transforms::by_name(name).with_context(|| format!("no step {name}"))?;
            let config = step.space(&shape(&data)).start();
            let ctx = Ctx { seed: Seed(0), signal: &signal };
            let fitted = step.fit(&config, Sample { data: &data, train: &rows, valid: None }, &ctx)?;
            unseen = fitted.apply(&unseen)?;
            data = data.with_table(fitted.apply(&data.table)?);
        }
        Ok((data.table, unseen))
    }

    fn fit(&self, data: &Dataset) -> anyhow::Result<FittedPipeline> {
        let learner = kaizen_learners::by_name(&self.learner)
            .with_context(|| format!("no learner {}", self.learner))?;
        let space = PipelineSpace::new([learner], &shape(data), Columns::of(&data.table))?;
        let mut values: Vec<(&str, Value)> =
            self.values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let rows: Vec<u32> = (0..data.target.len() as u32).collect();
        let signal = Signal::new();
        let ctx = Ctx { seed: self.seed, signal: &signal };
        let fit =
            |values: &[(&str, Value)], sample: Sample<'_>, key: &str| -> anyhow::Result<FittedPipeline> {
                let config =
                    space.config(&self.learner, values).context("parameters do not fit the learner")?;
                Ok(space.pipeline(&config)?.fit(sample, key, &ctx)?.0)
            };
        if self.inner {
            let Fold { train, valid } = self.inner_split(data)?;
            let judged = fit(&values, Sample { data, train: &train, valid: Some(&valid) }, "inner")?;
            let trees_a_round = match self.task {
                Task::Multiclass { class_count } => class_count,
                _ => 1,
            };
            let rounds = (tree_count(&judged) / trees_a_round).max(1) as i64;
            values.retain(|(name, _)| *name != "rounds");
            values.push(("rounds", Value::from(rounds)));
        }
        fit(&values, Sample { data, train: &rows, valid: None }, "all")
    }

    /// A fifth of the rows, of every class alike, to find the number of rounds on.
    fn inner_split(&self, data: &Dataset) -> anyhow::Result<Fold> {
        let strata: Option<Vec<u32>> =
            self.task.is_classification().then(|| data.target.iter().map(|class| *class as u32).collect());
        let labels = RowLabels { strata: strata.as_deref(), groups: None, moments: None };
        let plan = SplitPlan::Holdout { per_thousand: 200 };
        let folds = plan.cut(data.target.len(), labels, self.seed.child("inner", 0))?;
        folds.into_iter().next().context("a holdout is one fold")
    }
}

fn shape(data: &Dataset) -> Shape {
    let count = |is: fn(&Values) -> bool| data.table.columns().iter().filter(|c| is(&c.values)).count();
    Shape {
        row_count: data.target.len(),
        column_count: data.table.columns().len(),
        category_count: count(|values| matches!(values, Values::Category(_))),
        text_count: count(|values| matches!(values, Values::Text(_))),
        task: data.task.clone(),
    }
}

fn tree_count(model: &FittedPipeline) -> usize {
    if let View::Trees { tree_count, .. } = model.model().view() { tree_count } else { 0 }
}

/// Text as categories, all else as it is.
fn as_given(table: &Table) -> anyhow::Result<Table> {
    let columns = table.columns().iter().map(|column| match &column.values {
        Values::Text(text) => {
            let cells: Vec<Option<&str>> = text.iter().collect();
            Column::category(column.name.clone(), &cells)
        }
        _ => column.as_ref().clone(),
    });
    Ok(Table::from_columns(columns.collect())?)
}
