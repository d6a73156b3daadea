//! Runs the side-by-side benchmarks: `benches/<name>/run`, from the root, with whatever arguments follow.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

/// Lists the benchmarks, or runs one.
///
/// # Errors
/// An unknown name, or a run that failed.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let names = names(&root.join("benches"))?;
    let Some((name, rest)) = arguments.split_first() else {
        eprintln!("benchmarks: {}", names.join(", "));
        return Ok(());
    };
    ensure!(names.contains(name), "no benchmark `{name}`; there are: {}", names.join(", "));
    let status = Command::new(root.join("benches").join(name).join("run"))
        .args(rest)
        .current_dir(root)
        .status()
        .with_context(|| format!("benches/{name}/run cannot be started"))?;
    if !status.success() {
        bail!("benches/{name}/run failed");
    }
    Ok(())
}

/// Folders that hold a file `run`, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let entry = entry?;
        if entry.path().join("run").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}
