//! Target statistics of categories.
//!
//! Source: Prokhorenkova et al. (2018), section 3.2: the level of a row is replaced by the mean target of the rows of
//! the same level that come earlier in a random order, shrunk towards a prior; at prediction all rows are the past.

/// How the levels of one or several categories become codes at prediction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statistic {
    /// Input features, ascending, and their number of known levels.
    pub(crate) sources: Vec<(u32, u32)>,
    features: Vec<u32>,
    /// Ascending keys of the combinations seen; empty for a single category, whose table is indexed by level.
    pub(crate) keys: Vec<u64>,
    /// Code of each key, or of each level and then of missing.
    pub(crate) codes: Vec<u8>,
    /// Code of levels and combinations never seen.
    pub(crate) unseen: u8,
}

impl Statistic {
    pub(crate) fn new(sources: Vec<(u32, u32)>, keys: Vec<u64>, codes: Vec<u8>, unseen: u8) -> Self {
        let features = sources.iter().map(|source| source.0).collect();
        Self { sources, features, keys, codes, unseen }
    }

    pub(crate) fn features(&self) -> &[u32] {
        &self.features
    }

    /// Code of a row whose level of each source feature is given.
    pub(crate) fn code(&self, level: impl Fn(usize) -> u32) -> u8 {
        match combined_key(&self.sources, level) {
            None => self.unseen,
            Some(key) if self.sources.len() == 1 => {
                self.codes.get(key as usize).copied().unwrap_or(self.unseen)
            }
            Some(key) => self.keys.binary_search(&key).map_or(self.unseen, |index| self.codes[index]),
        }
    }
}

/// One number for the levels of all sources, missing being a level of its own; `None` if a level is unseen.
pub(crate) fn combined_key(sources: &[(u32, u32)], level: impl Fn(usize) -> u32) -> Option<u64> {
    let mut key = 0u64;
    for (feature, level_count) in sources {
        let level = level(*feature as usize);
        let index = if level == u32::MAX {
            *level_count
        } else if level < *level_count {
            level
        } else {
            return None;
        };
        // Radices are checked to fit when the statistic is made.
        key = key.wrapping_mul(u64::from(*level_count) + 1).wrapping_add(u64::from(index));
    }
    Some(key)
}
