//! Equal data, bins and parameters give the trees of LightGBM and XGBoost.
//!
//! Goldens: `tests/golden/make_goldens.py` (LightGBM 4.7.0 and XGBoost), raw training scores and the root of the first
//! tree. The columns have few distinct values, so all engines look at the same cuts. Both peers keep gradients in single
//! precision and we round leaf values to it, hence the tolerance: a few hundred times the rounding of one score.

use kaizen_base::{Flow, Seed, Signal};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Ensemble, FeatureData, Growth, LinearLeaves, MonotoneBound, Objective,
    Start, TrainInput, train,
};

const DATA: &str = include_str!("../golden/data.csv");
const PREDICTIONS: &str = include_str!("../golden/predictions.csv");
const FIRST_SPLITS: &str = include_str!("../golden/first_splits.csv");

/// Of scores of size one or so.
const TOLERANCE: f64 = 2e-5;

/// One column of a comma-separated text with a header.
fn column(text: &str, name: &str) -> Vec<f64> {
    let mut lines = text.lines();
    let header = lines.next().unwrap();
    let index = header.split(',').position(|cell| cell == name).unwrap_or_else(|| panic!("no column {name}"));
    lines.map(|line| line.split(',').nth(index).unwrap().parse().unwrap()).collect()
}

/// What one case trains on and with.
struct Case {
    name: &'static str,
    target: &'static str,
    params: BoostParams,
    weighted: bool,
    /// The first tree has constant leaves, as LightGBM's linear trees.
    constant_first: bool,
    columns: &'static [&'static str],
}

fn leaf_wise(objective: Objective) -> BoostParams {
    BoostParams {
        rounds: 10,
        learning_rate: Some(0.3),
        growth: Growth::LeafWise { leaves: 8, max_depth: 0 },
        min_rows: 10,
        ..BoostParams::leaf_wise(objective)
    }
}

fn by_hessian(objective: Objective) -> BoostParams {
    BoostParams { min_rows: 0, min_child_weight: 2.0, ..leaf_wise(objective) }
}

fn depth_wise(objective: Objective) -> BoostParams {
    BoostParams {
        growth: Growth::DepthWise { depth: 4 },
        min_rows: 0,
        min_child_weight: 5.0,
        l2: 1.0,
        ..leaf_wise(objective)
    }
}

fn case(name: &'static str, target: &'static str, params: BoostParams) -> Case {
    Case { name, target, params, weighted: false, constant_first: false, columns: &["a", "b", "c", "d"] }
}

/// Trains a case from zero; the columns it saw and the ensemble.
fn fit(case: &Case) -> (Vec<Vec<f64>>, Ensemble) {
    let columns: Vec<Vec<f64>> = case.columns.iter().map(|name| column(DATA, name)).collect();
    let features: Vec<FeatureData<'_>> = columns.iter().map(|values| FeatureData::Number(values)).collect();
    let bins = Bins::build(&features, &BinParams { min_rows_per_bin: 1, ..BinParams::default() }).unwrap();
    let target = column(DATA, case.target);
    let weights = column(DATA, "weight");
    let rows: Vec<u32> = (0..target.len() as u32).collect();
    let zeros = vec![0.0; target.len() * case.params.objective.output_count()];
    let mut input = TrainInput {
        weights: case.weighted.then_some(weights.as_slice()),
        start: Start::Scores(&zeros),
        values: Some(&features),
        ..TrainInput::new(&bins, &rows, &target)
    };
    let run = |input: &TrainInput<'_>, params: &BoostParams| {
        train(input, params, Seed(1), &Signal::new(), &mut |_| Flow::Continue).unwrap().ensemble
    };
    if !case.constant_first {
        let ensemble = run(&input, &case.params);
        return (columns, ensemble);
    }
    let first = run(&input, &BoostParams { rounds: 1, linear: None, ..case.params.clone() });
    input.start = Start::Ensemble(&first);
    let ensemble = run(&input, &BoostParams { rounds: case.params.rounds - 1, ..case.params.clone() });
    (columns, ensemble)
}

