//! Words that stand for something else: a missing value, true, false.

/// What a spelling of a missing value can still be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MissingWord {
    /// Never anything but a missing value.
    Always,
    /// Missing among numbers and dates; among words it may be a level (`none` as in "no other debtors").
    Often,
}

/// Longest spelling in [`missing_word`].
const LONGEST: usize = 13;

/// Whether `cell` (trimmed, without regard to case) spells a missing value. Blank cells are not asked about here.
///
/// The list joins what pandas 3 takes for missing with what spreadsheets, databases and statistics programs write.
pub(crate) fn missing_word(cell: &[u8]) -> Option<MissingWord> {
    // Length and first byte decide for nearly every cell of a real table.
    if cell.len() > LONGEST
        || cell.len() >= 6 && matches!(cell[0], b'a'..=b'l' | b'o'..=b'z' | b'A'..=b'L' | b'O'..=b'Z')
        || !matches!(cell.first()?, b'a'..=b'z' | b'A'..=b'Z' | b'?' | b'-' | b'.' | b'#' | b'<' | b'\\' | b'1' | b'(' | b'[')
    {
        return None;
    }
    let mut lower = [0u8; LONGEST];
    let lower = &mut lower[..cell.len()];
    lower.copy_from_slice(cell);
    lower.make_ascii_lowercase();
    match &*lower {
        b"na" | b"n/a" | b"n.a." | b"n.a" | b"<na>" | b"#n/a" | b"#na" | b"#n/a n/a" | b"nan" | b"-nan"
        | b"null" | b"<null>" | b"(null)" | b"[null]" | b"\\n" | b"#div/0!" | b"#value!" | b"#ref!"
        | b"#name?" | b"#num!" | b"#null!" | b"1.#ind" | b"-1.#ind" | b"1.#qnan" | b"-1.#qnan" | b"nat"
        | b"?" | b"??" => Some(MissingWord::Always),
        b"none" | b"nil" | b"missing" | b"-" | b"--" | b"---" | b"." | b".." => Some(MissingWord::Often),
        _ => None,
    }
}

/// The truth value that `cell` (trimmed, without regard to case) spells; digits 0 and 1 count too.
pub(crate) fn truth_word(cell: &[u8]) -> Option<bool> {
    const LONGEST_TRUTH: usize = 5;
    if cell.len() > LONGEST_TRUTH {
        return None;
    }
    let mut lower = [0u8; LONGEST_TRUTH];
    let lower = &mut lower[..cell.len()];
    lower.copy_from_slice(cell);
    lower.make_ascii_lowercase();
    match &*lower {
        b"true" | b"t" | b"yes" | b"y" | b"on" | b"1" => Some(true),
        b"false" | b"f" | b"no" | b"n" | b"off" | b"0" => Some(false),
        _ => None,
    }
}

/// `cell` without ASCII white space and no-break spaces (U+00A0) at its ends.
#[inline]
pub(crate) fn trimmed(cell: &[u8]) -> &[u8] {
    // Nearly all cells begin and end with a letter or digit.
    match (cell.first(), cell.last()) {
        (Some(b'!'..=b'~'), Some(b'!'..=b'~')) | (None, None) => cell,
        _ => trimmed_slowly(cell),
    }
}

#[cold]
fn trimmed_slowly(mut cell: &[u8]) -> &[u8] {
    loop {
        let before = cell.len();
        cell = cell.trim_ascii();
        if let Some(rest) = cell.strip_prefix("\u{a0}".as_bytes()) {
            cell = rest;
        }
        if let Some(rest) = cell.strip_suffix("\u{a0}".as_bytes()) {
            cell = rest;
        }
        if cell.len() == before {
            return cell;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_without_regard_to_case() {
        for cell in ["NaN", "nan", "NA", "N/A", "null", "NULL", "?", "#N/A", "#DIV/0!", "n.a."] {
            assert_eq!(missing_word(cell.as_bytes()), Some(MissingWord::Always), "{cell}");
        }
        for cell in
            ["#VALUE!", "#NAME?", "<null>", "(NULL)", "[null]", "-1.#QNAN", "1.#IND", "#N/A N/A", "#NULL!"]
        {
            assert_eq!(missing_word(cell.as_bytes()), Some(MissingWord::Always), "{cell}");
        }
        for cell in ["None", "-", "--", "missing", "Missing"] {
            assert_eq!(missing_word(cell.as_bytes()), Some(MissingWord::Often), "{cell}");
        }
        for cell in ["", "0", "unknown", "nano", "-1", "+", "no"] {
            assert_eq!(missing_word(cell.as_bytes()), None, "{cell}");
        }
    }

    #[test]
    fn truth_has_many_spellings() {
        for (cell, truth) in [("TRUE", true), ("y", true), ("1", true), ("No", false), ("off", false)] {
            assert_eq!(truth_word(cell.as_bytes()), Some(truth), "{cell}");
        }
        assert_eq!(truth_word(b"maybe"), None);
        for (cell, bare) in [
            (" \u{a0}39 \t", "39"),
            ("a\u{a0} ", "a"),
            ("a b", "a b"),
            (" ", ""),
            ("", ""),
            ("é", "é"),
            ("à", "à"),
        ] {
            assert_eq!(trimmed(cell.as_bytes()), bare.as_bytes());
        }
    }
}
