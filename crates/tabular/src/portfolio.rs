//! The ordered list of strong configurations that every search starts from, cheap first.
//!
//! Something good exists within the first second, and a blend has members of different kinds before the search begins
//! to refine the best of them. A row names a learner and what differs from the learner's own starting values; a row
//! whose learner does not compete, or whose values do not fit the data at hand, is passed over. Names stand here as
//! data, as they would in a file: nothing decides by them.

use kaizen_space::{Config, Value};

use crate::pipeline_space::PipelineSpace;

/// One configuration of the list.
struct Row {
    learner: &'static str,
    values: &'static [(&'static str, Setting)],
    /// Rows of the table from and up to which it is worth its time.
    rows: (usize, usize),
}

/// A value that a constant can hold.
enum Setting {
    Float(f64),
    Int(i64),
    Choice(&'static str),
}

use Setting::{Choice, Float, Int};

const ANY: (usize, usize) = (0, usize::MAX);

const fn row(learner: &'static str, values: &'static [(&'static str, Setting)], rows: (usize, usize)) -> Row {
    Row { learner, values, rows }
}

/// The list.
const ROWS: &[Row] = &[
    row("dummy", &[], ANY),
    row("linear", &[], ANY),
    row("boosted_trees", &[("learning_rate", Float(0.1)), ("rounds", Int(400))], ANY),
    row("symmetric_trees", &[], ANY),
    row(
        "boosted_trees",
        &[
            ("learning_rate", Float(0.05)),
            ("leaves", Int(20)),
            ("rounds", Int(1_000)),
            ("linear_leaves", Choice("true")),
        ],
        ANY,
    ),
    row("extra_trees", &[], (0, 200_000)),
    row("boosted_trees", &[("random_thresholds", Choice("true"))], ANY),
    row("random_forest", &[], (0, 200_000)),
    row("symmetric_trees", &[("depth", Int(8)), ("l2", Float(6.0))], (2_000, usize::MAX)),
    row("linear", &[("numbers", Choice("quantile_normal"))], (0, 100_000)),
    row(
        "boosted_trees",
        &[
            ("learning_rate", Float(0.03)),
            ("leaves", Int(64)),
            ("column_share", Float(0.7)),
            ("row_share", Float(0.8)),
            ("l2", Float(3.0)),
        ],
        (2_000, usize::MAX),
    ),
    row("symmetric_trees", &[("depth", Int(4)), ("rate_factor", Float(0.7))], (0, 20_000)),
    row("k_nearest_neighbors", &[], (0, 50_000)),
    row(
        "boosted_trees",
        &[
            ("learning_rate", Float(0.03)),
            ("leaves", Int(12)),
            ("column_share", Float(0.6)),
            ("row_share", Float(0.8)),
            ("l2", Float(10.0)),
        ],
        ANY,
    ),
    row("gaussian_naive_bayes", &[], (0, 100_000)),
];

/// What a second layer is made of: calm learners, for it has few new things to learn and much to overfit.
const SECOND_LAYER: &[Row] = &[
    row("linear", &[], ANY),
    row(
        "boosted_trees",
        &[("learning_rate", Float(0.03)), ("leaves", Int(8)), ("min_rows", Int(40)), ("l2", Float(10.0))],
        ANY,
    ),
    row("symmetric_trees", &[("depth", Int(4)), ("l2", Float(10.0))], ANY),
];

/// The second layer's list as configurations of a space, in order, without those that do not fit.
pub fn second_layer(space: &PipelineSpace) -> Vec<Config> {
    configs_of(SECOND_LAYER, space, usize::MAX)
}

/// The list as configurations of a space, in order, without those that do not fit.
pub fn configs(space: &PipelineSpace, row_count: usize) -> Vec<Config> {
    configs_of(ROWS, space, row_count)
}

fn configs_of(list: &[Row], space: &PipelineSpace, row_count: usize) -> Vec<Config> {
    let mut configs: Vec<Config> = Vec::new();
    for Row { learner, values, rows } in list {
        if row_count < rows.0 || row_count > rows.1 {
            continue;
        }
        let values: Vec<(&str, Value)> = values
            .iter()
            .map(|(name, setting)| {
                let value = match setting {
                    Float(number) => Value::from(*number),
                    Int(number) => Value::from(*number),
                    Choice(option) => Value::from(*option),
                };
                (*name, value)
            })
            .collect();
        match space.config(learner, &values) {
            Some(config) if !configs.contains(&config) => configs.push(config),
            _ => {}
        }
    }
    configs
}
