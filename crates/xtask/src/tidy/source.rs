//! Rust source with comments and literals blanked out, and what the rules need to know of it.
//!
//! This is no parser: it knows just enough of the lexical grammar (nested comments, raw strings, lifetimes) that a brace
//! or a keyword which is left over is real. The Rust Reference, chapter "Lexical structure", is the source.

/// A file as the rules see it; line numbers count from 1.
pub(crate) struct Source {
    /// The text with every comment and literal replaced by blanks; newlines stay.
    pub(crate) code: String,
    /// The first line of the unit tests, or one past the last line.
    pub(crate) tests_line: usize,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of its `fn`.
    pub(crate) line: usize,
    /// Lines from its `fn` to its last brace.
    pub(crate) line_count: usize,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let code = blank(text);
        let line_count = text.lines().count();
        let tests_line = code.lines().position(is_test_gate).map_or(line_count + 1, |index| index + 1);
        Self { code, tests_line }
    }

    /// Lines besides the unit tests at the bottom.
    pub(crate) fn line_count(&self) -> usize {
        self.tests_line - 1
    }

    /// All functions with bodies, those in unit tests too.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let bytes = self.code.as_bytes();
        let mut functions = Vec::new();
        for start in word_positions(&self.code, "fn") {
            let Some((name, after)) = identifier(&self.code, start + 2) else { continue };
            let Some(open) = body_start(bytes, after) else { continue };
            let close = matching_brace(bytes, open);
            let line = line_of(&self.code, start);
            let line_count = line_of(&self.code, close) - line + 1;
            functions.push(Function { name: name.to_owned(), line, line_count });
        }
        functions
    }

    /// Names that follow `keyword` (`mod`, `struct`, …) with their lines.
    pub(crate) fn named(&self, keyword: &str) -> Vec<(String, usize)> {
        word_positions(&self.code, keyword)
            .filter_map(|start| {
                let (name, _) = identifier(&self.code, start + keyword.len())?;
                Some((name.to_owned(), line_of(&self.code, start)))
            })
            .collect()
    }

    /// Lines on which `needle` stands in code.
    pub(crate) fn lines_with<'a>(&'a self, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
        self.code
            .lines()
            .enumerate()
            .filter(move |(_, line)| line.contains(needle))
            .map(|(index, _)| index + 1)
    }
}

fn is_test_gate(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test")
}

fn is_word(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric() || !byte.is_ascii()
}

/// Where `word` stands alone.
fn word_positions<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word).map(|(start, _)| start).filter(move |&start| {
        let before = start.checked_sub(1).is_none_or(|index| !is_word(bytes[index]));
        let after = bytes.get(start + word.len()).is_none_or(|&byte| !is_word(byte));
        before && after
    })
}

/// The identifier after blanks at `from`, and where it ends.
fn identifier(code: &str, from: usize) -> Option<(&str, usize)> {
    let rest = &code[from..];
    let start = from + (rest.len() - rest.trim_start().len());
    let length = code[start..].bytes().take_while(|&byte| is_word(byte)).count();
    let name = &code[start..start + length];
    let is_name = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    is_name.then_some((name, start + length))
}

/// The opening brace of a body, unless a `;` comes first: then there is none.
fn body_start(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (index, &byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return Some(index),
            _ => {}
        }
    }
    None
}

fn matching_brace(bytes: &[u8], open: usize) -> usize {
    let mut depth = 0usize;
    for (index, &byte) in bytes.iter().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return index,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    bytes.len()
}

fn line_of(code: &str, position: usize) -> usize {
    1 + code[..position].matches('\n').count()
}

