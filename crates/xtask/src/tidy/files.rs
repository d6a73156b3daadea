//! Rules that look at one file.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::source::Source;
use super::{Rule, Violation};

/// Lines of a file besides its unit tests (STYLE.md, "Size").
const FILE_LINES_MAX: usize = 600;
/// Lines of a function (STYLE.md, "Size").
const FUNCTION_LINES_MAX: usize = 70;
/// Names that say nothing (STYLE.md, "Names").
const BANNED_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "manager", "managers", "common", "misc", "core"];
/// Endings of files that are read as text.
const TEXT_ENDINGS: &[&str] = &["rs", "toml", "md", "py", "sh", "yml", "yaml", "json", "html", "css", "js"];

/// A file of the repository.
pub(crate) struct File {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    /// Its text; empty for endings that are not text.
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        has_ending(&self.path, "rs")
    }

    /// Whether it belongs to a crate's own code and not to its tests.
    fn is_product(&self) -> bool {
        !self.path.split('/').any(|folder| folder == "tests")
    }
}

fn has_ending(path: &str, ending: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == ending)
}

/// Every file that git tracks or would track.
pub(crate) fn tracked(root: &Path) -> Result<Vec<File>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("git cannot be started")?;
    ensure!(listed.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).context("a path is not UTF-8")?;
    let mut files = Vec::new();
    for path in listed.split('\0').filter(|path| !path.is_empty()) {
        // A file that was deleted but is still in the index has nothing to check.
        if !root.join(path).is_file() {
            continue;
        }
        let is_text = TEXT_ENDINGS.iter().any(|ending| has_ending(path, ending));
        let text = if is_text {
            std::fs::read_to_string(root.join(path)).with_context(|| format!("{path} cannot be read"))?
        } else {
            String::new()
        };
        files.push(File { path: path.to_owned(), text });
    }
    Ok(files)
}

/// All rules for one file.
pub(crate) fn check(file: &File) -> Vec<Violation> {
    let mut violations: Vec<Violation> = check_path_names(&file.path).into_iter().collect();
    violations.extend(check_machine_paths(file));
    if file.is_rust() {
        let source = Source::new(&file.text);
        violations.extend(check_names(&file.path, &source));
        violations.extend(check_unfinished(&file.path, &source));
        if file.is_product() {
            violations.extend(check_sizes(&file.path, &source));
            violations.extend(check_module_doc(file));
            violations.extend(check_wire(&file.path, &source));
        }
    }
    violations
}

fn check_path_names(path: &str) -> Option<Violation> {
    let stem = |segment: &str| segment.split('.').next().unwrap_or_default().to_owned();
    let banned = path.split('/').map(stem).find(|name| BANNED_NAMES.contains(&name.as_str()))?;
    let message = format!("`{banned}` says nothing of what is in it; name the thing");
    Some(Violation::new(Rule::Name, path, 0, message))
}

fn check_names(path: &str, source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    for keyword in ["mod", "struct", "enum", "trait", "type"] {
        for (name, line) in source.named(keyword) {
            if let Some(word) = words(&name).into_iter().find(|word| BANNED_NAMES.contains(&word.as_str())) {
                let message = format!("`{name}`: `{word}` says nothing of what it is; name the thing");
                violations.push(Violation::new(Rule::Name, path, line, message));
            }
        }
    }
    violations
}

/// The words of a `snake_case` or `CamelCase` name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for letter in name.chars() {
        let starts_word = letter == '_' || letter.is_uppercase();
        if starts_word && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

fn check_unfinished(path: &str, source: &Source) -> Vec<Violation> {
    // The words that this check looks for: they stand in strings, nothing here is unfinished or ignored.
    let banned = [
        ("#[ignore", "an ignored test proves nothing; mend it or assert today's behaviour with a note"),
        ("todo!(", "stubs do not ship"),
        ("unimplemented!(", "stubs do not ship"),
    ];
    let mut violations = Vec::new();
    for (needle, why) in banned {
        for line in source.lines_with(needle) {
            violations.push(Violation::new(Rule::Unfinished, path, line, format!("`{needle}`: {why}")));
        }
    }
    violations
}

/// Formats are structs of their own, in files called `wire.rs`: then no change of an inner type changes a file.
fn check_wire(path: &str, source: &Source) -> Vec<Violation> {
    if path.ends_with("/wire.rs") {
        return Vec::new();
    }
    let message = "derives `Serialize`; formats are structs of their own in a file `wire.rs`";
    let lines = source.code.lines().zip(1..source.tests_line);
    lines
        .filter(|(line, _)| line.contains("derive(") && line.contains("Serialize"))
        .map(|(_, number)| Violation::new(Rule::Wire, path, number, message))
        .collect()
}

fn check_sizes(path: &str, source: &Source) -> Vec<Violation> {
    let mut violations = Vec::new();
    if source.line_count() > FILE_LINES_MAX {
        let message = format!(
            "{} lines besides tests, the limit is {FILE_LINES_MAX}; split by the algorithm's own nouns",
            source.line_count()
        );
        violations.push(Violation::new(Rule::FileSize, path, 0, message));
    }
    for function in source.functions() {
        if function.line < source.tests_line && function.line_count > FUNCTION_LINES_MAX {
            let message = format!(
                "`{}` has {} lines, the limit is {FUNCTION_LINES_MAX}; move plain steps into functions of their own",
                function.name, function.line_count
            );
            violations.push(Violation::new(Rule::FunctionSize, path, function.line, message));
        }
    }
    violations
}

