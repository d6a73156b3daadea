//! What every row of `TRANSFORMS` promises. A new transform needs no new test here.

use std::sync::Arc;

use kaizen_base::{Flow, Seed, Signal};
use kaizen_model::{Ctx, Dataset, FitError, Sample, Task, Transform};
use kaizen_table::{Column, Table, Values};
use kaizen_transforms::{TRANSFORMS, Uses, by_name};

use crate::data::{damages, dataset, fingerprint, fit, shape, written};

const ROWS: usize = 90;

fn training_rows() -> Vec<u32> {
    (0..ROWS as u32).filter(|row| row % 3 != 0).collect()
}

#[test]
fn names_are_unique_and_found() {
    for step in TRANSFORMS {
        let name = step.card().name;
        assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
        assert_eq!(by_name(name).map(Transform::card), Some(step.card()));
        assert_eq!(TRANSFORMS.iter().filter(|other| other.card().name == name).count(), 1, "{name}");
    }
    assert!(by_name("nothing").is_none());
}

#[test]
fn spaces_can_be_made_for_every_shape() {
    for step in TRANSFORMS {
        for rows in [0, 1, 10, 1_000, 100_000_000] {
            let mut shape = shape(&dataset(5, Task::Binary, 1));
            shape.row_count = rows;
            let space = step.space(&shape);
            let mut rng = Seed(rows as u64).rng();
            for _ in 0..5 {
                assert!(space.sample(&mut rng).iter().count() <= space.len(), "{}", step.card().name);
            }
        }
    }
}

#[test]
fn only_training_rows_are_learned_from() {
    for step in TRANSFORMS.iter().filter(|step| step.uses() != Uses::Types) {
        let data = dataset(ROWS, Task::Binary, 3);
        let train = training_rows();
        let state = written(&fit(*step, &data, &train).unwrap().save());
        // Other cells and targets in all other rows.
        let place = |row: u32| if train.contains(&row) { row } else { (row + 7) % ROWS as u32 };
        let rows: Vec<u32> = (0..ROWS as u32).map(place).collect();
        let target = rows.iter().map(|&row| data.target[row as usize]).collect();
        let changed = Dataset::new(data.table.take(&rows), Task::Binary, Arc::new(target), None);
        assert!(
            written(&fit(*step, &changed, &train).unwrap().save()) == state,
            "{} saw other rows",
            step.card().name
        );
    }
}