/// Replaces comments and literals by blanks of the same length in bytes.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = String::with_capacity(text.len());
    let mut position = 0;
    while position < bytes.len() {
        let end = literal_end(text, position).filter(|&end| end > position);
        if let Some(end) = end {
            code.extend(text[position..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            position = end;
        } else {
            let length = text[position..].chars().next().map_or(1, char::len_utf8);
            code.push_str(&text[position..position + length]);
            position += length;
        }
    }
    code
}

/// The end of the comment or literal that starts at `start`, if one does.
fn literal_end(text: &str, start: usize) -> Option<usize> {
    let rest = &text[start..];
    let bytes = rest.as_bytes();
    let starts_word = start == 0 || !is_word(text.as_bytes()[start - 1]);
    let length = match bytes[0] {
        b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
        b'/' if rest.starts_with("/*") => block_comment_length(bytes),
        b'"' => string_length(bytes, 0),
        b'\'' => char_length(rest)?,
        b'r' | b'b' | b'c' if starts_word => prefixed_length(rest)?,
        _ => return None,
    };
    Some(start + length)
}

fn block_comment_length(bytes: &[u8]) -> usize {
    let (mut depth, mut index) = (0usize, 0);
    while index + 1 < bytes.len() {
        match &bytes[index..index + 2] {
            b"/*" => {
                depth += 1;
                index += 2;
            }
            b"*/" => {
                depth -= 1;
                index += 2;
                if depth == 0 {
                    return index;
                }
            }
            _ => index += 1,
        }
    }
    bytes.len()
}

/// The length of a string whose opening quote stands at `quote`.
fn string_length(bytes: &[u8], quote: usize) -> usize {
    let mut index = quote + 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    bytes.len()
}

/// The length of a character literal, or nothing for a lifetime.
fn char_length(rest: &str) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    let (_, first) = chars.next()?;
    if first == '\\' {
        let (escaped, _) = chars.next()?;
        let after = escaped + 1;
        return Some(after + rest[after..].find('\'')? + 1);
    }
    let (index, second) = chars.next()?;
    (second == '\'').then_some(index + 1)
}

/// The length of `b"…"`, `c"…"`, `r"…"`, `r#"…"#`, `br"…"`, `b'…'`; nothing if it is a word.
fn prefixed_length(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let prefix = bytes.iter().take(2).take_while(|byte| b"rbc".contains(byte)).count();
    if rest[..prefix].ends_with('r') {
        let hashes = bytes[prefix..].iter().take_while(|&&byte| byte == b'#').count();
        let quote = prefix + hashes;
        if bytes.get(quote) != Some(&b'"') {
            return None;
        }
        let closing = format!("\"{}", "#".repeat(hashes));
        let found = rest[quote + 1..].find(&closing);
        return Some(found.map_or(rest.len(), |index| quote + 1 + index + closing.len()));
    }
    match bytes.get(prefix)? {
        b'"' => Some(string_length(bytes, prefix)),
        b'\'' if &rest[..prefix] == "b" => Some(prefix + char_length(&rest[prefix..])?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_blank(text: &str, left: &[&str]) {
        let code = blank(text);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.matches('\n').count(), text.matches('\n').count());
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), left, "in {text:?}");
    }

    #[test]
    fn comments_and_literals_leave_no_trace() {
        check_blank("a // { \"\n b", &["a", "b"]);
        check_blank("a /* { /* } */ \" */ b", &["a", "b"]);
        check_blank(r#"a "{ \" {" b"#, &["a", "b"]);
        check_blank(r##"a r#"{ " \"# b"##, &["a", "b"]);
        check_blank(r#"a b"{" c"{" br"\" d"#, &["a", "d"]);
        check_blank(r"a '{' '\'' '\u{7b}' b'{' b", &["a", "b"]);
        check_blank("a 'ß' b", &["a", "b"]);
    }

    #[test]
    fn words_and_lifetimes_are_no_literals() {
        check_blank("fn f<'a>(x: &'a str)", &["fn", "f<'a>(x:", "&'a", "str)"]);
        check_blank("r#type rest bar\"x\"", &["r#type", "rest", "bar"]);
        check_blank("loop 'outer: { break 'outer }", &["loop", "'outer:", "{", "break", "'outer", "}"]);
    }

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        let text =
            "trait T {\n  fn a();\n}\nfn b(x: [u8; 3]) -> u8\nwhere\n{\n  '}';\n}\nlet c: fn(u8) = d;\n";
        let functions = Source::new(text).functions();
        assert_eq!(functions, [Function { name: "b".to_owned(), line: 4, line_count: 5 }]);
    }

    #[test]
    fn unit_tests_do_not_count() {
        let text = "//! Doc.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(Source::new(text).line_count(), 3);
        assert_eq!(Source::new("fn a() {}\n// #[cfg(test)]\n").line_count(), 2);
    }

    #[test]
    fn names_follow_their_keyword() {
        let source = Source::new("pub mod a;\nstruct\n  B;\n// mod c;\nlet model = 1;");
        assert_eq!(source.named("mod"), [("a".to_owned(), 1)]);
        assert_eq!(source.named("struct"), [("B".to_owned(), 2)]);
    }
}
