//! Distinct strings with a code each, in the order in which they first come.
//!
//! Open addressing with linear probing over codes; strings lie end to end in one buffer. The hash only decides where
//! to look, so it reaches no result: codes depend on the order of insertion alone. A hash without a secret can be
//! made to collide by whoever writes the file; a search therefore ends after [`PROBES`] slots, and what finds no slot
//! by then goes to an ordered map, which no choice of strings makes slow.

use std::collections::BTreeMap;

/// Slots that a search looks at. At half load a chance run of this length does not happen: the longest expected among
/// a million strings is about 70, and it grows with the logarithm of their number (Knuth 1998, "The Art of Computer
/// Programming", volume 3, section 6.4).
const PROBES: usize = 128;

/// Bytes of a string that its length and hash tell apart from every other.
const SHORT: usize = 8;

/// Where a search looks.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The string's; its upper half says where the search begins.
    hash: u64,
    /// Length of the string in bytes.
    length: u32,
    /// Code plus one; zero is an empty slot.
    next_code: u32,
}

/// Distinct byte strings, each with a code from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    bytes: Vec<u8>,
    /// End of each string in `bytes`.
    ends: Vec<usize>,
    /// As many as a power of two, or none.
    slots: Vec<Slot>,
    /// Codes of strings that found no slot near the place where their search begins.
    crowded: BTreeMap<Vec<u8>, u32>,
}

impl Dictionary {
    /// The code of `text`; a new one if it has not been seen before.
    #[inline]
    pub(crate) fn insert(&mut self, text: &[u8]) -> u32 {
        self.insert_hashed(text, hash(text))
    }

    /// As [`Dictionary::insert`], for a `text` whose [`hash`] is known.
    #[inline]
    pub(crate) fn insert_hashed(&mut self, text: &[u8], hash: u64) -> u32 {
        if (self.ends.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut slot = (hash >> 32) as usize & mask;
        for _ in 0..PROBES {
            let found = self.slots[slot];
            if found.next_code == 0 {
                return self.insert_at(slot, text, hash);
            }
            if found.hash == hash && found.length == text.len() as u32 {
                let code = found.next_code - 1;
                if text.len() <= SHORT || self.get(code as usize) == text {
                    return code;
                }
            }
            slot = (slot + 1) & mask;
        }
        self.insert_crowded(text)
    }

    /// Adds `text` without looking whether it is there already; gives its code. Only for dictionaries that are never
    /// searched: it leaves no trace in the slots.
    #[inline]
    pub(crate) fn push(&mut self, text: &[u8]) -> u32 {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
        (self.ends.len() - 1) as u32
    }

    /// The string of a code.
    #[inline]
    pub(crate) fn get(&self, code: usize) -> &[u8] {
        let start = if code == 0 { 0 } else { self.ends[code - 1] };
        &self.bytes[start..self.ends[code]]
    }

    /// Number of distinct strings.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// All strings in the order of their codes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|code| self.get(code))
    }

    /// Memory, about, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.bytes.len() + self.ends.len() * 8 + self.slots.len() * size_of::<Slot>()
    }

    fn insert_at(&mut self, slot: usize, text: &[u8], hash: u64) -> u32 {
        if !self.crowded.is_empty()
            && let Some(&code) = self.crowded.get(text)
        {
            return code;
        }
        let code = self.push(text);
        self.slots[slot] = Slot { hash, length: text.len() as u32, next_code: code + 1 };
        code
    }

    #[cold]
    fn insert_crowded(&mut self, text: &[u8]) -> u32 {
        if let Some(&code) = self.crowded.get(text) {
            return code;
        }
        let code = self.push(text);
        self.crowded.insert(text.to_vec(), code);
        code
    }

    /// Doubles the slots. The strings are not looked at: a slot says itself where the search for it begins.
    #[cold]
    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); length]);
        for moved in old.into_iter().filter(|slot| slot.next_code != 0) {
            let home = (moved.hash >> 32) as usize;
            let free = (0..PROBES)
                .map(|step| (home + step) & (length - 1))
                .find(|&slot| self.slots[slot].next_code == 0);
            if let Some(slot) = free {
                self.slots[slot] = moved;
            } else {
                let code = moved.next_code - 1;
                self.crowded.insert(self.get(code as usize).to_vec(), code);
            }
        }
    }
}

