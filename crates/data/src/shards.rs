//! A dictionary that outgrew the caches, in shards that have not.
//!
//! A million distinct strings are looked up in memory that no cache holds, and each look waits for it several times.
//! Here strings are first sorted by a part of their hash into shards; a shard fits a second-level cache while its
//! strings are looked up, and shards are looked up in parallel. (Radix partitioning before hashing: Manegold, Boncz
//! and Kersten 2002, "Optimizing main-memory join on modern hardware".) Codes depend on the order of the strings and
//! on the fixed hash alone, never on the number of threads.

use rayon::prelude::*;

use crate::dictionary::{Dictionary, hash};

/// Shards. A million short strings take about 400 KB in each.
const SHARDS: usize = 128;

/// Distinct byte strings, each with a code from 0.
#[derive(Clone, Debug)]
pub(crate) struct Shards {
    shards: Vec<Shard>,
    len: usize,
}

#[derive(Clone, Debug, Default)]
struct Shard {
    dictionary: Dictionary,
    /// The code among all shards of each code of `dictionary`.
    codes: Vec<u32>,
}

impl Shards {
    /// The same strings with the same codes.
    pub(crate) fn of(dictionary: &Dictionary) -> Self {
        let mut shards = Self { shards: vec![Shard::default(); SHARDS], len: 0 };
        for text in dictionary.iter() {
            shards.insert(text);
        }
        shards
    }

    /// The code of `text`; a new one if it has not been seen before.
    pub(crate) fn insert(&mut self, text: &[u8]) -> u32 {
        let hash = hash(text);
        let shard = &mut self.shards[shard_of(hash)];
        let local = shard.dictionary.insert_hashed(text, hash) as usize;
        if local == shard.codes.len() {
            shard.codes.push(self.len as u32);
            self.len += 1;
        }
        shard.codes[local]
    }

    /// The codes of the strings of each of `parts`. New strings get theirs shard by shard.
    pub(crate) fn append(&mut self, parts: &[Vec<&[u8]>]) -> Vec<Vec<u32>> {
        let buckets: Vec<Buckets> = parts.par_iter().map(|part| Buckets::of(part)).collect();
        let locals: Vec<Vec<u32>> =
            self.shards
                .par_iter_mut()
                .enumerate()
                .map(|(index, shard)| {
                    let mut locals = Vec::new();
                    for (part, buckets) in parts.iter().zip(&buckets) {
                        locals.extend(
                            buckets.of_shard(index).iter().map(|&(text, hash)| {
                                shard.dictionary.insert_hashed(part[text as usize], hash)
                            }),
                        );
                    }
                    locals
                })
                .collect();
        for shard in &mut self.shards {
            for _ in shard.codes.len()..shard.dictionary.len() {
                shard.codes.push(self.len as u32);
                self.len += 1;
            }
        }
        let mut starts = vec![0usize; SHARDS];
        let starts: Vec<Vec<usize>> = buckets
            .iter()
            .map(|buckets| {
                let before = starts.clone();
                starts
                    .iter_mut()
                    .enumerate()
                    .for_each(|(shard, start)| *start += buckets.of_shard(shard).len());
                before
            })
            .collect();
        buckets
            .par_iter()
            .zip(&starts)
            .map(|(buckets, starts)| self.codes(buckets, starts, &locals))
            .collect()
    }

    /// The codes of the strings in `buckets`, whose codes within shard `s` begin at `starts[s]` of `locals[s]`.
    fn codes(&self, buckets: &Buckets, starts: &[usize], locals: &[Vec<u32>]) -> Vec<u32> {
        let mut codes = vec![0u32; buckets.texts.len()];
        for (index, shard) in self.shards.iter().enumerate() {
            for (&(text, _), &local) in buckets.of_shard(index).iter().zip(&locals[index][starts[index]..]) {
                codes[text as usize] = shard.codes[local as usize];
            }
        }
        codes
    }

    /// All strings in the order of their codes.
    pub(crate) fn strings(&self) -> Vec<&[u8]> {
        let mut strings = vec![b"".as_slice(); self.len];
        for shard in &self.shards {
            for (text, &code) in shard.dictionary.iter().zip(&shard.codes) {
                strings[code as usize] = text;
            }
        }
        strings
    }

    /// Memory, about, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.dictionary.size_bytes() + shard.codes.len() * 4).sum()
    }
}

/// The lower bits of a hash; a [`Dictionary`] goes by the upper ones.
fn shard_of(hash: u64) -> usize {
    hash as usize % SHARDS
}

/// Strings of one part, sorted by shard and in order within a shard.
struct Buckets {
    /// Where each shard begins in `texts`, and the end.
    starts: Vec<u32>,
    /// Index of the string in its part, and its hash.
    texts: Vec<(u32, u64)>,
}

impl Buckets {
    fn of(part: &[&[u8]]) -> Self {
        let hashes: Vec<u64> = part.iter().map(|text| hash(text)).collect();
        let mut starts = vec![0u32; SHARDS + 1];
        for &hash in &hashes {
            starts[shard_of(hash) + 1] += 1;
        }
        for shard in 0..SHARDS {
            starts[shard + 1] += starts[shard];
        }
        let mut next = starts.clone();
        let mut texts = vec![(0u32, 0u64); part.len()];
        for (index, &hash) in hashes.iter().enumerate() {
            let place = &mut next[shard_of(hash)];
            texts[*place as usize] = (index as u32, hash);
            *place += 1;
        }
        Self { starts, texts }
    }

    fn of_shard(&self, shard: usize) -> &[(u32, u64)] {
        &self.texts[self.starts[shard] as usize..self.starts[shard + 1] as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn equal_strings_have_equal_codes_and_codes_name_their_strings() {
        let words: Vec<String> = (0..20_000).map(|index| format!("w{}", index * 7919 % 9000)).collect();
        let mut first = Dictionary::default();
        for word in &words[..3000] {
            first.insert(word.as_bytes());
        }
        let mut shards = Shards::of(&first);
        assert_eq!(shards.strings(), first.iter().collect::<Vec<_>>());
        let parts: Vec<Vec<&[u8]>> =
            words.chunks(1700).map(|part| part.iter().map(String::as_bytes).collect()).collect();
        let codes = shards.append(&parts);
        let mut seen: BTreeMap<u32, &[u8]> = BTreeMap::new();
        for (text, &code) in parts.iter().flatten().zip(codes.iter().flatten()) {
            assert_eq!(*seen.entry(code).or_insert(text), *text);
        }
        assert_eq!((seen.len(), shards.len), (9000, 9000));
        assert!(shards.strings().iter().enumerate().all(|(code, text)| seen[&(code as u32)] == *text));
        assert_eq!(shards.insert(parts[3][5]), codes[3][5]);
        assert_eq!(shards.insert(b"new"), 9000);
    }
}
