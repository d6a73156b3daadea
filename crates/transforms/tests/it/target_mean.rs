//! No training row may see its own target through an encoding.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{Ctx, Dataset, Sample, Task};
use kaizen_table::{Category, Column, Table, Values};
use kaizen_transforms::by_name;

use crate::data::{numbers, shape};

/// A column that is noise: 2,000 rows, 700 levels, a target that has nothing to do with it.
fn noise(seed: u64) -> Dataset {
    let mut rng = Seed(seed).rng();
    let codes = (0..2_000).map(|_| rng.below(700) as u32).collect();
    let levels = Arc::new((0..700).map(|level| level.to_string()).collect());
    let column = Column { name: "noise".to_owned(), values: Values::Category(Category { codes, levels }) };
    let target = (0..2_000).map(|_| rng.below(2) as f64).collect();
    Dataset::new(Table::from_columns(vec![column]).unwrap(), Task::Binary, Arc::new(target), None)
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |x: &[f64], mean_x: f64, y: &[f64], mean_y: f64| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean_x) * (y - mean_y)).sum()
    };
    product(a, mean_a, b, mean_b) / (product(a, mean_a, a, mean_a) * product(b, mean_b, b, mean_b)).sqrt()
}

#[test]
fn noise_stays_noise_for_training_rows() {
    let step = by_name("target_mean").unwrap();
    let data = noise(1);
    let train: Vec<u32> = (0..2_000).collect();
    let ctx = Ctx { seed: Seed(1), signal: &Signal::new() };
    let config = step.space(&shape(&data)).start();
    let sample = Sample { data: &data, train: &train, valid: None };
    let (fitted, table) = step.fit_apply(&config, sample, &ctx).unwrap();
    let crossed = correlation(numbers(&table, "noise:target"), &data.target);
    let plain = fitted.apply(&data.table).unwrap();
    let leaked = correlation(numbers(&plain, "noise:target"), &data.target);
    // With three rows a level, a row's own target makes up about a third of its level's mean.
    assert!(leaked > 0.3, "the test itself would see a leak: {leaked}");
    // Correlations of 2,000 independent pairs have a standard error of 0.022; leaving rows out makes them slightly
    // negative, never positive.
    assert!(crossed < 0.09, "{crossed}");
}

#[test]
fn the_target_of_a_row_has_no_part_in_its_own_value() {
    let step = by_name("target_mean").unwrap();
    let data = noise(2);
    let train: Vec<u32> = (0..2_000).collect();
    let ctx = Ctx { seed: Seed(1), signal: &Signal::new() };
    let config = step.space(&shape(&data)).start();
    let value = |data: &Dataset, row: usize| {
        let sample = Sample { data, train: &train, valid: None };
        numbers(&step.fit_apply(&config, sample, &ctx).unwrap().1, "noise:target")[row]
    };
    for row in [0, 999, 1_500] {
        let mut target = data.target.to_vec();
        target[row] = 1.0 - target[row];
        let flipped = Dataset::new(data.table.clone(), Task::Binary, Arc::new(target), None);
        assert_eq!(value(&data, row), value(&flipped, row), "row {row}");
    }
}

#[test]
fn fixed_smoothing_gives_the_value_done_by_hand() {
    let step = by_name("target_mean").unwrap();
    let column = Column::category("c", &[Some("a"), Some("a"), Some("b"), None]);
    let target = Arc::new(vec![1.0, 3.0, 8.0, 0.0]);
    let data = Dataset::new(Table::from_columns(vec![column]).unwrap(), Task::Regression, target, None);
    let config = kaizen_space::Config::new(
        &step.space(&shape(&data)),
        [("smoothing", 2.0.into()), ("from_levels", 1.into()), ("keep", "false".into())],
    )
    .unwrap();
    let sample = Sample { data: &data, train: &[0, 1, 2, 3], valid: None };
    let fitted = step.fit(&config, sample, &Ctx { seed: Seed(1), signal: &Signal::new() }).unwrap();
    let other =
        Table::from_columns(vec![Column::category("c", &[Some("a"), Some("b"), None, Some("z")])]).unwrap();
    let made = fitted.apply(&other).unwrap();
    // The mean is 3: (4 + 6) / 4, (8 + 6) / 3, (0 + 6) / 3, and the mean itself.
    for (value, wanted) in numbers(&made, "c:target").iter().zip([2.5, 14.0 / 3.0, 2.0, 3.0]) {
        assert!((value - wanted).abs() < 1e-12, "{value} {wanted}");
    }
    assert!(made.column("c").is_none());
}
