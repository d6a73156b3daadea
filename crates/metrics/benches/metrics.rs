//! Times the paths that a search and a report wait for: `cargo bench -p kaizen-metrics`.
//!
//! Prints the median of interleaved runs in milliseconds.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::unwrap_used, reason = "a benchmark on bad input must stop")]

use std::hint::black_box;
use std::time::Instant;

use kaizen_base::Seed;
use kaizen_metrics::{Bootstrap, IntervalMethod, Scores, Truth, by_name, log_loss, rmse, roc_auc};

const RUNS: usize = 31;

type Job<'a> = Box<dyn Fn() -> f64 + 'a>;

fn main() {
    let mut rng = Seed(1).rng();
    let rows = 50_000;
    let positive: Vec<f64> = (0..rows).map(|_| rng.uniform()).collect();
    let labels: Vec<u32> = positive.iter().map(|p| u32::from(rng.uniform() < *p)).collect();
    let values: Vec<f64> = positive.iter().flat_map(|p| [1.0 - p, *p]).collect();
    let numbers: Vec<f64> = labels.iter().map(|&label| f64::from(label)).collect();
    let truth = Truth::classes(&labels[..rows / 2], 2).unwrap();
    let scores = Scores::probabilities(&values[..rows], 2).unwrap();
    let interval = |name: &'static str, method| {
        let (truth, scores) = (&truth, &scores);
        move || {
            let bootstrap = Bootstrap { replicates: 200, method, ..Bootstrap::new(Seed(2)) };
            bootstrap.interval(by_name(name).unwrap(), truth, scores, None).unwrap().low
        }
    };
    let jobs: Vec<(&str, Job<'_>)> = vec![
        ("log_loss, 50,000 rows", Box::new(|| log_loss(&labels, &values, 2).unwrap())),
        ("roc_auc, 50,000 rows", Box::new(|| roc_auc(&labels, &positive).unwrap())),
        ("rmse, 50,000 rows", Box::new(|| rmse(&numbers, &positive).unwrap())),
        ("roc_auc interval, 25,000 rows x 200", Box::new(interval("roc_auc", IntervalMethod::Percentile))),
        (
            "roc_auc interval BCa, 25,000 rows x 200",
            Box::new(interval("roc_auc", IntervalMethod::BiasCorrected)),
        ),
        ("log_loss interval, 25,000 rows x 200", Box::new(interval("log_loss", IntervalMethod::Percentile))),
        ("f1 interval, 25,000 rows x 200", Box::new(interval("f1", IntervalMethod::Percentile))),
    ];
    let mut times = vec![Vec::new(); jobs.len()];
    for _ in 0..RUNS {
        for ((_, job), times) in jobs.iter().zip(&mut times) {
            let start = Instant::now();
            black_box(job());
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    for ((name, _), times) in jobs.iter().zip(&mut times) {
        times.sort_unstable_by(f64::total_cmp);
        println!("{name:45} {:9.3} ms", times[RUNS / 2]);
    }
}
