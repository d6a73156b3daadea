//! Monotone and interaction constraints hold on every row, and robust losses do what they promise.

use kaizen_base::{Flow, Seed, Signal, math};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Ensemble, FeatureData, Growth, MonotoneBound, Objective, RowSampling,
    TrainInput, train,
};

use crate::tables::{Table, smooth};

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

/// Number of steps at which a score falls although no feature with a sign moved against it.
fn violations(ensemble: &Ensemble, table: &Table, signs: &[i8], row_count: usize) -> usize {
    let mut wrong = 0;
    for (feature, sign) in signs.iter().enumerate().filter(|(_, sign)| **sign != 0) {
        let grid: Vec<f64> = (0..81).map(|i| -2.0 + 0.05 * f64::from(i)).collect();
        let steps: Vec<u32> = (0..81).collect();
        for row in 0..row_count {
            // One feature moves over a grid, the others stay.
            let mut columns: Vec<Vec<f64>> =
                table.columns.iter().map(|column| vec![column[row]; 81]).collect();
            columns[feature].clone_from(&grid);
            let moved: Vec<FeatureData<'_>> =
                columns.iter().map(|column| FeatureData::Number(column)).collect();
            let scores = ensemble.predict(&moved, &steps).unwrap();
            wrong += scores.windows(2).filter(|pair| f64::from(*sign) * (pair[1] - pair[0]) < -1e-9).count();
        }
    }
    wrong
}

/// The table, its bins and what is learned from all of its rows.
fn fitted(table: &Table, target: &[f64], params: &BoostParams, seed: u64) -> (Ensemble, f64) {
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let rows: Vec<u32> = (0..target.len() as u32).collect();
    let input = TrainInput { valid_rows: Some(&rows), ..TrainInput::new(&bins, &rows, target) };
    let trained = train(&input, params, Seed(seed), &Signal::new(), &mut |_| Flow::Continue).unwrap();
    let loss = trained.valid_losses.last().copied().unwrap();
    (trained.ensemble, loss)
}

#[test]
fn both_bounds_keep_every_score_in_order_on_random_tables() {
    for seed in 0..12 {
        let table = smooth(700, 100 + seed);
        let mut rng = Seed(seed).child("signs", 0).rng();
        let signs: Vec<i8> = (0..6).map(|_| rng.below(3) as i8 - 1).collect();
        let growth = if seed % 2 == 0 {
            Growth::LeafWise { leaves: 31, max_depth: 0 }
        } else {
            Growth::DepthWise { depth: 5 }
        };
        for monotone_bound in [MonotoneBound::Middle, MonotoneBound::Neighbours] {
            for (objective, target) in
                [(Objective::Squared, &table.regression), (Objective::Logistic, &table.binary)]
            {
                let params = BoostParams {
                    rounds: 8,
                    learning_rate: Some(0.5),
                    growth,
                    min_rows: 3,
                    monotone: signs.clone(),
                    monotone_bound,
                    column_share_node: if seed % 3 == 0 { 0.7 } else { 1.0 },
                    row_sampling: if seed % 4 == 1 {
                        RowSampling::Uniform { share: 0.6 }
                    } else {
                        RowSampling::All
                    },
                    leaf_steps: if seed % 5 == 2 { 5 } else { 1 },
                    ..BoostParams::leaf_wise(objective)
                };
                let (ensemble, _) = fitted(&table, target, &params, seed);
                assert_eq!(violations(&ensemble, &table, &signs, 40), 0, "{params:?}");
            }
        }
    }
}

#[test]
fn the_refined_bound_fits_better_than_the_middle() {
    // Rises in both features and is steep in places, so that a midpoint binds leaves that do not touch.
    let mut wins = 0;
    for seed in 0..6 {
        let mut table = smooth(2000, 200 + seed);
        let mut rng = Seed(seed).rng();
        for row in 0..2000 {
            let (a, b) = (table.columns[0][row], table.columns[1][row]);
            table.regression[row] = math::exp(a) * (b + 2.0) + a + 0.2 * rng.normal();
        }
        let loss = |monotone_bound| {
            let params = BoostParams {
                rounds: 30,
                monotone: vec![1, 1, 0, 0, 0, 0],
                monotone_bound,
                ..BoostParams::leaf_wise(Objective::Squared)
            };
            fitted(&table, &table.regression, &params, seed).1
        };
        let (middle, refined) = (loss(MonotoneBound::Middle), loss(MonotoneBound::Neighbours));
        assert!(refined < 1.02 * middle, "{seed}: {refined} {middle}");
        wins += usize::from(refined < 0.9 * middle);
    }
    assert!(wins >= 5, "{wins} of 6");
}
