//! Forests learn, average probabilities, and score rows that a tree did not see.

use kaizen_base::{Seed, Signal};
use kaizen_trees::{
    BinParams, Bins, Ensemble, FeatureData, ForestCriterion, ForestParams, ForestTarget, TrainInput, forest,
};

use crate::tables::smooth;

#[test]
fn forests_learn_and_out_of_bag_agrees_with_fresh_rows() {
    let table = smooth(3000, 21);
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let (train_rows, test_rows): (Vec<u32>, Vec<u32>) = ((0..2000).collect(), (2000..3000).collect());
    let error = |predicted: &[f64], rows: &[u32]| {
        let sum: f64 =
            predicted.iter().zip(rows).map(|(p, row)| (p - table.regression[*row as usize]).powi(2)).sum();
        sum / rows.len() as f64
    };
    for mut params in
        [ForestParams::random_forest(ForestTarget::Mean), ForestParams::extra_trees(ForestTarget::Mean)]
    {
        params.trees = 40;
        let input = TrainInput::new(&bins, &train_rows, &table.regression);
        let made = forest(&input, &params, Seed(1), &Signal::new()).unwrap();
        let fresh = error(&made.ensemble.predict(&features, &test_rows).unwrap(), &test_rows);
        // The variance of the target is about 5.
        assert!(fresh < 1.6, "{fresh}");
        if params.bootstrap {
            let bag = error(&made.out_of_bag, &train_rows);
            assert!((bag / fresh - 1.0).abs() < 0.25, "{bag} {fresh}");
        }
        assert_eq!(Ensemble::from_parts(&made.ensemble.to_parts()).unwrap(), made.ensemble);
    }
}

#[test]
fn class_probabilities_sum_to_one_and_threads_do_not_matter() {
    let table = smooth(1500, 22);
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let rows: Vec<u32> = (0..1500).collect();
    let params = ForestParams { trees: 20, ..ForestParams::random_forest(ForestTarget::Classes(3)) };
    let input = TrainInput::new(&bins, &rows, &table.classes);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| forest(&input, &params, Seed(1), &Signal::new()).unwrap().ensemble)
    };
    let ensemble = with(1);
    assert_eq!(ensemble, with(3));
    let probabilities = ensemble.predict_binned(&bins, &rows).unwrap();
    let mut right = 0;
    for (row, p) in probabilities.chunks_exact(3).enumerate() {
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{p:?}");
        let best = (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
        right += usize::from(best == table.classes[row] as usize);
    }
    assert!(right > 1400, "{right}");
}

#[test]
fn entropy_forests_learn_and_differ_from_gini() {
    let table = smooth(3000, 23);
    let features: Vec<FeatureData<'_>> =
        table.columns.iter().map(|column| FeatureData::Number(column)).collect();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let (train_rows, test_rows): (Vec<u32>, Vec<u32>) = ((0..2000).collect(), (2000..3000).collect());
    let wrong = |criterion| {
        let params =
            ForestParams { criterion, trees: 30, ..ForestParams::random_forest(ForestTarget::Classes(3)) };
        let input = TrainInput::new(&bins, &train_rows, &table.classes);
        let ensemble = forest(&input, &params, Seed(1), &Signal::new()).unwrap().ensemble;
        let probabilities = ensemble.predict_binned(&bins, &test_rows).unwrap();
        let wrong = probabilities.chunks_exact(3).zip(&test_rows).filter(|(p, row)| {
            let best = (0..3).max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap();
            best != table.classes[**row as usize] as usize
        });
        (wrong.count(), ensemble)
    };
    let (gini, first) = wrong(ForestCriterion::Gini);
    let (entropy, second) = wrong(ForestCriterion::Entropy);
    assert!(first != second);
    // The largest class has less than half of the rows.
    assert!(entropy < 200 && entropy < gini + 60, "{entropy} {gini}");
    let mean = ForestParams {
        criterion: ForestCriterion::Entropy,
        ..ForestParams::random_forest(ForestTarget::Mean)
    };
    let input = TrainInput::new(&bins, &train_rows, &table.regression);
    assert!(forest(&input, &mean, Seed(1), &Signal::new()).is_err());
}
