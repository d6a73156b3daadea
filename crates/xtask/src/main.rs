//! All automation of the repository, so that a contributor needs nothing but cargo.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a program for a terminal")]

mod bench;
mod ci;
mod docs;
mod fuzz;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "usage: cargo xtask COMMAND

  ci                              format, tidy, lints, docs and all tests: what CI runs, and nothing else
  tidy                            the house rules alone
  docs [--check]                  write the page of plug-ins, or find that it is stale
  fuzz [--seconds N] [--sanitizer NAME] [TARGET]
                                  feed the readers of foreign bytes with hostile ones (60 s each)
  bench [NAME [ARGS…]]            list or run the side-by-side benchmarks of benches/";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = root()?;
    match arguments.split_first() {
        Some((command, [])) if command == "ci" => ci::run(&root),
        Some((command, [])) if command == "tidy" => tidy::run(&root),
        Some((command, rest)) if command == "docs" => docs::run(&root, rest),
        Some((command, rest)) if command == "fuzz" => fuzz::run(&root, rest),
        Some((command, rest)) if command == "bench" => bench::run(&root, rest),
        _ => bail!("{USAGE}"),
    }
}

/// The root of the repository, two folders above this crate.
fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.ancestors().nth(2).context("the crate lies outside a repository")?.to_owned())
}
