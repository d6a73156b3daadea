//! Values of single transforms done by hand.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_model::{Ctx, Dataset, Sample, Task};
use kaizen_space::{Config, Value};
use kaizen_table::{Column, Table, Values};
use kaizen_transforms::by_name;

use crate::data::{numbers, shape};

fn apply(name: &str, changes: &[(&str, Value)], columns: Vec<Column>) -> Table {
    let step = by_name(name).unwrap();
    let table = Table::from_columns(columns).unwrap();
    let rows = table.row_count();
    let data = Dataset::new(table, Task::Regression, Arc::new(vec![0.0; rows]), None);
    let space = step.space(&shape(&data));
    let mut values: Vec<(String, Value)> =
        space.start().iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    for (name, value) in changes {
        values.iter_mut().find(|(own, _)| own == name).unwrap().1 = value.clone();
    }
    let config = Config::new(&space, values).unwrap();
    let train: Vec<u32> = (0..rows as u32).collect();
    let sample = Sample { data: &data, train: &train, valid: None };
    step.fit_apply(&config, sample, &Ctx { seed: Seed(1), signal: &Signal::new() }).unwrap().1
}

#[test]
fn gaps_are_filled_and_marked() {
    let made = apply("fill_missing", &[], vec![Column::number("x", vec![1.0, f64::NAN, 9.0, 2.0])]);
    assert_eq!(numbers(&made, "x"), [1.0, 2.0, 9.0, 2.0]);
    assert_eq!(numbers(&made, "x:missing"), [0.0, 1.0, 0.0, 0.0]);
    let mean = apply(
        "fill_missing",
        &[("value", "mean".into())],
        vec![Column::number("x", vec![1.0, f64::NAN, 9.0, 2.0])],
    );
    assert_eq!(numbers(&mean, "x")[1], 4.0);
}

#[test]
fn scalers_scale() {
    let x = || vec![Column::number("x", vec![0.0, 1.0, 2.0, 3.0, 100.0])];
    let robust = apply("robust_scale", &[], x());
    assert_eq!(numbers(&robust, "x"), [-1.0, -0.5, 0.0, 0.5, 49.0]);
    assert_eq!(numbers(&apply("min_max_scale", &[], x()), "x")[1], 0.01);
}

#[test]
fn categories_are_encoded() {
    let c = || vec![Column::category("c", &[Some("b"), Some("a"), Some("b"), None, Some("c"), Some("b")])];
    let hot = apply("one_hot", &[], c());
    assert_eq!(numbers(&hot, "c=b"), [1.0, 0.0, 1.0, 0.0, 0.0, 1.0]);
    assert_eq!(numbers(&hot, "c:missing"), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    let ordinal = apply("ordinal", &[], c());
    assert_eq!(numbers(&ordinal, "c")[..3], [1.0, 0.0, 1.0]);
    assert!(numbers(&ordinal, "c")[3].is_nan());
    let frequency = apply("frequency", &[("from_levels", 1.into())], c());
    assert_eq!(numbers(&frequency, "c:frequency")[0], 0.5);
    let merged = apply("merge_rare", &[("min_rows", 2.into())], c());
    let Values::Category(category) = &merged.columns()[0].values else { panic!("a category") };
    let levels: Vec<_> = (0..6).map(|row| category.level(row)).collect();
    assert_eq!(levels, [Some("b"), Some("(rare)"), Some("b"), None, Some("(rare)"), Some("b")]);
}

#[test]
fn numbers_in_level_names_are_ordered_as_numbers() {
    let made = apply("ordinal", &[], vec![Column::category("c", &[Some("10"), Some("9"), Some("2")])]);
    assert_eq!(numbers(&made, "c"), [2.0, 1.0, 0.0]);
}

#[test]
fn terms_weigh_as_the_formula_says() {
    let texts = vec![Column::text("t", [Some("apple apple pear"), Some("apple"), Some("plum")])];
    let made = apply("tf_idf", &[("words", 1.into()), ("min_texts", 1.into())], texts);
    let Values::Sparse(block) = &made.column("t:terms").unwrap().values else { panic!("a sparse block") };
    let ln = kaizen_base::math::ln;
    // Three texts: "apple" is in two, "pear" in one.
    let apple = (1.0 + ln(2.0)) * (ln(4.0 / 3.0) + 1.0);
    let pear = ln(4.0 / 2.0) + 1.0;
    let length = (apple * apple + pear * pear).sqrt();
    let mut weights: Vec<f32> = block.row(0).1.to_vec();
    weights.sort_unstable_by(f32::total_cmp);
    let mut wanted = [(apple / length) as f32, (pear / length) as f32];
    wanted.sort_unstable_by(f32::total_cmp);
    assert!(weights.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{weights:?} {wanted:?}");
    assert_eq!(block.row(1).1, [1.0]);
    assert!(made.column("t").is_none());
}

#[test]
fn wordy_categories_are_text_too() {
    let cells: Vec<Option<String>> =
        (0..60).map(|row| Some(format!("senior officer number {row}"))).collect();
    let made = apply("tf_idf", &[], vec![Column::category("job", &cells)]);
    assert!(made.column("job").is_some() && made.column("job:terms").is_some());
    let plain = apply("tf_idf", &[], vec![Column::category("job", &["a", "b"].map(Some))]);
    assert_eq!(plain.columns().len(), 1);
}

#[test]
fn constants_and_copies_are_dropped() {
    let made = apply(
        "drop_useless",
        &[],
        vec![
            Column::number("x", vec![1.0, 2.0]),
            Column::number("same", vec![1.0, 2.0]),
            Column::number("still", vec![5.0, 5.0]),
            Column::number("gap", vec![5.0, f64::NAN]),
            Column::category("c", &[Some("a"), Some("b")]),
            Column::category("d", &[Some("a"), Some("b")]),
        ],
    );
    let names: Vec<&str> = made.columns().iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["x", "gap", "c"]);
}
