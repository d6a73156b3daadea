//! Boosting learns, is deterministic, and predicts as it trained.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Ensemble, FeatureData, Growth, Objective, RowSampling, Start, TrainInput,
    Trained, TreesError, train,
};

use crate::tables::{Table, smooth};

fn features(table: &Table) -> Vec<FeatureData<'_>> {
    table.columns.iter().map(|column| FeatureData::Number(column)).collect()
}

fn bins(table: &Table) -> Bins {
    Bins::build(&features(table), &BinParams::default()).unwrap()
}

fn run(input: &TrainInput<'_>, params: &BoostParams) -> Trained {
    train(input, params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap()
}

fn rows(range: std::ops::Range<u32>) -> Vec<u32> {
    range.collect()
}

fn all_growths() -> [Growth; 3] {
    [
        Growth::LeafWise { leaves: 31, max_depth: 0 },
        Growth::DepthWise { depth: 5 },
        Growth::Symmetric { depth: 5 },
    ]
}

fn params(objective: Objective, growth: Growth) -> BoostParams {
    let base = match growth {
        Growth::Symmetric { .. } => BoostParams::symmetric(objective),
        _ => BoostParams::leaf_wise(objective),
    };
    BoostParams { growth, rounds: 60, learning_rate: Some(0.15), ..base }
}

#[test]
fn every_growth_explains_most_of_a_smooth_function() {
    let table = smooth(4000, 3);
    let bins = bins(&table);
    let (train_rows, valid_rows) = (rows(0..3000), rows(3000..4000));
    for growth in all_growths() {
        let input = TrainInput {
            valid_rows: Some(&valid_rows),
            ..TrainInput::new(&bins, &train_rows, &table.regression)
        };
        let trained = run(&input, &params(Objective::Squared, growth));
        // The truth has variance 2 * 2 + 16/9 + 4/3 = 5 or so, the noise 0.09.
        let loss = trained.valid_losses[trained.best_round as usize - 1];
        assert!(loss < 0.5, "{growth:?}: {loss}");
    }
}

#[test]
fn classification_beats_the_prior_and_follows_the_loss_it_reports() {
    let table = smooth(4000, 4);
    let bins = bins(&table);
    let (train_rows, valid_rows) = (rows(0..3000), rows(3000..4000));
    for growth in all_growths() {
        let cases = [
            (Objective::Logistic, &table.binary, 0.45),
            (Objective::Softmax { classes: 3, shared: true }, &table.classes, 0.5),
            (Objective::Softmax { classes: 3, shared: false }, &table.classes, 0.5),
        ];
        for (objective, target, bound) in cases {
            let input =
                TrainInput { valid_rows: Some(&valid_rows), ..TrainInput::new(&bins, &train_rows, target) };
            let trained = run(&input, &params(objective.clone(), growth));
            let loss = trained.valid_losses.iter().copied().fold(f64::INFINITY, f64::min);
            assert!(loss < bound, "{growth:?} {objective:?}: {loss}");
            assert_eq!(loss, trained.valid_losses[trained.best_round as usize - 1]);
        }
    }
}

#[test]
fn predictions_equal_training_bit_for_bit_and_survive_storage() {
    let table = smooth(3000, 5);
    let bins = bins(&table);
    let (train_rows, valid_rows) = (rows(0..2000), rows(2000..3000));
    for growth in all_growths() {
        for (objective, target) in [
            (Objective::Logistic, &table.binary),
            (Objective::Softmax { classes: 3, shared: true }, &table.classes),
            (Objective::Softmax { classes: 3, shared: false }, &table.classes),
        ] {
            let input =
                TrainInput { valid_rows: Some(&valid_rows), ..TrainInput::new(&bins, &train_rows, target) };
            let trained = run(&input, &params(objective, growth));
            let raw = trained.ensemble.predict(&features(&table), &valid_rows).unwrap();
            assert_eq!(raw, trained.valid_scores);
            assert_eq!(trained.ensemble.predict_binned(&bins, &valid_rows).unwrap(), raw);
            let again = Ensemble::from_parts(&trained.ensemble.to_parts()).unwrap();
            assert_eq!(again, trained.ensemble);
            let one = again.predict(&features(&table), &[2500]).unwrap();
            let outputs = again.output_count();
            assert_eq!(one, raw[500 * outputs..501 * outputs]);
        }
    }
}

#[test]
fn one_and_three_threads_give_the_same_ensemble() {
    let table = smooth(40_000, 6);
    let bins = bins(&table);
    let train_rows = rows(0..40_000);
    for growth in all_growths() {
        let input = TrainInput::new(&bins, &train_rows, &table.binary);
        let params = BoostParams { rounds: 5, ..params(Objective::Logistic, growth) };
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| run(&input, &params).ensemble)
        };
        assert_eq!(with(1), with(3), "{growth:?}");
    }
}

