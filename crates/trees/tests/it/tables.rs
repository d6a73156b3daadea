//! Synthetic tables with a known truth.

use kaizen_base::{Seed, math};

/// Columns and targets.
pub(crate) struct Table {
    pub(crate) columns: Vec<Vec<f64>>,
    pub(crate) regression: Vec<f64>,
    pub(crate) binary: Vec<f64>,
    pub(crate) classes: Vec<f64>,
}

/// A smooth function of the first four of six columns; column 4 has a tenth of its values missing.
pub(crate) fn smooth(row_count: usize, seed: u64) -> Table {
    let mut rng = Seed(seed).rng();
    let mut columns: Vec<Vec<f64>> =
        (0..6).map(|_| (0..row_count).map(|_| rng.between(-2.0, 2.0)).collect()).collect();
    let mut regression = Vec::new();
    let mut binary = Vec::new();
    let mut classes = Vec::new();
    for row in 0..row_count {
        let x: Vec<f64> = columns.iter().map(|column| column[row]).collect();
        let truth = 2.0 * math::sin(2.0 * x[0]) + x[1] * x[2] + x[3];
        regression.push(truth + 0.3 * rng.normal());
        binary.push(f64::from(u8::from(rng.uniform() < math::sigmoid(2.0 * truth))));
        classes.push(if truth < -1.0 {
            0.0
        } else if truth < 1.0 {
            1.0
        } else {
            2.0
        });
    }
    for value in &mut columns[4] {
        if rng.uniform() < 0.1 {
            *value = f64::NAN;
        }
    }
    Table { columns, regression, binary, classes }
}
