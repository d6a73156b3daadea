//! Trains on a table in the plain binary format of `benches/trees/compare.py`, prints the seconds, writes raw scores.
//!
//! `time TABLE OBJECTIVE MODE FOLD OUT [key=value]...`: OBJECTIVE is squared, logistic or softmaxK; MODE is leaf, depth or
//! symmetric; rows of FOLD are predicted, the others learned from.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a bench program, not a library"
)]

use std::time::Instant;

use kaizen_base::{Flow, Seed, Signal};
use kaizen_trees::{
    BinParams, Bins, BoostParams, Categories, Dropout, FeatureData, Growth, LinearLeaves, Objective,
    RowSampling, TrainInput, train,
};

struct Reader {
    bytes: Vec<u8>,
    at: usize,
}

impl Reader {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        self.at += N;
        self.bytes[self.at - N..self.at].try_into().unwrap()
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }
}

enum Values {
    Number(Vec<f64>),
    Category(Vec<u32>, u32),
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut reader = Reader { bytes: std::fs::read(&args[1]).unwrap(), at: 0 };
    let (rows, columns) = (reader.u32() as usize, reader.u32());
    let kinds: Vec<(u8, u32)> = (0..columns).map(|_| (reader.take::<1>()[0], reader.u32())).collect();
    let values: Vec<Values> = kinds
        .iter()
        .map(|(kind, levels)| {
            if *kind == 0 {
                Values::Number((0..rows).map(|_| f64::from_le_bytes(reader.take())).collect())
            } else {
                Values::Category((0..rows).map(|_| reader.u32()).collect(), *levels)
            }
        })
        .collect();
    let target: Vec<f64> = (0..rows).map(|_| f64::from_le_bytes(reader.take())).collect();
    let folds = reader.bytes[reader.at..].to_vec();
    reader.bytes = Vec::new();
    let features: Vec<FeatureData<'_>> = values
        .iter()
        .map(|column| match column {
            Values::Number(values) => FeatureData::Number(values),
            Values::Category(codes, level_count) => {
                FeatureData::Category { codes, level_count: *level_count }
            }
        })
        .collect();
    let (fold, out) = (args[4].parse::<u8>().unwrap(), &args[5]);
    let learn: Vec<u32> = (0..rows as u32).filter(|row| folds[*row as usize] != fold).collect();
    let test: Vec<u32> = (0..rows as u32).filter(|row| folds[*row as usize] == fold).collect();
    let mut params = params(&args[2], &args[3]);
    let mut seed = 1;
    let mut threads = 2;
    for option in &args[6..] {
        let (key, value) = option.split_once('=').unwrap();
        match key {
            "threads" => threads = value.parse().unwrap(),
            "seed" => seed = value.parse().unwrap(),
            _ => set(&mut params, key, value),
        }
    }
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    let start = Instant::now();
    let bins = Bins::build(&features, &BinParams::default()).unwrap();
    let binned = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let values = params.linear.map(|_| features.as_slice());
    // Early stopping on the very rows that are scored: for comparing settings, not for figures.
    let valid_rows = params.patience.map(|_| test.as_slice());
    let input = TrainInput { values, valid_rows, ..TrainInput::new(&bins, &learn, &target) };
    let trained = train(&input, &params, Seed(seed), &Signal::new(), &mut |_| Flow::Continue).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let scores = trained.ensemble.predict(&features, &test).unwrap();
    let predicted = start.elapsed().as_secs_f64();
    let bytes: Vec<u8> = scores.iter().flat_map(|score| score.to_le_bytes()).collect();
    std::fs::write(out, bytes).unwrap();
    let one = Instant::now();
    for row in test.iter().take(1000) {
        std::hint::black_box(trained.ensemble.predict(&features, &[*row]).unwrap());
    }
    let micros = one.elapsed().as_secs_f64() * 1e6 / test.len().clamp(1, 1000) as f64;
    // The high-water mark of this program alone, where the system tells (Linux).
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak_mb = peak.and_then(|kilobytes| kilobytes.parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0;
    println!(
        "bin {binned:.4} train {seconds:.4} predict {predicted:.4} row_us {micros:.2} peak_mb {peak_mb:.0}"
    );
}

fn params(objective: &str, mode: &str) -> BoostParams {
    let objective = match objective {
        "squared" => Objective::Squared,
        "logistic" => Objective::Logistic,
        other => {
            let classes = other.strip_prefix("softmax").unwrap().parse().unwrap();
            Objective::Softmax { classes, shared: mode == "symmetric" }
        }
    };
    match mode {
        "leaf" => BoostParams::leaf_wise(objective),
        "depth" => {
            BoostParams { growth: Growth::DepthWise { depth: 6 }, ..BoostParams::leaf_wise(objective) }
        }
        _ => BoostParams::symmetric(objective),
    }
}

fn set(params: &mut BoostParams, key: &str, value: &str) {
    let number = || value.parse::<f64>().unwrap();
    match key {
        "rounds" => params.rounds = number() as u32,
        "rate" => params.learning_rate = Some(number()),
        "l2" => params.l2 = number(),
        "steps" => params.leaf_steps = number() as u32,
        "ridge" => params.linear = Some(LinearLeaves { ridge: number() }),
        "drop" => params.dropout = Some(Dropout { chance: number(), ..Dropout::default() }),
        "patience" => params.patience = Some(number() as u32),
        "minrows" => params.min_rows = number() as u32,
        "strength" => params.random_strength = number(),
        "leaves" => params.growth = Growth::LeafWise { leaves: number() as u32, max_depth: 0 },
        "depth" => params.growth = Growth::Symmetric { depth: number() as u32 },
        "bayes" => params.row_sampling = RowSampling::Bayesian { temperature: number() },
        "mvs" => params.row_sampling = RowSampling::Mvs { share: number() },
        "allrows" => params.row_sampling = RowSampling::All,
        "newton" => params.score = kaizen_trees::SplitScore::Newton,
        "shared" => {
            if let Objective::Softmax { shared, .. } = &mut params.objective {
                *shared = number() != 0.0;
            }
        }
        "orders" | "combine" | "borders" | "onehot" => {
            if let Categories::Ordered(ordered) = &mut params.categories {
                let field = match key {
                    "orders" => &mut ordered.permutations,
                    "combine" => &mut ordered.max_combination,
                    "borders" => &mut ordered.borders,
                    _ => &mut ordered.one_hot_levels,
                };
                *field = number() as u32;
            }
        }
        _ => panic!("unknown option {key}"),
    }
}
