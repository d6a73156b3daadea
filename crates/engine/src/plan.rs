//! From a table that was read to a data set with folds: what to predict, from what, judged how.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_data::Loaded;
use kaizen_inspect::{Inspection, Options, Severity, TaskHint, TaskKind};
use kaizen_metrics::Metric;
use kaizen_model::{Ctx, Dataset, FittedTransform, Sample, Task};
use kaizen_table::target::present_rows;
use kaizen_table::{Column, Fold, RowLabels, Schema, SplitPlan, Table, Target, TargetValues, Values};
use kaizen_tabular::scoring::task_kind;
use kaizen_tabular::{CrossValidation, Preparation};

use crate::error::EngineError;
use crate::folds::{self, Validation, Workload};
use crate::observer::{Event, Observer};
use crate::request::{FitRequest, Judge, Preset, TaskChoice};

/// Everything that the search needs, decided.
pub(crate) struct Plan {
    /// What was found in the table.
    pub inspection: Inspection,
    /// The target's name, and its class names in order.
    pub target: Target,
    /// What is predicted.
    pub task: Task,
    /// What is optimised.
    pub metric: &'static Metric,
    /// How raw input columns are read.
    pub inputs: Schema,
    /// What happens to rows first.
    pub preparation: Preparation,
    /// Features before the preparation, one row a training row.
    pub raw: Table,
    /// Data and folds.
    pub cv: Arc<CrossValidation>,
    /// How rows are cut.
    pub validation: Validation,
    /// Why they are cut so.
    pub reason: String,
    /// Rows held out from everything, with their target.
    pub holdout: Option<(Table, Vec<f64>)>,
    /// Sign of each monotone column by prepared name.
    pub monotone: Vec<(String, i8)>,
}

/// Shared steps, in order: names in the transforms' table.
const SHARED_STEPS: [&str; 3] = ["boolean_number", "date_parts", "text_statistics"];

/// Target quantiles by which rows of a regression are dealt to folds, where there are that many rows a fold.
const REGRESSION_STRATA: usize = 10;

pub(crate) fn make(
    request: &FitRequest,
    loaded: &Loaded,
    seconds_left: Option<f64>,
    threads: usize,
    kept_validation: Option<Validation>,
    observer: &mut dyn Observer,
) -> Result<Plan, EngineError> {
    let refuse = |why: String| EngineError::Table { file: request.source.text().to_owned(), why };
    let table = &loaded.table;
    let target_name = target_name(request, table).map_err(refuse)?;
    check_roles(request, table).map_err(refuse)?;
    let inspection = inspect(request, table, &target_name, observer)?;
    let column = table.require(&target_name).map_err(|error| refuse(error.to_string()))?;
    let rows = usable_rows(request, table, column);
    let (target, task) = read_target(&inspection, column, &rows).map_err(refuse)?;
    let metric = metric(request, &task)?;
    check_monotone(request, &task)?;
    let features = features(request, table, &inspection).map_err(refuse)?.take(&rows);
    let weights = weights(request, table, &rows).map_err(refuse)?;
    let labels = Labels::of(request, &inspection, table, &rows, &target, &task);
    let Divided { train, holdout } = divide(request, &labels, &features, &target)?;
    let numbers = target.to_numbers();
    let pick = |values: &[f64]| Arc::new(train.iter().map(|&row| values[row as usize]).collect::<Vec<_>>());
    let raw = features.take(&train);
    let (preparation, prepared) = prepare(&raw, &task, &pick(&numbers))?;
    let mut data =
        Dataset::new(prepared, task.clone(), pick(&numbers), weights.map(|weights| pick(&weights)));
    data.monotone = Arc::new(request.columns.monotone.iter().cloned().collect());
    let labels = labels.take(&train);
    let work = Workload {
        row_count: train.len(),
        column_count: data.table.columns().len(),
        output_count: if task.output_count() > 2 { task.output_count() } else { 1 },
        rarest_class_rows: rarest(&data, &task),
        threads,
        seconds: seconds_left,
    };
    let (decided, reason) = validation(&inspection, &work, &labels, request.preset);
    let validation = kept_validation.unwrap_or(decided);
    let folds = cut(&validation, &labels, train.len(), Seed(request.seed))?;
    observer.on(Event::Planned {
        row_count: train.len(),
        column_count: raw.columns().len(),
        task: crate::loaded::task_words(&task, target.class_names()),
        metric: metric.name(),
        validation: validation.words(),
    });
    let folds_per_repeat = validation.folds_per_repeat;
    Ok(Plan {
        inspection,
        inputs: crate::loaded::chosen_fields(&loaded.schema, preparation.columns()),
        target,
        task,
        metric,
        preparation,
        raw,
        cv: Arc::new(CrossValidation { data: Arc::new(data), folds, folds_per_repeat }),
        validation,
        reason,
        holdout,
        monotone: request.columns.monotone.clone(),
    })
}

