//! Linear leaves fit what is linear, predict as they trained, fall back, and survive storage and damage.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Ensemble, EnsembleParts, FeatureData, Growth, LinearLeaves, Objective,
    RowSampling, Start, TrainInput, Trained, TreesError, train,
};

use crate::tables::{Table, smooth};

fn features(table: &Table) -> Vec<FeatureData<'_>> {
    table.columns.iter().map(|column| FeatureData::Number(column)).collect()
}

fn bins(table: &Table) -> Bins {
    Bins::build(&features(table), &BinParams::default()).unwrap()
}

fn params(objective: Objective, ridge: Option<f64>) -> BoostParams {
    BoostParams {
        rounds: 40,
        growth: Growth::LeafWise { leaves: 15, max_depth: 0 },
        linear: ridge.map(|ridge| LinearLeaves { ridge }),
        ..BoostParams::leaf_wise(objective)
    }
}

fn run(input: &TrainInput<'_>, params: &BoostParams) -> Trained {
    train(input, params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap()
}

#[test]
fn one_split_of_two_lines_is_fitted_exactly() {
    // Two lines that meet nowhere; a single tree of two leaves and full steps must hit every row.
    let x: Vec<f64> = (0..200).map(|row| f64::from(row) / 10.0).collect();
    let y: Vec<f64> = x.iter().map(|x| if *x < 10.0 { 3.0 + 0.5 * x } else { -40.0 - 2.0 * x }).collect();
    let features = [FeatureData::Number(&x)];
    let bins = Bins::build(&features, &BinParams { min_rows_per_bin: 1, ..BinParams::default() }).unwrap();
    let rows: Vec<u32> = (0..200).collect();
    let params = BoostParams {
        rounds: 1,
        learning_rate: Some(1.0),
        growth: Growth::LeafWise { leaves: 2, max_depth: 0 },
        ..params(Objective::Squared, Some(0.0))
    };
    let input = TrainInput { values: Some(&features), ..TrainInput::new(&bins, &rows, &y) };
    let ensemble = run(&input, &params).ensemble;
    let scores = ensemble.predict(&features, &rows).unwrap();
    let worst = scores.iter().zip(&y).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-9, "{worst}");
    // Beyond the training rows the leaf keeps the value of its last one, and a missing value takes the leaf's mean.
    let beyond = [1e9, -1e9, f64::NAN];
    let far = ensemble.predict(&[FeatureData::Number(&beyond)], &[0, 1, 2]).unwrap();
    assert!((far[0] - y[199]).abs() < 1e-9 && (far[1] - y[0]).abs() < 1e-9, "{far:?}");
    let half = |half: &[f64]| half.iter().sum::<f64>() / 100.0;
    let nearest = (far[2] - half(&y[..100])).abs().min((far[2] - half(&y[100..])).abs());
    assert!(nearest < 1e-4, "{far:?}");
}

#[test]
fn smooth_truths_are_fitted_better_than_by_constants_and_a_huge_ridge_gives_constants() {
    let table = smooth(4000, 51);
    let (bins, features) = (bins(&table), features(&table));
    let (train_rows, valid_rows): (Vec<u32>, Vec<u32>) = ((0..3000).collect(), (3000..4000).collect());
    let with = |objective: Objective, target: &[f64], ridge| {
        let input = TrainInput {
            valid_rows: Some(&valid_rows),
            values: Some(&features),
            // The fourth has missing values, whose rows a linear leaf leaves to the constant.
            features: Some(&[0, 1, 2, 3, 5]),
            ..TrainInput::new(&bins, &train_rows, target)
        };
        let trained = run(&input, &params(objective, ridge));
        let raw = trained.ensemble.predict(&features, &valid_rows).unwrap();
        assert_eq!(raw, trained.valid_scores);
        let loss = trained.valid_losses[trained.best_round as usize - 1];
        (trained, loss)
    };
    for (objective, target) in [
        (Objective::Squared, &table.regression),
        (Objective::Logistic, &table.binary),
        (Objective::Softmax { classes: 3, shared: false }, &table.classes),
    ] {
        let (_, constant) = with(objective.clone(), target, None);
        let (linear, loss) = with(objective.clone(), target, Some(1.0));
        assert!(loss < constant, "{objective:?}: {loss} {constant}");
        assert!(linear.ensemble.has_linear_leaves());
        let (_, heavy) = with(objective.clone(), target, Some(1e12));
        assert!((heavy - constant).abs() < 1e-5, "{objective:?}: {heavy} {constant}");
    }
}

