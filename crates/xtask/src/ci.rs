//! The whole check, step by step; it stops at the first failure and says how to repeat it.
//!
//! Cheap steps come first. All steps share one profile and one target folder: lints and docs need only the metadata of
//! dependencies, which they share, and the tests compile everything once, in the profile `dev`, which is optimised.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

use crate::{docs, tidy};

/// A step that is a command.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
}

const FORMAT: Step = Step { name: "format", arguments: &["fmt", "--all", "--check"], environment: &[] };

const STEPS: &[Step] = &[
    Step {
        name: "lints",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "--deny",
            "warnings",
        ],
        environment: &[],
    },
    Step {
        name: "docs",
        arguments: &["doc", "--workspace", "--no-deps", "--locked", "--quiet"],
        environment: &[("RUSTDOCFLAGS", "--deny warnings")],
    },
    // Doctests too: `cargo test` without a choice of targets runs them last.
    Step { name: "tests", arguments: &["test", "--workspace", "--locked", "--quiet"], environment: &[] },
];

/// Runs every step.
///
/// # Errors
/// The first step that fails, with the command to repeat it.
pub(crate) fn run(root: &Path) -> Result<()> {
    let start = now();
    let format = now();
    run_step(root, &FORMAT)?;
    report(FORMAT.name, format);
    let tidy = now();
    tidy::run(root).context("tidy failed; repeat it with: cargo xtask tidy")?;
    report("tidy", tidy);
    for step in STEPS {
        let start = now();
        run_step(root, step)?;
        report(step.name, start);
    }
    let plugins = now();
    docs::run(root, &["--check".to_owned()]).context("the page of plug-ins is stale")?;
    report("plugins", plugins);
    report("all", start);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this prints how long a step took; no result depends on it")]
fn now() -> Instant {
    Instant::now()
}

fn report(name: &str, start: Instant) {
    eprintln!("ci: {name:<7} ok  {:>7.1} s", start.elapsed().as_secs_f64());
}

fn run_step(root: &Path, step: &Step) -> Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(step.arguments)
        .envs(step.environment.iter().copied())
        .current_dir(root)
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("{} failed; repeat it with: {}", step.name, command_line(step));
    }
    Ok(())
}

/// What to type to run a step alone.
fn command_line(step: &Step) -> String {
    let mut words: Vec<String> =
        step.environment.iter().map(|(name, value)| format!("{name}=\"{value}\"")).collect();
    words.push("cargo".to_owned());
    words.extend(step.arguments.iter().map(|&argument| argument.to_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_can_be_repeated_as_printed() {
        let docs = STEPS.iter().find(|step| step.name == "docs").unwrap();
        assert_eq!(
            command_line(docs),
            "RUSTDOCFLAGS=\"--deny warnings\" cargo doc --workspace --no-deps --locked --quiet"
        );
    }
}
