//! Runs the targets of `fuzz/` for a while each and prints how many inputs they survived.
//!
//! cargo-fuzz asks for a nightly compiler; `RUSTC_BOOTSTRAP=1` makes the stable one take its flags. Overflows and
//! failed assertions end a run, and so do hangs and too much memory. There is no sanitizer unless one is asked for: the
//! code that reads foreign bytes is safe Rust, and without one a run builds faster and sees several times the inputs.
//! `--sanitizer address` watches the C and the unsafe code of dependencies as well.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// Seconds for one target unless told otherwise.
const DEFAULT_SECONDS: u32 = 60;
/// Seconds after which one input counts as a hang.
const INPUT_SECONDS_MAX: u32 = 20;
/// Memory of one run in MiB; an input that needs more has found an allocation that nothing checked.
const MEMORY_MIB_MAX: u32 = 4096;
/// Bytes of one input: of text, whose readers cut it so often under a fuzzer that short ones show all, and of others.
const TEXT_BYTES_MAX: u32 = 1 << 12;
const INPUT_BYTES_MAX: u32 = 1 << 16;
/// The targets that read text.
const TEXTS: [&str; 2] = ["csv", "json_lines"];
/// What `--sanitizer` takes.
const SANITIZERS: [&str; 2] = ["none", "address"];
/// Folders whose files are good beginnings, for the targets that can read them; what is not there is left out.
const SHARED_SEEDS: [(&str, &[&str]); 3] = [
    ("csv", &["data", "../shared/data/dirty"]),
    ("parquet", &["crates/data/tests/fixtures"]),
    ("xlsx", &["crates/data/tests/fixtures"]),
];

#[derive(Debug, PartialEq, Eq)]
struct Request {
    seconds: u32,
    sanitizer: String,
    target: Option<String>,
}

/// Runs one target or all of them.
///
/// # Errors
/// An input that made a target fail (it is kept under `fuzz/artifacts`), or cargo-fuzz missing.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let request = parse(arguments)?;
    let all = targets(&root.join("fuzz").join("fuzz_targets"))?;
    let chosen = match &request.target {
        Some(target) => {
            ensure!(all.contains(target), "no fuzz target `{target}`; there are: {}", all.join(", "));
            vec![target.clone()]
        }
        None => all,
    };
    let installed = Command::new(env!("CARGO")).args(["fuzz", "--version"]).stdout(Stdio::null()).status();
    ensure!(
        installed.is_ok_and(|status| status.success()),
        "cargo-fuzz is missing; install it with: cargo install cargo-fuzz --version 0.13.2 --locked"
    );
    let mut rows = Vec::new();
    for target in &chosen {
        let executions = run_target(root, target, &request)?;
        rows.push(format!("{target:<16} {executions:>12} inputs in {} s, no failure", request.seconds));
    }
    println!("{}", rows.join("\n"));
    Ok(())
}

fn parse(arguments: &[String]) -> Result<Request> {
    let mut request = Request { seconds: DEFAULT_SECONDS, sanitizer: SANITIZERS[0].to_owned(), target: None };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--seconds" {
            let value = arguments.next().context("--seconds needs a number")?;
            request.seconds =
                value.parse().with_context(|| format!("--seconds {value} is no whole number"))?;
        } else if argument == "--sanitizer" {
            let value = arguments.next().context("--sanitizer needs a name")?;
            ensure!(SANITIZERS.contains(&value.as_str()), "--sanitizer is one of: {}", SANITIZERS.join(", "));
            request.sanitizer.clone_from(value);
        } else if argument.starts_with('-') || request.target.is_some() {
            bail!(
                "usage: cargo xtask fuzz [--seconds N] [--sanitizer NAME] [TARGET]; `{argument}` is one too many"
            );
        } else {
            request.target = Some(argument.clone());
        }
    }
    Ok(request)
}

/// Names of the files in the folder of targets, sorted.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn run_target(root: &Path, target: &str, request: &Request) -> Result<u64> {
    let seconds = request.seconds;
    eprintln!("fuzz: {target} for {seconds} s");
    let mut command = Command::new(env!("CARGO"));
    command.args(["fuzz", "run", "--sanitizer", &request.sanitizer, target]);
    // New inputs go to the first folder; the seeds are only read.
    let corpus = root.join("fuzz").join("corpus").join(target);
    std::fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
    command.arg(&corpus);
    let seeds = root.join("fuzz").join("seeds").join(target);
    let shared = SHARED_SEEDS.iter().filter(|(name, _)| *name == target).flat_map(|(_, folders)| *folders);
    command.args([seeds].into_iter().chain(shared.map(|folder| root.join(folder))).filter(|it| it.is_dir()));
    command.arg("--");
    let dictionary = root.join("fuzz").join("dictionaries").join(format!("{target}.dict"));
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-rss_limit_mb={MEMORY_MIB_MAX}"),
        format!("-max_len={}", if TEXTS.contains(&target) { TEXT_BYTES_MAX } else { INPUT_BYTES_MAX }),
        "-print_final_stats=1".to_owned(),
    ]);
    let mut child = command
        .env("RUSTC_BOOTSTRAP", "1")
        // Inputs are small: one thread reads them fastest, and always in the same way.
        .env("RAYON_NUM_THREADS", "1")
        .current_dir(root)
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo fuzz cannot be started")?;
    let log = child.stderr.take().context("cargo fuzz has no standard error")?;
    let mut count = None;
    for line in BufReader::new(log).split(b'\n') {
        let line = line.context("the output of cargo fuzz cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        count = count.or_else(|| executions(&line));
    }
    if !child.wait()?.success() {
        bail!("{target} failed; the input is under fuzz/artifacts/{target}");
    }
    count.with_context(|| format!("{target} did not print its statistics"))
}

/// libFuzzer's count of inputs, if this line tells it.
fn executions(line: &str) -> Option<u64> {
    line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Option<Request> {
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        parse(&arguments).ok()
    }

    #[test]
    fn arguments_come_in_any_order() {
        let expected =
            Request { seconds: 5, sanitizer: "address".to_owned(), target: Some("csv".to_owned()) };
        assert_eq!(parsed(&["--seconds", "5", "--sanitizer", "address", "csv"]), Some(expected));
        assert_eq!(parsed(&["csv", "--seconds", "5"]).map(|request| request.seconds), Some(5));
        let usual = Request { seconds: DEFAULT_SECONDS, sanitizer: "none".to_owned(), target: None };
        assert_eq!(parsed(&[]), Some(usual));
        for wrong in
            [&["--seconds"][..], &["--seconds", "x"], &["a", "b"], &["--fast"], &["--sanitizer", "x"]]
        {
            assert_eq!(parsed(wrong), None);
        }
    }

    #[test]
    fn the_count_is_read_from_the_statistics() {
        assert_eq!(executions("stat::number_of_executed_units: 1234"), Some(1234));
        assert_eq!(executions("stat::average_exec_per_sec:      5"), None);
    }
}
