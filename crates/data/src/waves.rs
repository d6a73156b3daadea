//! Text in waves: the next one is read and digested while this one is parsed on all threads.
//!
//! A wave is cut into chunks at line ends where the number of quotes before is even. That guess can be wrong (a stray
//! quote inside a field). Each chunk's parser finds out, since it must end exactly where the next one began, and then
//! the rest of the wave is parsed in one piece: records are the same for any number of threads and any place of the
//! cuts. (Speculative cuts that are proved later: Ge, Li, Eilebrecht, Chandramouli and Kossmann 2019, "Speculative
//! distributed CSV data parsing for big data analytics".)

use rayon::prelude::*;

use crate::error::DataError;
use crate::stream::TextStream;

/// Text read at a time, in bytes. It bounds the memory beside the table. It is the same for any number of threads.
pub(crate) const WAVE_BYTES: usize = 16 << 20;

/// Text parsed by one thread at a time, in bytes; with what is made of it, it fits a second-level cache.
const CHUNK_BYTES: usize = 512 << 10;

/// Room before a wave for what was left of the wave before it.
const ROOM_BYTES: usize = 1 << 20;

/// Text that may pass before a record ends. A longer one is a quote that was never closed.
const RECORD_BYTES: usize = 64 << 20;

/// A parser of records, chunk by chunk.
pub(crate) trait Parse: Sync {
    /// What is made of a chunk.
    type Part: Send;

    /// The byte that hides line ends in pairs, if there is one, and the byte that ends lines.
    fn marks(&self) -> (Option<u8>, u8);

    /// Parses the records of `text`, which begins at a record. `at_end` says that no text follows. Gives the part and
    /// the number of bytes used; what is left is an incomplete record, and there is none if `at_end`.
    fn parse(&self, text: &[u8], at_end: bool) -> (Self::Part, usize);

    /// Takes parts in order.
    fn absorb(&mut self, parts: Vec<Self::Part>) -> Result<(), DataError>;

    /// The error for a record longer than any should be.
    fn too_long(&self) -> DataError;
}

/// A stretch of text, with room before it.
pub(crate) struct Wave {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Wave {
    /// The text.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Leaves out the first bytes.
    pub(crate) fn skip(&mut self, count: usize) {
        self.start = (self.start + count).min(self.end);
    }
}

/// Text of a file, wave by wave.
pub(crate) struct Waves {
    stream: TextStream,
    /// A used buffer, to be filled again.
    spare: Vec<u8>,
    wave_bytes: usize,
    /// NUL bytes that were left out.
    pub nul_count: u64,
}

impl Waves {
    /// Waves of `stream`, which is stored in `size_bytes` (a small file needs no large buffer).
    pub(crate) fn new(stream: TextStream, size_bytes: u64, compressed: bool) -> Self {
        // A little more than the file, so that its end is seen with its last byte.
        let fits = usize::try_from(size_bytes).map_or(WAVE_BYTES, |size| size * 2 + 4096);
        let wave_bytes = if compressed { WAVE_BYTES } else { fits.min(WAVE_BYTES) };
        Self { stream, spare: Vec::new(), wave_bytes, nul_count: 0 }
    }

    /// The next wave; an empty one is the end.
    pub(crate) fn next(&mut self) -> Result<Wave, DataError> {
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.resize(ROOM_BYTES + self.wave_bytes, 0);
        let mut end = ROOM_BYTES + self.stream.fill(&mut bytes[ROOM_BYTES..])?;
        if memchr::memchr(0, &bytes[ROOM_BYTES..end]).is_some() {
            let mut kept = ROOM_BYTES;
            for position in ROOM_BYTES..end {
                bytes[kept] = bytes[position];
                kept += usize::from(bytes[position] != 0);
            }
            self.nul_count += (end - kept) as u64;
            // A wave of nothing but NUL bytes is not the end of the file.
            if kept == ROOM_BYTES && end > ROOM_BYTES {
                self.spare = bytes;
                return self.next();
            }
            end = kept;
        }
        Ok(Wave { bytes, start: ROOM_BYTES, end })
    }