/// Looks at all columns but those to be ignored, says what is worth saying, and refuses what cannot be fitted.
fn inspect(
    request: &FitRequest,
    table: &Table,
    target: &str,
    observer: &mut dyn Observer,
) -> Result<Inspection, EngineError> {
    let refuse = |why: String| EngineError::Table { file: request.source.text().to_owned(), why };
    let options = Options {
        seed: Seed(request.seed),
        group: request.columns.group.as_deref(),
        time_column: request.columns.time.as_deref(),
        other: None,
    };
    let hint = match request.task {
        TaskChoice::Auto => TaskHint::Auto,
        TaskChoice::Binary => TaskHint::Binary,
        TaskChoice::Multiclass => TaskHint::Multiclass,
        TaskChoice::Regression => TaskHint::Regression,
    };
    let ignored = ignored_columns(request, target);
    let seen = table.without(|column| ignored.contains(&column.name));
    let inspection = kaizen_inspect::inspect(&seen, Some((target, hint)), &options)
        .map_err(|error| refuse(error.to_string()))?;
    if let Some(blocking) = inspection.blocking().next() {
        return Err(refuse(format!("{} {}", blocking.what, blocking.advice)));
    }
    for finding in inspection.findings.iter().filter(|finding| finding.severity >= Severity::Warning) {
        observer.on(Event::Notice { warning: true, text: format!("{} {}", finding.what, finding.action) });
    }
    Ok(inspection)
}

/// Rows to learn from, and those held out from everything with their target.
struct Divided {
    train: Vec<u32>,
    holdout: Option<(Table, Vec<f64>)>,
}

fn divide(
    request: &FitRequest,
    labels: &Labels,
    features: &Table,
    target: &Target,
) -> Result<Divided, EngineError> {
    let (train, held) = hold_out(request, labels, features.row_count(), Seed(request.seed))?;
    let numbers = target.to_numbers();
    let holdout = held.map(|held| {
        (features.take(&held), held.iter().map(|&row| numbers[row as usize]).collect::<Vec<f64>>())
    });
    Ok(Divided { train: train.unwrap_or_else(|| (0..features.row_count() as u32).collect()), holdout })
}

/// The columns to predict from. A group cannot tell anything of rows of other groups.
fn features(request: &FitRequest, table: &Table, inspection: &Inspection) -> Result<Table, String> {
    let kept: Vec<&str> = inspection
        .features()
        .map(|profile| profile.name.as_str())
        .filter(|name| request.columns.group.as_deref() != Some(name))
        .collect();
    if kept.is_empty() {
        return Err("no column is left to predict from".to_owned());
    }
    Ok(table.without(|column| !kept.contains(&column.name.as_str())))
}

fn target_name(request: &FitRequest, table: &Table) -> Result<String, String> {
    match &request.target {
        Some(name) => match table.column(name).or_else(|| table.column(name.trim())) {
            Some(column) => Ok(column.name.clone()),
            None => Err(table.require(name).err().map_or_else(String::new, |error| {
                let names: Vec<&str> =
                    table.columns().iter().map(|column| column.name.as_str()).take(20).collect();
                format!("{error}; its columns are {}", names.join(", "))
            })),
        },
        None => table
            .columns()
            .last()
            .map(|column| column.name.clone())
            .ok_or_else(|| "it has no column".to_owned()),
    }
}

/// Names on the command line must exist.
fn check_roles(request: &FitRequest, table: &Table) -> Result<(), String> {
    let columns = &request.columns;
    let named = columns.group.iter().chain(&columns.time).chain(&columns.weight).chain(&columns.ignore);
    for name in named.chain(columns.monotone.iter().map(|(name, _)| name)) {
        table.require(name).map_err(|error| error.to_string())?;
    }
    for (name, _) in &columns.monotone {
        if !matches!(table.column(name).map(|column| &column.values), Some(Values::Number(_))) {
            return Err(format!("--monotone {name}: only a column of numbers can be monotone"));
        }
    }
    Ok(())
}

fn ignored_columns(request: &FitRequest, target: &str) -> Vec<String> {
    let columns = &request.columns;
    columns.ignore.iter().chain(&columns.weight).filter(|name| name.as_str() != target).cloned().collect()
}

/// Rows with a target and, where rows are weighted, a positive weight.
fn usable_rows(request: &FitRequest, table: &Table, target: &Column) -> Vec<u32> {
    let mut rows = present_rows(target);
    let weight = request.columns.weight.as_ref().and_then(|name| table.column(name));
    if let Some(Values::Number(number)) = weight.map(|column| &column.values) {
        rows.retain(|&row| number.values[row as usize] > 0.0);
    }
    rows
}