fn check_module_doc(file: &File) -> Option<Violation> {
    let mut lines = file.text.lines().skip_while(|line| line.starts_with("#![") || line.trim().is_empty());
    let has_doc = lines.next().is_some_and(|line| line.starts_with("//!"));
    let message = "starts without `//!`; say what this is, what it is not, and its source";
    (!has_doc).then(|| Violation::new(Rule::ModuleDoc, &file.path, 1, message))
}

/// Starts of paths that exist on one machine only. Pieces are joined here, so that this file does not break its rule.
fn machine_paths() -> [String; 4] {
    [("/ho", "me/"), ("/Us", "ers/"), ("/ro", "ot/"), ("/wo", "rk/")].map(|(a, b)| format!("{a}{b}"))
}

fn check_machine_paths(file: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        for start in machine_paths() {
            let is_path = line.match_indices(&start).any(|(position, _)| {
                // A folder of that name further down, or behind a host, is no absolute path.
                line[..position].chars().next_back().is_none_or(|before| !is_path_character(before))
            });
            if is_path {
                let message =
                    format!("`{start}…` exists on one machine only; use a path relative to the manifest");
                violations.push(Violation::new(Rule::MachinePath, &file.path, index + 1, message));
            }
        }
    }
    violations
}

fn is_path_character(letter: char) -> bool {
    letter.is_alphanumeric() || "._-~}/*".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_rules(path: &str, text: &str, expected: &[(Rule, usize)]) {
        let found = check(&File { path: path.to_owned(), text: text.to_owned() });
        let found: Vec<(Rule, usize)> =
            found.iter().map(|violation| (violation.rule, violation.line)).collect();
        assert_eq!(found, expected, "{path}");
    }

    #[test]
    fn a_clean_file_passes() {
        check_rules("crates/a/src/lib.rs", "//! A.\n\nfn f() {}\n", &[]);
        check_rules("crates/a/src/lib.rs", "#![no_std]\n\n//! A.\n", &[]);
    }

    #[test]
    fn long_files_and_functions_are_found() {
        let filler = "x;\n".repeat(FUNCTION_LINES_MAX - 1);
        let text = format!("//! A.\nfn f() {{\n{filler}}}\n");
        check_rules("a.rs", &text, &[(Rule::FunctionSize, 2)]);
        let text = format!("//! A.\n#[cfg(test)]\nmod tests {{\nfn f() {{\n{filler}}}\n}}\n");
        check_rules("a.rs", &text, &[]);
        let text = format!("//! A.\n{}", "// x\n".repeat(FILE_LINES_MAX));
        check_rules("a.rs", &text, &[(Rule::FileSize, 0)]);
        check_rules("crates/a/tests/it/main.rs", &text, &[]);
    }

    #[test]
    fn stubs_and_ignored_tests_are_found_in_code_only() {
        // Sources made up for the check, in strings: two that it must refuse, and a string within a string that it must not.
        check_rules("a.rs", "//! todo!()\nfn f() {\n todo!()\n}\n", &[(Rule::Unfinished, 3)]);
        check_rules("a.rs", "//! A.\n#[ignore = \"slow\"]\nfn f() {}\n", &[(Rule::Unfinished, 2)]);
        check_rules("a.rs", "//! A.\nconst A: &str = \"unimplemented!(\";\n", &[]);
    }

    #[test]
    fn names_that_say_nothing_are_found_wherever_they_stand() {
        check_rules("crates/a/src/utils.rs", "//! A.\n", &[(Rule::Name, 0)]);
        check_rules("crates/a/tests/common/mod.rs", "//! A.\n", &[(Rule::Name, 0)]);
        check_rules("a.rs", "//! A.\nstruct TrialManager;\n", &[(Rule::Name, 2)]);
        check_rules("a.rs", "//! A.\nmod io_helper {}\n", &[(Rule::Name, 2)]);
        check_rules("a.rs", "//! A.\nstruct Score;\nstruct Scores;\nfn core_count() {}\n", &[]);
    }

    #[test]
    fn words_split_at_case_and_underscore() {
        assert_eq!(words("TrialManager"), ["trial", "manager"]);
        assert_eq!(words("__io_helper"), ["io", "helper"]);
    }

    #[test]
    fn formats_live_in_wire_files() {
        let text = "//! A.\n#[derive(Clone, Serialize)]\nstruct A;\n";
        check_rules("crates/a/src/b.rs", text, &[(Rule::Wire, 2)]);
        check_rules("crates/a/src/wire.rs", text, &[]);
        let in_tests = format!("//! A.\n#[cfg(test)]\nmod tests {{\n{text}}}\n");
        check_rules("crates/a/src/b.rs", &in_tests, &[]);
    }

    #[test]
    fn every_file_starts_with_its_doc() {
        check_rules("a.rs", "use b;\n//! A.\n", &[(Rule::ModuleDoc, 1)]);
        check_rules("a.rs", "", &[(Rule::ModuleDoc, 1)]);
        check_rules("crates/a/tests/it/b.rs", "use b;\n", &[]);
    }

    #[test]
    fn paths_of_a_machine_are_found() {
        let [home, _, _, work] = machine_paths();
        check_rules("a.md", &format!("x\nsee `{home}me/x`\n"), &[(Rule::MachinePath, 2)]);
        check_rules("a.rs", &format!("//! A.\nconst A: &str = \"{work}x\";\n"), &[(Rule::MachinePath, 2)]);
        check_rules("a.md", &format!("https://example.org{home}x and docs{work}x\n"), &[]);
    }
}
