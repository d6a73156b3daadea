//! Writes `docs/plugins.md` from the binary's own tables, or finds that the page is stale.
//!
//! The page is asked from `kaizen list --json`, so that it cannot say anything that the program does not know, and this
//! crate stays free of all others.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// The page, relative to the root.
const PAGE: &str = "docs/plugins.md";

const HEAD: &str = "# Plug-ins

Written by `cargo xtask docs` from the tables of the program; do not edit. Each row is one file and one line in a table:
[CONTRIBUTING.md](../CONTRIBUTING.md) says how to add one.
";

/// Writes the page, or with `--check` compares it.
///
/// # Errors
/// A stale page, or a binary that does not build or list.
pub(crate) fn run(root: &Path, arguments: &[String]) -> Result<()> {
    let check = match arguments {
        [] => false,
        [word] if word == "--check" => true,
        _ => bail!("usage: cargo xtask docs [--check]"),
    };
    let page = render(&listed(root)?)?;
    let path = root.join(PAGE);
    if !check {
        std::fs::write(&path, page).with_context(|| format!("{PAGE} cannot be written"))?;
        eprintln!("docs: {PAGE} written");
        return Ok(());
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(found == page, "{PAGE} is not what the tables say; run: cargo xtask docs");
    Ok(())
}

fn listed(root: &Path) -> Result<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--package", "kaizen-cli", "--", "list", "--json"])
        .current_dir(root)
        .output()
        .context("cargo cannot be started")?;
    ensure!(output.status.success(), "kaizen list failed: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("kaizen list --json wrote no JSON")
}

/// One section for each kind, in the order of the JSON's keys; one row for each plug-in, in the order of its table.
fn render(listed: &Value) -> Result<String> {
    let mut page = HEAD.to_owned();
    for (kind, rows) in listed.as_object().context("the list is no object")? {
        let rows = rows.as_array().with_context(|| format!("`{kind}` is no list"))?;
        write!(page, "\n## {}\n\n| name | what it does | source |\n|---|---|---|\n", capitalised(kind))?;
        for row in rows {
            let cell = |name: &str| -> Result<String> {
                let text = row[name].as_str().with_context(|| format!("a row of `{kind}` has no {name}"))?;
                Ok(text.replace('|', "\\|").replace('\n', " "))
            };
            writeln!(page, "| `{}` | {} | {} |", cell("name")?, cell("summary")?, cell("source")?)?;
        }
    }
    Ok(page)
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_is_a_table_in_its_own_order() {
        let row = |name: &str| json!({"name": name, "summary": "a|b", "source": "Who 2001"});
        let page = render(&json!({"learners": [row("zeta"), row("alpha")]})).unwrap();
        let tables = page.strip_prefix(HEAD).unwrap();
        assert_eq!(
            tables,
            "\n## Learners\n\n| name | what it does | source |\n|---|---|---|\n\
             | `zeta` | a\\|b | Who 2001 |\n| `alpha` | a\\|b | Who 2001 |\n"
        );
    }

    #[test]
    fn rows_without_a_source_are_refused() {
        assert!(render(&json!({"learners": [{"name": "a", "summary": "b"}]})).is_err());
        assert!(render(&json!([])).is_err());
    }
}