fn weights(request: &FitRequest, table: &Table, rows: &[u32]) -> Result<Option<Vec<f64>>, String> {
    let Some(name) = &request.columns.weight else { return Ok(None) };
    match table.column(name).map(|column| &column.values) {
        Some(Values::Number(number)) => {
            if rows.is_empty() {
                return Err(format!("--weight {name}: no row has a positive weight"));
            }
            let sum: f64 = rows.iter().map(|&row| number.values[row as usize]).sum();
            // Weights of mean one keep every regularisation at its usual strength.
            let scale = rows.len() as f64 / sum;
            Ok(Some(rows.iter().map(|&row| number.values[row as usize] * scale).collect()))
        }
        _ => Err(format!("--weight {name}: the column does not hold numbers")),
    }
}

fn read_target(inspection: &Inspection, column: &Column, rows: &[u32]) -> Result<(Target, Task), String> {
    let present = Column { name: column.name.clone(), values: column.values.take(rows) };
    let decision = inspection.target.as_ref().map(|target| target.decision.task);
    if decision == Some(TaskKind::Regression) {
        return Ok((Target::numbers(&present).map_err(|error| error.to_string())?, Task::Regression));
    }
    let target = Target::classes(&present).map_err(|error| error.to_string())?;
    let task = match target.class_names().len() {
        0 | 1 => return Err(format!("the target `{}` has one class only", column.name)),
        2 => Task::Binary,
        class_count => Task::Multiclass { class_count },
    };
    Ok((target, task))
}

fn check_monotone(request: &FitRequest, task: &Task) -> Result<(), EngineError> {
    if task.output_count() > 2 && !request.columns.monotone.is_empty() {
        let why = "with more than two classes there is no one way to rise or fall".to_owned();
        return Err(EngineError::Option { option: "--monotone", why });
    }
    Ok(())
}

fn metric(request: &FitRequest, task: &Task) -> Result<&'static Metric, EngineError> {
    let kind = task_kind(task);
    match &request.metric {
        None => Ok(kaizen_metrics::default_metric(kind)),
        Some(name) => kaizen_metrics::resolve(name, kind)
            .map_err(|error| EngineError::Option { option: "--metric", why: error.to_string() }),
    }
}

/// What folds look at, one entry a row.
struct Labels {
    strata: Option<Vec<u32>>,
    groups: Option<Vec<u32>>,
    moments: Option<Vec<f64>>,
}

impl Labels {
    fn of(
        request: &FitRequest,
        inspection: &Inspection,
        table: &Table,
        rows: &[u32],
        target: &Target,
        task: &Task,
    ) -> Self {
        let advice = inspection.split.as_ref();
        let group =
            request.columns.group.as_ref().or_else(|| advice.and_then(|advice| advice.group.as_ref()));
        let time =
            request.columns.time.as_ref().or_else(|| advice.and_then(|advice| advice.time_column.as_ref()));
        let strata = match (&target.values, task) {
            (TargetValues::Classes { codes, .. }, _) => Some(codes.clone()),
            (TargetValues::Numbers(values), Task::Regression) => quantile_strata(values),
            _ => None,
        };
        Self {
            strata,
            groups: group.and_then(|name| table.column(name)).map(|column| group_codes(column, rows)),
            moments: time.and_then(|name| table.column(name)).and_then(|column| moments(column, rows)),
        }
    }

    fn take(&self, rows: &[u32]) -> Self {
        let pick = |values: &Vec<u32>| rows.iter().map(|&row| values[row as usize]).collect();
        Self {
            strata: self.strata.as_ref().map(pick),
            groups: self.groups.as_ref().map(pick),
            moments: self
                .moments
                .as_ref()
                .map(|moments| rows.iter().map(|&row| moments[row as usize]).collect()),
        }
    }

    fn labels(&self) -> RowLabels<'_> {
        RowLabels {
            strata: self.strata.as_deref(),
            groups: self.groups.as_deref(),
            moments: self.moments.as_deref(),
        }
    }
}

