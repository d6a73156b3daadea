//! How long one row takes through a saved model: `cargo run --release -p kaizen-engine --example latency MODEL DATA`.
//!
//! Rows are read by the model's schema, then predicted one at a time on one thread; printed are the median and the
//! 99th percentile in microseconds.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, bail};
use kaizen_data::{ReadOptions, Source};
use kaizen_engine::LoadedModel;

/// Rows taken in turn, and predictions made in all.
const ROWS: u32 = 200;
const CALLS: usize = 4_000;

#[expect(clippy::disallowed_methods, reason = "measuring time is what this program is for")]
#[expect(clippy::print_stdout, reason = "a program that prints its figure")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data] = arguments.as_slice() else { bail!("usage: latency MODEL DATA") };
    let model = LoadedModel::open(Path::new(model))?;
    let source = Source::parse(data)?;
    let table = kaizen_data::read_as(&source, &model.manifest.inputs, &ReadOptions::default())?.table;
    let rows: Vec<_> = (0..ROWS.min(table.row_count() as u32)).map(|row| table.take(&[row])).collect();
    let mut microseconds = Vec::with_capacity(CALLS);
    for call in 0..CALLS {
        let start = Instant::now();
        model.predict_table(&rows[call % rows.len()])?;
        microseconds.push(start.elapsed().as_secs_f64() * 1e6);
    }
    microseconds.sort_by(f64::total_cmp);
    let at = |share: f64| microseconds[(share * (CALLS - 1) as f64) as usize];
    let p50 = microseconds.get(CALLS / 2).context("no call was made")?;
    println!("one row: p50 {p50:.1} µs, p99 {:.1} µs over {CALLS} calls", at(0.99));
    Ok(())
}
