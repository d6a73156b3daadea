//! House rules that the compiler does not know, each with its reason in the message.
//!
//! A rule that has to be broken somewhere has a row in [`exceptions::EXCEPTIONS`]; a row that is no longer needed is a
//! violation too, so the table only holds what is true today.

mod exceptions;
mod files;
mod licence;
mod plugins;
mod source;
mod workspace;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

/// Which rule was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Dependencies go down, and heavy ones stay where they belong.
    Floor,
    /// Licences allow shipping.
    Licence,
    /// Manifests say what their crate is.
    Description,
    /// Files end somewhere.
    FileSize,
    /// Functions fit on a screen.
    FunctionSize,
    /// Every file says what it is.
    ModuleDoc,
    /// Names say what a thing is.
    Name,
    /// Every plug-in has its row.
    Plugin,
    /// Inner types are not formats.
    Wire,
    /// No stubs, no ignored tests.
    Unfinished,
    /// No paths of somebody's machine.
    MachinePath,
    /// The table of exceptions is true.
    Exception,
}

/// One broken rule at one place.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    /// From 1; 0 for the whole file.
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl Violation {
    pub(crate) fn new(rule: Rule, path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { rule, path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {:?}: {}", self.path, self.rule, self.message),
            line => write!(f, "{}:{line}: {:?}: {}", self.path, self.rule, self.message),
        }
    }
}

/// Checks the whole repository.
///
/// # Errors
/// If a rule is broken, after printing each place; or if files or `cargo metadata` cannot be read.
pub(crate) fn run(root: &Path) -> Result<()> {
    let files = files::tracked(root)?;
    let mut violations = workspace::check(root)?;
    for file in &files {
        violations.extend(files::check(file));
    }
    violations.extend(plugins::check(&files));
    let left = exceptions::apply(violations, exceptions::EXCEPTIONS);
    for violation in &left {
        eprintln!("{violation}");
    }
    if left.is_empty() {
        eprintln!("tidy: {} files keep the rules", files.len());
        Ok(())
    } else {
        bail!(
            "{} places break the rules of STYLE.md; mend them, or add a row with a reason to crates/xtask/src/tidy/exceptions.rs",
            left.len()
        );
    }
}
