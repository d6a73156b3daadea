//! Numbers and names as a person would write them; the same words in the terminal, in pages and in sentences.

/// Longest column name or cell shown whole.
const SHOWN_CHARACTERS: usize = 48;

/// `text` on one line, control characters made visible, cut to `limit` characters with an ellipsis.
///
/// A cell may hold a megabyte or an escape sequence that repaints a terminal; neither gets through.
///
/// ```
/// assert_eq!(kaizen_inspect::shorten("a\tb\u{1b}[31m", 10), "a b·[31m");
/// assert_eq!(kaizen_inspect::shorten("abcdef", 4), "abc…");
/// ```
pub fn shorten(text: &str, limit: usize) -> String {
    let mut short = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == limit {
            short.pop();
            short.push('…');
            break;
        }
        short.push(match character {
            '\n' | '\r' | '\t' => ' ',
            // Marks that turn the reading direction can make a name read as another one.
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '·',
            other if other.is_control() => '·',
            other => other,
        });
    }
    short
}

/// A name in backticks, short enough for a sentence.
pub(crate) fn name(text: &str) -> String {
    if text.trim().is_empty() {
        return NAMELESS.to_owned();
    }
    format!("`{}`", shorten(text, SHOWN_CHARACTERS))
}

/// What stands for a column whose header is empty.
const NAMELESS: &str = "(no name)";

/// A column's name for a table, or what stands for none.
pub fn shown_name(text: &str) -> &str {
    if text.trim().is_empty() { NAMELESS } else { text }
}

/// A name as one word of a command line: quoted where a shell would split or expand it.
pub fn argument(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/');
    let shown = shorten(text, 200);
    if !shown.is_empty() && shown.chars().all(plain) {
        shown
    } else {
        format!("'{}'", shown.replace('\'', "'\\''"))
    }
}

/// The pronoun for a number of things.
pub(crate) fn it(count: usize) -> &'static str {
    if count == 1 { "it" } else { "them" }
}

/// A verb for a number of things: `1 row repeats`, `2 rows repeat`.
pub(crate) fn verb(count: usize, one: &'static str, more: &'static str) -> &'static str {
    if count == 1 { one } else { more }
}

/// Up to four names and how many more there are.
pub(crate) fn names(all: &[&str]) -> String {
    const SHOWN: usize = 4;
    let mut text = all.iter().take(SHOWN).map(|each| name(each)).collect::<Vec<_>>().join(", ");
    if all.len() > SHOWN {
        text += " and ";
        text += &count(all.len() - SHOWN);
        text += " more";
    }
    text
}

/// An integer with a comma between groups of three digits.
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2,000 rows`.
pub fn counted(value: usize, noun: &str) -> String {
    let plural = match noun {
        "class" => "classes",
        _ => "",
    };
    match (value, plural) {
        (1, _) => format!("1 {noun}"),
        (_, "") => format!("{} {noun}s", count(value)),
        _ => format!("{} {plural}", count(value)),
    }
}

/// A share as a percentage with as many digits as it needs.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value == 0.0 || value >= 99.95 && share < 1.0 {
        return if share == 0.0 { "0 %".to_owned() } else { "> 99.9 %".to_owned() };
    }
    if value < 0.01 {
        "< 0.01 %".to_owned()
    } else if value < 1.0 {
        format!("{value:.2} %")
    } else if value < 10.0 || value > 99.0 && value < 100.0 {
        format!("{value:.1} %")
    } else {
        format!("{value:.0} %")
    }
}

/// A number with four significant digits, without needless zeros.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let size = value.abs();
    if !(1e-4..1e7).contains(&size) {
        let text = format!("{value:.3e}");
        // 1.000e9 reads better as 1e9.
        return match text.split_once('e') {
            Some((mantissa, exponent)) => {
                format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
            }
            None => text,
        };
    }
    if size >= 1000.0 {
        let rounded = count(size.round() as usize);
        return if value < 0.0 { format!("-{rounded}") } else { rounded };
    }
    let decimals = if size >= 100.0 {
        1
    } else if size >= 10.0 {
        2
    } else if size >= 1.0 {
        3
    } else {
        5
    };
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1234567), "1,234,567");
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2000, "row"), "2,000 rows");
        assert_eq!(number(-1234.5), "-1,235");
        assert_eq!(number(0.25), "0.25");
        assert_eq!(number(1e300), "1e300");
        assert_eq!(number(12.0), "12");
        assert_eq!(percent(0.0), "0 %");
        assert_eq!(percent(0.1234), "12 %");
        assert_eq!(percent(0.99999), "> 99.9 %");
        assert_eq!(percent(1.0), "100 %");
    }

    #[test]
    fn a_megabyte_is_cut_and_an_escape_is_shown() {
        assert_eq!(shorten(&"x".repeat(1 << 20), 10).chars().count(), 10);
        assert!(!shorten("\u{1b}[2J\u{7}\u{202e}", 20).contains(['\u{1b}', '\u{7}', '\u{202e}']));
        assert_eq!(names(&["a", "b", "c", "d", "e"]), "`a`, `b`, `c`, `d` and 1 more");
    }
}