#[test]
fn rows_outside_the_training_never_matter() {
    let table = smooth(2000, 7);
    let bins = bins(&table);
    let some: Vec<u32> = (0..2000).filter(|row| row % 3 != 0).collect();
    let mut changed = table.regression.clone();
    for row in (0..2000).step_by(3) {
        changed[row] = f64::NAN;
    }
    let params = params(Objective::Squared, Growth::LeafWise { leaves: 15, max_depth: 0 });
    let a = run(&TrainInput::new(&bins, &some, &table.regression), &params);
    let b = run(&TrainInput::new(&bins, &some, &changed), &params);
    assert_eq!(a.ensemble, b.ensemble);
}

#[test]
fn sampling_still_learns() {
    let table = smooth(4000, 8);
    let bins = bins(&table);
    let (train_rows, valid_rows) = (rows(0..3000), rows(3000..4000));
    for row_sampling in [
        RowSampling::Uniform { share: 0.5 },
        RowSampling::Goss { top: 0.2, other: 0.1 },
        RowSampling::Bayesian { temperature: 1.0 },
        RowSampling::Mvs { share: 0.5 },
    ] {
        let params = BoostParams {
            row_sampling,
            column_share_tree: 0.8,
            column_share_node: 0.8,
            ..params(Objective::Squared, Growth::LeafWise { leaves: 15, max_depth: 6 })
        };
        let input = TrainInput {
            valid_rows: Some(&valid_rows),
            ..TrainInput::new(&bins, &train_rows, &table.regression)
        };
        let trained = run(&input, &params);
        let loss = trained.valid_losses[trained.best_round as usize - 1];
        assert!(loss < 0.8, "{row_sampling:?}: {loss}");
        let raw = trained.ensemble.predict(&features(&table), &valid_rows).unwrap();
        assert_eq!(raw, trained.valid_scores);
    }
}

#[test]
fn patience_ends_training_and_keeps_the_best_round() {
    let table = smooth(600, 9);
    let bins = bins(&table);
    let (train_rows, valid_rows) = (rows(0..300), rows(300..600));
    let params = BoostParams {
        rounds: 2000,
        patience: Some(10),
        learning_rate: Some(0.5),
        ..params(Objective::Logistic, Growth::LeafWise { leaves: 31, max_depth: 0 })
    };
    let input =
        TrainInput { valid_rows: Some(&valid_rows), ..TrainInput::new(&bins, &train_rows, &table.binary) };
    let trained = run(&input, &params);
    assert_eq!(trained.valid_losses.len(), trained.best_round as usize + 10);
    assert_eq!(trained.ensemble.tree_count(), trained.best_round as usize);
}

#[test]
fn signals_round_off_or_stop() {
    let table = smooth(500, 10);
    let bins = bins(&table);
    let train_rows = rows(0..500);
    let params = params(Objective::Squared, Growth::LeafWise { leaves: 8, max_depth: 0 });
    let input = TrainInput::new(&bins, &train_rows, &table.regression);
    let signal = Signal::new();
    signal.raise(Flow::Finish);
    let trained = train(&input, &params, Seed(1), &signal, &mut |_| Flow::Continue).unwrap();
    assert_eq!(trained.ensemble.tree_count(), 0);
    let mean = table.regression.iter().sum::<f64>() / 500.0;
    assert!((trained.ensemble.predict(&features(&table), &[0]).unwrap()[0] - mean).abs() < 1e-12);
    let stopped = train(&input, &params, Seed(1), &Signal::new(), &mut |report| {
        if report.round == 3 { Flow::Stop } else { Flow::Continue }
    });
    assert_eq!(stopped.unwrap_err(), TreesError::Stopped);
    let finished = train(&input, &params, Seed(1), &Signal::new(), &mut |report| {
        if report.round == 3 { Flow::Finish } else { Flow::Continue }
    });
    assert_eq!(finished.unwrap().ensemble.tree_count(), 3);
}

#[test]
fn continuing_equals_training_in_one_go() {
    let table = smooth(1000, 11);
    let bins = bins(&table);
    let train_rows = rows(0..1000);
    let at = |rounds| BoostParams {
        rounds,
        ..params(Objective::Squared, Growth::LeafWise { leaves: 8, max_depth: 0 })
    };
    let whole = run(&TrainInput::new(&bins, &train_rows, &table.regression), &at(20));
    let half = run(&TrainInput::new(&bins, &train_rows, &table.regression), &at(10));
    let input = TrainInput {
        start: Start::Ensemble(&half.ensemble),
        ..TrainInput::new(&bins, &train_rows, &table.regression)
    };
    assert_eq!(run(&input, &at(10)).ensemble, whole.ensemble);
}

