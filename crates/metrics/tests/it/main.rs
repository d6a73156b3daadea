//! Oracle: every metric equals scikit-learn's to 1e-9, plain and weighted. Goldens: `make_goldens.py`.

#![expect(clippy::unwrap_used, reason = "a golden file that does not parse must fail the test")]

use std::collections::BTreeSet;

use kaizen_metrics::{Metric, MetricError, Scores, Truth, all, by_name};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The value of `metric` on a case of the goldens.
fn measure(metric: &Metric, case: &Value, weights: Option<&[f64]>) -> Result<f64, MetricError> {
    let (truth, predictions) = (numbers(&case["truth"]), numbers(&case["predictions"]));
    let columns = case["columns"].as_u64().unwrap() as usize;
    match case["kind"].as_str().unwrap() {
        "classes" => metric.value(
            &Truth::classes_from_numbers(&truth, columns)?,
            &Scores::probabilities(&predictions, columns)?,
            weights,
        ),
        "values" => metric.value(&Truth::values(&truth)?, &Scores::values(&predictions)?, weights),
        "quantiles" => {
            let levels = numbers(&case["levels"]);
            metric.value(&Truth::values(&truth)?, &Scores::quantiles(&predictions, &levels)?, weights)
        }
        other => panic!("{other}"),
    }
}

#[test]
fn equal_to_scikit_learn() {
    let goldens: Value = serde_json::from_str(include_str!("goldens.json")).unwrap();
    let mut checked = BTreeSet::new();
    let mut comparisons = 0;
    for case in goldens["cases"].as_array().unwrap() {
        let weights = numbers(&case["weights"]);
        for (column, weights) in [("plain", None), ("weighted", Some(&weights[..]))] {
            for (name, expected) in case[column].as_object().unwrap() {
                let found = measure(by_name(name).unwrap(), case, weights).unwrap();
                let expected = expected.as_f64().unwrap();
                let is_near = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
                assert!(is_near, "{name}, {column}, {}: {found} is not {expected}", case["name"]);
                checked.insert(name.clone());
                comparisons += 1;
            }
        }
    }
    assert!(comparisons > 300, "{comparisons}");
    // scikit-learn has no symmetric percentage error; a unit test does it by hand.
    let unchecked: Vec<&str> = all().map(Metric::name).filter(|name| !checked.contains(*name)).collect();
    assert_eq!(unchecked, ["smape"]);
}

/// Weights mean repetition: whole weights give the value of the repeated rows, zero the value without the row.
#[test]
fn weights_are_repetitions() {
    let goldens: Value = serde_json::from_str(include_str!("goldens.json")).unwrap();
    for case in goldens["cases"].as_array().unwrap() {
        let (truth, predictions) = (numbers(&case["truth"]), numbers(&case["predictions"]));
        let columns = case["columns"].as_u64().unwrap() as usize;
        let weights: Vec<f64> = (0..truth.len()).map(|row| [1.0, 2.0, 0.0, 3.0, 1.0][row % 5]).collect();
        let rows: Vec<usize> =
            (0..truth.len()).flat_map(|row| std::iter::repeat_n(row, weights[row] as usize)).collect();
        let mut repeated = case.clone();
        repeated["truth"] = rows.iter().map(|&row| truth[row]).collect();
        repeated["predictions"] =
            rows.iter().flat_map(|row| predictions[row * columns..(row + 1) * columns].to_vec()).collect();
        for name in case["weighted"].as_object().unwrap().keys() {
            let metric = by_name(name).unwrap();
            match (measure(metric, case, Some(&weights)), measure(metric, &repeated, None)) {
                (Ok(weighted), Ok(plain)) => {
                    let distance = (weighted - plain).abs();
                    assert!(
                        distance <= 1e-9 * plain.abs().max(1.0),
                        "{name}, {}: {weighted} {plain}",
                        case["name"]
                    );
                }
                (weighted, plain) => assert_eq!(weighted, plain, "{name}, {}", case["name"]),
            }
        }
    }
}

/// A value lies within the range that its row states, and its loss is not negative.
#[test]
fn values_keep_their_range() {
    let goldens: Value = serde_json::from_str(include_str!("goldens.json")).unwrap();
    for case in goldens["cases"].as_array().unwrap() {
        for metric in all() {
            if let Ok(value) = measure(metric, case, None) {
                let (low, high) = metric.range;
                assert!((low..=high).contains(&value), "{}, {}: {value}", metric.name(), case["name"]);
                assert!(metric.loss_of(value) >= 0.0);
            }
        }
    }
}
