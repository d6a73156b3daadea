//! What one column holds: counts, range, levels and a small histogram, in one sort of its values.

use kaizen_table::column::time_text;
use kaizen_table::{Boolean, Category, Column, MISSING_CODE, Text, Values};

/// Bins of a histogram: what fits beside a name in a terminal 80 columns wide.
const HISTOGRAM_BINS: usize = 24;

/// Levels kept, most frequent first.
const LEVELS_SHOWN: usize = 8;

/// Text cells whose shape and words are looked at, spread evenly over the rows.
const TEXT_CELLS_LOOKED_AT: usize = 2_000;

/// What a column is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// To predict from.
    Feature,
    /// To be predicted.
    Target,
    /// A key: tells rows apart and says nothing of new rows.
    Identifier,
    /// The position of the row in some earlier file.
    RowNumber,
    /// One value in every row.
    Constant,
    /// No value in any row.
    AllMissing,
    /// The same cells as an earlier column, which is named.
    DuplicateOf(String),
    /// The target under another name.
    TargetCopy,
}

impl Role {
    /// The word shown to people and written to JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Feature => "feature",
            Self::Target => "target",
            Self::Identifier => "identifier",
            Self::RowNumber => "row_number",
            Self::Constant => "constant",
            Self::AllMissing => "all_missing",
            Self::DuplicateOf(_) => "duplicate",
            Self::TargetCopy => "target_copy",
        }
    }

    /// Whether Kaizen leaves the column out when fitting.
    pub fn is_dropped(&self) -> bool {
        !matches!(self, Self::Feature | Self::Target)
    }
}

/// What one column holds.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnProfile {
    /// The whole name.
    pub name: String,
    /// `integer`, `number`, `boolean`, `category`, `time`, `text` or `sparse`.
    pub kind: &'static str,
    /// What it is for.
    pub role: Role,
    /// Number of missing cells.
    pub missing_count: usize,
    /// Number of distinct present values; words are told apart by a 64-bit hash.
    pub distinct_count: usize,
    /// Range and quartiles of numbers and moments (seconds since 1970); `None` for the rest and without a value.
    pub number: Option<NumberSummary>,
    /// The most frequent values with their counts, at most eight, empty where no value repeats.
    pub levels: Vec<Level>,
    /// Lengths, for text and categories; `None` for the rest and without a value.
    pub text: Option<TextSummary>,
    /// Counts over the range, for numbers and moments; `None` for the rest and without a value.
    pub histogram: Option<Histogram>,
}

impl ColumnProfile {
    /// Share of missing cells in [0, 1]; 0 for a table without rows.
    pub fn missing_share(&self, row_count: usize) -> f64 {
        if row_count == 0 { 0.0 } else { self.missing_count as f64 / row_count as f64 }
    }
}

/// A value and how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The value as a person would write it, whole.
    pub value: String,
    /// Rows that hold it.
    pub count: usize,
}

/// Range and quartiles of present values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NumberSummary {
    /// Least value.
    pub min: f64,
    /// First quartile (nearest rank).
    pub quartile_1: f64,
    /// Median (nearest rank).
    pub median: f64,
    /// Third quartile (nearest rank).
    pub quartile_3: f64,
    /// Greatest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation, divided by the count.
    pub deviation: f64,
    /// Skewness (third standardised moment); 0 for constants.
    pub skewness: f64,
    /// Share of exact zeros in [0, 1].
    pub zero_share: f64,
}

/// Lengths of present strings, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TextSummary {
    /// Shortest.
    pub bytes_min: usize,
    /// Mean.
    pub bytes_mean: f64,
    /// Longest.
    pub bytes_max: usize,
    /// Mean number of words between white space, over a spread of cells.
    pub words_mean: f64,
}

/// Counts of values in bins of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Left edge of the first bin.
    pub low: f64,
    /// Right edge of the last bin.
    pub high: f64,
    /// Values in each bin, at most 24 bins. Where tails are long, the edges are the 1st and 99th percentiles, and
    /// the outermost bins hold all that lies beyond them.
    pub counts: Vec<usize>,
}