/// Eight bytes of `text` from `start`.
#[inline(always)]
fn eight(text: &[u8], start: usize) -> u64 {
    let mut word = [0u8; 8];
    word.copy_from_slice(&text[start..start + 8]);
    u64::from_le_bytes(word)
}

/// Four bytes of `text` from `start`.
#[inline(always)]
fn four(text: &[u8], start: usize) -> u64 {
    let mut word = [0u8; 4];
    word.copy_from_slice(&text[start..start + 4]);
    u64::from(u32::from_le_bytes(word))
}

/// All bytes of a `text` of at most [`SHORT`] bytes in one number; texts of one length get different numbers.
#[inline(always)]
fn short(text: &[u8]) -> u64 {
    match text.len() {
        0 => 0,
        length @ 1..=3 => {
            u64::from(text[0]) | u64::from(text[length / 2]) << 8 | u64::from(text[length - 1]) << 16
        }
        length => four(text, 0) | four(text, length - 4) << 32,
    }
}

/// A hash that is fast and not secret. Different texts of one length of at most [`SHORT`] bytes have different hashes:
/// each step, a product with an odd number or a shift that is added without carry, can be undone. Longer ones multiply
/// eight bytes at a time, the last eight overlapping, and fold the 128-bit product (the mixing step of wyhash, Wang
/// 2019).
#[inline]
pub(crate) fn hash(text: &[u8]) -> u64 {
    const A: u64 = 0x9e37_79b9_7f4a_7c15;
    const B: u64 = 0xe703_7ed1_a0b4_28db;
    let mut state = A ^ text.len() as u64;
    if text.len() <= SHORT {
        let mixed = (state ^ short(text)).wrapping_mul(B);
        let mixed = (mixed ^ mixed >> 32).wrapping_mul(A);
        return mixed ^ mixed >> 29;
    }
    let last = text.len() - 8;
    for start in (0..last).step_by(8) {
        state = fold(state ^ eight(text, start), B);
    }
    fold(state ^ eight(text, last), A)
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_the_order_of_first_sight() {
        let mut dictionary = Dictionary::default();
        let words: Vec<String> = (0..1000).map(|index| format!("word {}", index % 300)).collect();
        for (index, word) in words.iter().enumerate() {
            assert_eq!(dictionary.insert(word.as_bytes()) as usize, index % 300);
        }
        assert_eq!(dictionary.insert(b""), 300);
        assert_eq!(dictionary.len(), 301);
        assert_eq!(dictionary.get(7), b"word 7");
        assert_eq!(dictionary.get(300), b"");
        assert!(dictionary.crowded.is_empty());
    }

    #[test]
    fn strings_of_every_length_are_told_apart() {
        let mut dictionary = Dictionary::default();
        let whole = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut expected = 0;
        for length in 1..whole.len() {
            for place in 0..length {
                // One byte changed at any place makes another string.
                let mut text = whole[..length].to_vec();
                text[place] = b'#';
                assert_eq!(dictionary.insert(&text), expected, "{length} {place}");
                expected += 1;
            }
        }
        assert_eq!(dictionary.insert(b"#b"), 1);
    }

    #[test]
    fn colliding_strings_are_kept_apart_and_do_not_make_it_slow() {
        let mut dictionary = Dictionary::default();
        let words: Vec<String> = (0..5000).map(|index| format!("word number {index}")).collect();
        for round in 0..2 {
            for (index, word) in words.iter().enumerate() {
                let code = dictionary.insert_hashed(word.as_bytes(), 77 << 32);
                assert_eq!(code as usize, index, "round {round}");
            }
        }
        // A search sees at most `PROBES` slots; all others are in the map.
        assert_eq!(dictionary.crowded.len(), words.len() - PROBES);
        assert_eq!(dictionary.insert_hashed(b"another word", 78 << 32), 5000);
    }
}
