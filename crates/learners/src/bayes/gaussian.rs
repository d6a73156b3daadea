//! Naive Bayes with a normal density for each number and shares of levels for each category.
//!
//! Within a class, columns are taken for independent. A missing number says nothing; a missing category is a level.
//! Variances get `smoothing` times the column's overall variance on top (scikit-learn adds the same share of the
//! *largest* variance of all columns, which ties columns of different units together); levels get `counts` rows' worth
//! of each level. Log-likelihoods are divided by `temper` for probabilities that are less overconfident where columns
//! repeat each other; 1 is the textbook.

use kaizen_base::{Card, Flow, math};
use kaizen_model::{
    Ctx, Extent, FitError, Fitted, Handles, Inputs, Learner, LoadError, Memory, Model, PredictError,
    Predictions, Sample, Shape, State, Task, Tensor,
};
use kaizen_space::{Config, Param, Space};
use kaizen_table::{MISSING_CODE, Table};
use rayon::prelude::*;

use crate::features::{Cells, Features, Kind, admit, own_cells};
use crate::linear::design::{DenseTerm, Encoder};
use crate::outcome::Classes;
use crate::parameters::space;
use crate::tasks::{load_task, save_task};

static CARD: Card = Card {
    name: "gaussian_naive_bayes",
    summary: "Multiplies one-column likelihoods: normal for numbers, level shares for categories",
    source: "Hand and Yu 2001; Chan, Golub and LeVeque 1982 (stable variances)",
};

/// Rows that one task predicts.
const CHUNK: usize = 1024;

/// Parameters: `smoothing` of variances, `counts` added to levels, `temper`.
#[derive(Debug)]
pub struct GaussianNaiveBayes;

impl Learner for GaussianNaiveBayes {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn handles(&self) -> Handles {
        Handles {
            binary: true,
            multiclass: true,
            regression: false,
            quantile: false,
            inputs: Inputs { missing: true, categories: true, sparse: false, scaled: false },
            weights: true,
            monotone: false,
            readable: false,
        }
    }

    fn space(&self, _shape: &Shape) -> Space {
        space([
            Param::float("smoothing", 1e-9, 1.0).log().starting_at(1e-9),
            Param::float("counts", 0.01, 10.0).log().starting_at(1.0),
            Param::float("temper", 1.0, 20.0).log().starting_at(1.0),
        ])
    }

    fn memory(&self, _config: &Config, extent: &Extent) -> Memory {
        // Mean and variance of each number, and a share of each level, for each class.
        let cells = 2 * extent.number_count + extent.level_total();
        let fitted_bytes = 8 * (cells * extent.task.output_count()) as u64;
        let working_bytes = 2 * fitted_bytes + extent.row_bytes(2 * extent.task.output_count());
        Memory { working_bytes, shared_bytes: 0, fitted_bytes }
    }

    fn fit(&self, config: &Config, sample: Sample<'_>, ctx: &Ctx<'_>) -> Result<Fitted, FitError> {
        let features = admit(self.handles(), sample)?;
        let cells = own_cells(&features, &sample.data.table)?;
        if ctx.signal.flow() == Flow::Stop {
            return Err(FitError::Stopped);
        }
        let encoder = Encoder::fit(&features, &cells, sample.train, |row| sample.data.weight(row), true);
        let terms: Vec<DenseTerm> = encoder.dense.into_iter().filter(|term| !term.missing).collect();
        let classes = Classes::of(sample);
        let tables = tables(&features, &cells, sample, &classes, config.float("counts"));
        let normals = normals(&terms, &cells, sample, &classes, config.float("smoothing"));
        let prior = class_weights(sample, &classes);
        let total: f64 = prior.iter().sum();
        let model = BayesModel {
            features,
            task: sample.data.task.clone(),
            classes,
            log_prior: prior.iter().map(|weight| math::ln(weight / total)).collect(),
            terms,
            normals,
            tables,
            temper: config.float("temper"),
        };
        let valid_predictions = sample.valid.map(|rows| model.predict_cells(&cells, rows));
        Ok(Fitted { model: Box::new(model), valid_predictions, cut_short: false })
    }

    fn load(&self, state: &State) -> Result<Box<dyn Model>, LoadError> {
        Ok(Box::new(BayesModel::load(state)?))
    }
}

