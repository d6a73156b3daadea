//! Where a rule is broken on purpose.

use super::{Rule, Violation};

/// A place that may break a rule.
pub(crate) struct Exception {
    pub(crate) rule: Rule,
    /// The file, relative to the root.
    pub(crate) path: &'static str,
    /// A part of the message, so that only the intended violation passes; empty for any.
    pub(crate) part: &'static str,
    /// Why; shown in the report when the row is no longer needed.
    pub(crate) reason: &'static str,
}

/// Every exception of the repository.
pub(crate) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: Rule::FunctionSize,
        path: "crates/data/src/note.rs",
        part: "write_about_column",
        reason: "one arm for each note, each a sentence; cut in two, a reader would have to look in both",
    },
    Exception {
        rule: Rule::Wire,
        path: "crates/artifact/src/signature.rs",
        part: "",
        reason: "its structs are the format of bundle.json, beside the only code that reads them",
    },
    Exception {
        rule: Rule::Wire,
        path: "crates/transforms/src/dates/parts.rs",
        part: "",
        reason: "a closed list of names, and the names are the format",
    },
];

/// Removes what is excepted and adds the exceptions that nothing needs.
pub(crate) fn apply(violations: Vec<Violation>, exceptions: &[Exception]) -> Vec<Violation> {
    let mut used = vec![false; exceptions.len()];
    let mut left: Vec<Violation> = Vec::new();
    for violation in violations {
        let matching = exceptions.iter().position(|exception| {
            exception.rule == violation.rule
                && exception.path == violation.path
                && violation.message.contains(exception.part)
        });
        match matching {
            Some(index) => used[index] = true,
            None => left.push(violation),
        }
    }
    for (exception, _) in exceptions.iter().zip(used).filter(|(_, used)| !used) {
        let message = format!(
            "nothing breaks {:?} here any more ({}); remove the row",
            exception.rule, exception.reason
        );
        left.push(Violation::new(Rule::Exception, exception.path, 0, message));
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Exception =
        Exception { rule: Rule::FunctionSize, path: "a.rs", part: "`long`", reason: "a table" };

    #[test]
    fn a_row_lets_exactly_its_violation_pass() {
        let violations = || {
            vec![
                Violation::new(Rule::FunctionSize, "a.rs", 1, "`long` has 90 lines"),
                Violation::new(Rule::FunctionSize, "a.rs", 2, "`other` has 90 lines"),
                Violation::new(Rule::FileSize, "a.rs", 0, "`long`"),
                Violation::new(Rule::FunctionSize, "b.rs", 1, "`long` has 90 lines"),
            ]
        };
        assert_eq!(apply(violations(), &[]).len(), 4);
        let left = apply(violations(), &[ROW]);
        assert_eq!(left.iter().map(|violation| violation.line).collect::<Vec<_>>(), [2, 0, 1]);
    }

    #[test]
    fn a_row_that_nothing_needs_is_reported() {
        let left = apply(Vec::new(), &[ROW]);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].rule, Rule::Exception);
    }
}