#[test]
fn threads_samples_and_single_rows_change_no_bit() {
    let table = smooth(6000, 52);
    let (bins, features) = (bins(&table), features(&table));
    let rows: Vec<u32> = (0..6000).collect();
    let params = BoostParams {
        rounds: 6,
        row_sampling: RowSampling::Uniform { share: 0.7 },
        ..params(Objective::Logistic, Some(0.1))
    };
    let input = TrainInput { values: Some(&features), ..TrainInput::new(&bins, &rows, &table.binary) };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&input, &params).ensemble)
    };
    let ensemble = with(1);
    assert_eq!(ensemble, with(3));
    let all = ensemble.predict(&features, &rows).unwrap();
    for row in [0, 77, 5999] {
        assert_eq!(ensemble.predict(&features, &[row]).unwrap(), [all[row as usize]]);
    }
    assert_eq!(ensemble.predict_binned(&bins, &rows).unwrap_err(), TreesError::ValuesNeeded);
    let without = TrainInput { values: None, ..input };
    let refused = train(&without, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue);
    assert_eq!(refused.unwrap_err(), TreesError::ValuesNeeded);
}

#[test]
fn continuing_equals_training_in_one_go() {
    let table = smooth(1500, 53);
    let (bins, features) = (bins(&table), features(&table));
    let rows: Vec<u32> = (0..1500).collect();
    let at = |rounds| BoostParams { rounds, ..params(Objective::Squared, Some(1.0)) };
    let input = TrainInput { values: Some(&features), ..TrainInput::new(&bins, &rows, &table.regression) };
    let whole = run(&input, &at(12)).ensemble;
    let half = run(&input, &at(5)).ensemble;
    let rest = TrainInput { start: Start::Ensemble(&half), ..input };
    assert_eq!(run(&rest, &at(7)).ensemble, whole);
    // Constants may follow linear leaves, and linear leaves constants.
    let constants = run(&rest, &BoostParams { linear: None, ..at(7) }).ensemble;
    assert_eq!(Ensemble::from_parts(&constants.to_parts()).unwrap(), constants);
    let plain = run(&input, &BoostParams { linear: None, ..at(5) }).ensemble;
    let mixed = run(&TrainInput { start: Start::Ensemble(&plain), ..input }, &at(7)).ensemble;
    assert_eq!(Ensemble::from_parts(&mixed.to_parts()).unwrap(), mixed);
}

#[test]
fn extreme_values_and_categories_leave_every_score_finite() {
    let mut rng = Seed(54).rng();
    let numbers: Vec<f64> = (0..600)
        .map(|row| match row % 7 {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => 1e300 * rng.normal(),
            3 => f64::NEG_INFINITY,
            _ => rng.normal(),
        })
        .collect();
    let constant_but_one: Vec<f64> = (0..600).map(|row| if row == 5 { 1.0 } else { 1e9 }).collect();
    let codes: Vec<u32> = (0..600).map(|row| row % 5).collect();
    let copy = numbers.clone();
    let target: Vec<f64> = (0..600).map(|_| rng.normal()).collect();
    let features = [
        FeatureData::Number(&numbers),
        FeatureData::Category { codes: &codes, level_count: 5 },
        FeatureData::Number(&constant_but_one),
        FeatureData::Number(&copy),
    ];
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let rows: Vec<u32> = (0..600).collect();
    let input = TrainInput { values: Some(&features), ..TrainInput::new(&bins, &rows, &target) };
    let params = BoostParams { min_rows: 2, ..params(Objective::Squared, Some(0.0)) };
    let ensemble = run(&input, &params).ensemble;
    let scores = ensemble.predict(&features, &rows).unwrap();
    assert!(scores.iter().all(|score| score.is_finite()));
    let first = |scores: &[f64]| scores.iter().zip(&target).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mean = target.iter().sum::<f64>() / 600.0;
    assert!(first(&scores) < first(&[mean; 600]));
}

#[test]
fn damaged_linear_parts_are_refused() {
    let table = smooth(1000, 55);
    let (bins, features) = (bins(&table), features(&table));
    let rows: Vec<u32> = (0..1000).collect();
    let input = TrainInput { values: Some(&features), ..TrainInput::new(&bins, &rows, &table.regression) };
    let good = run(&input, &BoostParams { rounds: 5, ..params(Objective::Squared, Some(1.0)) }).ensemble;
    let good = good.to_parts();
    assert!(Ensemble::from_parts(&good).is_ok());
    let damages: [fn(&mut EnsembleParts); 11] = [
        |parts| parts.linear_ends[0] = u32::MAX,
        |parts| *parts.linear_ends.last_mut().unwrap() += 1,
        |parts| parts.linear_ends.push(parts.term_features.len() as u32),
        |parts| parts.linear_intercepts.clear(),
        |parts| parts.linear_intercepts[0] = f64::NAN,
        |parts| parts.term_features[0] = 99,
        |parts| parts.term_features.truncate(1),
        |parts| parts.term_slopes[0] = f64::INFINITY,
        |parts| parts.term_lows[0] = f64::NAN,
        |parts| parts.term_highs[0] = parts.term_lows[0] - 1.0,
        |parts| parts.tree_widths[0] = 2,
    ];
    for (index, damage) in damages.into_iter().enumerate() {
        let mut parts = good.clone();
        damage(&mut parts);
        assert!(Ensemble::from_parts(&parts).is_err(), "damage {index}");
    }
}
