//! Trials a second of each sampler on a sphere that costs nothing: the engine's own time.
//!
//! Run with `cargo bench -p kaizen-search --bench trials`. Each line is the median of interleaved repetitions with the
//! smallest and largest beside it.

#![allow(clippy::print_stdout, reason = "a bench prints its table")]

use std::sync::Arc;

use kaizen_base::{ManualClock, Seed, Signal};
use kaizen_search::{Budget, MemoryJournal, Objective, Plan, Step, Study, samplers, schedulers};
use kaizen_space::{Param, Space};

/// (trials, dimensions) of each row.
const SIZES: [(u32, usize); 3] = [(1000, 5), (2000, 20), (8000, 5)];

const REPETITIONS: usize = 3;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:<8} {:>7} {:>5} {:>22} {:>12} {:>16}",
        "sampler", "trials", "dims", "seconds (min-max)", "trials/s", "last quarter µs"
    );
    for (trials, dims) in SIZES {
        let rows: Vec<&str> = samplers::SAMPLERS.iter().map(|row| row.card.name).collect();
        let mut times: Vec<Vec<(f64, f64)>> = vec![Vec::new(); rows.len()];
        for repetition in 0..REPETITIONS {
            for (row, name) in rows.iter().enumerate() {
                times[row].push(measure(name, trials, dims, repetition as u64)?);
            }
        }
        for (row, name) in rows.iter().enumerate() {
            times[row].sort_by(|a, b| a.0.total_cmp(&b.0));
            let (least, (median, tail), most) =
                (times[row][0].0, times[row][REPETITIONS / 2], times[row][REPETITIONS - 1].0);
            println!(
                "{name:<8} {trials:>7} {dims:>5} {:>22} {:>12.0} {:>16.1}",
                format!("{median:.4} ({least:.4}-{most:.4})"),
                f64::from(trials) / median,
                tail * 1e6 / f64::from(trials / 4),
            );
        }
    }
    Ok(())
}

/// Seconds of a whole study, and of its last quarter.
#[expect(clippy::disallowed_methods, reason = "a bench measures the wall")]
fn measure(
    sampler: &str,
    trials: u32,
    dims: usize,
    seed: u64,
) -> Result<(f64, f64), Box<dyn std::error::Error>> {
    let params = (0..dims).map(|index| Param::float(format!("x{index}"), -5.0, 5.0));
    let mut study = Study::new(Plan {
        space: Space::new(params.collect())?,
        objectives: vec![Objective::minimise("sphere", "")],
        sampler: samplers::by_name(sampler).ok_or("no such sampler")?,
        scheduler: schedulers::by_name("fifo").ok_or("no such scheduler")?,
        budget: Budget::trials(trials),
        seed: Seed(seed),
        journal: Box::new(MemoryJournal::default()),
        clock: Arc::new(ManualClock::new()),
        signal: Signal::new(),
    })?;
    let start = std::time::Instant::now();
    let mut tail_start = start;
    while let Step::Run(task) = study.ask()? {
        if task.trial.0 == trials - trials / 4 {
            tail_start = std::time::Instant::now();
        }
        let sphere: f64 = task.config.iter().map(|(name, _)| task.config.float(name)).map(|x| x * x).sum();
        study.report(task.trial, task.until, &[sphere], 0.0)?;
        study.leave(task.trial, Ok(()))?;
    }
    Ok((start.elapsed().as_secs_f64(), tail_start.elapsed().as_secs_f64()))
}
