//! What every row of `LEARNERS` promises. A new learner needs no new test here.

use std::sync::Arc;

use kaizen_base::{Flow, Seed, Signal};
use kaizen_learners::{LEARNERS, by_name};
use kaizen_model::{Ctx, Dataset, FitError, Learner, Sample, Task};
use kaizen_table::{Column, Table, Values};

use crate::data::{bits, check_predictions, damages, dataset, fit, predict, shape, split, tasks};

fn each(check: impl Fn(&dyn Learner, &Task, &str)) {
    for learner in LEARNERS {
        for task in tasks().iter().filter(|task| learner.handles().task(task)) {
            check(*learner, task, &format!("{} on {}", learner.card().name, task.word()));
        }
    }
}

#[test]
fn names_are_unique_and_found() {
    for learner in LEARNERS {
        let name = learner.card().name;
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
        assert_eq!(by_name(name).map(kaizen_model::Learner::card), Some(learner.card()));
        assert_eq!(LEARNERS.iter().filter(|other| other.card().name == name).count(), 1, "{name}");
    }
    assert!(by_name("nothing").is_none());
}

#[test]
fn spaces_can_be_made_for_every_shape() {
    each(|learner, task, name| {
        for rows in [0, 1, 2, 7, 100, 5_000, 10_000_000] {
            let mut shape = shape(&dataset(8, learner, task, 1));
            shape.row_count = rows;
            let space = learner.space(&shape);
            let mut rng = Seed(rows as u64).rng();
            for _ in 0..5 {
                // Drawing must work; a value out of range would panic in the space.
                assert_eq!(space.sample(&mut rng).iter().count() > 0, !space.is_empty(), "{name}");
            }
        }
    });
}

#[test]
fn predictions_are_sound_and_those_of_validation_rows_are_the_models_own() {
    each(|learner, task, name| {
        let data = dataset(150, learner, task, 3);
        let (train, valid) = split(150);
        let fitted = fit(learner, &data, &train, Some(&valid)).unwrap();
        assert!(!fitted.cut_short, "{name}");
        let all = predict(&*fitted.model, &data.table);
        check_predictions(name, &all, task, 150);
        let own = fitted.valid_predictions.expect("validation rows were given");
        let again = predict(&*fitted.model, &data.table.take(&valid));
        assert_eq!(bits(&own), bits(&again), "{name}: validation predictions");
        // Row order, and one row at a time.
        for (place, &row) in valid.iter().enumerate() {
            let alone = predict(&*fitted.model, &data.table.take(&[row]));
            assert_eq!(alone.row(0), all.row(row as usize), "{name}: row {row} alone");
            assert_eq!(alone.row(0), own.row(place), "{name}: row {row}");
        }
        let none = predict(&*fitted.model, &data.table.take(&[]));
        assert_eq!(none.row_count(), 0, "{name}");
    });
}

#[test]
fn learners_learn() {
    each(|learner, task, name| {
        if name.starts_with("dummy") || matches!(task, Task::Quantile { .. }) {
            return;
        }
        let data = dataset(600, learner, task, 5);
        let (train, valid) = split(600);
        let loss = |learner: &dyn Learner| {
            let fitted = fit(learner, &data, &train, Some(&valid)).unwrap();
            let predictions = fitted.valid_predictions.unwrap();
            let row_loss = |(place, &row): (usize, &u32)| {
                let target = data.target[row as usize];
                match task {
                    Task::Regression => (predictions.row(place)[0] - target).powi(2),
                    _ => -kaizen_base::math::ln(predictions.row(place)[target as usize].max(1e-12)),
                }
            };
            valid.iter().enumerate().map(row_loss).sum::<f64>() / valid.len() as f64
        };
        let (own, baseline) = (loss(learner), loss(by_name("dummy").unwrap()));
        assert!(own < 0.8 * baseline, "{name}: {own} against {baseline}");
    });
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    each(|learner, task, name| {
        // Large enough that work is cut into several chunks.
        let data = dataset(3_000, learner, task, 7);
        let (train, valid) = split(3_000);
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let data = Dataset::new(data.table.clone(), task.clone(), Arc::clone(&data.target), None);
            pool.install(|| {
                let fitted = fit(learner, &data, &train, Some(&valid)).unwrap();
                (bits(&predict(&*fitted.model, &data.table)), fitted.model.save())
            })
        };
        let (one, four) = (run(1), run(4));
        assert_eq!(one.0, four.0, "{name}");
        assert!(one.1 == four.1, "{name}: states differ");
    });
}

