//! Monotone and interaction constraints hold on every row, and robust losses do what they promise.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_trees::{BinParams, Bins, BoostParams, FeatureData, Objective, TrainInput, train};

use crate::tables::smooth;

#[test]
fn monotone_predictions_never_fall() {
    let table = smooth(2000, 41);
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let rows: Vec<u32> = (0..2000).collect();
    let mut falls = Vec::new();
    for sign in [0, 1] {
        let params =
            BoostParams { monotone: vec![sign, 0, 0, 0, 0, 0], ..BoostParams::leaf_wise(Objective::Squared) };
        let input = TrainInput::new(&bins, &rows, &table.regression);
        let ensemble =
            train(&input, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap().ensemble;
        let mut fallen = 0;
        for row in 0..50 {
            // The first feature moves over a grid, the others stay.
            let grid: Vec<f64> = (0..81).map(|i| -2.0 + 0.05 * f64::from(i)).collect();
            let fixed: Vec<Vec<f64>> =
                table.columns[1..].iter().map(|column| vec![column[row]; 81]).collect();
            let mut moved = vec![FeatureData::Number(&grid)];
            moved.extend(fixed.iter().map(|column| FeatureData::Number(column)));
            let steps: Vec<u32> = (0..81).collect();
            let scores = ensemble.predict(&moved, &steps).unwrap();
            fallen += scores.windows(2).filter(|pair| pair[1] < pair[0] - 1e-9).count();
        }
        falls.push(fallen);
    }
    // The truth is a sine of that feature, so without the constraint it must fall somewhere.
    assert!(falls[0] > 0);
    assert_eq!(falls[1], 0);
}

#[test]
fn features_kept_apart_act_additively() {
    let table = smooth(2000, 42);
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let rows: Vec<u32> = (0..2000).collect();
    // Features 1 and 2 multiply in the truth, but may not meet.
    let params = BoostParams {
        interactions: vec![vec![0, 1], vec![2, 3]],
        ..BoostParams::leaf_wise(Objective::Squared)
    };
    let input = TrainInput::new(&bins, &rows, &table.regression);
    let ensemble = train(&input, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap().ensemble;
    let at = |x1: f64, x2: f64| {
        let values = [[0.3], [x1], [x2], [-0.4], [0.0], [0.1]];
        let features: Vec<FeatureData<'_>> = values.iter().map(|value| FeatureData::Number(value)).collect();
        ensemble.predict(&features, &[0]).unwrap()[0]
    };
    let interaction = at(1.5, 1.5) - at(1.5, -1.5) - at(-1.5, 1.5) + at(-1.5, -1.5);
    assert!(interaction.abs() < 1e-6, "{interaction}");
}

#[test]
fn quantiles_cover_their_share() {
    let table = smooth(3000, 43);
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let (train_rows, test_rows): (Vec<u32>, Vec<u32>) = ((0..2000).collect(), (2000..3000).collect());
    for level in [0.2, 0.8] {
        let params = BoostParams { rounds: 50, ..BoostParams::leaf_wise(Objective::Quantile { level }) };
        let input = TrainInput::new(&bins, &train_rows, &table.regression);
        let trained = train(&input, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap();
        let scores = trained.ensemble.predict(&features, &test_rows).unwrap();
        let below =
            scores.iter().zip(&test_rows).filter(|(s, row)| table.regression[**row as usize] <= **s).count();
        // Five standard errors of a share of 1000 rows are 0.064; fitting adds some.
        assert!((below as f64 / 1000.0 - level).abs() < 0.1, "{level}: {below}");
    }
}