/// The engine must ask what the peer asks first, and score every row as the peer does.
fn compare(case: &Case) {
    let (columns, ensemble) = fit(case);
    let features: Vec<FeatureData<'_>> = columns.iter().map(|values| FeatureData::Number(values)).collect();
    let rows: Vec<u32> = (0..columns[0].len() as u32).collect();
    let scores = ensemble.predict(&features, &rows).unwrap();
    let name = case.name;
    let golden = FIRST_SPLITS.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
    let golden: Vec<f64> = golden.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect();
    let parts = ensemble.to_parts();
    let feature = usize::from(parts.node_columns[0]);
    assert_eq!(feature as f64, golden[0], "{name}: first feature");
    let edges = &parts.edges[parts.edge_offsets[feature] as usize..];
    let edge = edges[usize::from(parts.node_bins[0]) - 1];
    assert!(golden[1] <= edge && edge < golden[2], "{name}: cut at {edge}, golden {golden:?}");
    let gain = f64::from(parts.node_gains[0]);
    assert!((gain / golden[3] - 1.0).abs() < 1e-5, "{name}: gain {gain}, golden {golden:?}");
    let outputs = ensemble.output_count();
    for output in 0..outputs {
        let golden = column(PREDICTIONS, &format!("{name}{output}"));
        let mine = scores.iter().skip(output).step_by(outputs);
        let worst = mine.zip(&golden).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < TOLERANCE, "{name}, output {output}: off by {worst}");
        // A golden that says nothing would prove nothing.
        let spread = golden.iter().copied().fold(f64::NEG_INFINITY, f64::max)
            - golden.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(spread > 0.3, "{name}: golden is flat");
    }
}

#[test]
fn squared_loss_in_all_its_settings_equals_lightgbm() {
    let squared = leaf_wise(Objective::Squared);
    compare(&case("squared", "number", squared.clone()));
    compare(&case("one_round", "number", BoostParams { rounds: 1, ..squared.clone() }));
    compare(&case("l2", "number", BoostParams { l2: 2.0, ..squared.clone() }));
    let shallow = BoostParams { growth: Growth::LeafWise { leaves: 8, max_depth: 2 }, ..squared.clone() };
    compare(&case("shallow", "number", shallow));
    let weighted = case("weighted", "number", by_hessian(Objective::Squared));
    compare(&Case { weighted: true, ..weighted });
}

#[test]
fn every_loss_equals_lightgbm() {
    compare(&case("huber", "number", leaf_wise(Objective::Huber { delta: 0.7 })));
    compare(&case("logistic", "binary", by_hessian(Objective::Logistic)));
    let softmax = Objective::Softmax { classes: 3, shared: false };
    compare(&case("softmax", "classes", by_hessian(softmax)));
    compare(&case("poisson", "count", by_hessian(Objective::Poisson)));
    compare(&case("gamma", "above", by_hessian(Objective::Gamma)));
    compare(&case("tweedie", "count", by_hessian(Objective::Tweedie { power: 1.5 })));
}

#[test]
fn constraints_equal_their_peers() {
    let monotone = vec![1, 1, 0, 0];
    let middle =
        BoostParams { monotone, monotone_bound: MonotoneBound::Middle, ..depth_wise(Objective::Squared) };
    compare(&case("monotone", "number", middle));
    let interactions = vec![vec![0, 1], vec![2, 3]];
    compare(&case("interactions", "number", BoostParams { interactions, ..leaf_wise(Objective::Squared) }));
}

#[test]
fn linear_leaves_equal_lightgbm() {
    let params = BoostParams { linear: Some(LinearLeaves { ridge: 0.0 }), ..leaf_wise(Objective::Squared) };
    let linear = case("linear", "number", params);
    compare(&Case { constant_first: true, columns: &["a", "b", "c"], ..linear });
}

#[test]
fn depth_wise_and_loss_guided_growth_equal_xgboost() {
    compare(&case("depth_wise", "number", depth_wise(Objective::Squared)));
    compare(&case("l1", "number", BoostParams { l1: 0.5, ..depth_wise(Objective::Squared) }));
    compare(&case("min_gain", "number", BoostParams { min_gain: 2.0, ..depth_wise(Objective::Squared) }));
    compare(&case("depth_wise_logistic", "binary", depth_wise(Objective::Logistic)));
    let growth = Growth::LeafWise { leaves: 9, max_depth: 0 };
    let guided = BoostParams { growth, ..depth_wise(Objective::Squared) };
    compare(&case("loss_guided", "number", guided));
}