    /// Whether `wave`, as it came, may have text after it.
    pub(crate) fn is_full(&self, wave: &Wave) -> bool {
        wave.end - wave.start >= self.wave_bytes
    }

    /// Gives `wave` and all that follow to `parser`.
    pub(crate) fn run<P: Parse>(&mut self, mut wave: Wave, parser: &mut P) -> Result<(), DataError> {
        loop {
            let shared = &*parser;
            let ((parts, used), next) = rayon::join(|| parse_wave(shared, wave.text()), || self.next());
            let next = next?;
            parser.absorb(parts)?;
            wave.skip(used);
            if next.text().is_empty() {
                let (part, _) = parser.parse(wave.text(), true);
                return parser.absorb(vec![part]);
            }
            if wave.text().len() > RECORD_BYTES {
                return Err(parser.too_long());
            }
            let joined = joined(wave.text(), next);
            self.spare = std::mem::replace(&mut wave, joined).bytes;
        }
    }

    /// The stream, when all waves have come.
    pub(crate) fn into_stream(self) -> TextStream {
        self.stream
    }
}

/// `next` with `left` before it.
fn joined(left: &[u8], mut next: Wave) -> Wave {
    if left.len() <= next.start {
        next.start -= left.len();
        next.bytes[next.start..next.start + left.len()].copy_from_slice(left);
        return next;
    }
    let mut bytes = Vec::with_capacity(left.len() + next.text().len());
    bytes.extend_from_slice(left);
    bytes.extend_from_slice(next.text());
    Wave { start: 0, end: bytes.len(), bytes }
}

/// Parses all complete records of `text`; gives the parts in order and the number of bytes used.
fn parse_wave<P: Parse>(parser: &P, text: &[u8]) -> (Vec<P::Part>, usize) {
    let starts = cuts(text, parser.marks());
    let stretches: Vec<(usize, usize)> = starts
        .iter()
        .enumerate()
        .map(|(index, &start)| (start, starts.get(index + 1).copied().unwrap_or(text.len())))
        .collect();
    let parsed: Vec<(P::Part, usize)> =
        stretches.par_iter().map(|&(start, end)| parser.parse(&text[start..end], false)).collect();
    let mut parts = Vec::with_capacity(parsed.len());
    let mut used = 0;
    for ((part, consumed), (start, end)) in parsed.into_iter().zip(stretches) {
        parts.push(part);
        used = start + consumed;
        if used < end && end < text.len() {
            let (rest, consumed) = parser.parse(&text[used..], false);
            parts.push(rest);
            return (parts, used + consumed);
        }
    }
    (parts, used)
}

/// Where chunks begin: at the start, and after line ends that an even number of quotes precedes.
fn cuts(text: &[u8], (quote, terminator): (Option<u8>, u8)) -> Vec<usize> {
    let mut starts = vec![0];
    let mut inside = false;
    let mut from = 0;
    while from + CHUNK_BYTES < text.len() {
        let to = from + CHUNK_BYTES;
        if let Some(quote) = quote {
            inside ^= memchr::memchr_iter(quote, &text[from..to]).count() % 2 == 1;
        }
        if let Some(start) = line_end(&text[to..], quote, terminator, inside) {
            let start = to + start;
            if starts.last().is_some_and(|last| start > *last) && start < text.len() {
                starts.push(start);
            }
        }
        from = to;
    }
    starts
}

/// Position after the first line end outside quotes.
fn line_end(text: &[u8], quote: Option<u8>, terminator: u8, mut inside: bool) -> Option<usize> {
    let Some(quote) = quote else { return memchr::memchr(terminator, text).map(|found| found + 1) };
    for found in memchr::memchr2_iter(quote, terminator, text) {
        if text[found] == quote {
            inside = !inside;
        } else if !inside {
            return Some(found + 1);
        }
    }
    None
}
