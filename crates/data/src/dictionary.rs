//! Distinct strings with a code each, in the order in which they first come.
//!
//! Open addressing with linear probing over codes; strings lie end to end in one buffer. The hash only decides where
//! to look, so it reaches no result: codes depend on the order of insertion alone.

/// Distinct byte strings, each with a code from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    bytes: Vec<u8>,
    /// End of each string in `bytes`.
    ends: Vec<usize>,
    /// Code plus one in the lower half; in the upper half the upper half of the string's hash, which tells most strings
    /// apart without looking at them. Zero is an empty slot. Its length is a power of two, or zero.
    slots: Vec<u64>,
}

impl Dictionary {
    /// The code of `text`; a new one if it has not been seen before.
    #[inline]
    pub(crate) fn insert(&mut self, text: &[u8]) -> u32 {
        if (self.ends.len() + 1) * 2 > self.slots.len() {
            self.grow();
        }
        let hash = hash(text);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let entry = self.slots[slot];
            if entry == 0 {
                self.bytes.extend_from_slice(text);
                self.ends.push(self.bytes.len());
                self.slots[slot] = (hash & UPPER) | self.ends.len() as u64;
                return (self.ends.len() - 1) as u32;
            }
            if (entry ^ hash) & UPPER == 0 {
                let code = entry as u32 - 1;
                if same(self.get(code as usize), text) {
                    return code;
                }
            }
            slot = (slot + 1) & mask;
        }
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
        self.bytes.len() + self.ends.len() * 8 + self.slots.len() * 8
    }

    fn grow(&mut self) {
        let length = (self.slots.len() * 2).max(16);
        let mut slots = vec![0u64; length];
        for code in 0..self.len() {
            let hash = hash(self.get(code));
            let mut slot = hash as usize & (length - 1);
            while slots[slot] != 0 {
                slot = (slot + 1) & (length - 1);
            }
            slots[slot] = (hash & UPPER) | (code as u64 + 1);
        }
        self.slots = slots;
    }
}

/// The upper half of a slot.
const UPPER: u64 = 0xffff_ffff_0000_0000;

/// Equality of short strings without a call: eight bytes at a time, the last eight overlapping.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if a.len() < 8 {
        return a.iter().zip(b).all(|(x, y)| x == y);
    }
    let word = |text: &[u8], start: usize| {
        let mut word = [0u8; 8];
        word.copy_from_slice(&text[start..start + 8]);
        u64::from_le_bytes(word)
    };
    let last = a.len() - 8;
    (0..last).step_by(8).all(|start| word(a, start) == word(b, start)) && word(a, last) == word(b, last)
}

/// Multiplies eight bytes at a time and folds the 128-bit product (the mixing step of wyhash, Wang 2019).
#[inline]
fn hash(text: &[u8]) -> u64 {
    const A: u64 = 0x9e37_79b9_7f4a_7c15;
    const B: u64 = 0xe703_7ed1_a0b4_28db;
    let mut state = A ^ text.len() as u64;
    let mut chunks = text.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word), B);
    }
    let rest = chunks.remainder();
    let mut word = 0u64;
    for &byte in rest {
        word = word << 8 | u64::from(byte);
    }
    fold(state ^ word, A)
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
    }
}
