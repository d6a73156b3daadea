//! Columns cut into at most 255 value bins and stored once for every fold, trial and fidelity.
//!
//! Code 0 is a missing value (and an unseen or absent category); codes from 1 up are values, in order for numbers and
//! by falling frequency for categories. Codes lie in *blocks*: eight columns share one 64-bit word a row, so that the
//! histogram kernel reads eight codes with one load and keeps eight small histograms in the first-level cache. The road
//! not taken is one byte array a column: it reads each row index and gradient eight times as often.
//!
//! Source of the bin edges: equal-frequency cuts where heavy values keep a bin of their own (as described for LightGBM
//! by Ke et al. 2017, section 2.1, and its documentation of `max_bin`).

use std::sync::Arc;

use rayon::prelude::*;

use crate::error::{Result, TreesError};

/// The raw values of one feature, one entry a row.
#[derive(Clone, Copy, Debug)]
pub enum FeatureData<'a> {
    /// Numbers; NaN is missing, infinities are ordinary extreme values.
    Number(&'a [f64]),
    /// Categories.
    Category {
        /// Level of each row; `u32::MAX` is missing, any other code from `level_count` up is an unseen level.
        codes: &'a [u32],
        /// Number of known levels.
        level_count: u32,
    },
}

impl FeatureData<'_> {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Number(values) => values.len(),
            Self::Category { codes, .. } => codes.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How columns are cut into bins.
#[derive(Clone, Debug, PartialEq)]
pub struct BinParams {
    /// Largest number of value bins of a column, 2 to 255; missing values have a further bin.
    pub max_bins: u16,
    /// Bin edges are found on at most this many rows, evenly spaced over the table.
    pub sample_rows: usize,
    /// Least number of (sampled) rows in a bin of a number.
    pub min_rows_per_bin: usize,
}

impl Default for BinParams {
    /// 255 bins found on 200,000 rows with at least 3 rows a bin, as LightGBM's defaults.
    fn default() -> Self {
        Self { max_bins: 255, sample_rows: 200_000, min_rows_per_bin: 3 }
    }
}

/// How raw values of one column become codes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Coding {
    /// Code 1 + number of edges below the value; NaN is 0.
    Number {
        /// Ascending; a value equal to an edge lies below it.
        edges: Vec<f64>,
    },
    /// Code by table; missing and unseen levels are 0.
    Category {
        /// Code of each level, 0 for levels that never occurred.
        code_of_level: Vec<u8>,
    },
}

impl Coding {
    /// Number of codes in use, the missing code included.
    pub(crate) fn bin_count(&self) -> usize {
        match self {
            Self::Number { edges } => edges.len() + 2,
            Self::Category { code_of_level } => {
                usize::from(code_of_level.iter().copied().max().unwrap_or(0)) + 1
            }
        }
    }
}

/// Code of a number between ascending `edges`.
#[inline]
pub(crate) fn code_of_number(edges: &[f64], value: f64) -> u8 {
    if value.is_nan() { 0 } else { 1 + edges.partition_point(|edge| *edge < value) as u8 }
}

/// Code of a level by its table.
#[inline]
pub(crate) fn code_of_level(table: &[u8], level: u32) -> u8 {
    table.get(level as usize).copied().unwrap_or(0)
}

/// One binned column: its coding and, for categories, the raw levels.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) coding: Arc<Coding>,
    pub(crate) bin_count: usize,
    pub(crate) has_missing: bool,
    /// Raw levels of categories (empty for numbers), from which ordered statistics are computed.
    pub(crate) levels: Vec<u32>,
    pub(crate) level_count: u32,
}

impl Column {
    pub(crate) fn is_category(&self) -> bool {
        matches!(*self.coding, Coding::Category { .. })
    }

    /// Whether there are two different codes to tell apart.
    pub(crate) fn can_split(&self) -> bool {
        self.bin_count > 2 || (self.bin_count == 2 && self.has_missing)
    }
}

/// Number of columns that share a word.
pub(crate) const LANES: usize = 8;

/// Codes of up to eight columns, one word a row; byte `k` is the code of the block's column `k`.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) words: Vec<u64>,
    pub(crate) lane_count: usize,
    pub(crate) bin_counts: [usize; LANES],
}