#[test]
fn rows_are_transformed_one_by_one_in_their_order() {
    for step in TRANSFORMS {
        let name = step.card().name;
        let data = dataset(ROWS, Task::Regression, 5);
        let fitted = fit(*step, &data, &training_rows()).unwrap();
        let whole = fitted.apply(&data.table).unwrap();
        assert_eq!(whole.row_count(), ROWS, "{name}");
        let order: Vec<u32> = (0..ROWS as u32).rev().chain([4, 4]).collect();
        let taken = fitted.apply(&data.table.take(&order)).unwrap();
        assert_eq!(fingerprint(&taken), fingerprint(&whole.take(&order)), "{name}");
        for row in [0, 1, 17] {
            let alone = fitted.apply(&data.table.take(&[row])).unwrap();
            assert_eq!(fingerprint(&alone), fingerprint(&whole.take(&[row])), "{name}: row {row}");
        }
        assert_eq!(fitted.apply(&data.table.take(&[])).unwrap().row_count(), 0, "{name}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_on_any_number_of_threads() {
    for step in TRANSFORMS {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            // Large enough that work is cut into several chunks.
            let data = dataset(3_000, Task::Multiclass { class_count: 3 }, 7);
            let train: Vec<u32> = (0..2_500).collect();
            pool.install(|| {
                let fitted = fit(*step, &data, &train).unwrap();
                let ctx = Ctx { seed: Seed(5), signal: &Signal::new() };
                let sample = Sample { data: &data, train: &train, valid: None };
                let config = step.space(&shape(&data)).start();
                let (_, table) = step.fit_apply(&config, sample, &ctx).unwrap();
                (
                    fingerprint(&fitted.apply(&data.table).unwrap()),
                    fingerprint(&table),
                    written(&fitted.save()),
                )
            })
        };
        let (one, four) = (run(1), run(4));
        assert!(one.0 == four.0 && one.1 == four.1, "{}", step.card().name);
        assert!(one.2 == four.2, "{}: states differ", step.card().name);
    }
}

#[test]
fn fitting_and_applying_at_once_is_fit_then_apply_unless_the_target_is_used() {
    for step in TRANSFORMS {
        let data = dataset(ROWS, Task::Binary, 11);
        let train = training_rows();
        let ctx = Ctx { seed: Seed(5), signal: &Signal::new() };
        let config = step.space(&shape(&data)).start();
        let (fitted, table) =
            step.fit_apply(&config, Sample { data: &data, train: &train, valid: None }, &ctx).unwrap();
        let applied = fitted.apply(&data.table).unwrap();
        let alone = fit(*step, &data, &train).unwrap();
        assert!(written(&fitted.save()) == written(&alone.save()), "{}", step.card().name);
        let others: Vec<u32> = (0..ROWS as u32).filter(|row| !train.contains(row)).collect();
        let rows: Vec<u32> = if step.uses() == Uses::Target { others } else { (0..ROWS as u32).collect() };
        assert_eq!(
            fingerprint(&table.take(&rows)),
            fingerprint(&applied.take(&rows)),
            "{}",
            step.card().name
        );
    }
}

#[test]
fn folds_may_be_fitted_at_once() {
    use rayon::prelude::*;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    for step in TRANSFORMS {
        let data = dataset(ROWS, Task::Binary, 13);
        let fold = |number: u32| -> Vec<u32> { (0..ROWS as u32).filter(|row| row % 6 != number).collect() };
        let together: Vec<_> = pool.install(|| {
            (0..6).into_par_iter().map(|it| written(&fit(*step, &data, &fold(it)).unwrap().save())).collect()
        });
        let fresh = dataset(ROWS, Task::Binary, 13);
        for (number, state) in together.into_iter().enumerate() {
            assert!(
                written(&fit(*step, &fresh, &fold(number as u32)).unwrap().save()) == state,
                "{}",
                step.card().name
            );
        }
    }
}

#[test]
fn a_saved_transform_gives_the_same_bits() {
    for step in TRANSFORMS {
        let name = step.card().name;
        let data = dataset(ROWS, Task::Multiclass { class_count: 3 }, 17);
        let fitted = fit(*step, &data, &training_rows()).unwrap();
        let state = fitted.save();
        let loaded = step.load(&state).unwrap();
        let (own, again) = (fitted.apply(&data.table).unwrap(), loaded.apply(&data.table).unwrap());
        assert_eq!(fingerprint(&own), fingerprint(&again), "{name}");
        assert!(written(&loaded.save()) == written(&state), "{name}: saving again changes the state");
    }
}

#[test]
fn damaged_states_are_refused_or_harmless_but_never_panic() {
    for step in TRANSFORMS {
        let data = dataset(40, Task::Binary, 19);
        let state = fit(*step, &data, &(0..30).collect::<Vec<_>>()).unwrap().save();
        for damaged in damages(&state) {
            if let Ok(transform) = step.load(&damaged) {
                match transform.apply(&data.table) {
                    Ok(table) => assert_eq!(table.row_count(), 40, "{}", step.card().name),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
        }
    }
}

#[test]
fn unseen_cells_and_other_tables_are_no_error() {
    for step in TRANSFORMS {
        let name = step.card().name;
        let data = dataset(ROWS, Task::Binary, 23);
        let fitted = fit(*step, &data, &training_rows()).unwrap();
        let columns: Vec<Arc<Column>> = data
            .table
            .columns()
            .iter()
            .map(|column| {
                let name = column.name.clone();
                Arc::new(match &column.values {
                    Values::Number(_) => Column::number(name, vec![-1.7e308, 1.7e308, 0.0]),
                    Values::Category(_) => {
                        Column::category(name, &[Some("never seen"), None, Some("level number 1")])
                    }
                    Values::Text(_) => {
                        Column::text(name, [None, Some(""), Some("never seen\u{0}\u{10ffff}")])
                    }
                    other => Column { name, values: other.take(&[0, 1, 2]) },
                })
            })
            .chain([Arc::new(Column::number("extra", vec![1.0, 2.0, 3.0]))])
            .collect();
        let made = fitted.apply(&Table::new(columns, 3).unwrap()).unwrap();
        assert_eq!(made.row_count(), 3, "{name}");
        assert!(made.column("extra").is_some(), "{name} lost a column that it does not know");
        for column in made.columns() {
            if let Values::Number(number) = &column.values {
                assert!(number.values.iter().all(|x| !x.is_infinite()), "{name}: {}", column.name);
            }
        }
    }
}

#[test]
fn missing_columns_are_named() {
    for step in TRANSFORMS {
        let data = dataset(ROWS, Task::Binary, 29);
        let fitted = fit(*step, &data, &training_rows()).unwrap();
        for dropped in data.table.columns() {
            match fitted.apply(&data.table.without(|column| column.name == dropped.name)) {
                Ok(table) => assert_eq!(table.row_count(), ROWS),
                Err(error) => {
                    assert!(
                        error.to_string().contains(&format!("`{}`", dropped.name)),
                        "{}: {error}",
                        step.card().name
                    );
                }
            }
        }
    }
}

#[test]
fn hardly_any_rows_and_constant_targets_are_fitted() {
    for step in TRANSFORMS {
        for task in [Task::Binary, Task::Regression, Task::Multiclass { class_count: 3 }] {
            let data = dataset(20, task.clone(), 31);
            let constant = Dataset::new(data.table.clone(), task.clone(), Arc::new(vec![1.0; 20]), None);
            let empty = data.with_table(Table::new(Vec::new(), 20).unwrap());
            for (data, train) in [
                (&data, vec![3]),
                (&data, vec![]),
                (&data, vec![3, 4]),
                (&constant, (0..20).collect()),
                (&empty, vec![1, 2]),
            ] {
                let fitted =
                    fit(*step, data, &train).unwrap_or_else(|error| panic!("{}: {error}", step.card().name));
                assert_eq!(fitted.apply(&data.table).unwrap().row_count(), 20, "{}", step.card().name);
            }
        }
    }
}

#[test]
fn stop_stops() {
    for step in TRANSFORMS {
        let data = dataset(ROWS, Task::Binary, 37);
        let signal = Signal::new();
        signal.raise(Flow::Stop);
        let sample = Sample { data: &data, train: &training_rows(), valid: None };
        let stopped =
            step.fit(&step.space(&shape(&data)).start(), sample, &Ctx { seed: Seed(1), signal: &signal });
        assert!(matches!(stopped, Err(FitError::Stopped)), "{}", step.card().name);
    }
}
