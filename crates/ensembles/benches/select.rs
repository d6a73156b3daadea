//! Times the choice of an ensemble: `cargo bench -p kaizen-ensembles`.
//!
//! 60 candidates on 50,000 rows, 50 greedy steps without early stop; then 60 candidates on 1,000 rows with bags and
//! cross-fit. Prints the median of interleaved runs in milliseconds.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark on bad input must stop")]

use std::hint::black_box;
use std::time::Instant;

use kaizen_base::{Seed, math};
use kaizen_ensembles::{Candidate, Outputs, Pool, Settings, select};
use kaizen_metrics::{Truth, by_name};

const RUNS: usize = 5;
const MODELS: usize = 60;

fn main() {
    let mut rng = Seed(1).rng();
    let rows = 50_000;
    let signal: Vec<f64> = (0..rows).map(|_| rng.normal()).collect();
    let labels: Vec<u32> = signal.iter().map(|s| u32::from(rng.uniform() < math::sigmoid(*s))).collect();
    let probabilities: Vec<Vec<f64>> = (0..MODELS)
        .map(|_| {
            let column = signal.iter().flat_map(|s| {
                let p = math::sigmoid(s + 0.8 * rng.normal());
                [1.0 - p, p]
            });
            column.collect()
        })
        .collect();
    let numbers: Vec<Vec<f64>> =
        (0..MODELS).map(|_| signal.iter().map(|s| s + 0.8 * rng.normal()).collect()).collect();
    let large = Settings { patience: usize::MAX, ..Settings::for_rows(rows, Seed(1)) };
    let small = Settings::for_rows(1_000, Seed(1));
    let cases = [
        ("log_loss", rows, &large),
        ("roc_auc", rows, &large),
        ("rmse", rows, &large),
        ("brier", rows, &large),
        ("log_loss", 1_000, &small),
        ("roc_auc", 1_000, &small),
        ("rmse", 1_000, &small),
        ("accuracy", 1_000, &small),
    ];
    let mut times = vec![Vec::new(); cases.len()];
    for _ in 0..RUNS {
        for ((name, rows, settings), times) in cases.iter().zip(&mut times) {
            let is_regression = *name == "rmse";
            let truth = if is_regression {
                Truth::values(&signal[..*rows]).unwrap()
            } else {
                Truth::classes(&labels[..*rows], 2).unwrap()
            };
            let (columns, outputs) = if is_regression {
                (&numbers, Outputs::Values)
            } else {
                (&probabilities, Outputs::Probabilities(2))
            };
            let width = if is_regression { 1 } else { 2 };
            let start = Instant::now();
            let candidates = columns
                .iter()
                .map(|column| Candidate { predictions: &column[..rows * width], cost: 1.0 })
                .collect();
            let pool = Pool::new(&truth, outputs, candidates, None, by_name(name).unwrap()).unwrap();
            black_box(select(&pool, settings).unwrap());
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    for ((name, rows, _), times) in cases.iter().zip(&mut times) {
        times.sort_unstable_by(f64::total_cmp);
        println!("{name:10} {rows:6} rows x {MODELS} {:9.1} ms", times[RUNS / 2]);
    }
}
