//! Writes a csv of a given size, or reads one and says how long it took: the Rust half of `benches/data/run`.
//!
//! `read_csv generate SHAPE PATH MEGABYTES` or `read_csv read PATH THREADS`; shapes are `payments` and `numbers`

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use kaizen_base::{Rng, Seed};
use kaizen_data::{ReadOptions, Source, read};

#[expect(clippy::print_stdout, reason = "this is a program for a terminal")]
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["generate", shape, path, megabytes] => {
            let size_bytes = megabytes.parse::<usize>()? << 20;
            match shape {
                "payments" => generate(path.into(), size_bytes, PAYMENTS, payment)?,
                "numbers" => generate(path.into(), size_bytes, NUMBERS, numbers)?,
                _ => return Err(format!("no shape `{shape}`; there are payments and numbers").into()),
            }
        }
        ["read", path, threads] => {
            let (start, cpu_before) = (Instant::now(), cpu_seconds());
            let options = ReadOptions { threads: Some(threads.parse()?), ..ReadOptions::default() };
            let loaded = read(&Source::parse(path)?, &options)?;
            let (seconds, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - cpu_before);
            let table_bytes = loaded.table.size_bytes();
            println!(
                "{{\"seconds\": {seconds}, \"cpu_seconds\": {cpu}, \"rows\": {}, \"columns\": {}, \"table_bytes\": {table_bytes}, \"peak_bytes\": {}}}",
                loaded.table.row_count(),
                loaded.table.columns().len(),
                peak_bytes()
            );
        }
        _ => return Err("usage: read_csv generate SHAPE PATH MEGABYTES | read_csv read PATH THREADS".into()),
    }
    Ok(())
}

/// Writes rows until there are `size_bytes`; the same ones each time.
fn generate(
    path: PathBuf,
    size_bytes: usize,
    header: &str,
    line: impl Fn(usize, &mut Rng) -> String,
) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    let mut rng = Seed(1).child("csv", 0).rng();
    out.write_all(header.as_bytes())?;
    let mut written = header.len();
    let mut row = 0;
    while written < size_bytes {
        let line = line(row, &mut rng);
        out.write_all(line.as_bytes())?;
        written += line.len();
        row += 1;
    }
    out.flush()
}

const PAYMENTS: &str = "id,amount,score,z,city,user,day,ok,count,note\n";

/// Integers, amounts, full-precision floats, categories, a million users, dates, flags and missing cells, as in a log
/// of payments.
fn payment(row: usize, rng: &mut Rng) -> String {
    let count = if rng.below(20) == 0 { String::new() } else { rng.below(1000).to_string() };
    let note = match rng.below(4) {
        0 => format!("\"paid, {}\"", rng.below(50)),
        other => format!("note {other}"),
    };
    format!(
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
    )
}

const NUMBERS: &str = "a,b,c,d,e,f,g,h,i,j,k,l\n";

/// Counts, measurements of four digits, full-precision floats and missing cells, as sensors write them.
fn numbers(_: usize, rng: &mut Rng) -> String {
    let cells: Vec<String> = (0..12)
        .map(|column| match column % 4 {
            0 => rng.below(100_000).to_string(),
            1 => format!("{:.4}", rng.normal() * 100.0),
            2 => format!("{:?}", rng.normal()),
            _ if rng.below(10) == 0 => String::new(),
            _ => format!("{:.1}", rng.uniform() * 50.0),
        })
        .collect();
    cells.join(",") + "\n"
}

/// Processor time of this process on all its threads, in seconds, where the system tells (Linux, in ticks of 10 ms).
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is the program's name in brackets; user and system time are the 14th and 15th.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(11);
    fields.take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Peak memory of this process, where the system tells (Linux).
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}
