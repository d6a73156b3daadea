//! Categories as sets and as ordered target statistics.

use kaizen_base::{Flow, Seed, Signal, math};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Categories, Ensemble, FeatureData, Growth, Objective, OrderedParams,
    TrainInput, Trained, train,
};

struct Table {
    town: Vec<u32>,
    kind: Vec<u32>,
    noise: Vec<f64>,
    target: Vec<f64>,
}

const TOWNS: u32 = 60;

/// Log-odds depend on the town (60 levels, each with its own effect) and on a kind of 4 levels.
fn table(row_count: usize) -> Table {
    let mut rng = Seed(31).rng();
    let effects: Vec<f64> = (0..TOWNS).map(|_| 1.5 * rng.normal()).collect();
    let mut table = Table { town: Vec::new(), kind: Vec::new(), noise: Vec::new(), target: Vec::new() };
    for _ in 0..row_count {
        let (town, kind) = (rng.below(TOWNS as usize), rng.below(4));
        let truth = effects[town] + if kind % 2 == 0 { 1.0 } else { -1.0 };
        table.town.push(if rng.uniform() < 0.05 { u32::MAX } else { town as u32 });
        table.kind.push(kind as u32);
        table.noise.push(rng.normal());
        table.target.push(f64::from(u8::from(rng.uniform() < math::sigmoid(truth))));
    }
    table
}

fn features(table: &Table) -> [FeatureData<'_>; 3] {
    [
        FeatureData::Category { codes: &table.town, level_count: TOWNS },
        FeatureData::Category { codes: &table.kind, level_count: 4 },
        FeatureData::Number(&table.noise),
    ]
}

fn run(table: &Table, params: &BoostParams) -> (Bins, Trained, Vec<u32>) {
    let bins = Bins::build(&features(table), &BinParams::default()).unwrap();
    let train_rows: Vec<u32> = (0..3000).collect();
    let valid_rows: Vec<u32> = (3000..4000).collect();
    let input =
        TrainInput { valid_rows: Some(&valid_rows), ..TrainInput::new(&bins, &train_rows, &table.target) };
    let trained = train(&input, params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap();
    (bins, trained, valid_rows)
}

#[test]
fn both_ways_learn_and_predict_as_they_trained() {
    let table = table(4000);
    let symmetric =
        BoostParams { rounds: 200, learning_rate: Some(0.05), ..BoostParams::symmetric(Objective::Logistic) };
    let cases = [
        BoostParams { rounds: 60, ..BoostParams::leaf_wise(Objective::Logistic) },
        symmetric.clone(),
        BoostParams {
            categories: Categories::Ordered(OrderedParams { one_hot_levels: 2, ..OrderedParams::default() }),
            ..symmetric.clone()
        },
        BoostParams {
            categories: Categories::Ordered(OrderedParams { permutations: 1, ..OrderedParams::default() }),
            ..symmetric.clone()
        },
        BoostParams { growth: Growth::LeafWise { leaves: 15, max_depth: 0 }, ..symmetric },
    ];
    for params in cases {
        let (bins, trained, valid_rows) = run(&table, &params);
        let loss = trained.valid_losses.iter().copied().fold(f64::INFINITY, f64::min);
        // The prior alone has ln 2 or so; the truth about 0.47.
        assert!(loss < 0.56, "{params:?}: {loss}");
        let raw = trained.ensemble.predict(&features(&table), &valid_rows).unwrap();
        assert_eq!(raw, trained.valid_scores);
        assert_eq!(trained.ensemble.predict_binned(&bins, &valid_rows).unwrap(), raw);
        let again = Ensemble::from_parts(&trained.ensemble.to_parts()).unwrap();
        assert!(again == trained.ensemble, "storage changed the ensemble");
        let gains = again.feature_gains();
        assert!(gains[0] > gains[2] && gains[1] > gains[2], "{gains:?}");
    }
}

#[test]
fn unseen_levels_are_defined_and_kinds_are_checked() {
    let table = table(4000);
    let (_, trained, _) =
        run(&table, &BoostParams { rounds: 20, ..BoostParams::symmetric(Objective::Logistic) });
    let town = [TOWNS + 5, u32::MAX];
    let features = [
        FeatureData::Category { codes: &town, level_count: TOWNS },
        FeatureData::Category { codes: &[9, 0], level_count: 4 },
        FeatureData::Number(&[f64::NAN, 0.0]),
    ];
    let raw = trained.ensemble.predict(&features, &[0, 1]).unwrap();
    assert!(raw.iter().all(|score| score.is_finite()));
    let swapped = [features[2], features[1], features[0]];
    assert!(trained.ensemble.predict(&swapped, &[0]).is_err());
}

#[test]
fn damaged_parts_are_refused() {
    let table = table(4000);
    let (_, trained, _) =
        run(&table, &BoostParams { rounds: 10, ..BoostParams::leaf_wise(Objective::Logistic) });
    let good = trained.ensemble.to_parts();
    assert!(Ensemble::from_parts(&good).is_ok());
    let damages: [fn(&mut kaizen_trees::EnsembleParts); 8] = [
        |parts| parts.node_children[0] = 0,
        |parts| parts.node_children[0] = u32::MAX,
        |parts| parts.node_columns[0] = 999,
        |parts| parts.values.truncate(1),
        |parts| parts.sets.truncate(3),
        |parts| parts.source_features[0] = 77,
        |parts| parts.node_flags[0] = 255,
        |parts| parts.base.clear(),
    ];
    for damage in damages {
        let mut parts = good.clone();
        damage(&mut parts);
        assert!(Ensemble::from_parts(&parts).is_err());
    }
}
