//! A fence around decoders that are not ours: on damaged files some of them panic (parquet 59 asserts on bit widths
//! that it has read), and a damaged file is the user's error and no bug of Kaizen.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::DataError;

thread_local! {
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a foreign decoder, where a panic will be turned into an error. A panic hook that
/// reports bugs asks this first and stays silent if so.
pub fn is_decoding() -> bool {
    DECODING.with(Cell::get)
}

/// Runs a decoder; a panic becomes [`DataError::Broken`]. The work must own or only read what it touches: nothing of
/// it is looked at again after a panic.
pub(crate) fn guarded<T>(
    path: &str,
    format: &'static str,
    work: impl FnOnce() -> Result<T, DataError>,
) -> Result<T, DataError> {
    let before = DECODING.with(|decoding| decoding.replace(true));
    let result = catch_unwind(AssertUnwindSafe(work));
    DECODING.with(|decoding| decoding.set(before));
    result.unwrap_or_else(|_| Err(DataError::broken(path, format, "its parts contradict each other")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_that_names_the_file() {
        let error = guarded("a.parquet", "parquet", || -> Result<(), DataError> {
            assert!(is_decoding());
            panic!("a decoder's assertion")
        });
        assert!(!is_decoding());
        let text = error.unwrap_err().to_string();
        assert!(text.contains("a.parquet") && text.contains("parquet file is damaged"), "{text}");
    }
}
