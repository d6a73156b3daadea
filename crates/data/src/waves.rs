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

/// How much text is read and parsed at a time. It is the same for any number of threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// Text read at a time, in bytes. It bounds the memory beside the table.
    pub wave_bytes: usize,
    /// Text parsed by one thread at a time, in bytes; with what is made of it, it fits a second-level cache.
    pub chunk_bytes: usize,
}

impl Sizes {
    /// Those of every reader; a fuzzer's short inputs must have cuts as well.
    pub(crate) const USUAL: Self = if cfg!(fuzzing) {
        Self { wave_bytes: 1024, chunk_bytes: 64 }
    } else {
        Self { wave_bytes: 16 << 20, chunk_bytes: 512 << 10 }
    };
}

/// Room before a wave for what was left of the wave before it, at most.
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
    sizes: Sizes,
    room_bytes: usize,
    /// NUL bytes that were left out.
    pub nul_count: u64,
}

impl Waves {
    /// Waves of `stream`, which is stored in `size_bytes` (a small file needs no large buffer).
    pub(crate) fn new(stream: TextStream, size_bytes: u64, compressed: bool, mut sizes: Sizes) -> Self {
        if !compressed {
            // A little more than the file, so that its end is seen with its last byte.
            let fits = usize::try_from(size_bytes).map_or(usize::MAX, |size| size.saturating_mul(2) + 4096);
            sizes.wave_bytes = sizes.wave_bytes.min(fits);
        }
        let room_bytes = sizes.wave_bytes.min(ROOM_BYTES);
        Self { stream, spare: Vec::new(), sizes, room_bytes, nul_count: 0 }
    }

    /// The next wave; an empty one is the end.
    pub(crate) fn next(&mut self) -> Result<Wave, DataError> {
        let start = self.room_bytes;
        let length = start + self.sizes.wave_bytes;
        let mut bytes = std::mem::take(&mut self.spare);
        bytes.truncate(length);
        if bytes.len() < length {
            bytes = vec![0; length];
        }
        loop {
            let end = start + self.stream.fill(&mut bytes[start..])?;
            if memchr::memchr(0, &bytes[start..end]).is_none() {
                return Ok(Wave { bytes, start, end });
            }
            let mut kept = start;
            for position in start..end {
                bytes[kept] = bytes[position];
                kept += usize::from(bytes[position] != 0);
            }
            self.nul_count += (end - kept) as u64;
            // A wave of nothing but NUL bytes is not the end of the file.
            if kept > start {
                return Ok(Wave { bytes, start, end: kept });
            }
        }
    }

    /// Whether `wave`, as it came, may have text after it.
    pub(crate) fn is_full(&self, wave: &Wave) -> bool {
        wave.end - wave.start >= self.sizes.wave_bytes
    }

    /// Gives `wave` and all that follow to `parser`.
    pub(crate) fn run<P: Parse>(&mut self, mut wave: Wave, parser: &mut P) -> Result<(), DataError> {
        loop {
            let (shared, chunk_bytes) = (&*parser, self.sizes.chunk_bytes);
            let ((parts, used), next) =
                rayon::join(|| parse_wave(shared, wave.text(), chunk_bytes), || self.next());
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
fn parse_wave<P: Parse>(parser: &P, text: &[u8], chunk_bytes: usize) -> (Vec<P::Part>, usize) {
    let starts = cuts(text, parser.marks(), chunk_bytes);
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
fn cuts(text: &[u8], (quote, terminator): (Option<u8>, u8), chunk_bytes: usize) -> Vec<usize> {
    let odd: Vec<bool> = text
        .par_chunks(chunk_bytes)
        .map(|chunk| quote.is_some_and(|quote| memchr::memchr_iter(quote, chunk).count() % 2 == 1))
        .collect();
    let mut starts = vec![0];
    let mut inside = false;
    // There is no cut after the last chunk, which may be short.
    for (index, odd) in odd.iter().enumerate().take(odd.len().saturating_sub(1)) {
        inside ^= odd;
        let end = (index + 1) * chunk_bytes;
        if let Some(start) = line_end(&text[end..], quote, terminator, inside) {
            let start = end + start;
            if starts.last().is_some_and(|last| start > *last) && start < text.len() {
                starts.push(start);
            }
        }
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
