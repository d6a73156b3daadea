//! Equal to scikit-learn on a small table; goldens by `tests/goldens/scikit_learn.py`.

use std::sync::Arc;

use kaizen_base::{Seed, Signal};
use kaizen_learners::by_name;
use kaizen_learners::linear::learner::Linear;
use kaizen_model::{Ctx, Dataset, Learner, Model, Sample, Task, View};
use kaizen_space::{Config, Value};
use kaizen_table::{Column, Table};
use serde_json::Value as Json;

use crate::data::{predict, shape};

struct Golden(Json);

impl Golden {
    fn read() -> Self {
        Self(serde_json::from_str(include_str!("../goldens/scikit_learn.json")).unwrap())
    }

    fn numbers(value: &Json) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    fn list(&self, name: &str) -> Vec<f64> {
        Self::numbers(&self.0[name])
    }

    fn rows(&self, name: &str, field: Option<&str>) -> Vec<Vec<f64>> {
        let value = field.map_or(&self.0[name], |field| &self.0[name][field]);
        value.as_array().unwrap().iter().map(Self::numbers).collect()
    }

    fn data(&self, target: &str, task: Task, weighted: bool) -> Dataset {
        let columns = self.rows("x", None).into_iter().enumerate();
        let columns = columns.map(|(index, values)| Column::number(format!("x{index}"), values)).collect();
        let weights = weighted.then(|| Arc::new(self.list("weights")));
        Dataset::new(Table::from_columns(columns).unwrap(), task, Arc::new(self.list(target)), weights)
    }
}

fn fitted(learner: &dyn Learner, config: &Config, data: &Dataset, rows: u32) -> Box<dyn Model> {
    let train: Vec<u32> = (0..rows).collect();
    let ctx = Ctx { seed: Seed(1), signal: &Signal::new() };
    learner.fit(config, Sample { data, train: &train, valid: None }, &ctx).unwrap().model
}

/// Weights [outputs][columns] and intercepts of a linear fit in the units of the columns.
fn linear(data: &Dataset, settings: &[(&str, Value)], strength: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let settings =
        settings.iter().cloned().chain([("standardise", "false".into()), ("strength", strength.into())]);
    let config = Config::new(&Linear::fixed_space(), settings).unwrap();
    let model = fitted(&Linear, &config, data, data.table.row_count() as u32);
    let View::Linear { intercepts, terms } = model.view() else { panic!("a linear view") };
    let weight = |output: usize, column: usize| {
        let name = format!("x{column}");
        terms.iter().find(|(term, _)| *term == name).map_or(0.0, |(_, weights)| weights[output])
    };
    let weights =
        (0..intercepts.len()).map(|output| (0..5).map(|column| weight(output, column)).collect()).collect();
    (weights, intercepts.to_vec())
}

fn close(name: &str, ours: &[f64], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{name}");
    for (own, other) in ours.iter().zip(theirs) {
        assert!(
            (own - other).abs() <= tolerance * (1.0 + other.abs()),
            "{name}: {ours:?} against {theirs:?}"
        );
    }
}

#[test]
fn penalised_regressions_have_the_same_coefficients() {
    let golden = Golden::read();
    let plain = golden.data("y", Task::Regression, false);
    let weighted = golden.data("y", Task::Regression, true);
    let total: f64 = golden.list("weights").iter().sum();
    let l2 = [("penalty", Value::from("l2"))];
    let l1 = [("penalty", Value::from("l1"))];
    let both = [("penalty", Value::from("elastic_net")), ("mix", 0.5.into())];
    for (name, data, settings, strength) in [
        ("ridge", &plain, &l2[..], 8.0 / 80.0),
        ("ridge_weighted", &weighted, &l2[..], 8.0 / total),
        ("lasso", &plain, &l1[..], 0.1),
        ("elastic_net", &plain, &both[..], 0.2),
    ] {
        // Our target is standardised, which the square penalty does not notice and the absolute one does.
        let (weights, intercepts) = linear(data, settings, strength);
        close(name, &weights[0], &Golden::numbers(&golden.0[name]["coefficients"]), 1e-8);
        close(name, &intercepts, &[golden.0[name]["intercept"].as_f64().unwrap()], 1e-8);
    }
}

#[test]
fn logistic_regressions_have_the_same_coefficients() {
    let golden = Golden::read();
    let data = golden.data("binary", Task::Binary, false);
    // C = 0.5 on 80 rows.
    let strength = 1.0 / (0.5 * 80.0);
    for (name, penalty, tolerance) in [("logistic", "l2", 1e-6), ("logistic_l1", "l1", 1e-5)] {
        let (weights, intercepts) = linear(&data, &[("penalty", penalty.into())], strength);
        close(name, &weights[1], &golden.rows(name, Some("coefficients"))[0], tolerance);
        close(name, &intercepts[1..], &Golden::numbers(&golden.0[name]["intercepts"]), tolerance);
    }
}

#[test]
fn multinomial_regression_has_the_same_coefficients() {
    let golden = Golden::read();
    let data = golden.data("classes", Task::Multiclass { class_count: 3 }, false);
    let (weights, intercepts) = linear(&data, &[("penalty", "l2".into())], 1.0 / (0.5 * 80.0));
    for (own, other) in weights.iter().zip(golden.rows("multinomial", Some("coefficients"))) {
        close("multinomial", own, &other, 1e-6);
    }
    // Intercepts are not penalised, so that only their differences are determined.
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect()
    };
    let theirs = Golden::numbers(&golden.0["multinomial"]["intercepts"]);
    close("multinomial intercepts", &centred(&intercepts), &centred(&theirs), 1e-6);
}

#[test]
fn naive_bayes_gives_the_same_probabilities() {
    let golden = Golden::read();
    let data = golden.data("classes", Task::Multiclass { class_count: 3 }, false);
    let learner = by_name("gaussian_naive_bayes").unwrap();
    let config = learner.space(&shape(&data)).start();
    let predictions = predict(&*fitted(learner, &config, &data, 80), &data.table);
    for (row, theirs) in golden.rows("naive_bayes", None).iter().enumerate() {
        // Our variances get 1e-9 of the overall variance on top.
        close("naive_bayes", predictions.row(row), theirs, 1e-7);
    }
}

#[test]
fn neighbours_give_the_same_predictions() {
    let golden = Golden::read();
    let learner = by_name("k_nearest_neighbors").unwrap();
    let config = |data: &Dataset, by_distance: &str| {
        let values: [(&str, Value); 4] = [
            ("select", "false".into()),
            ("neighbors", 7.into()),
            ("by_distance", by_distance.into()),
            ("smoothing", 0.0.into()),
        ];
        Config::new(&learner.space(&shape(data)), values).unwrap()
    };
    let asked: Vec<u32> = (60..80).collect();
    let data = golden.data("classes", Task::Multiclass { class_count: 3 }, false);
    let classes = predict(&*fitted(learner, &config(&data, "false"), &data, 60), &data.table.take(&asked));
    for (row, theirs) in golden.rows("neighbors_classifier", None).iter().enumerate() {
        close("neighbors_classifier", classes.row(row), theirs, 1e-12);
    }
    let data = golden.data("y", Task::Regression, false);
    let values = predict(&*fitted(learner, &config(&data, "true"), &data, 60), &data.table.take(&asked));
    // Distances are kept in single precision.
    close("neighbors_regressor", &values.values, &golden.list("neighbors_regressor"), 1e-5);
}