/// What the checks need to know of a column and a reader does not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Equal for columns with equal cells (of one type).
    pub(crate) content_hash: u64,
    /// Rows of the most frequent value.
    pub(crate) top_count: usize,
    /// Adjacent rows, both present, where the value rises.
    pub(crate) rising: usize,
    /// Adjacent rows, both present, where the value falls.
    pub(crate) falling: usize,
    /// The step from each row to the next, if it is the same everywhere and no cell is missing.
    pub(crate) step: Option<f64>,
    /// Whether strings look like codes: one word, with digits, most of one shape.
    pub(crate) code_like: bool,
    /// A repeated extreme that lies far from all other values.
    pub(crate) far_extreme: Option<(f64, usize)>,
    /// Values equal to the least and to the greatest one.
    pub(crate) end_counts: (usize, usize),
}

impl Facts {
    /// Whether adjacent rows never fall (or never rise) and mostly rise (or fall).
    pub(crate) fn is_ordered(&self, row_count: usize) -> bool {
        self.rising.min(self.falling) == 0 && self.rising + self.falling > 0 && row_count > 2
    }
}

/// Profiles one column. The role is left at [`Role::Feature`] unless the cells alone decide it.
pub(crate) fn profile_column(column: &Column) -> (ColumnProfile, Facts) {
    let mut profile = ColumnProfile {
        name: column.name.clone(),
        kind: kind_word(column),
        role: Role::Feature,
        missing_count: 0,
        distinct_count: 0,
        number: None,
        levels: Vec::new(),
        text: None,
        histogram: None,
    };
    let mut facts = Facts { content_hash: content_hash(column), ..Facts::default() };
    match &column.values {
        Values::Number(number) => profile_numbers(&number.values, column, &mut profile, &mut facts),
        Values::Time(time) => profile_numbers(&time.seconds, column, &mut profile, &mut facts),
        Values::Boolean(boolean) => profile_booleans(boolean, &mut profile, &mut facts),
        Values::Category(category) => profile_categories(category, &mut profile, &mut facts),
        Values::Text(text) => profile_text(text, &mut profile, &mut facts),
        Values::Sparse(_) => profile.distinct_count = column.len(),
    }
    if profile.missing_count == column.len() {
        profile.role = Role::AllMissing;
    } else if profile.distinct_count == 1 && profile.missing_count == 0 {
        profile.role = Role::Constant;
    }
    (profile, facts)
}

fn profile_booleans(boolean: &Boolean, profile: &mut ColumnProfile, facts: &mut Facts) {
    let mut counts = [0usize; 2];
    for &value in &boolean.values {
        if let Some(count) = counts.get_mut(usize::from(value)) {
            *count += 1;
        }
    }
    profile.missing_count = boolean.values.len() - counts[0] - counts[1];
    profile.distinct_count = counts.iter().filter(|&&count| count > 0).count();
    let levels = counts.iter().enumerate().map(|(code, &count)| (boolean.names[code].clone(), count));
    keep_levels(levels.filter(|(_, count)| *count > 0).collect(), profile, facts);
}

fn profile_categories(category: &Category, profile: &mut ColumnProfile, facts: &mut Facts) {
    let row_count = category.codes.len();
    let mut counts = vec![0usize; category.levels.len()];
    for &code in &category.codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    profile.missing_count = row_count - counts.iter().sum::<usize>();
    profile.distinct_count = counts.iter().filter(|&&count| count > 0).count();
    let used = || counts.iter().enumerate().filter(|(_, count)| **count > 0);
    // Only the most frequent levels are copied: there may be a million, or one of a megabyte.
    let mut order: Vec<(usize, usize)> = used().map(|(level, &count)| (level, count)).collect();
    order.sort_by_key(|&(level, count)| (std::cmp::Reverse(count), level));
    order.truncate(LEVELS_SHOWN);
    let top = order.iter().map(|&(level, count)| (category.levels[level].clone(), count)).collect();
    keep_levels(top, profile, facts);
    let lengths = used().map(|(level, &count)| (category.levels[level].len(), count));
    profile.text = text_summary(lengths, spread(row_count, |row| category.level(row)), facts);
}

