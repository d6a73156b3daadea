//! Text cut into word and character n-grams, each hashed to a column.
//!
//! A word is a run of letters, digits or underscores, in lower case. Character n-grams are taken inside words with a
//! blank on either side, so that they see where words begin and end but not how words follow each other. Hashing keeps
//! no vocabulary: memory is bounded whatever the text, and there is no fit to leak (Weinberger et al. 2009; all
//! signs positive, since collisions are rare and inverse document frequencies need non-negative counts).

/// How text is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Longest run of words that counts as a term; 0 for none.
    pub words: usize,
    /// Shortest and longest run of characters that counts as a term; (0, 0) for none.
    pub characters: (usize, usize),
    /// Terms fall into 2 to this power columns.
    pub bits: u32,
}

/// Buffers that are reused from row to row.
#[derive(Default)]
pub(crate) struct Scratch {
    letters: Vec<char>,
    /// Start and end of each word in `letters`, with a blank before and after.
    words: Vec<(usize, usize)>,
    hashes: Vec<u64>,
    terms: Vec<u32>,
}

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// One step of FNV-1a over a whole character instead of a byte.
#[inline]
fn mix(hash: u64, symbol: u64) -> u64 {
    (hash ^ symbol).wrapping_mul(PRIME)
}

/// The column of a hash: its best mixed bits, after the finaliser of Stafford's variant 13.
#[inline]
fn column(hash: u64, bits: u32) -> u32 {
    let mut z = hash;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> (64 - bits)) as u32
}

impl Cut {
    /// Columns and counts of the terms of `text`, columns ascending.
    pub(crate) fn counts<'s>(
        &self,
        text: &str,
        scratch: &'s mut Scratch,
    ) -> impl Iterator<Item = (u32, f32)> + 's {
        Self::split(text, scratch);
        scratch.terms.clear();
        if self.words > 0 {
            self.word_terms(scratch);
        }
        if self.characters.1 > 0 {
            self.character_terms(scratch);
        }
        scratch.terms.sort_unstable();
        scratch.terms.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as f32))
    }

    fn split(text: &str, scratch: &mut Scratch) {
        scratch.letters.clear();
        scratch.words.clear();
        scratch.letters.push(' ');
        let mut start = 1;
        let mut end_word = |letters: &mut Vec<char>| {
            if letters.len() > start {
                scratch.words.push((start, letters.len()));
                letters.push(' ');
            }
            start = letters.len();
        };
        for letter in text.chars() {
            if letter.is_ascii_alphanumeric() || letter == '_' {
                scratch.letters.push(letter.to_ascii_lowercase());
            } else if !letter.is_ascii() && letter.is_alphanumeric() {
                scratch.letters.extend(letter.to_lowercase());
            } else {
                end_word(&mut scratch.letters);
            }
        }
        end_word(&mut scratch.letters);
    }

    fn word_terms(&self, scratch: &mut Scratch) {
        scratch.hashes.clear();
        for &(start, end) in &scratch.words {
            let hash =
                scratch.letters[start..end].iter().fold(OFFSET, |hash, &letter| mix(hash, letter as u64));
            scratch.hashes.push(hash);
        }
        for first in 0..scratch.hashes.len() {
            let mut hash = OFFSET;
            for &word in scratch.hashes[first..].iter().take(self.words) {
                hash = mix(hash, word);
                scratch.terms.push(column(hash, self.bits));
            }
        }
    }

    fn character_terms(&self, scratch: &mut Scratch) {
        let (shortest, longest) = self.characters;
        for &(start, end) in &scratch.words {
            let padded = &scratch.letters[start - 1..=end.min(scratch.letters.len() - 1)];
            for first in 0..padded.len() {
                // Another offset than for words: "a" the word and "a" the letter are different terms.
                let mut hash = !OFFSET;
                for (length, &letter) in (1..=longest).zip(&padded[first..]) {
                    hash = mix(hash, letter as u64);
                    if length >= shortest {
                        scratch.terms.push(column(hash, self.bits));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(cut: Cut, text: &str) -> f32 {
        cut.counts(text, &mut Scratch::default()).map(|(_, count)| count).sum()
    }

    #[test]
    fn terms_are_counted_as_by_hand() {
        let words = Cut { words: 2, characters: (0, 0), bits: 20 };
        // the, cat, the, the cat, cat the.
        assert_eq!(total(words, "The cat; the"), 5.0);
        assert_eq!(words.counts("The cat; the", &mut Scratch::default()).count(), 4);
        assert_eq!(total(words, ""), 0.0);
        assert_eq!(total(words, " ?! "), 0.0);
        // " ab " has three 2-grams and two 3-grams.
        assert_eq!(total(Cut { words: 0, characters: (2, 3), bits: 20 }, "ab"), 5.0);
    }

    #[test]
    fn case_and_script_do_not_matter() {
        let cut = Cut { words: 1, characters: (3, 5), bits: 20 };
        let terms = |text: &str| cut.counts(text, &mut Scratch::default()).collect::<Vec<_>>();
        assert_eq!(terms("ÉCOLE Straße"), terms("école straße"));
        assert_ne!(terms("école"), terms("ecole"));
        assert_eq!(terms("日本").iter().map(|(_, count)| count).sum::<f32>(), 1.0 + 3.0);
    }
}