impl Block {
    /// Interleaves up to eight columns of codes; each code must be below its column's bin count.
    pub(crate) fn from_columns(columns: &[(&[u8], usize)], row_count: usize) -> Self {
        assert!(columns.len() <= LANES, "a block has at most eight columns");
        let mut words = vec![0u64; row_count];
        let mut bin_counts = [0; LANES];
        for (lane, (codes, bin_count)) in columns.iter().enumerate() {
            bin_counts[lane] = *bin_count;
            for (word, code) in words.iter_mut().zip(*codes) {
                // The histogram kernel trusts this bound.
                assert!(usize::from(*code) < *bin_count, "code beyond the bins of its column");
                *word |= u64::from(*code) << (8 * lane);
            }
        }
        Self { words, lane_count: columns.len(), bin_counts }
    }

    /// Code of the block's column `lane` in `row`.
    #[inline]
    pub(crate) fn code(&self, row: usize, lane: usize) -> u8 {
        (self.words[row] >> (8 * lane)) as u8
    }
}

/// A binned table, cheap to clone: columns and codes are shared.
#[derive(Clone, Debug)]
pub struct Bins {
    pub(crate) blocks: Vec<Arc<Block>>,
    pub(crate) columns: Vec<Arc<Column>>,
    /// Block and lane of each feature.
    pub(crate) places: Vec<(u32, u8)>,
    row_count: usize,
}