fn profile_text(text: &Text, profile: &mut ColumnProfile, facts: &mut Facts) {
    let mut hashes: Vec<(u64, u32)> = (0..text.len())
        .filter_map(|row| text.get(row).map(|cell| (hash_bytes(cell.as_bytes()), row as u32)))
        .collect();
    profile.missing_count = text.len() - hashes.len();
    hashes.sort_unstable();
    let mut runs: Vec<(usize, u32)> =
        hashes.chunk_by(|a, b| a.0 == b.0).map(|run| (run.len(), run[0].1)).collect();
    profile.distinct_count = runs.len();
    runs.sort_by_key(|&(count, row)| (std::cmp::Reverse(count), row));
    runs.truncate(LEVELS_SHOWN);
    let cell_of = |row: u32| text.get(row as usize).unwrap_or_default().to_owned();
    keep_levels(runs.iter().map(|&(count, row)| (cell_of(row), count)).collect(), profile, facts);
    let lengths = text.iter().flatten().map(|cell| (cell.len(), 1));
    profile.text = text_summary(lengths, spread(text.len(), |row| text.get(row)), facts);
}

fn kind_word(column: &Column) -> &'static str {
    match &column.values {
        Values::Number(number) if number.integer => "integer",
        Values::Number(_) => "number",
        Values::Boolean(_) => "boolean",
        Values::Category(_) => "category",
        Values::Time(_) => "time",
        Values::Text(_) => "text",
        Values::Sparse(_) => "sparse",
    }
}

/// Keeps the most frequent of `levels`, if any value repeats.
fn keep_levels(mut levels: Vec<(String, usize)>, profile: &mut ColumnProfile, facts: &mut Facts) {
    levels.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    facts.top_count = levels.first().map_or(0, |(_, count)| *count);
    if facts.top_count > 1 || profile.distinct_count <= LEVELS_SHOWN {
        levels.truncate(LEVELS_SHOWN);
        profile.levels = levels.into_iter().map(|(value, count)| Level { value, count }).collect();
    }
}

fn profile_numbers(values: &[f64], column: &Column, profile: &mut ColumnProfile, facts: &mut Facts) {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    profile.missing_count = values.len() - sorted.len();
    note_row_order(values, profile.missing_count, facts);
    if sorted.is_empty() {
        return;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let mut runs = Vec::new();
    let mut top: Vec<(usize, f64)> = Vec::new();
    for run in sorted.chunk_by(|a, b| a == b) {
        profile.distinct_count += 1;
        if run.len() > 1 {
            top.push((run.len(), run[0]));
        }
        if runs.len() <= HISTOGRAM_BINS {
            runs.push((run[0], run.len()));
        }
        // Sorting now and then keeps the list short without a heap.
        if top.len() > 64 * LEVELS_SHOWN {
            keep_top(&mut top);
        }
    }
    keep_top(&mut top);
    facts.top_count = top.first().map_or(1, |&(count, _)| count);
    let text_of = |value: f64| match &column.values {
        Values::Time(_) => time_text(value),
        Values::Number(number) => kaizen_table::column::number_text(value, number.integer),
        _ => String::new(),
    };
    profile.levels = top.iter().map(|&(count, value)| Level { value: text_of(value), count }).collect();
    facts.end_counts = (
        sorted.iter().take_while(|value| **value == sorted[0]).count(),
        sorted.iter().rev().take_while(|value| **value == sorted[sorted.len() - 1]).count(),
    );
    facts.far_extreme = far_extreme(&sorted, facts.end_counts);
    profile.number = Some(summarise(&sorted));
    profile.histogram = Some(histogram(&sorted, profile.kind == "integer" && profile.distinct_count > 1));
}

fn keep_top(top: &mut Vec<(usize, f64)>) {
    top.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.total_cmp(&b.1)));
    top.truncate(LEVELS_SHOWN);
}

fn note_row_order(values: &[f64], missing_count: usize, facts: &mut Facts) {
    let mut step = (missing_count == 0 && values.len() > 1).then(|| values[1] - values[0]);
    for pair in values.windows(2) {
        facts.rising += usize::from(pair[1] > pair[0]);
        facts.falling += usize::from(pair[1] < pair[0]);
        if step.is_some_and(|step| pair[1] - pair[0] != step) {
            step = None;
        }
    }
    facts.step = step;
}

