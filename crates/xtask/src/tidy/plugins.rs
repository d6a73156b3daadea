//! Every plug-in has its row: a file that carries a card stands in the table of its folder.

use super::files::File;
use super::source::Source;
use super::{Rule, Violation};

/// A `const` table of plug-ins.
struct Table {
    /// The file that holds it; files below its folder are its plug-ins.
    path: &'static str,
    /// Its name.
    name: &'static str,
}

/// The tables of the workspace.
const TABLES: &[Table] = &[
    Table { path: "crates/learners/src/lib.rs", name: "LEARNERS" },
    Table { path: "crates/search/src/samplers/mod.rs", name: "SAMPLERS" },
    Table { path: "crates/search/src/schedulers/mod.rs", name: "SCHEDULERS" },
    Table { path: "crates/transforms/src/lib.rs", name: "TRANSFORMS" },
];

/// What a file with a plug-in holds.
const CARD: &str = "CARD: Card =";

/// Finds files with a card and without a row, and tables that have moved.
pub(crate) fn check(files: &[File]) -> Vec<Violation> {
    check_tables(files, TABLES)
}

fn check_tables(files: &[File], tables: &[Table]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for table in tables {
        let rows =
            files.iter().find(|file| file.path == table.path).and_then(|file| rows(&file.text, table.name));
        let Some(rows) = rows else {
            let message = format!(
                "the table `{}` is not here; tell crates/xtask/src/tidy/plugins.rs where it is",
                table.name
            );
            violations.push(Violation::new(Rule::Plugin, table.path, 0, message));
            continue;
        };
        let folder = table.path.trim_end_matches("lib.rs").trim_end_matches("mod.rs");
        for file in files.iter().filter(|file| file.path.starts_with(folder) && file.is_rust()) {
            let has_card = Source::new(&file.text).lines_with(CARD).next().is_some();
            let Some(module) = module_name(&file.path).filter(|_| has_card) else { continue };
            if !rows.contains(&format!("{module}::")) {
                let message = format!("has a card but no row in `{}` of {}", table.name, table.path);
                violations.push(Violation::new(Rule::Plugin, &file.path, 0, message));
            }
        }
    }
    violations
}

/// The code of a table, from its name to the end of its statement.
fn rows(text: &str, name: &str) -> Option<String> {
    let source = Source::new(text);
    let start = source
        .code
        .find(&format!("const {name}:"))
        .or_else(|| source.code.find(&format!("static {name}:")))?;
    let end = start + source.code[start..].find(';')?;
    Some(source.code[start..end].to_owned())
}

/// The module that a file is, with the one around it: `linear/ridge.rs` is `ridge`, `ridge/mod.rs` too.
fn module_name(path: &str) -> Option<&str> {
    let mut segments = path.trim_end_matches(".rs").rsplit('/');
    match segments.next()? {
        "mod" => segments.next(),
        name => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[Table] = &[Table { path: "crates/a/src/lib.rs", name: "ALL" }];
    const WITH_CARD: &str = "//! A.\nstatic CARD: Card = Card { name: \"a\" };\n";

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), text: text.to_owned() }
    }

    fn found(table: &str, others: &[(&str, &str)]) -> Vec<String> {
        let mut files = vec![file("crates/a/src/lib.rs", table)];
        files.extend(others.iter().map(|(path, text)| file(path, text)));
        check_tables(&files, TABLE).into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn a_card_without_a_row_is_found() {
        let table = "pub const ALL: &[&dyn A] = &[&x::one::One, &two::TWO];\nuse x::three::Three;";
        let one = ("crates/a/src/x/one.rs", WITH_CARD);
        let two = ("crates/a/src/two/mod.rs", WITH_CARD);
        let three = ("crates/a/src/x/three.rs", WITH_CARD);
        let plain = ("crates/a/src/x/affine.rs", "//! A.\nfn f(card: &Card) {}\n");
        let elsewhere = ("crates/b/src/four.rs", WITH_CARD);
        assert_eq!(found(table, &[one, two, plain, elsewhere]), Vec::<String>::new());
        assert_eq!(found(table, &[one, three]), ["crates/a/src/x/three.rs"]);
    }

    #[test]
    fn rows_in_comments_do_not_count() {
        let table = "const ALL: &[&dyn A] = &[\n // &one::One,\n];";
        assert_eq!(found(table, &[("crates/a/src/one.rs", WITH_CARD)]), ["crates/a/src/one.rs"]);
    }

    #[test]
    fn a_table_that_moved_is_reported() {
        assert_eq!(found("const OTHER: u8 = 1;", &[]), ["crates/a/src/lib.rs"]);
    }
}