#[test]
fn folds_may_be_fitted_at_once() {
    each(|learner, task, name| {
        let data = dataset(300, learner, task, 9);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let fold = |number: u32| -> Vec<u32> { (0..300).filter(|row| row % 6 != number).collect() };
        let together: Vec<_> = pool.install(|| {
            use rayon::prelude::*;
            (0..6)
                .into_par_iter()
                .map(|number| fit(learner, &data, &fold(number), None).unwrap().model.save())
                .collect()
        });
        let fresh = dataset(300, learner, task, 9);
        for (number, state) in together.into_iter().enumerate() {
            assert!(
                fit(learner, &fresh, &fold(number as u32), None).unwrap().model.save() == state,
                "{name}"
            );
        }
    });
}

#[test]
fn a_saved_model_predicts_the_same_bits() {
    each(|learner, task, name| {
        let data = dataset(120, learner, task, 13);
        let (train, _) = split(120);
        let model = fit(learner, &data, &train, None).unwrap().model;
        let state = model.save();
        let loaded = learner.load(&state).unwrap();
        assert_eq!(bits(&predict(&*model, &data.table)), bits(&predict(&*loaded, &data.table)), "{name}");
        assert!(loaded.save() == state, "{name}: saving again changes the state");
    });
}

#[test]
fn damaged_states_are_refused_or_harmless_but_never_panic() {
    each(|learner, task, name| {
        let data = dataset(40, learner, task, 17);
        let (train, _) = split(40);
        let state = fit(learner, &data, &train, None).unwrap().model.save();
        let (mut refused, all) = (0, damages(&state));
        for damaged in &all {
            match learner.load(damaged) {
                Err(_) => refused += 1,
                // Some damage makes another sound model; it must then predict sound numbers.
                Ok(model) => match model.predict(&data.table) {
                    Ok(predictions) => check_predictions(name, &predictions, &data.task, 40),
                    Err(error) => assert!(!error.to_string().is_empty()),
                },
            }
        }
        assert!(refused * 3 > all.len(), "{name}: only {refused} of {} refused", all.len());
    });
}

#[test]
fn stop_stops_and_finish_gives_a_model() {
    each(|learner, task, name| {
        let data = dataset(200, learner, task, 19);
        let (train, valid) = split(200);
        let sample = Sample { data: &data, train: &train, valid: Some(&valid) };
        let config = learner.space(&shape(&data)).start();
        let signal = Signal::new();
        signal.raise(Flow::Finish);
        let fitted = learner.fit(&config, sample, &Ctx { seed: Seed(1), signal: &signal }).unwrap();
        check_predictions(name, &predict(&*fitted.model, &data.table), task, 200);
        assert!(fitted.valid_predictions.is_some(), "{name}");
        signal.raise(Flow::Stop);
        let stopped = learner.fit(&config, sample, &Ctx { seed: Seed(1), signal: &signal });
        assert!(matches!(stopped, Err(FitError::Stopped)), "{name}");
    });
}

#[test]
fn what_abilities_exclude_is_refused() {
    for learner in LEARNERS {
        let handles = learner.handles();
        let name = learner.card().name;
        for task in tasks().iter().filter(|task| !handles.task(task)) {
            let data = dataset(30, *learner, task, 21);
            assert!(matches!(fit(*learner, &data, &[0, 1, 2, 3], None), Err(FitError::Unfit(_))), "{name}");
        }
        let task = tasks().into_iter().find(|task| handles.task(task)).unwrap();
        let data = dataset(30, *learner, &task, 21);
        assert!(matches!(fit(*learner, &data, &[], None), Err(FitError::Unfit(_))), "{name}: no rows");
        let with = |column: Column| {
            let columns = data.table.columns().iter().cloned().chain([Arc::new(column)]).collect();
            data.with_table(Table::new(columns, 30).unwrap())
        };
        let category = with(Column::category("extra", &["a"; 30].map(Some)));
        let refused = matches!(fit(*learner, &category, &[0, 1, 2, 3], None), Err(FitError::Unfit(_)));
        assert_eq!(refused, !handles.inputs.categories, "{name}: categories");
        if name != "dummy" {
            let text = with(Column::text("extra", ["a"; 30].map(Some)));
            assert!(
                matches!(fit(*learner, &text, &[0, 1, 2, 3], None), Err(FitError::Unfit(_))),
                "{name}: text"
            );
        }
    }
}