fn summarise(sorted: &[f64]) -> NumberSummary {
    let count = sorted.len();
    let rank = |share: f64| sorted[((count as f64 * share).ceil() as usize).clamp(1, count) - 1];
    let (min, max) = (sorted[0], sorted[count - 1]);
    // Scaling by the largest size keeps sums and cubes of huge values finite.
    let scale = min.abs().max(max.abs());
    let scale = if scale > 0.0 { scale } else { 1.0 };
    let mean = sorted.iter().map(|value| value / scale).sum::<f64>() / count as f64;
    let (mut second, mut third) = (0.0, 0.0);
    for value in sorted {
        let distance = value / scale - mean;
        second += distance * distance;
        third += distance * distance * distance;
    }
    second /= count as f64;
    third /= count as f64;
    let spread = second.sqrt();
    NumberSummary {
        min,
        quartile_1: rank(0.25),
        median: rank(0.5),
        quartile_3: rank(0.75),
        max,
        mean: (mean * scale).clamp(min, max),
        deviation: spread * scale,
        // A constant leaves only rounding behind.
        skewness: if spread > 1e-12 { third / (spread * spread * spread) } else { 0.0 },
        zero_share: sorted.iter().filter(|value| **value == 0.0).count() as f64 / count as f64,
    }
}

fn histogram(sorted: &[f64], integer: bool) -> Histogram {
    let count = sorted.len();
    let (min, max) = (sorted[0], sorted[count - 1]);
    if integer && max - min < HISTOGRAM_BINS as f64 {
        let mut counts = vec![0; (max - min) as usize + 1];
        for value in sorted {
            counts[(value - min) as usize] += 1;
        }
        return Histogram { low: min - 0.5, high: max + 0.5, counts };
    }
    let (mut low, mut high) = (sorted[count / 100], sorted[count - 1 - count / 100]);
    // Cutting the tails is worth it only where they take most of the width.
    if (high / 2.0 - low / 2.0) * 2.0 > max / 2.0 - min / 2.0 || low == high {
        (low, high) = (min, max);
    }
    let mut counts = vec![0; if min == max { 1 } else { HISTOGRAM_BINS }];
    let bins = counts.len();
    // Halves first: the range of two huge numbers of either sign is infinite.
    let width = high / 2.0 - low / 2.0;
    for value in sorted {
        let position = if width > 0.0 { (value / 2.0 - low / 2.0) / width } else { 0.0 };
        counts[((position * bins as f64) as usize).min(bins - 1)] += 1;
    }
    Histogram { low, high, counts }
}

/// The least or greatest value, if it is repeated and lies further from the next one than half the range of the rest.
fn far_extreme(sorted: &[f64], ends: (usize, usize)) -> Option<(f64, usize)> {
    // At least five rows and one in a thousand: a single outlier is a slip, not a code.
    let enough = |count: usize| count >= 5 && count * 1000 >= sorted.len();
    let last = sorted.len() - 1;
    let (low_count, high_count) = ends;
    if low_count + high_count > last {
        return None;
    }
    let next_low = sorted[low_count];
    let next_high = sorted[last - high_count];
    let far = |gap: f64, rest: f64| rest > 0.0 && gap > rest / 2.0;
    if enough(low_count) && far(next_low / 2.0 - sorted[0] / 2.0, sorted[last] / 2.0 - next_low / 2.0) {
        return Some((sorted[0], low_count));
    }
    (enough(high_count) && far(sorted[last] / 2.0 - next_high / 2.0, next_high / 2.0 - sorted[0] / 2.0))
        .then(|| (sorted[last], high_count))
}

/// Some present cells, evenly spread over the rows.
fn spread<'a>(row_count: usize, cell: impl Fn(usize) -> Option<&'a str>) -> impl Iterator<Item = &'a str> {
    let stride = row_count.div_ceil(TEXT_CELLS_LOOKED_AT).max(1);
    (0..row_count).step_by(stride).filter_map(cell)
}