impl Bins {
    /// Cuts every feature into bins. Cost: one sort of at most `sample_rows` values a number, one pass over all rows.
    ///
    /// A table without features is allowed; every model of it is a constant.
    ///
    /// # Errors
    /// [`TreesError::Shape`] if features differ in length or there are more than 65,535 of them or 2^32 - 2 rows;
    /// [`TreesError::Parameter`] if `max_bins` is outside 2..=255.
    pub fn build(features: &[FeatureData<'_>], params: &BinParams) -> Result<Self> {
        let row_count = features.first().map_or(0, FeatureData::len);
        Self { blocks: Vec::new(), columns: Vec::new(), places: Vec::new(), row_count }
            .with_added(features, params)
    }

    /// The same table with more features after the present ones; nothing of the present ones is copied.
    ///
    /// # Errors
    /// As [`Bins::build`].
    pub fn with_added(&self, features: &[FeatureData<'_>], params: &BinParams) -> Result<Self> {
        if !(2..=255).contains(&params.max_bins) {
            return Err(TreesError::Parameter {
                name: "max_bins",
                value: f64::from(params.max_bins),
                allowed: "2 to 255",
            });
        }
        let total = self.columns.len() + features.len();
        if total > usize::from(u16::MAX) {
            return Err(TreesError::Shape {
                what: "features",
                expected: usize::from(u16::MAX),
                found: total,
            });
        }
        let row_count = if self.columns.is_empty() {
            features.first().map_or(self.row_count, FeatureData::len)
        } else {
            self.row_count
        };
        if row_count > (u32::MAX - 1) as usize {
            return Err(TreesError::Shape {
                what: "rows",
                expected: (u32::MAX - 1) as usize,
                found: row_count,
            });
        }
        if let Some(other) = features.iter().find(|feature| feature.len() != row_count) {
            return Err(TreesError::Shape {
                what: "rows of a feature",
                expected: row_count,
                found: other.len(),
            });
        }
        let groups: Vec<(Vec<Column>, Block)> =
            features.par_chunks(LANES).map(|group| build_block(group, row_count, params)).collect();
        let mut bins = self.clone();
        bins.row_count = row_count;
        for (columns, block) in groups {
            bins.push_block(block, columns);
        }
        Ok(bins)
    }

    /// Appends a block with its columns.
    pub(crate) fn push_block(&mut self, block: Block, columns: Vec<Column>) {
        let block_index = self.blocks.len() as u32;
        for (lane, column) in columns.into_iter().enumerate() {
            self.columns.push(Arc::new(column));
            self.places.push((block_index, lane as u8));
        }
        self.blocks.push(Arc::new(block));
    }

    /// Number of rows of the table.
    pub fn row_count(&self) -> usize {
        self.row_count
    }

    /// Number of features.
    pub fn feature_count(&self) -> usize {
        self.columns.len()
    }

    /// Whether the feature is a category.
    ///
    /// # Panics
    /// If there is no such feature.
    pub fn is_category(&self, feature: usize) -> bool {
        self.columns[feature].is_category()
    }

    /// Code of one cell: 0 for missing.
    ///
    /// # Panics
    /// If there is no such row or feature.
    pub fn code(&self, row: usize, feature: usize) -> u8 {
        let (block, lane) = self.places[feature];
        self.blocks[block as usize].code(row, usize::from(lane))
    }

    /// Bytes held by codes and levels.
    pub fn size_bytes(&self) -> usize {
        let words: usize = self.blocks.iter().map(|block| block.words.len() * 8).sum();
        let levels: usize = self.columns.iter().map(|column| column.levels.len() * 4).sum();
        words + levels
    }
}

fn build_block(group: &[FeatureData<'_>], row_count: usize, params: &BinParams) -> (Vec<Column>, Block) {
    let mut columns = Vec::with_capacity(group.len());
    let mut codes = Vec::with_capacity(group.len());
    for feature in group {
        let (column, column_codes) = match feature {
            FeatureData::Number(values) => bin_number(values, params),
            FeatureData::Category { codes, level_count } => bin_category(codes, *level_count, params),
        };
        columns.push(column);
        codes.push(column_codes);
    }
    let views: Vec<(&[u8], usize)> =
        codes.iter().zip(&columns).map(|(codes, column)| (codes.as_slice(), column.bin_count)).collect();
    let block = Block::from_columns(&views, row_count);
    (columns, block)
}

fn bin_number(values: &[f64], params: &BinParams) -> (Column, Vec<u8>) {
    let step = values.len().div_ceil(params.sample_rows.max(1)).max(1);
    let mut sample: Vec<f64> = values.iter().step_by(step).copied().filter(|value| !value.is_nan()).collect();
    sample.sort_unstable_by(f64::total_cmp);
    let edges = number_edges(&sample, usize::from(params.max_bins), params.min_rows_per_bin);
    let codes: Vec<u8> = values.iter().map(|value| code_of_number(&edges, *value)).collect();
    let column = Column {
        bin_count: edges.len() + 2,
        has_missing: codes.contains(&0),
        coding: Arc::new(Coding::Number { edges }),
        levels: Vec::new(),
        level_count: 0,
    };
    (column, codes)
}

/// Edges between at most `max_bins` bins of sorted values without NaN.
///
/// If there are no more distinct values than bins, each has its own; otherwise bins are filled to the mean share of
/// what is left, and a value that alone exceeds that share is not merged with its neighbours.
pub(crate) fn number_edges(sorted: &[f64], max_bins: usize, min_rows: usize) -> Vec<f64> {
    let mut distinct: Vec<(f64, usize)> = Vec::new();
    for value in sorted {
        match distinct.last_mut() {
            Some(last) if last.0 == *value => last.1 += 1,
            _ => distinct.push((*value, 1)),
        }
    }
    let mut edges = Vec::new();
    let all_fit = distinct.len() <= max_bins;
    // Heavy values take one bin each; the others share what is left.
    let share = sorted.len() as f64 / max_bins as f64;
    let heavy = |count: usize| !all_fit && count as f64 >= share;
    let mut left_rows: usize =
        distinct.iter().filter(|(_, count)| !heavy(*count)).map(|(_, count)| count).sum();
    let mut left_bins =
        max_bins.saturating_sub(distinct.iter().filter(|(_, count)| heavy(*count)).count()).max(1);
    let mut filled = 0;
    let mut filled_light = 0;
    for pair in distinct.windows(2) {
        let ((value, count), (next, next_count)) = (pair[0], pair[1]);
        filled += count;
        if !heavy(count) {
            filled_light += count;
        }
        let target = left_rows as f64 / left_bins as f64;
        let closes = if all_fit {
            filled >= min_rows
        } else {
            let before_heavy = heavy(next_count) && filled_light as f64 >= 0.5 * target;
            (heavy(count) || filled_light as f64 >= target || before_heavy) && filled >= min_rows
        };
        if closes && edges.len() + 1 < max_bins {
            edges.push(middle(value, next));
            left_rows -= filled_light.min(left_rows);
            if !heavy(count) || filled_light > 0 {
                left_bins = left_bins.saturating_sub(1).max(1);
            }
            filled = 0;
            filled_light = 0;
        }
    }
    edges
}

/// A number with `low` <= it < `high`, half way where the arithmetic allows.
fn middle(low: f64, high: f64) -> f64 {
    let half = low / 2.0 + high / 2.0;
    if half >= low && half < high { half } else { low }
}

fn bin_category(levels: &[u32], level_count: u32, params: &BinParams) -> (Column, Vec<u8>) {
    let mut counts: Vec<(usize, u32)> = (0..level_count).map(|level| (0, level)).collect();
    for level in levels {
        if let Some(slot) = counts.get_mut(*level as usize) {
            slot.0 += 1;
        }
    }
    counts.retain(|(count, _)| *count > 0);
    counts.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let mut code_of = vec![0u8; level_count as usize];
    // The last bin is shared by all rare levels.
    let last = usize::from(params.max_bins);
    for (rank, (_, level)) in counts.iter().enumerate() {
        code_of[*level as usize] = (rank + 1).min(last) as u8;
    }
    let codes: Vec<u8> = levels.iter().map(|level| code_of_level(&code_of, *level)).collect();
    let coding = Coding::Category { code_of_level: code_of };
    let column = Column {
        bin_count: coding.bin_count(),
        has_missing: codes.contains(&0),
        coding: Arc::new(coding),
        levels: levels.to_vec(),
        level_count,
    };
    (column, codes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each_and_missing_is_zero() {
        let values = [3.0, 1.0, f64::NAN, 1.0, 2.0, f64::INFINITY, 2.0, 3.0];
        let params = BinParams { min_rows_per_bin: 1, ..BinParams::default() };
        let bins = Bins::build(&[FeatureData::Number(&values)], &params).unwrap();
        let codes: Vec<u8> = (0..values.len()).map(|row| bins.code(row, 0)).collect();
        assert_eq!(codes, [3, 1, 0, 1, 2, 4, 2, 3]);
        assert!(bins.columns[0].has_missing);
    }

    #[test]
    fn many_values_fill_bins_evenly_and_heavy_values_stand_alone() {
        // Half of the rows are zero, the rest are distinct.
        let values: Vec<f64> = (0..2000).map(|i| if i % 2 == 0 { 0.0 } else { f64::from(i) }).collect();
        let params = BinParams { max_bins: 11, ..BinParams::default() };
        let bins = Bins::build(&[FeatureData::Number(&values)], &params).unwrap();
        let mut counts = [0; 12];
        for row in 0..values.len() {
            counts[usize::from(bins.code(row, 0))] += 1;
        }
        assert_eq!(counts[0], 0);
        assert_eq!(counts[1], 1000);
        assert!(counts[2..].iter().all(|count| (90..=110).contains(count)), "{counts:?}");
    }

    #[test]
    fn levels_are_ranked_by_frequency_and_rare_ones_share_a_bin() {
        let codes = [2, 2, 2, 0, 0, 1, 3, u32::MAX, 9];
        let params = BinParams { max_bins: 3, ..BinParams::default() };
        let bins = Bins::build(&[FeatureData::Category { codes: &codes, level_count: 5 }], &params).unwrap();
        let binned: Vec<u8> = (0..codes.len()).map(|row| bins.code(row, 0)).collect();
        assert_eq!(binned, [1, 1, 1, 2, 2, 3, 3, 0, 0]);
    }

    #[test]
    fn added_columns_share_the_old_ones() {
        let a = [1.0, 2.0, 3.0];
        let b = [5.0, 5.0, 6.0];
        let params = BinParams { min_rows_per_bin: 1, ..BinParams::default() };
        let base = Bins::build(&[FeatureData::Number(&a)], &params).unwrap();
        let more = base.with_added(&[FeatureData::Number(&b)], &params).unwrap();
        assert!(Arc::ptr_eq(&base.blocks[0], &more.blocks[0]));
        assert_eq!((more.feature_count(), more.code(2, 1)), (2, 2));
        assert!(base.with_added(&[FeatureData::Number(&a[..2])], &params).is_err());
        assert!(Bins::build(&[], &BinParams { max_bins: 1, ..params }).is_err());
    }

    #[test]
    fn edges_separate_neighbouring_floats() {
        let low = 1.0f64;
        let high = low.next_up();
        assert!(middle(low, high) >= low && middle(low, high) < high);
        assert_eq!(middle(f64::NEG_INFINITY, f64::INFINITY), f64::NEG_INFINITY);
    }
}
