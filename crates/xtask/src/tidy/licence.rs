//! Licence expressions of dependencies (SPDX 3, annex "SPDX license expressions", without `+` and references).

/// Licences under which Kaizen may ship a dependency: permissive, and the weak copyleft of one file (MPL).
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether a licence expression can be met with allowed licences alone.
pub(crate) fn is_allowed(expression: &str) -> bool {
    // Old manifests write `MIT/Apache-2.0` for "or".
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, position: 0 };
    parser.alternatives() == Some(true) && parser.position == words.len()
}

struct Parser<'a> {
    words: &'a [&'a str],
    position: usize,
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Option<bool> {
        let mut allowed = self.conjunction()?;
        while self.take("OR") {
            // Both sides are parsed whatever the first says.
            let other = self.conjunction()?;
            allowed |= other;
        }
        Some(allowed)
    }

    fn conjunction(&mut self) -> Option<bool> {
        let mut allowed = self.licence()?;
        while self.take("AND") {
            let other = self.licence()?;
            allowed &= other;
        }
        Some(allowed)
    }

    fn licence(&mut self) -> Option<bool> {
        if self.take("(") {
            let allowed = self.alternatives()?;
            return self.take(")").then_some(allowed);
        }
        let word = *self.words.get(self.position)?;
        if matches!(word, ")" | "OR" | "AND" | "WITH") {
            return None;
        }
        self.position += 1;
        if self.take("WITH") {
            let exception = *self.words.get(self.position)?;
            self.position += 1;
            return Some(ALLOWED.contains(&format!("{word} WITH {exception}").as_str()));
        }
        Some(ALLOWED.contains(&word))
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.get(self.position) == Some(&word);
        self.position += usize::from(found);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allowed_way_is_enough_and_all_parts_are_needed() {
        for good in [
            "MIT",
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "MIT AND (GPL-3.0 OR AGPL-3.0)",
            "Apache-2.0 WITH Other-exception",
            "MIT OR",
            "(MIT",
            "MIT Apache-2.0",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
