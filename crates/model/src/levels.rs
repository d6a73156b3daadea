//! The levels of a category column as they were at a fit, and how other lists of levels map to them.
//!
//! Codes of another table mean nothing here: its levels may be in another order or hold new ones. Where tables share
//! the list itself (every fold of one data set does) nothing is looked up at all.

use std::borrow::Cow;
use std::sync::Arc;

use crate::state::{LoadError, State, Tensor};
use kaizen_table::{Category, MISSING_CODE};

/// A fixed list of levels with fast look-up.
#[derive(Clone, Debug)]
pub struct Levels {
    list: Arc<Vec<String>>,
    /// Indices into `list`, ascending by string.
    sorted: Vec<u32>,
}

impl Levels {
    /// Remembers a list.
    pub fn new(list: Arc<Vec<String>>) -> Self {
        let mut sorted: Vec<u32> = (0..list.len() as u32).collect();
        sorted.sort_by(|&a, &b| list[a as usize].cmp(&list[b as usize]));
        Self { list, sorted }
    }

    /// Number of levels.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// The list.
    pub fn list(&self) -> &Arc<Vec<String>> {
        &self.list
    }

    /// The code given to a level that was not there when fitting: the first one beyond the levels.
    pub fn unseen(&self) -> u32 {
        self.list.len() as u32
    }

    /// The index of a level.
    pub fn find(&self, level: &str) -> Option<u32> {
        self.sorted
            .binary_search_by(|&index| self.list[index as usize].as_str().cmp(level))
            .ok()
            .map(|place| self.sorted[place])
    }

    /// For each row the index of its level here, [`MISSING_CODE`] or [`Self::unseen`].
    pub fn codes<'a>(&self, category: &'a Category) -> Cow<'a, [u32]> {
        if Arc::ptr_eq(&self.list, &category.levels) {
            return Cow::Borrowed(&category.codes);
        }
        let look_up = |level: &String| self.find(level).unwrap_or(self.unseen());
        let read = |code: u32, map: &dyn Fn(usize) -> u32| {
            if (code as usize) < category.levels.len() { map(code as usize) } else { MISSING_CODE }
        };
        if category.codes.len() < category.levels.len() {
            return category
                .codes
                .iter()
                .map(|&code| read(code, &|code| look_up(&category.levels[code])))
                .collect();
        }
        let map: Vec<u32> = category.levels.iter().map(look_up).collect();
        category.codes.iter().map(|&code| read(code, &|code| map[code])).collect()
    }

    /// Adds the list to a state: all strings in one buffer, with their lengths.
    #[must_use]
    pub fn save(&self, state: State) -> State {
        let bytes: Vec<u8> = self.list.iter().flat_map(|level| level.bytes()).collect();
        let lengths = self.list.iter().map(|level| level.len() as u32).collect();
        state.with("level_bytes", Tensor::U8(bytes)).with("level_lengths", Tensor::U32(lengths))
    }

    /// Reads what [`Self::save`] added.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(state: &State) -> Result<Self, LoadError> {
        let (bytes, lengths) = (state.u8s("level_bytes")?, state.u32s("level_lengths")?);
        let mut rest = bytes;
        let mut list = Vec::new();
        for &length in lengths {
            let (level, after) = rest
                .split_at_checked(length as usize)
                .ok_or_else(|| LoadError::damaged("level_lengths", "longer than the strings"))?;
            let level =
                std::str::from_utf8(level).map_err(|_| LoadError::damaged("level_bytes", "not UTF-8"))?;
            list.push(level.to_owned());
            rest = after;
        }
        if !rest.is_empty() {
            return Err(LoadError::damaged("level_lengths", "shorter than the strings"));
        }
        Ok(Self::new(Arc::new(list)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::{Column, Values};

    fn category(cells: &[Option<&str>]) -> Category {
        match Column::category("c", cells).values {
            Values::Category(category) => category,
            _ => panic!("a category"),
        }
    }

    #[test]
    fn other_lists_are_matched_by_string() {
        let levels = Levels::new(category(&[Some("b"), Some("a")]).levels);
        let other = category(&[Some("c"), Some("b"), None, Some("a")]);
        assert_eq!(*levels.codes(&other), [2, 1, MISSING_CODE, 0]);
        let few = Category { codes: vec![2], levels: Arc::clone(&other.levels) };
        assert_eq!(*levels.codes(&few), [2]);
    }

    #[test]
    fn lists_survive_storage_and_damage_is_refused() {
        let levels = Levels::new(Arc::new(vec!["é".to_owned(), String::new(), "a".to_owned()]));
        let state = levels.save(State::default());
        assert_eq!(Levels::load(&state).unwrap().list, levels.list);
        let cut = state.with("level_lengths", Tensor::U32(vec![1, 2, 1]));
        assert!(Levels::load(&cut).is_err());
    }
}
