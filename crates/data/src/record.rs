//! Records and fields of delimited text (RFC 4180, read with patience).
//!
//! A quote counts only where a field begins; inside quotes, two quotes are one, and delimiters and line breaks are
//! text. A quoted field that runs over a line break and then ends in the middle of text shows that its quote was never
//! meant or never closed: that line is *broken*, and reading goes on with the next line, so that one stray quote costs
//! one row and not the rest of the file.

/// How fields and records are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The byte between fields.
    pub delimiter: u8,
    /// The byte around fields that hold delimiters.
    pub quote: u8,
    /// The byte that ends a record; a carriage return before a line feed belongs to it.
    pub terminator: u8,
}

/// A field: a range of the text, or of the scratch buffer when quotes had to be undoubled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
    scratch: bool,
    /// How its quotes stand.
    pub quotes: Quotes,
}

/// How the quotes of a field stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// It does not begin with one.
    #[default]
    None,
    /// It lies between two.
    Around,
    /// Text follows the closing one.
    Mended,
}

/// How far a record goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next record starts here.
    Record(usize),
    /// This line is broken by a quote that is never closed; the next line starts here.
    Broken(usize),
    /// The text ends before the record does.
    Incomplete,
}

/// Fields of some records, with the text they came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// The fields, record after record.
    pub spans: Vec<Span>,
    scratch: Vec<u8>,
}

impl Fields {
    /// Forgets all fields.
    pub(crate) fn clear(&mut self) {
        self.spans.clear();
        self.scratch.clear();
    }

    /// The bytes of a field of `text`.
    #[inline(always)]
    pub(crate) fn get<'a>(&'a self, text: &'a [u8], span: Span) -> &'a [u8] {
        let bytes = if span.scratch { &self.scratch } else { text };
        &bytes[span.start as usize..span.end as usize]
    }

    /// Adds an empty field.
    pub(crate) fn push_empty(&mut self) {
        self.spans.push(Span::default());
    }
}

impl Dialect {
    /// Splits the record at `start` of `text` into fields. `at_end` says that no text follows, so that the last line
    /// may lack its end. On [`Step::Broken`] and [`Step::Incomplete`] the fields found so far are left in `fields`.
    #[inline]
    pub(crate) fn split(self, text: &[u8], start: usize, at_end: bool, fields: &mut Fields) -> Step {
        let mut marks = Marks::new(self, text, start);
        let mut position = start;
        loop {
            let opening = text.get(position).copied();
            let quoted = match opening {
                Some(byte) if byte == self.quote => Some(position),
                Some(b' ') => self.quote_after_spaces(text, position),
                _ => None,
            };
            let end = if let Some(quote) = quoted {
                match self.split_quoted(text, start, quote, at_end, fields) {
                    Ok(end) => {
                        marks = Marks::new(self, text, end + 1);
                        end
                    }
                    Err(step) => return step,
                }
            } else {
                let end = marks.next();
                let mut stop = end;
                if end == text.len() || text[end] != self.delimiter {
                    if end == text.len() && !at_end {
                        return Step::Incomplete;
                    }
                    // Only at a line's end is a carriage return no text.
                    if stop > position && text[stop - 1] == b'\r' && (end == text.len() || text[end] == b'\n')
                    {
                        stop -= 1;
                    }
                }
                fields.spans.push(Span { start: position as u32, end: stop as u32, ..Span::default() });
                end
            };
            if end >= text.len() {
                return Step::Record(text.len());
            }
            position = end + 1;
            if text[end] != self.delimiter {
                return Step::Record(position);
            }
        }
    }

    #[inline]
    fn quote_after_spaces(self, text: &[u8], position: usize) -> Option<usize> {
        let spaces = text[position..].iter().take_while(|byte| **byte == b' ').count();
        (text.get(position + spaces) == Some(&self.quote)).then_some(position + spaces)
    }

    /// Reads the quoted field that opens at `quote`; gives the position of the delimiter or terminator after it.
    fn split_quoted(
        self,
        text: &[u8],
        record: usize,
        quote: usize,
        at_end: bool,
        fields: &mut Fields,
    ) -> Result<usize, Step> {
        let start = quote + 1;
        let mut doubled = false;
        let mut position = start;
        let close = loop {
            let Some(found) = memchr::memchr(self.quote, &text[position..]) else {
                return Err(if at_end { self.broken(text, record) } else { Step::Incomplete });
            };
            let found = position + found;
            match text.get(found + 1) {
                Some(next) if *next == self.quote => {
                    doubled = true;
                    position = found + 2;
                }
                None if !at_end => return Err(Step::Incomplete),
                _ => break found,
            }
        };
        let end = Marks::new(self, text, close + 1).next();
        if end == text.len() && !at_end {
            return Err(Step::Incomplete);
        }
        let tail = text[close + 1..end].trim_ascii();
        let tail_empty = tail.is_empty();
        if !tail_empty && memchr::memchr(self.terminator, &text[start..close]).is_some() {
            return Err(self.broken(text, record));
        }
        if !doubled && tail_empty {
            fields.spans.push(Span {
                start: start as u32,
                end: close as u32,
                scratch: false,
                quotes: Quotes::Around,
            });
            return Ok(end);
        }
        let begin = fields.scratch.len();
        let mut bytes = text[start..close].iter();
        while let Some(&byte) = bytes.next() {
            fields.scratch.push(byte);
            if byte == self.quote {
                bytes.next();
            }
        }
        fields.scratch.extend_from_slice(tail);
        let quotes = if tail_empty { Quotes::Around } else { Quotes::Mended };
        fields.spans.push(Span {
            start: begin as u32,
            end: fields.scratch.len() as u32,
            scratch: true,
            quotes,
        });
        Ok(end)
    }

