//! Two layers: what they add, and what tells an honest gain from a leak.

use std::sync::Arc;

use kaizen_base::{Seed, Signal, math};
use kaizen_learners::LEARNERS;
use kaizen_model::{Dataset, Model as _, Predictions, Shape, Task};
use kaizen_space::Value;
use kaizen_table::{Column, RowLabels, SplitPlan, Table};
use kaizen_tabular::pipeline_space::Columns;
use kaizen_tabular::stacking::{Base, extended, honest_fold, second_layer};
use kaizen_tabular::{
    Calibration, CrossValidation, Ensemble, FittedPipeline, Member, Pipeline, PipelineSpace, Preparation,
};

const ROWS: usize = 600;
const FOLDS: usize = 4;

/// A line plus a wave: what a weighted sum misses trees find, and the other way round.
fn cv(noise: f64) -> CrossValidation {
    let mut rng = Seed(11).rng();
    let x: Vec<f64> = (0..ROWS).map(|_| rng.between(-3.0, 3.0)).collect();
    let z: Vec<f64> = (0..ROWS).map(|_| rng.normal()).collect();
    let signal = |x: f64, z: f64| if noise > 0.0 { 0.0 } else { math::sin(3.0 * x) + 2.0 * z };
    let target = x.iter().zip(&z).map(|(&x, &z)| signal(x, z) + 0.3 * rng.normal()).collect();
    let table = Table::from_columns(vec![Column::number("x", x), Column::number("z", z)]).unwrap();
    let folds =
        SplitPlan::Shuffled { folds: FOLDS, repeats: 1 }.cut(ROWS, RowLabels::default(), Seed(1)).unwrap();
    let data = Dataset::new(table, Task::Regression, Arc::new(target), None);
    CrossValidation { data: Arc::new(data), folds, folds_per_repeat: FOLDS }
}

fn pipeline(cv: &CrossValidation, learner: &str, values: &[(&str, Value)]) -> Pipeline {
    let columns = cv.data.table.columns().len();
    let shape = Shape {
        row_count: ROWS * 3 / 4,
        column_count: columns,
        category_count: 0,
        text_count: 0,
        task: Task::Regression,
    };
    let space = PipelineSpace::new(LEARNERS.iter().copied(), &shape, Columns::of(&cv.data.table)).unwrap();
    space.pipeline(&space.config(learner, values).unwrap()).unwrap()
}

struct Layer {
    out_of_fold: Predictions,
    first_fold: Predictions,
    pipelines: Vec<FittedPipeline>,
}

fn layer(cv: &CrossValidation, pipeline: &Pipeline) -> Layer {
    let folds = cv.fit_folds(pipeline, 0, FOLDS, Seed(2), &Signal::new).unwrap();
    let first_fold = folds[0].predictions.clone();
    let pipelines = folds.iter().filter_map(|fold| fold.pipeline.clone()).collect();
    let rows = cv.covered_rows(FOLDS);
    assert_eq!(rows.len(), ROWS);
    let out_of_fold = cv.out_of_fold(&kaizen_tabular::TrialOutcome { folds }, &rows);
    Layer { out_of_fold, first_fold, pipelines }
}

fn squared_error(cv: &CrossValidation, rows: &[u32], predictions: &Predictions) -> f64 {
    let error = |(place, &row): (usize, &u32)| {
        let miss = predictions.values[place] - cv.data.target[row as usize];
        miss * miss
    };
    rows.iter().enumerate().map(error).sum::<f64>() / rows.len() as f64
}

fn bases(cv: &CrossValidation) -> Vec<(Pipeline, Layer)> {
    let trees = pipeline(cv, "boosted_trees", &[("rounds", 60.into()), ("leaves", 6.into())]);
    [pipeline(cv, "linear", &[]), trees].into_iter().map(|one| (one.clone(), layer(cv, &one))).collect()
}

fn honest(cv: &CrossValidation, bases: Vec<(Pipeline, Layer)>, second: &Pipeline) -> Predictions {
    let bases: Vec<Base> =
        bases.into_iter().map(|(pipeline, layer)| Base { pipeline, first_fold: layer.first_fold }).collect();
    honest_fold(cv, &bases, second, Seed(3), &Signal::new()).unwrap()
}