/// The tenth of the values that each value lies in; `None` where rows are too few to need it.
fn quantile_strata(values: &[f64]) -> Option<Vec<u32>> {
    if values.len() < REGRESSION_STRATA * REGRESSION_STRATA {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let edges: Vec<f64> =
        (1..REGRESSION_STRATA).map(|part| sorted[sorted.len() * part / REGRESSION_STRATA]).collect();
    Some(values.iter().map(|value| edges.partition_point(|edge| edge <= value) as u32).collect())
}

/// A code for each distinct cell; missing cells are groups of their own.
fn group_codes(column: &Column, rows: &[u32]) -> Vec<u32> {
    let mut codes = std::collections::BTreeMap::new();
    let mut next = 0;
    rows.iter()
        .map(|&row| {
            let code = match column.cell_text(row as usize) {
                Some(cell) => *codes.entry(cell).or_insert(next),
                None => next,
            };
            next += u32::from(code == next);
            code
        })
        .collect()
}

fn moments(column: &Column, rows: &[u32]) -> Option<Vec<f64>> {
    let values = match &column.values {
        Values::Time(time) => &time.seconds,
        Values::Number(number) => &number.values,
        _ => return None,
    };
    Some(rows.iter().map(|&row| values[row as usize]).collect())
}

type Rows = Option<Vec<u32>>;

/// Rows to learn from and rows to be judged on at the end; the split obeys groups and time.
fn hold_out(
    request: &FitRequest,
    labels: &Labels,
    row_count: usize,
    seed: Seed,
) -> Result<(Rows, Rows), EngineError> {
    let Judge::Holdout(share) = request.judge else { return Ok((None, None)) };
    let failed =
        |error: kaizen_table::SplitError| EngineError::Option { option: "--holdout", why: error.to_string() };
    let parts = ((1.0 / share).round() as usize).max(2);
    let seed = seed.child("judge", 0);
    let fold = if labels.moments.is_some() {
        // The last part of the time is the future that the model is judged on.
        SplitPlan::Forward { folds: parts - 1 }.cut(row_count, labels.labels(), seed).map_err(failed)?.pop()
    } else if labels.groups.is_some() {
        SplitPlan::Grouped { folds: parts }.cut(row_count, labels.labels(), seed).map_err(failed)?.pop()
    } else {
        let plan = SplitPlan::Holdout { per_thousand: ((share * 1000.0).round() as u32).clamp(1, 999) };
        plan.cut(row_count, labels.labels(), seed).map_err(failed)?.pop()
    };
    Ok(fold.map_or((None, None), |Fold { train, valid }| (Some(train), Some(valid))))
}

/// Fits the shared steps on the training table.
fn prepare(raw: &Table, task: &Task, target: &Arc<Vec<f64>>) -> Result<(Preparation, Table), EngineError> {
    let order: Vec<String> = raw.columns().iter().map(|column| column.name.clone()).collect();
    let mut steps: Vec<(&'static str, Arc<dyn FittedTransform>)> = Vec::new();
    let mut data = Dataset::new(raw.clone(), task.clone(), Arc::clone(target), None);
    let rows: Vec<u32> = (0..raw.row_count() as u32).collect();
    let signal = Signal::new();
    for name in SHARED_STEPS {
        let Some(transform) = kaizen_transforms::by_name(name) else { continue };
        let shape = kaizen_model::Shape {
            row_count: raw.row_count(),
            column_count: raw.columns().len(),
            category_count: 0,
            text_count: 0,
            task: task.clone(),
        };
        let config = transform.space(&shape).start();
        let sample = Sample { data: &data, train: &rows, valid: None };
        let ctx = Ctx { seed: Seed(0), signal: &signal };
        let fitted =
            transform.fit(&config, sample, &ctx).map_err(|error| EngineError::NoModel(error.to_string()))?;
        let table = fitted.apply(&data.table)?;
        data = data.with_table(table);
        steps.push((transform.card().name, Arc::from(fitted)));
    }
    let table = data.table;
    Ok((Preparation::new(order, steps), table))
}

fn rarest(data: &Dataset, task: &Task) -> usize {
    if !task.is_classification() {
        return data.target.len();
    }
    let mut counts = vec![0usize; task.output_count()];
    for &class in data.target.iter() {
        counts[class as usize] += 1;
    }
    counts.into_iter().filter(|&count| count > 1).min().unwrap_or(2)
}

fn validation(
    inspection: &Inspection,
    work: &Workload,
    labels: &Labels,
    preset: Preset,
) -> (Validation, String) {
    let reason = inspection.split.as_ref().map_or_else(String::new, |advice| advice.reason.clone());
    let validation = if labels.moments.is_some() {
        folds::structured(work, true, 0)
    } else if let Some(groups) = &labels.groups {
        let count = groups.iter().copied().max().map_or(0, |group| group as usize + 1);
        folds::structured(work, false, count)
    } else {
        folds::shuffled(work, preset)
    };
    (validation, reason)
}

fn cut(
    validation: &Validation,
    labels: &Labels,
    row_count: usize,
    seed: Seed,
) -> Result<Vec<Fold>, EngineError> {
    validation.plan.cut(row_count, labels.labels(), seed.child("folds", 0)).map_err(|error| {
        EngineError::Option {
            option: if labels.moments.is_some() { "--time-column" } else { "--group" },
            why: error.to_string(),
        }
    })
}
