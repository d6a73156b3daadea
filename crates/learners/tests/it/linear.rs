//! Shapes that break naive linear solvers, and weights that must count like repeated rows.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_learners::by_name;
use kaizen_learners::linear::learner::Linear;
use kaizen_model::{Ctx, Dataset, Learner, Sample, Task};
use kaizen_space::Config;
use kaizen_table::{Column, Table};

use crate::data::{check_predictions, dataset, predict, quick, tasks};

fn rows(count: usize) -> Vec<u32> {
    (0..count as u32).collect()
}

#[test]
fn sixty_rows_of_four_thousand_columns_and_exact_copies_are_fitted() {
    let mut rng = Seed(3).rng();
    let wide: Vec<Column> = (0..4_000)
        .map(|index| Column::number(format!("x{index}"), (0..60).map(|_| rng.normal()).collect()))
        .collect();
    let first: Vec<f64> = (0..60).map(|_| rng.normal()).collect();
    let copies: Vec<Column> = (0..12)
        .map(|index| Column::number(format!("x{index}"), first.iter().map(|x| x * 7.0).collect()))
        .collect();
    for (columns, name) in [(wide, "wide"), (copies, "copies")] {
        for task in [Task::Binary, Task::Regression, Task::Multiclass { class_count: 3 }] {
            let target = (0..60)
                .map(|row| if task == Task::Regression { first[row] } else { f64::from(row as u8 % 2) });
            let table = Table::from_columns(columns.clone()).unwrap();
            let data = Dataset::new(table, task.clone(), Arc::new(target.collect()), None);
            for penalty in ["l2", "elastic_net", "l1"] {
                for valid in [None, Some(&[50, 51, 52, 53, 54, 55, 56, 57, 58, 59][..])] {
                    let space = kaizen_learners::by_name("linear").unwrap().space(&crate::data::shape(&data));
                    let mix = (penalty == "elastic_net").then(|| ("mix", 0.5.into()));
                    let values =
                        [("penalty", penalty.into()), ("standardise", "true".into())].into_iter().chain(mix);
                    let config = Config::new(&space, values).unwrap();
                    let ctx = Ctx { seed: Seed(1), signal: &Signal::new() };
                    let train = rows(50);
                    let fitted =
                        Linear.fit(&config, Sample { data: &data, train: &train, valid }, &ctx).unwrap();
                    check_predictions(name, &predict(&*fitted.model, &data.table), &task, 60);
                }
            }
        }
    }
}

#[test]
fn weights_count_like_repeated_rows() {
    // Trees and neighbours are not here: their limits (rows of a leaf, number of neighbours) count rows, not weight.
    for name in ["dummy", "linear", "gaussian_naive_bayes"] {
        let learner = by_name(name).unwrap();
        for task in tasks().iter().filter(|task| learner.handles().task(task)) {
            let data = dataset(80, learner, task, 41);
            let times = |row: u32| row as usize % 3 + 1;
            let repeated: Vec<u32> = (0..80).flat_map(|row| std::iter::repeat_n(row, times(row))).collect();
            let weights = (0..80).map(|row| times(row) as f64).collect();
            let weighted = Dataset::new(
                data.table.clone(),
                task.clone(),
                Arc::clone(&data.target),
                Some(Arc::new(weights)),
            );
            let target = repeated.iter().map(|&row| data.target[row as usize]).collect();
            let longer = Dataset::new(data.table.take(&repeated), task.clone(), Arc::new(target), None);
            let config = if name == "linear" {
                // One strength: a path would stop at slightly different places.
                Config::new(
                    &Linear::fixed_space(),
                    [("penalty", "l2".into()), ("standardise", "true".into()), ("strength", 0.01.into())],
                )
                .unwrap()
            } else {
                quick(learner, &data)
            };
            let fit = |data: &Dataset| {
                let train = rows(data.table.row_count());
                let ctx = Ctx { seed: Seed(1), signal: &Signal::new() };
                let sample = Sample { data, train: &train, valid: None };
                learner.fit(&config, sample, &ctx).unwrap().model
            };
            let (own, other) = (predict(&*fit(&weighted), &data.table), predict(&*fit(&longer), &data.table));
            for (a, b) in own.values.iter().zip(&other.values) {
                assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{name} on {}: {a} {b}", task.word());
            }
        }
    }
}
