//! A cache that many fits of one data set share: bins, scaled copies, vocabularies.
//!
//! A value never changes once it is there, so the cache cannot change a result. Keys name everything that the value
//! depends on besides the data set itself. Nobody ever waits for another caller: two that ask for an absent key at the
//! same moment both compute it, and the first to be done is kept. (The road not taken, one computing while others wait,
//! deadlocks under work stealing: the thread that computes may pick up a task that asks for the same key.)

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

type Cell = Arc<dyn Any + Send + Sync>;

/// A write-once map from keys to shared values of any type.
#[derive(Default)]
pub struct Memo {
    cells: Mutex<BTreeMap<String, Cell>>,
}

impl Memo {
    /// The value of `key`, computed by `make` if it is not there yet.
    ///
    /// # Panics
    /// If the key holds a value of another type: two users chose one key.
    pub fn get_or_make<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get(key) {
            return value;
        }
        let made: Cell = Arc::new(make());
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Arc::clone(cells.entry(key.to_owned()).or_insert(made));
        drop(cells);
        typed(kept, key)
    }

    /// The value of `key`, if it is there.
    ///
    /// # Panics
    /// As [`Memo::get_or_make`].
    pub fn get<T: Send + Sync + 'static>(&self, key: &str) -> Option<Arc<T>> {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.get(key).map(|cell| typed(Arc::clone(cell), key))
    }

    /// Forgets all values whose key starts with `prefix`; values in use live on with their users.
    pub fn forget(&self, prefix: &str) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.retain(|key, _| !key.starts_with(prefix));
    }
}

fn typed<T: Send + Sync + 'static>(cell: Cell, key: &str) -> Arc<T> {
    cell.downcast::<T>().unwrap_or_else(|_| panic!("two types under the key `{key}`"))
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_set().entries(cells.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn computes_once_and_forgets_by_prefix() {
        let memo = Memo::default();
        let mut made = 0;
        for _ in 0..3 {
            let value = memo.get_or_make("bins/255", || {
                made += 1;
                made
            });
            assert_eq!(*value, 1);
        }
        memo.forget("bins/");
        assert_eq!(*memo.get_or_make("bins/255", || 7), 7);
    }

    #[test]
    #[should_panic(expected = "two types")]
    fn one_key_has_one_type() {
        let memo = Memo::default();
        memo.get_or_make("a", || 1_u8);
        memo.get_or_make("a", || 1_u16);
    }
}