    fn broken(self, text: &[u8], record: usize) -> Step {
        let line = memchr::memchr(self.terminator, &text[record..]);
        Step::Broken(line.map_or(text.len(), |length| record + length + 1))
    }
}

/// Positions of delimiters and terminators, in order.
///
/// Eight bytes at a time: a byte of `word ^ pattern` is zero where they agree, and adding 127 to the lower seven bits
/// of a byte never carries into the next one, so the test is exact for all eight (Warren 2012, "Hacker's Delight",
/// section 6-1). A word is looked at once, however many marks it holds. Fields are too short for `memchr2` to pay.
struct Marks<'a> {
    text: &'a [u8],
    delimiters: u64,
    terminators: u64,
    /// Where the word begins.
    base: usize,
    /// The upper bit of each byte of the word that is a mark and was not given yet.
    found: u64,
}

impl<'a> Marks<'a> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const SEVEN: u64 = 0x7f7f_7f7f_7f7f_7f7f;

    #[inline(always)]
    fn new(dialect: Dialect, text: &'a [u8], start: usize) -> Self {
        let delimiters = Self::LOW * u64::from(dialect.delimiter);
        let terminators = Self::LOW * u64::from(dialect.terminator);
        let mut marks = Self { text, delimiters, terminators, base: start, found: 0 };
        marks.look();
        marks
    }

    /// The next mark; the length of the text if there is none.
    #[inline(always)]
    fn next(&mut self) -> usize {
        while self.found == 0 {
            self.base += 8;
            if self.base >= self.text.len() {
                return self.text.len();
            }
            self.look();
        }
        let position = self.base + (self.found.trailing_zeros() / 8) as usize;
        self.found &= self.found - 1;
        position
    }

    #[inline(always)]
    fn look(&mut self) {
        let mut word = [0u8; 8];
        if let Some(bytes) = self.text.get(self.base..self.base + 8) {
            word.copy_from_slice(bytes);
            self.found = self.in_word(u64::from_le_bytes(word));
        } else {
            // The last bytes: what lies behind them is no mark.
            let bytes = self.text.get(self.base..).unwrap_or_default();
            word[..bytes.len()].copy_from_slice(bytes);
            let there = (1u64 << (8 * bytes.len())) - 1;
            self.found = self.in_word(u64::from_le_bytes(word)) & there;
        }
    }

    #[inline(always)]
    fn in_word(&self, word: u64) -> u64 {
        let zero_bytes = |word: u64| !(((word & Self::SEVEN) + Self::SEVEN) | word | Self::SEVEN);
        zero_bytes(word ^ self.delimiters) | zero_bytes(word ^ self.terminators)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Dialect = Dialect { delimiter: b',', quote: b'"', terminator: b'\n' };

    fn records(text: &str) -> Vec<Result<Vec<String>, usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        let mut position = 0;
        while position < bytes.len() {
            let mut fields = Fields::default();
            match CSV.split(bytes, position, true, &mut fields) {
                Step::Record(next) => {
                    let cells = fields.spans.iter().map(|&span| fields.get(bytes, span));
                    found.push(Ok(cells.map(|cell| String::from_utf8(cell.to_vec()).unwrap()).collect()));
                    position = next;
                }
                Step::Broken(next) => {
                    found.push(Err(position));
                    position = next;
                }
                Step::Incomplete => unreachable!("the text is whole"),
            }
        }
        found
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside records that are broken")]
    fn cells(cells: &[&str]) -> Result<Vec<String>, usize> {
        Ok(cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn quotes_hide_delimiters_line_breaks_and_doubled_quotes() {
        assert_eq!(
            records("a,\"b,c\",\"d \"\"e\"\"\nf\"\r\n\"\",,x\r\n"),
            [cells(&["a", "b,c", "d \"e\"\nf"]), cells(&["", "", "x"])]
        );
        assert_eq!(records("a, \"b,c\" ,d"), [cells(&["a", "b,c", "d"])]);
    }

    #[test]
    fn a_quote_inside_a_field_is_text() {
        assert_eq!(records("5\" pipe,1\n\"a\"b,2\n"), [cells(&["5\" pipe", "1"]), cells(&["ab", "2"])]);
    }

    #[test]
    fn a_quote_never_closed_costs_one_line() {
        assert_eq!(records("a,\"b\nc,d\n"), [Err(0), cells(&["c", "d"])]);
        assert_eq!(records("a,\"b\nc,\"d\"\n"), [Err(0), cells(&["c", "d"])]);
    }

    #[test]
    fn a_record_cut_off_waits_for_more_text() {
        let mut fields = Fields::default();
        for text in ["a,b", "a,\"b", "a,\"b\"", "a,\"b\nc"] {
            assert_eq!(CSV.split(text.as_bytes(), 0, false, &mut fields), Step::Incomplete, "{text}");
        }
    }

    #[test]
    fn marks_are_found_wherever_they_are() {
        let mut state = 1u64;
        for length in 0..40 {
            for _ in 0..50 {
                let text: Vec<u8> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                        // Neighbours of the marks, and bytes that differ from them in the upper bit.
                        b",\n-+\x0b\x09\xac\x8a\x00\xff"[(state >> 40) as usize % 10]
                    })
                    .collect();
                for start in 0..=text.len() {
                    let mut marks = Marks::new(CSV, &text, start);
                    let expected = (start..text.len()).filter(|&at| matches!(text[at], b',' | b'\n'));
                    for at in expected.chain([text.len(), text.len()]) {
                        assert_eq!(marks.next(), at, "{text:?} from {start}");
                    }
                }
            }
        }
    }
}