fn text_summary<'a>(
    lengths: impl Iterator<Item = (usize, usize)>,
    cells: impl Iterator<Item = &'a str>,
    facts: &mut Facts,
) -> Option<TextSummary> {
    let (mut least, mut most, mut sum, mut count) = (usize::MAX, 0, 0.0, 0usize);
    for (length, times) in lengths {
        least = least.min(length);
        most = most.max(length);
        sum += length as f64 * times as f64;
        count += times;
    }
    let (mut words, mut looked_at, mut coded, mut spaced) = (0usize, 0usize, 0usize, 0usize);
    let mut shapes: std::collections::BTreeMap<u64, usize> = std::collections::BTreeMap::new();
    for cell in cells {
        looked_at += 1;
        let word_count = cell.split_whitespace().count();
        words += word_count;
        spaced += usize::from(word_count > 1);
        coded += usize::from(cell.bytes().any(|byte| byte.is_ascii_digit()) && cell.len() <= CODE_BYTES_MAX);
        *shapes.entry(shape_of(cell)).or_default() += 1;
    }
    // Nine in ten with digits, one word and few shapes: what a generator of codes makes and no language does.
    let nearly_all = |part: usize| part * 10 >= looked_at * 9;
    let shape_share: usize = {
        let mut counts: Vec<usize> = shapes.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.iter().take(3).sum()
    };
    facts.code_like = looked_at > 0
        && nearly_all(coded)
        && spaced * 50 <= looked_at
        && (nearly_all(shape_share) || most <= CODE_BYTES_MAX && least == most);
    (count > 0).then(|| TextSummary {
        bytes_min: least,
        bytes_mean: sum / count as f64,
        bytes_max: most,
        words_mean: words as f64 / looked_at.max(1) as f64,
    })
}

/// Longest code: a UUID in braces has 38 bytes, a SHA-256 in hexadecimal 64.
const CODE_BYTES_MAX: usize = 64;

/// A hash of a string's shape: runs of hexadecimal-looking or other letters and digits count as one mark each.
fn shape_of(cell: &str) -> u64 {
    let mut hash = HASH_START;
    let mut previous = 0u8;
    for &byte in cell.as_bytes().iter().take(CODE_BYTES_MAX) {
        let mark = match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => b'a',
            other => other,
        };
        if mark != previous || mark != b'a' {
            hash = mix(hash ^ u64::from(mark));
        }
        previous = mark;
    }
    hash
}

const HASH_START: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes 64 bits (finaliser of splitmix64: Steele, Lea and Flood 2014).
#[inline]
pub(crate) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A 64-bit hash of bytes, eight at a time.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = HASH_START ^ bytes.len() as u64;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word)).wrapping_add(HASH_START);
    }
    let mut word = [0; 8];
    word[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    mix(hash ^ u64::from_le_bytes(word))
}

/// Hashes of the cells of a column, one a row, equal exactly where cells are equal (but for collisions); levels of a
/// category count by their words, so that two columns or tables with different code lists can be compared.
pub(crate) fn cell_hashes(column: &Column) -> Vec<u64> {
    const MISSING: u64 = 0x6d69_7373_696e_6721;
    // Adding zero makes the two zeros one.
    let of_number = |value: &f64| if value.is_nan() { MISSING } else { mix((value + 0.0).to_bits()) };
    match &column.values {
        Values::Number(number) => number.values.iter().map(of_number).collect(),
        Values::Time(time) => time.seconds.iter().map(of_number).collect(),
        Values::Boolean(boolean) => boolean
            .values
            .iter()
            .map(|&value| {
                boolean.names.get(usize::from(value)).map_or(MISSING, |name| hash_bytes(name.as_bytes()))
            })
            .collect(),
        Values::Category(category) => {
            let levels: Vec<u64> = category.levels.iter().map(|level| hash_bytes(level.as_bytes())).collect();
            category
                .codes
                .iter()
                .map(|&code| if code == MISSING_CODE { MISSING } else { levels[code as usize] })
                .collect()
        }
        Values::Text(text) => {
            text.iter().map(|cell| cell.map_or(MISSING, |cell| hash_bytes(cell.as_bytes()))).collect()
        }
        Values::Sparse(sparse) => (0..sparse.row_count())
            .map(|row| {
                let (indices, values) = sparse.row(row);
                indices.iter().zip(values).fold(HASH_START, |hash, (&index, value)| {
                    mix(mix(hash ^ u64::from(index)) ^ u64::from(value.to_bits()))
                })
            })
            .collect(),
    }
}