/// Place of a training row's class.
fn class_place(sample: Sample<'_>, classes: &Classes, row: u32) -> usize {
    classes.place(sample.data.target[row as usize]).unwrap_or(0)
}

fn class_weights(sample: Sample<'_>, classes: &Classes) -> Vec<f64> {
    let mut weights = vec![0.0; classes.list().len()];
    for &row in sample.train {
        weights[class_place(sample, classes, row)] += sample.data.weight(row);
    }
    weights
}

/// For each number and class the mean and variance of the standardised cells, [numbers, classes, 2].
fn normals(
    terms: &[DenseTerm],
    cells: &[Cells<'_>],
    sample: Sample<'_>,
    classes: &Classes,
    smoothing: f64,
) -> Vec<f64> {
    let count = classes.list().len();
    let of_term = |term: &DenseTerm| -> Vec<f64> {
        let Cells::Number(values) = &cells[term.feature as usize] else { return vec![0.0; count * 2] };
        // Two passes: means first, then squares about them.
        let (mut weights, mut means) = (vec![0.0; count], vec![0.0; count]);
        for &row in sample.train {
            let value = values[row as usize];
            if !value.is_nan() {
                let place = class_place(sample, classes, row);
                weights[place] += sample.data.weight(row);
                means[place] += sample.data.weight(row) * term.value(value);
            }
        }
        for (mean, weight) in means.iter_mut().zip(&weights) {
            *mean = if *weight > 0.0 { *mean / weight } else { 0.0 };
        }
        let mut squares = vec![0.0; count];
        for &row in sample.train {
            let value = values[row as usize];
            if !value.is_nan() {
                let place = class_place(sample, classes, row);
                let difference = term.value(value) - means[place];
                squares[place] += sample.data.weight(row) * difference * difference;
            }
        }
        (0..count)
            .flat_map(|place| {
                let weight = weights[place];
                // A class without a present cell has the column's overall mean and variance, 0 and 1.
                let variance = if weight > 0.0 { squares[place] / weight } else { 1.0 };
                [means[place], variance + smoothing]
            })
            .collect()
    };
    terms.par_iter().flat_map_iter(of_term).collect()
}

/// For each category the logarithms of level shares within each class, [levels and missing, classes].
fn tables(
    features: &Features,
    cells: &[Cells<'_>],
    sample: Sample<'_>,
    classes: &Classes,
    counts: f64,
) -> Vec<LevelTable> {
    let count = classes.list().len();
    let mut tables = Vec::new();
    for (index, (feature, cells)) in features.list().iter().zip(cells).enumerate() {
        let (Kind::Category(levels), Cells::Category(codes)) = (&feature.kind, cells) else { continue };
        let level_count = levels.count();
        let mut sums = vec![0.0; (level_count + 1) * count];
        let mut totals = vec![0.0; count];
        for &row in sample.train {
            let level = (codes[row as usize] as usize).min(level_count);
            let place = class_place(sample, classes, row);
            sums[level * count + place] += sample.data.weight(row);
            totals[place] += sample.data.weight(row);
        }
        let share = |(cell, sum): (usize, f64)| {
            math::ln((sum + counts) / (totals[cell % count] + counts * (level_count + 1) as f64))
        };
        tables.push(LevelTable {
            feature: index as u32,
            logs: sums.into_iter().enumerate().map(share).collect(),
        });
    }
    tables
}

struct LevelTable {
    feature: u32,
    /// [levels + 1, classes], missing cells last.
    logs: Vec<f64>,
}

struct BayesModel {
    features: Features,
    task: Task,
    classes: Classes,
    log_prior: Vec<f64>,
    terms: Vec<DenseTerm>,
    /// Mean and variance, [numbers, classes, 2].
    normals: Vec<f64>,
    tables: Vec<LevelTable>,
    temper: f64,
}

impl BayesModel {
    fn row(&self, cells: &[Cells<'_>], row: usize, logs: &mut [f64], out: &mut [f64]) {
        let count = logs.len();
        logs.fill(0.0);
        for (term, normals) in self.terms.iter().zip(self.normals.chunks_exact(count * 2)) {
            let Cells::Number(values) = &cells[term.feature as usize] else { continue };
            if values[row].is_nan() {
                continue;
            }
            let value = term.value(values[row]);
            for (log, normal) in logs.iter_mut().zip(normals.chunks_exact(2)) {
                let difference = value - normal[0];
                *log -= 0.5 * (math::ln(normal[1]) + difference * difference / normal[1]);
            }
        }
        for table in &self.tables {
            let Cells::Category(codes) = &cells[table.feature as usize] else { continue };
            let level_count = table.logs.len() / count - 1;
            let level = match codes[row] {
                MISSING_CODE => level_count,
                code if (code as usize) < level_count => code as usize,
                // An unseen level is as likely under one class as under another.
                _ => continue,
            };
            let level = &table.logs[level * count..(level + 1) * count];
            logs.iter_mut().zip(level).for_each(|(log, level)| *log += level);
        }
        for (log, prior) in logs.iter_mut().zip(&self.log_prior) {
            *log = *log / self.temper + prior;
        }
        math::softmax(logs);
        self.classes.spread(logs, out);
    }

    fn predict_cells(&self, cells: &[Cells<'_>], rows: &[u32]) -> Predictions {
        let width = self.task.output_count();
        let mut values = vec![0.0; rows.len() * width];
        let work = |(rows, out): (&[u32], &mut [f64])| {
            let mut logs = vec![0.0; self.classes.list().len()];
            for (&row, out) in rows.iter().zip(out.chunks_exact_mut(width)) {
                self.row(cells, row as usize, &mut logs, out);
            }
        };
        if rows.len() <= CHUNK {
            work((rows, &mut values));
        } else {
            rows.par_chunks(CHUNK).zip(values.par_chunks_mut(CHUNK * width)).for_each(work);
        }
        Predictions::new(width, values)
    }

    fn load(state: &State) -> Result<Self, LoadError> {
        let features = Features::load(state.part("features")?)?;
        let terms = Encoder::load(state.part("encoder")?, &features)?.dense;
        let task = load_task(state)?;
        let classes = Classes::load(state, &task)?;
        let count = classes.list().len();
        let (log_prior, normals) = (state.f64s("log_prior")?.to_vec(), state.f64s("normals")?.to_vec());
        let sound = normals
            .chunks_exact(2)
            .all(|normal| normal[0].abs() <= 1e16 && (1e-30..=1e40).contains(&normal[1]));
        if count == 0 || log_prior.len() != count || normals.len() != terms.len() * count * 2 || !sound {
            return Err(LoadError::damaged("normals", "not a mean and a variance for each number and class"));
        }
        let mut tables = Vec::new();
        for (index, feature) in features.list().iter().enumerate() {
            if let Kind::Category(levels) = &feature.kind {
                let logs = state.f64s(&format!("levels{index}"))?.to_vec();
                if logs.len() != (levels.count() + 1) * count || logs.iter().any(|log| !log.is_finite()) {
                    return Err(LoadError::damaged("levels", "not one for each level and class"));
                }
                tables.push(LevelTable { feature: index as u32, logs });
            }
        }
        let temper = state.number("temper")?;
        if !(1.0..=1e6).contains(&temper) || log_prior.iter().any(|log| !log.is_finite()) {
            return Err(LoadError::damaged("temper", "out of range"));
        }
        Ok(Self { features, task, classes, log_prior, terms, normals, tables, temper })
    }
}

impl Model for BayesModel {
    fn predict(&self, table: &Table) -> Result<Predictions, PredictError> {
        let cells = self.features.read(table)?;
        let rows: Vec<u32> = (0..table.row_count() as u32).collect();
        Ok(self.predict_cells(&cells, &rows))
    }

    fn save(&self) -> State {
        let mut state = State::new(serde_json::json!({ "temper": self.temper }));
        save_task(&self.task, &mut state);
        self.classes.save(&mut state);
        for table in &self.tables {
            state.tensors.insert(format!("levels{}", table.feature), Tensor::F64(table.logs.clone()));
        }
        let encoder = Encoder::of_terms(&self.features, self.terms.clone());
        state
            .with("log_prior", Tensor::F64(self.log_prior.clone()))
            .with("normals", Tensor::F64(self.normals.clone()))
            .with_part("features", self.features.save())
            .with_part("encoder", encoder.save())
    }
}
