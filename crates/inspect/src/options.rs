//! What a caller may tell an inspection, and the limits of its work.

use kaizen_base::Seed;
use kaizen_table::Table;

/// Rows looked at where all rows would cost too much (folds, pairs of columns).
///
/// 20,000 rows put the standard error of an area under the curve near 0.004 (Hanley and `McNeil` 1982, balanced
/// classes), well below the distance between any two thresholds used here.
pub const SAMPLE_ROWS: usize = 20_000;

/// Rows looked at for each pair of numeric columns; a correlation of 0.999 has a standard error of 5e-5 there.
pub const PAIR_ROWS: usize = 2_000;

/// Example rows kept with a finding.
pub const EXAMPLE_ROWS: usize = 5;

/// What a caller may say; everything has a default.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Where samples and folds come from.
    pub seed: Seed,
    /// The column whose values say which rows belong together; wins over anything found.
    pub group: Option<&'a str>,
    /// The column whose values say when a row was; wins over anything found.
    pub time_column: Option<&'a str>,
    /// A second table that the model will be used on or tested on, to be compared with the first.
    pub other: Option<&'a Table>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { seed: Seed(0), group: None, time_column: None, other: None }
    }
}