#[test]
fn tables_that_are_hardly_any_are_fitted() {
    each(|learner, task, name| {
        let data = dataset(30, learner, task, 23);
        // One row, two rows, one class alone, one column, only constant and missing cells.
        let mut cases: Vec<(Dataset, Vec<u32>)> = Vec::new();
        for train in [vec![4], vec![4, 5]] {
            cases.push((dataset(30, learner, task, 23), train));
        }
        let constant = Arc::new(vec![1.0; 30]);
        cases.push((Dataset::new(data.table.clone(), task.clone(), constant, None), (0..25).collect()));
        for wanted in ["normal", "constant", "gappy"] {
            let one = data.table.without(|column| column.name != wanted);
            cases.push((data.with_table(one), (0..25).collect()));
        }
        let missing = Table::from_columns(vec![Column::number("missing", vec![f64::NAN; 30])]).unwrap();
        cases.push((data.with_table(missing), (0..25).collect()));
        for (index, (data, train)) in cases.iter().enumerate() {
            let valid: Vec<u32> = (25..30).collect();
            for valid in [None, Some(valid.as_slice()), Some([].as_slice())] {
                let fitted = fit(learner, data, train, valid)
                    .unwrap_or_else(|error| panic!("{name} {index}: {error}"));
                check_predictions(name, &predict(&*fitted.model, &data.table), task, 30);
                let rows = fitted.valid_predictions.map(|predictions| predictions.row_count());
                assert_eq!(rows, valid.map(<[u32]>::len), "{name} {index}");
            }
        }
    });
}

#[test]
fn extreme_magnitudes_and_unseen_cells_give_finite_predictions() {
    each(|learner, task, name| {
        let data = dataset(100, learner, task, 29);
        let scaled = |values: &Values, by: f64| match values {
            Values::Number(number) => number.values.iter().map(|value| value * by).collect(),
            _ => Vec::new(),
        };
        let mut columns: Vec<Arc<Column>> = data.table.columns().to_vec();
        columns[0] = Arc::new(Column::number("gappy", scaled(&columns[0].values, 1e297)));
        columns[1] = Arc::new(Column::number("normal", scaled(&columns[1].values, 1e-300)));
        let huge = data.with_table(Table::new(columns.clone(), 100).unwrap());
        let huge = match task {
            Task::Regression | Task::Quantile { .. } => {
                let target = data.target.iter().map(|value| value * 1e298).collect();
                Dataset::new(huge.table.clone(), task.clone(), Arc::new(target), None)
            }
            _ => huge,
        };
        let (train, valid) = split(100);
        let model = fit(learner, &huge, &train, Some(&valid)).unwrap().model;
        check_predictions(name, &predict(&*model, &huge.table), task, 100);
        // Cells like none before: far away, and levels of another list.
        for column in &mut columns {
            let name = column.name.clone();
            match &column.values {
                Values::Number(_) => *column = Arc::new(Column::number(name, vec![-1.7e308; 100])),
                Values::Category(_) => {
                    *column = Arc::new(Column::category(name, &["never seen"; 100].map(Some)));
                }
                _ => {}
            }
        }
        check_predictions(name, &predict(&*model, &Table::new(columns, 100).unwrap()), task, 100);
    });
}

#[test]
fn classes_that_a_fold_lacks_keep_a_probability() {
    for learner in LEARNERS.iter().filter(|learner| learner.handles().multiclass) {
        let task = Task::Multiclass { class_count: 4 };
        let data = dataset(200, *learner, &task, 31);
        for absent in 0..4 {
            let has = |row: &u32| data.target[*row as usize] == f64::from(absent);
            let train: Vec<u32> = (0..200).filter(|row| !has(row)).collect();
            let valid: Vec<u32> = (0..200).filter(has).collect();
            let fitted = fit(*learner, &data, &train, Some(&valid)).unwrap();
            let predictions = predict(&*fitted.model, &data.table);
            check_predictions(learner.card().name, &predictions, &task, 200);
            let positive = (0..200).all(|row| predictions.row(row)[absent as usize] > 0.0);
            assert!(positive, "{} without class {absent}", learner.card().name);
            assert_eq!(fitted.valid_predictions.unwrap().row_count(), valid.len());
        }
    }
}

#[test]
fn columns_are_found_by_name_and_missing_ones_are_named() {
    each(|learner, task, name| {
        let data = dataset(80, learner, task, 37);
        let model = fit(learner, &data, &(0..80).collect::<Vec<_>>(), None).unwrap().model;
        let mut columns = data.table.columns().to_vec();
        columns.reverse();
        columns.push(Arc::new(Column::number("extra", vec![0.0; 80])));
        let shuffled = Table::new(columns, 80).unwrap();
        assert_eq!(bits(&predict(&*model, &data.table)), bits(&predict(&*model, &shuffled)), "{name}");
        if !name.starts_with("dummy") {
            let error = model.predict(&data.table.without(|column| column.name == "normal")).unwrap_err();
            assert!(error.to_string().contains("`normal`"), "{name}: {error}");
        }
    });
}
