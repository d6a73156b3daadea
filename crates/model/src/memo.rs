//! A cache that many fits of one data set share: bins, scaled copies, vocabularies.
//!
//! The first caller of a key computes, the others wait; a value never changes once it is there, so the cache cannot
//! change a result. Keys name everything that the value depends on besides the data set itself.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

type Cell = Arc<OnceLock<Arc<dyn Any + Send + Sync>>>;

/// A write-once map from keys to shared values of any type.
#[derive(Default)]
pub struct Memo {
    cells: Mutex<BTreeMap<String, Cell>>,
}

impl Memo {
    /// The value of `key`, computed by `make` if it is not there yet.
    ///
    /// `make` must not ask for the same key. It should not run parallel work that may ask for the same key either;
    /// one thread computes while the others wait.
    ///
    /// # Panics
    /// If the key holds a value of another type: two users chose one key.
    pub fn get_or_make<T: Send + Sync + 'static>(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key.to_owned()).or_default())
        };
        let value = cell.get_or_init(|| Arc::new(make()));
        match Arc::clone(value).downcast::<T>() {
            Ok(value) => value,
            Err(_) => panic!("two types under the key `{key}`"),
        }
    }

    /// Forgets all values whose key starts with `prefix`; values in use live on with their users.
    pub fn forget(&self, prefix: &str) {
        let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
        cells.retain(|key, _| !key.starts_with(prefix));
    }
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
