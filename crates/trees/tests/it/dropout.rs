//! Dropout keeps its books: what training thinks of its trees is what the ensemble predicts.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Dropout, Ensemble, FeatureData, Growth, LinearLeaves, Objective,
    RowSampling, Start, TrainInput, Trained, train,
};

use crate::tables::{Table, smooth};

fn features(table: &Table) -> Vec<FeatureData<'_>> {
    table.columns.iter().map(|column| FeatureData::Number(column)).collect()
}

fn run(input: &TrainInput<'_>, params: &BoostParams) -> Trained {
    train(input, params, Seed(3), &Signal::new(), &mut |_| Flow::Continue).unwrap()
}

#[test]
fn dropping_all_rounds_makes_equal_trees_of_equal_weight() {
    // One cut explains everything, so each round learns the same two values and n rounds share them.
    let x: Vec<f64> = (0..100).map(f64::from).collect();
    let y: Vec<f64> = x.iter().map(|x| if *x < 50.0 { -4.0 } else { 8.0 }).collect();
    let features = [FeatureData::Number(&x)];
    let bins = Bins::build(&features, &BinParams { min_rows_per_bin: 1, ..BinParams::default() }).unwrap();
    let rows: Vec<u32> = (0..100).collect();
    let params = BoostParams {
        rounds: 4,
        learning_rate: Some(1.0),
        growth: Growth::LeafWise { leaves: 2, max_depth: 0 },
        dropout: Some(Dropout { chance: 1.0, skip: 0.0, limit: 100 }),
        ..BoostParams::leaf_wise(Objective::Squared)
    };
    let ensemble = run(&TrainInput::new(&bins, &rows, &y), &params).ensemble;
    assert_eq!(ensemble.tree_count(), 4);
    for pair in ensemble.to_parts().values.chunks_exact(2) {
        // A quarter of 6, the distance of either value from the mean of 2.
        assert!((pair[0] + 1.5).abs() < 1e-5 && (pair[1] - 1.5).abs() < 1e-5, "{pair:?}");
    }
    let scores = ensemble.predict(&features, &rows).unwrap();
    assert!(scores.iter().zip(&y).all(|(score, y)| (score - y).abs() < 1e-5));
}

#[test]
fn the_kept_ensemble_is_that_of_the_best_round() {
    let table = smooth(1500, 61);
    let features = features(&table);
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let (train_rows, valid_rows): (Vec<u32>, Vec<u32>) = ((0..700).collect(), (700..1500).collect());
    let shared = Objective::Softmax { classes: 3, shared: true };
    let each = Objective::Softmax { classes: 3, shared: false };
    let growths = [Growth::LeafWise { leaves: 31, max_depth: 0 }, Growth::Symmetric { depth: 4 }];
    for (objective, target) in [
        (Objective::Squared, &table.regression),
        (Objective::Logistic, &table.binary),
        (shared, &table.classes),
        (each, &table.classes),
    ] {
        for growth in growths {
            let base = match growth {
                Growth::Symmetric { .. } => BoostParams::symmetric(objective.clone()),
                _ => BoostParams::leaf_wise(objective.clone()),
            };
            let params = BoostParams {
                rounds: 80,
                patience: Some(15),
                learning_rate: Some(0.5),
                growth,
                dropout: Some(Dropout { chance: 0.2, skip: 0.3, limit: 20 }),
                ..base
            };
            let input =
                TrainInput { valid_rows: Some(&valid_rows), ..TrainInput::new(&bins, &train_rows, target) };
            let trained = run(&input, &params);
            let raw = trained.ensemble.predict(&features, &valid_rows).unwrap();
            assert_eq!(raw, trained.valid_scores);
            assert_eq!(Ensemble::from_parts(&trained.ensemble.to_parts()).unwrap(), trained.ensemble);
            let best = trained.valid_losses[trained.best_round as usize - 1];
            assert_eq!(best, trained.valid_losses.iter().copied().fold(f64::INFINITY, f64::min));
            // One more round that learns nothing tells the loss of the ensemble as it was kept.
            let again = TrainInput { start: Start::Ensemble(&trained.ensemble), ..input };
            let nothing =
                BoostParams { rounds: 1, learning_rate: Some(1e-12), dropout: None, ..params.clone() };
            let kept = run(&again, &nothing).valid_losses[0];
            assert!((kept / best - 1.0).abs() < 1e-5, "{objective:?} {growth:?}: {kept} {best}");
            let rounds = trained.valid_losses.len();
            assert!(rounds == 80 || rounds == trained.best_round as usize + 15);
        }
    }
}

#[test]
fn linear_leaves_starting_scores_and_threads_go_with_dropout() {
    let table = smooth(5000, 62);
    let features = features(&table);
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let (train_rows, valid_rows): (Vec<u32>, Vec<u32>) = ((0..4000).collect(), (4000..5000).collect());
    let starts: Vec<f64> = table.columns[3].clone();
    let params = BoostParams {
        rounds: 12,
        learning_rate: Some(0.4),
        row_sampling: RowSampling::Uniform { share: 0.8 },
        linear: Some(LinearLeaves { ridge: 1.0 }),
        dropout: Some(Dropout { chance: 0.3, skip: 0.2, limit: 20 }),
        ..BoostParams::leaf_wise(Objective::Squared)
    };
    let input = TrainInput {
        valid_rows: Some(&valid_rows),
        values: Some(&features),
        start: Start::Scores(&starts),
        ..TrainInput::new(&bins, &train_rows, &table.regression)
    };
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&input, &params))
    };
    let trained = with(1);
    assert_eq!(trained.ensemble, with(3).ensemble);
    let raw = trained.ensemble.predict(&features, &valid_rows).unwrap();
    let errors = valid_rows.iter().zip(raw.iter().zip(&trained.valid_scores)).map(|(row, (raw, valid))| {
        let row = *row as usize;
        assert!((raw + starts[row] - valid).abs() < 1e-12);
        (valid - table.regression[row]).powi(2)
    });
    let mean = errors.sum::<f64>() / 1000.0;
    let best = trained.valid_losses[trained.best_round as usize - 1];
    assert!((mean / best - 1.0).abs() < 1e-5, "{mean} {best}");
}