#[test]
fn a_second_layer_gains_where_there_is_something_to_gain_and_is_honest_about_it() {
    let cv = cv(0.0);
    let bases = bases(&cv);
    let first = cv.folds[0].valid.clone();
    let singles: Vec<f64> =
        bases.iter().map(|(_, layer)| squared_error(&cv, &first, &layer.first_fold)).collect();
    let above = second_layer(&cv, &bases.iter().map(|(_, one)| one.out_of_fold.clone()).collect::<Vec<_>>());
    let second = pipeline(&above.unwrap(), "boosted_trees", &[("rounds", 200.into()), ("leaves", 6.into())]);
    let honest = honest(&cv, bases, &second);
    let loss = squared_error(&cv, &first, &honest);
    assert!(singles.iter().all(|single| loss < *single), "{loss} against {singles:?}");
    // Nobody does better than the noise, 0.09: this would be a leak.
    assert!(loss > 0.05, "{loss}");
}

#[test]
fn noise_stays_noise() {
    let cv = cv(1.0);
    let bases = bases(&cv);
    let first = cv.folds[0].valid.clone();
    let second = pipeline(&cv, "boosted_trees", &[("rounds", 200.into())]);
    let zero = Predictions::new(1, vec![0.0; first.len()]);
    let loss = squared_error(&cv, &first, &honest(&cv, bases, &second));
    // Rounds are chosen on the fold, which is worth a few per cent; a leak would be worth most of it.
    assert!(loss > 0.9 * squared_error(&cv, &first, &zero), "{loss}: labels leaked");
}

#[test]
fn a_layered_ensemble_predicts_the_same_bits_after_loading() {
    let cv = cv(0.0);
    let bases = bases(&cv);
    let out_of_fold: Vec<Predictions> = bases.iter().map(|(_, one)| one.out_of_fold.clone()).collect();
    let above = second_layer(&cv, &out_of_fold).unwrap();
    assert_eq!(above.data.table.columns().len(), 4);
    let second = pipeline(&above, "linear", &[]);
    let member = |label: &str, pipelines: Vec<FittedPipeline>, is_stacked: bool| Member {
        label: label.to_owned(),
        weight: 0.5,
        pipelines,
        is_stacked,
    };
    let top = member("top", layer(&above, &second).pipelines, true);
    let trees = member("trees", bases[1].1.pipelines.clone(), false);
    let base = bases.iter().map(|(_, one)| member("base", one.pipelines.clone(), false)).collect();
    let ensemble = Ensemble {
        task: Task::Regression,
        preparation: Preparation::new(vec!["x".to_owned(), "z".to_owned()], Vec::new()),
        members: vec![top, trees],
        base,
        calibration: Calibration::None,
    };
    let table = &cv.data.table;
    let before = ensemble.predict(table).unwrap();
    let rows: Vec<u32> = (0..ROWS as u32).collect();
    let linear = squared_error(&cv, &rows, &out_of_fold[0]);
    assert!(squared_error(&cv, &rows, &before) < 0.8 * linear, "worse than the weaker of its bases");
    let state = ensemble.save();
    assert_eq!(Ensemble::load(&state, Task::Regression).unwrap().predict(table).unwrap(), before);
    assert_eq!(ensemble.predict(&table.take(&[7])).unwrap().row(0), before.row(7));
    let mut headless = state;
    if let Some(meta) = headless.meta.as_object_mut() {
        meta.insert("base".to_owned(), serde_json::json!([]));
    }
    assert!(Ensemble::load(&headless, Task::Regression).is_err(), "a second layer without a first");
}

#[test]
fn classes_add_a_column_each_and_two_classes_one() {
    let table = Table::from_columns(vec![Column::number("x", vec![1.0, 2.0])]).unwrap();
    let binary = Predictions::new(2, vec![0.75, 0.25, 0.5, 0.5]);
    let three = Predictions::new(3, vec![0.5, 0.25, 0.25, 1.0, 0.0, 0.0]);
    let wide = extended(&table, &[binary.clone(), three]).unwrap();
    assert_eq!(wide.columns().len(), 1 + 1 + 3);
    assert!(extended(&wide, &[binary]).is_err(), "names are taken");
}