fn content_hash(column: &Column) -> u64 {
    cell_hashes(column).into_iter().fold(HASH_START, |hash, cell| mix(hash ^ cell).wrapping_add(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_by_hand() {
        let column = Column::number("x", vec![3.0, 1.0, f64::NAN, 2.0, 2.0, 0.0]);
        let (profile, facts) = profile_column(&column);
        let summary = profile.number.unwrap();
        assert_eq!((profile.missing_count, profile.distinct_count, profile.kind), (1, 4, "integer"));
        assert_eq!(
            (summary.min, summary.quartile_1, summary.median, summary.quartile_3, summary.max),
            (0.0, 1.0, 2.0, 2.0, 3.0)
        );
        assert!((summary.mean - 1.6).abs() < 1e-12 && (summary.zero_share - 0.2).abs() < 1e-12);
        assert_eq!(profile.levels, [Level { value: "2".to_owned(), count: 2 }]);
        assert_eq!(profile.histogram.unwrap().counts, [1, 1, 2, 1]);
        assert_eq!(facts.top_count, 2);
    }

    #[test]
    fn extreme_scales_stay_finite() {
        let column = Column::number("x", vec![-1e308, 1e308, 1e-300, 5e307, -5e307, 0.0]);
        let (profile, _) = profile_column(&column);
        let summary = profile.number.unwrap();
        assert!(summary.mean.is_finite() && summary.deviation.is_finite() && summary.skewness.is_finite());
        assert_eq!(profile.histogram.unwrap().counts.iter().sum::<usize>(), 6);
    }

    #[test]
    fn roles_that_cells_decide() {
        let role = |column: &Column| profile_column(column).0.role;
        assert_eq!(role(&Column::number("x", vec![f64::NAN; 3])), Role::AllMissing);
        assert_eq!(role(&Column::category("x", &[Some("a"), Some("a")])), Role::Constant);
        // Present or absent is information.
        assert_eq!(role(&Column::category("x", &[Some("a"), None])), Role::Feature);
    }

    #[test]
    fn codes_are_told_from_words() {
        let looks_coded = |cells: Vec<String>| {
            let (_, facts) = profile_column(&Column::text("x", cells.iter().map(Some)));
            facts.code_like
        };
        assert!(looks_coded((0..200).map(|row| format!("{:04}-ABCDE", row * 37)).collect()));
        assert!(looks_coded((0..200u64).map(|row| format!("{:08x}-{:04x}", mix(row), row)).collect()));
        assert!(!looks_coded((0..200).map(|row| format!("Braund, Mr. Owen {row}")).collect()));
        assert!(!looks_coded((0..200).map(|row| "ab".repeat(row % 5 + 1)).collect()));
    }

    #[test]
    fn a_code_for_missing_lies_far_off() {
        let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
        values.extend([-9999.0; 20]);
        assert_eq!(profile_column(&Column::number("x", values)).1.far_extreme, Some((-9999.0, 20)));
        let skewed: Vec<f64> = (0..1000).map(|row| f64::from(row % 100)).collect();
        assert_eq!(profile_column(&Column::number("x", skewed)).1.far_extreme, None);
    }

    #[test]
    fn hashes_follow_words_not_codes() {
        let one = cell_hashes(&Column::category("x", &[Some("b"), Some("a"), None]));
        let two = cell_hashes(&Column::category("x", &[Some("b"), Some("c"), None]));
        assert_eq!((one[0], one[2]), (two[0], two[2]));
        assert_ne!(one[1], two[1]);
        assert_ne!(hash_bytes(b"12345678"), hash_bytes(b"12345678\0"));
    }
}