#[test]
fn weights_of_two_equal_repeated_rows() {
    let table = smooth(800, 12);
    let order: Vec<usize> = (0..800).chain(0..400).collect();
    let repeated = Table {
        columns: table.columns.iter().map(|column| order.iter().map(|row| column[*row]).collect()).collect(),
        regression: order.iter().map(|row| table.regression[*row]).collect(),
        binary: Vec::new(),
        classes: Vec::new(),
    };
    let bins =
        Bins::build(&features(&repeated), &BinParams { max_bins: 16, ..BinParams::default() }).unwrap();
    let weights: Vec<f64> = (0..1200).map(|row| if row < 400 { 2.0 } else { 1.0 }).collect();
    // The number of rows in a leaf is no weight, so it must not bind here.
    let params = BoostParams {
        min_rows: 1,
        min_child_weight: 40.0,
        ..params(Objective::Squared, Growth::LeafWise { leaves: 8, max_depth: 0 })
    };
    let (all, first) = (rows(0..1200), rows(0..800));
    let by_rows = run(&TrainInput::new(&bins, &all, &repeated.regression), &params).ensemble;
    let input =
        TrainInput { weights: Some(&weights), ..TrainInput::new(&bins, &first, &repeated.regression) };
    let by_weights = run(&input, &params).ensemble;
    let at_rows = by_rows.predict_binned(&bins, &all).unwrap();
    let at_weights = by_weights.predict_binned(&bins, &all).unwrap();
    let worst = at_rows.iter().zip(&at_weights).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    // Only the rounding of gradients differs.
    assert!(worst < 1e-4, "{worst}");
}

#[test]
fn bad_input_is_named() {
    let table = smooth(100, 13);
    let bins = bins(&table);
    let params = params(Objective::Squared, Growth::LeafWise { leaves: 8, max_depth: 0 });
    let fails = |input: &TrainInput<'_>| {
        train(input, &params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap_err()
    };
    let y = &table.regression;
    assert_eq!(fails(&TrainInput::new(&bins, &[], y)), TreesError::NoRows);
    assert!(matches!(fails(&TrainInput::new(&bins, &[100], y)), TreesError::Shape { what: "row", .. }));
    assert!(matches!(
        fails(&TrainInput::new(&bins, &[0], &y[..50])),
        TreesError::Shape { what: "target", .. }
    ));
    let weights = vec![-1.0; 100];
    let input = TrainInput { weights: Some(&weights), ..TrainInput::new(&bins, &[0], y) };
    assert!(matches!(fails(&input), TreesError::Weight { row: 0, .. }));
    // One row and a constant target are no errors: the model is a constant.
    let constant = vec![3.0; 100];
    let all = rows(0..100);
    let trained = run(&TrainInput::new(&bins, &all, &constant), &params);
    assert_eq!(trained.ensemble.predict_binned(&bins, &[5]).unwrap(), [3.0]);
    let trained = run(&TrainInput::new(&bins, &[7], y), &params);
    assert_eq!(trained.ensemble.predict_binned(&bins, &[5]).unwrap(), [y[7]]);
}

#[test]
fn draws_go_on_where_the_ensemble_to_continue_from_ended() {
    let table = smooth(1000, 14);
    let bins = bins(&table);
    let train_rows = rows(0..1000);
    for (objective, target) in [
        (Objective::Squared, &table.regression),
        (Objective::Softmax { classes: 3, shared: false }, &table.classes),
    ] {
        let at = |rounds| BoostParams {
            rounds,
            row_sampling: RowSampling::Uniform { share: 0.5 },
            column_share_tree: 0.7,
            column_share_node: 0.7,
            ..params(objective.clone(), Growth::LeafWise { leaves: 8, max_depth: 0 })
        };
        let input = TrainInput::new(&bins, &train_rows, target);
        let whole = run(&input, &at(15)).ensemble;
        let part = run(&input, &at(6)).ensemble;
        let input = TrainInput { start: Start::Ensemble(&part), ..input };
        assert_eq!(run(&input, &at(9)).ensemble, whole);
    }
    // Another table's bins or another number of outputs are no start.
    let other = run(
        &TrainInput::new(&bins, &train_rows, &table.binary),
        &params(Objective::Softmax { classes: 2, shared: true }, Growth::DepthWise { depth: 2 }),
    );
    let input = TrainInput {
        start: Start::Ensemble(&other.ensemble),
        ..TrainInput::new(&bins, &train_rows, &table.regression)
    };
    let squared = params(Objective::Squared, Growth::DepthWise { depth: 2 });
    let refused = train(&input, &squared, Seed(1), &Signal::new(), &mut |_| Flow::Continue);
    assert!(matches!(refused.unwrap_err(), TreesError::Shape { .. }));
    let coarse = Bins::build(&features(&table), &BinParams { max_bins: 7, ..BinParams::default() }).unwrap();
    let other = run(&TrainInput::new(&coarse, &train_rows, &table.regression), &squared).ensemble;
    let input = TrainInput {
        start: Start::Ensemble(&other),
        ..TrainInput::new(&bins, &train_rows, &table.regression)
    };
    let refused = train(&input, &squared, Seed(1), &Signal::new(), &mut |_| Flow::Continue);
    assert!(matches!(refused.unwrap_err(), TreesError::Damaged { .. }));
}
