//! Writes a csv of a given size, or reads one and says how long it took: the Rust half of `benches/data/run`.
//!
//! `read_csv generate PATH MEGABYTES` or `read_csv read PATH THREADS`

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use kaizen_base::Seed;
use kaizen_data::{ReadOptions, Source, read};

#[expect(clippy::print_stdout, reason = "this is a program for a terminal")]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate", path, megabytes] => generate(path.into(), megabytes.parse::<usize>()? << 20)?,
        ["read", path, threads] => {
            let start = Instant::now();
            let options = ReadOptions { threads: Some(threads.parse()?), ..ReadOptions::default() };
            let loaded = read(&Source::parse(path)?, &options)?;
            let seconds = start.elapsed().as_secs_f64();
            let table_bytes = loaded.table.size_bytes();
            println!(
                "{{\"seconds\": {seconds}, \"rows\": {}, \"columns\": {}, \"table_bytes\": {table_bytes}, \"peak_bytes\": {}}}",
                loaded.table.row_count(),
                loaded.table.columns().len(),
                peak_bytes()
            );
        }
        _ => return Err("usage: read_csv generate PATH MEGABYTES | read_csv read PATH THREADS".into()),
    }
    Ok(())
}

/// Integers, amounts, full-precision floats, categories, identifiers, dates, flags and missing cells, as in a log of
/// payments.
fn generate(path: PathBuf, size_bytes: usize) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut rng = Seed(1).child("csv", 0).rng();
    let header = "id,amount,score,z,city,user,day,ok,count,note\n";
    out.write_all(header.as_bytes())?;
    let mut written = header.len();
    let mut row = 0usize;
    while written < size_bytes {
        let count = if rng.below(20) == 0 { String::new() } else { rng.below(1000).to_string() };
        let note = match rng.below(4) {
            0 => format!("\"paid, {}\"", rng.below(50)),
            other => format!("note {other}"),
        };
        let line = format!(
            "{row},{}.{:02},{:.6},{:?},city {},u{:07},2024-{:02}-{:02},{},{count},{note}\n",
            rng.below(10_000),
            rng.below(100),
            rng.uniform(),
            rng.normal(),
            rng.below(300),
            rng.below(1_000_000),
            rng.below(12) + 1,
            rng.below(28) + 1,
            rng.below(2) == 1,
        );
        out.write_all(line.as_bytes())?;
        written += line.len();
        row += 1;
    }
    out.flush()
}

/// Peak memory of this process, where the system tells (Linux).
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}
