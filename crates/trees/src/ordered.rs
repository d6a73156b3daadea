//! Ordered target statistics of categories and of their combinations.
//!
//! The level of a row is replaced by the mean target of the rows of the same level that come earlier in a random order,
//! shrunk towards a prior; at prediction all training rows are the past. This keeps a row's own target out of its
//! feature (Prokhorenkova et al. 2018, section 3.2). Several orders are drawn: a tree's structure is learned on one of
//! them, leaf values of the model on another.
//!
//! Where we differ: combinations of categories are not tried anew at every level of every tree but chosen once, by what
//! they explain beyond their parts (partial correlation with the target), so that statistics are binned once and cost no
//! more than ordinary columns; and statistics are cut at their quantiles instead of evenly.

use std::sync::Arc;

use kaizen_base::Seed;
use rayon::prelude::*;

use crate::bins::{Bins, Block, Coding, Column, LANES, code_of_number, number_edges};
use crate::params::{Objective, OrderedParams};

/// How the levels of one or several categories become codes at prediction.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Statistic {
    /// Input features and their number of known levels.
    pub(crate) sources: Vec<(u32, u32)>,
    features: Vec<u32>,
    /// Ascending keys of the combinations seen; empty for a single category, whose table is indexed by level.
    pub(crate) keys: Arc<Vec<u64>>,
    /// Code of each key, or of each level and then of missing.
    pub(crate) codes: Vec<u8>,
    /// Code of levels and combinations never seen.
    pub(crate) unseen: u8,
}

impl Statistic {
    pub(crate) fn new(sources: Vec<(u32, u32)>, keys: Arc<Vec<u64>>, codes: Vec<u8>, unseen: u8) -> Self {
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

/// What the statistics are computed from.
pub(crate) struct OrderedInput<'a> {
    pub(crate) bins: &'a Bins,
    pub(crate) rows: &'a [u32],
    pub(crate) valid_rows: &'a [u32],
    pub(crate) target: &'a [f64],
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) objective: &'a Objective,
    /// Features that training may use.
    pub(crate) features: &'a [u32],
}

/// The table with statistics appended, once for each order, and what the new columns are.
pub(crate) struct OrderedTables {
    /// The original table plus the statistics' columns; training rows see their past, validation rows all of it.
    pub(crate) tables: Vec<Bins>,
    pub(crate) statistics: Vec<Arc<Statistic>>,
    /// Original features that are now represented by statistics only.
    pub(crate) replaced: Vec<u32>,
}

/// Rows that carry the same levels have the same dense key.
struct Keys {
    sources: Vec<(u32, u32)>,
    /// Ascending distinct keys of training rows; for one source, all its levels and missing.
    distinct: Arc<Vec<u64>>,
    count: usize,
    /// Dense key of each training position.
    of_train: Vec<u32>,
    /// Dense key of each validation position, `u32::MAX` if unseen.
    of_valid: Vec<u32>,
}

/// A prior and its weight in rows.
#[derive(Clone, Copy, Debug)]
struct Prior {
    value: f64,
    weight: f64,
}

/// Largest number of combinations that are kept.
const MAX_COMBINATIONS: usize = 24;
/// Combinations of several classes have a column a class and one of counts; so many columns they may add.
const MAX_COMBINATION_COLUMNS: usize = 96;
/// Largest number of combinations that are tried at each size.
const MAX_CANDIDATES: usize = 2_000;
/// A combination must explain this many times what chance would (a chi-square with one degree of freedom has mean 1).
const MIN_EVIDENCE: f64 = 10.0;
/// Combinations with fewer training rows a key than this memorise rather than generalise.
const MIN_ROWS_PER_KEY: f64 = 2.0;

/// Computes statistics for every category with more than `one_hot_levels` levels (and more levels than classes, if there
/// are several), and for combinations; `None` if there is none.
pub(crate) fn build(input: &OrderedInput<'_>, params: &OrderedParams, seed: Seed) -> Option<OrderedTables> {
    // With several classes a category has a statistic for each; if it has no more levels than that, its levels say the
    // same in fewer bins.
    let classes = match input.objective {
        Objective::Softmax { classes, .. } if *classes > 2 => *classes,
        _ => 0,
    };
    let one_hot_levels = params.one_hot_levels.max(classes) as usize;
    let replaced: Vec<u32> = input
        .features
        .iter()
        .copied()
        .filter(|feature| {
            let column = &input.bins.columns[*feature as usize];
            column.is_category() && column.bin_count > one_hot_levels + 1
        })
        .collect();
    let categories: Vec<u32> =
        input.features.iter().copied().filter(|f| input.bins.columns[*f as usize].is_category()).collect();
    if categories.is_empty() {
        return None;
    }
    let channels = channels(input);
    let orders: Vec<Vec<u32>> = (0..params.permutations)
        .map(|index| {
            let mut order: Vec<u32> = (0..input.rows.len() as u32).collect();
            seed.child("order", u64::from(index)).rng().shuffle(&mut order);
            order
        })
        .collect();
    let mut sets: Vec<Keys> = replaced.par_iter().map(|feature| single_keys(input, *feature)).collect();
    if params.max_combination > 1 {
        let chosen = combinations(input, params, &categories, &channels, &orders[0]);
        sets.extend(chosen);
    }
    if sets.is_empty() {
        return None;
    }
    let weights: Vec<f64> =
        input.rows.iter().map(|row| input.weights.map_or(1.0, |weights| weights[*row as usize])).collect();
    let made: Vec<Vec<MadeColumn>> = sets
        .par_iter()
        .map(|keys| {
            let mut columns: Vec<MadeColumn> = channels
                .iter()
                .flat_map(|channel| mean_columns(keys, channel, &weights, &orders, params))
                .collect();
            columns.extend(count_column(keys, &weights, orders.len(), params));
            columns
        })
        .collect();
    let columns: Vec<(usize, MadeColumn)> = made
        .into_iter()
        .enumerate()
        .flat_map(|(set, columns)| columns.into_iter().map(move |c| (set, c)))
        .collect();
    let statistics = columns
        .iter()
        .map(|(set, column)| {
            let keys = &sets[*set];
            let distinct = if keys.sources.len() == 1 { Arc::default() } else { Arc::clone(&keys.distinct) };
            Arc::new(Statistic::new(keys.sources.clone(), distinct, column.table.clone(), column.unseen))
        })
        .collect();
    let tables = (0..orders.len()).map(|order| append(input, &sets, &columns, order)).collect();
    Some(OrderedTables { tables, statistics, replaced })
}

/// The targets of which means are taken, each scaled to 0..=1, by training position, with its prior mean.
struct Channel {
    values: Vec<f64>,
    mean: f64,
}

fn channels(input: &OrderedInput<'_>) -> Vec<Channel> {
    let raw = |row: &u32| input.target[*row as usize];
    let channel = |values: Vec<f64>| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Channel { values, mean }
    };
    match input.objective {
        Objective::Softmax { classes: 2, .. } | Objective::Logistic | Objective::Focal { .. } => {
            vec![channel(input.rows.iter().map(raw).collect())]
        }
        Objective::Softmax { classes, .. } => (0..*classes)
            .map(|class| {
                let is_class = |row: &u32| f64::from(u8::from(raw(row) as u32 == class));
                channel(input.rows.iter().map(is_class).collect())
            })
            .collect(),
        _ => {
            // Ranks do not let a few extreme targets speak for a level.
            let mut order: Vec<u32> = (0..input.rows.len() as u32).collect();
            let at = |position: u32| input.target[input.rows[position as usize] as usize];
            order.sort_unstable_by(|a, b| at(*a).total_cmp(&at(*b)).then(a.cmp(b)));
            let mut ranks = vec![0.0; order.len()];
            let mut start = 0;
            while start < order.len() {
                let mut end = start + 1;
                while end < order.len() && at(order[end]) == at(order[start]) {
                    end += 1;
                }
                let rank = (start + end) as f64 / 2.0 / order.len() as f64;
                for position in &order[start..end] {
                    ranks[*position as usize] = rank;
                }
                start = end;
            }
            vec![channel(ranks)]
        }
    }
}

fn single_keys(input: &OrderedInput<'_>, feature: u32) -> Keys {
    let column = &input.bins.columns[feature as usize];
    let level_count = column.level_count;
    let dense = |row: &u32| {
        let level = column.levels[*row as usize];
        if level == u32::MAX {
            level_count
        } else if level < level_count {
            level
        } else {
            u32::MAX
        }
    };
    Keys {
        sources: vec![(feature, level_count)],
        distinct: Arc::default(),
        count: level_count as usize + 1,
        // A level beyond the known ones counts as missing while training.
        of_train: input.rows.iter().map(|row| dense(row).min(level_count)).collect(),
        of_valid: input.valid_rows.iter().map(dense).collect(),
    }
}

/// Dense keys of a combination; `None` if its levels do not fit 64 bits.
fn combined_keys(input: &OrderedInput<'_>, features: &[u32]) -> Option<Keys> {
    let sources: Vec<(u32, u32)> = features
        .iter()
        .map(|feature| (*feature, input.bins.columns[*feature as usize].level_count))
        .collect();
    sources.iter().try_fold(1u64, |product, source| product.checked_mul(u64::from(source.1) + 1))?;
    let key = |row: &u32| {
        combined_key(&sources, |feature| input.bins.columns[feature].levels[*row as usize])
            .unwrap_or(u64::MAX)
    };
    let train: Vec<u64> = input.rows.iter().map(key).collect();
    let mut distinct = train.clone();
    distinct.sort_unstable();
    distinct.dedup();
    let dense = |key: u64| distinct.binary_search(&key).map_or(u32::MAX, |index| index as u32);
    let of_train = train.iter().map(|key| dense(*key)).collect();
    let of_valid = input.valid_rows.iter().map(|row| dense(key(row))).collect();
    let count = distinct.len();
    Some(Keys { sources, distinct: Arc::new(distinct), count, of_train, of_valid })
}

/// Running means of `values` over the rows of the same key that come earlier in `order`.
fn ordered_means(keys: &Keys, values: &[f64], weights: &[f64], order: &[u32], prior: Prior) -> Vec<f64> {
    let mut sums = vec![(prior.value * prior.weight, prior.weight); keys.count];
    let mut means = vec![0.0; values.len()];
    for position in order {
        let position = *position as usize;
        let slot = &mut sums[keys.of_train[position] as usize];
        means[position] = slot.0 / slot.1;
        slot.0 += weights[position] * values[position];
        slot.1 += weights[position];
    }
    means
}

/// Combinations that explain the target beyond their parts, best first, grown one category at a time.
fn combinations(
    input: &OrderedInput<'_>,
    params: &OrderedParams,
    categories: &[u32],
    channels: &[Channel],
    order: &[u32],
) -> Vec<Keys> {
    let row_count = input.rows.len();
    let ones = vec![1.0; row_count];
    let means_of = |keys: &Keys| -> Vec<Vec<f64>> {
        channels
            .iter()
            .map(|channel| {
                let prior = Prior { value: channel.mean, weight: 1.0 };
                ordered_means(keys, &channel.values, &ones, order, prior)
            })
            .collect()
    };
    let singles: Vec<Vec<Vec<f64>>> =
        categories.par_iter().map(|feature| means_of(&single_keys(input, *feature))).collect();
    let index_of = |feature: &u32| categories.binary_search(feature).unwrap_or(0);
    let mut kept: Vec<Keys> = Vec::new();
    let mut bases: Vec<Vec<u32>> = categories.iter().map(|feature| vec![*feature]).collect();
    for size in 2..=params.max_combination as usize {
        let mut scored: Vec<(f64, Vec<u32>)> = candidates(&bases, categories)
            .into_par_iter()
            .filter_map(|features| {
                let keys = combined_keys(input, &features)?;
                if row_count as f64 / keys.count.max(1) as f64 <= MIN_ROWS_PER_KEY {
                    return None;
                }
                let means = means_of(&keys);
                let evidence: f64 = channels
                    .iter()
                    .zip(&means)
                    .enumerate()
                    .map(|(index, (channel, means))| {
                        let parts: Vec<&[f64]> = features
                            .iter()
                            .map(|feature| singles[index_of(feature)][index].as_slice())
                            .collect();
                        row_count as f64 * partial_correlation_squared(&channel.values, means, &parts)
                    })
                    .fold(0.0, f64::max);
                (evidence >= MIN_EVIDENCE).then_some((evidence, features))
            })
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        scored.truncate((MAX_COMBINATIONS / (size - 1)).min(MAX_COMBINATION_COLUMNS / (channels.len() + 1)));
        bases = scored.iter().map(|(_, features)| features.clone()).collect();
        kept.extend(scored.iter().filter_map(|(_, features)| combined_keys(input, features)));
        if bases.is_empty() {
            break;
        }
    }
    kept
}

/// Every base with one more category, each set of categories once and ascending; at most [`MAX_CANDIDATES`].
fn candidates(bases: &[Vec<u32>], categories: &[u32]) -> Vec<Vec<u32>> {
    let mut candidates: Vec<Vec<u32>> = Vec::new();
    for base in bases {
        for feature in categories.iter().filter(|feature| !base.contains(feature)) {
            let mut features = base.clone();
            features.push(*feature);
            features.sort_unstable();
            candidates.push(features);
        }
    }
    candidates.sort_unstable();
    candidates.dedup();
    candidates.truncate(MAX_CANDIDATES);
    candidates
}

/// Squared correlation of `y` and `x` after both are freed from the linear part of each of `others`, one after another
/// (Gram and Schmidt).
fn partial_correlation_squared(y: &[f64], x: &[f64], others: &[&[f64]]) -> f64 {
    let centred = |values: &[f64]| -> Vec<f64> {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        values.iter().map(|value| value - mean).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let free = |values: &mut [f64], base: &[Vec<f64>]| {
        for other in base {
            let factor = dot(values, other) / dot(other, other);
            for (value, other) in values.iter_mut().zip(other) {
                *value -= factor * other;
            }
        }
    };
    let mut base: Vec<Vec<f64>> = Vec::new();
    for other in others {
        let mut other = centred(other);
        let before = dot(&other, &other);
        free(&mut other, &base);
        if dot(&other, &other) > 1e-9 * before && before > 0.0 {
            base.push(other);
        }
    }
    let (mut y, mut x) = (centred(y), centred(x));
    let before = dot(&x, &x);
    free(&mut y, &base);
    free(&mut x, &base);
    let (yy, xx) = (dot(&y, &y), dot(&x, &x));
    if yy <= 0.0 || xx <= 1e-9 * before { 0.0 } else { dot(&x, &y) * dot(&x, &y) / (xx * yy) }
}

/// One new column: codes for training rows under each order, for validation rows, and the table for prediction.
struct MadeColumn {
    bin_count: usize,
    train: Vec<Vec<u8>>,
    table: Vec<u8>,
    unseen: u8,
}

fn mean_columns(
    keys: &Keys,
    channel: &Channel,
    weights: &[f64],
    orders: &[Vec<u32>],
    params: &OrderedParams,
) -> Vec<MadeColumn> {
    let priors = [Prior { value: channel.mean, weight: 1.0 }];
    priors
        .iter()
        .map(|prior| {
            let means: Vec<Vec<f64>> = orders
                .iter()
                .map(|order| ordered_means(keys, &channel.values, weights, order, *prior))
                .collect();
            let mut sorted = means[0].clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let edges = number_edges(&sorted, params.borders as usize + 1, 1);
            let mut sums = vec![(prior.value * prior.weight, prior.weight); keys.count];
            for (position, key) in keys.of_train.iter().enumerate() {
                sums[*key as usize].0 += weights[position] * channel.values[position];
                sums[*key as usize].1 += weights[position];
            }
            MadeColumn {
                bin_count: edges.len() + 2,
                train: means
                    .iter()
                    .map(|means| means.iter().map(|mean| code_of_number(&edges, *mean)).collect())
                    .collect(),
                table: sums.iter().map(|(sum, weight)| code_of_number(&edges, sum / weight)).collect(),
                unseen: code_of_number(&edges, prior.value),
            }
        })
        .collect()
}

/// How common a level is; the same for every order because it does not look at the target.
fn count_column(
    keys: &Keys,
    weights: &[f64],
    order_count: usize,
    params: &OrderedParams,
) -> Option<MadeColumn> {
    let mut counts = vec![0.0; keys.count];
    for (position, key) in keys.of_train.iter().enumerate() {
        counts[*key as usize] += weights[position];
    }
    let values: Vec<f64> = keys.of_train.iter().map(|key| counts[*key as usize]).collect();
    let mut sorted = values.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let edges = number_edges(&sorted, params.borders as usize + 1, 1);
    if edges.is_empty() {
        return None;
    }
    let train: Vec<u8> = values.iter().map(|value| code_of_number(&edges, *value)).collect();
    Some(MadeColumn {
        bin_count: edges.len() + 2,
        train: vec![train; order_count],
        table: counts.iter().map(|count| code_of_number(&edges, *count)).collect(),
        unseen: code_of_number(&edges, 0.0),
    })
}

/// The original table with the columns of one order after it.
fn append(input: &OrderedInput<'_>, sets: &[Keys], columns: &[(usize, MadeColumn)], order: usize) -> Bins {
    let mut table = input.bins.clone();
    let row_count = table.row_count();
    let blocks: Vec<Block> = columns
        .par_chunks(LANES)
        .map(|group| {
            let codes: Vec<Vec<u8>> = group
                .iter()
                .map(|(set, column)| {
                    let mut codes = vec![0u8; row_count];
                    for (row, code) in input.rows.iter().zip(&column.train[order]) {
                        codes[*row as usize] = *code;
                    }
                    for (row, key) in input.valid_rows.iter().zip(&sets[*set].of_valid) {
                        codes[*row as usize] =
                            column.table.get(*key as usize).copied().unwrap_or(column.unseen);
                    }
                    codes
                })
                .collect();
            let views: Vec<(&[u8], usize)> = codes
                .iter()
                .zip(group)
                .map(|(codes, (_, column))| (codes.as_slice(), column.bin_count))
                .collect();
            Block::from_columns(&views, row_count)
        })
        .collect();
    for (block, group) in blocks.into_iter().zip(columns.chunks(LANES)) {
        let made = group.iter().map(|(_, column)| Column {
            coding: Arc::new(Coding::Number { edges: Vec::new() }),
            bin_count: column.bin_count,
            has_missing: false,
            levels: Vec::new(),
            level_count: 0,
        });
        table.push_block(block, made.collect());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::{BinParams, FeatureData};

    #[test]
    fn means_look_only_at_the_past() {
        let keys = Keys {
            sources: vec![(0, 2)],
            distinct: Arc::default(),
            count: 2,
            of_train: vec![0, 1, 0, 0],
            of_valid: Vec::new(),
        };
        let prior = Prior { value: 0.5, weight: 1.0 };
        let means = ordered_means(&keys, &[1.0, 1.0, 0.0, 1.0], &[1.0; 4], &[3, 2, 1, 0], prior);
        // Row 3 first: prior; row 2: (0.5 + 1) / 2; row 1 has its own key; row 0: (0.5 + 1 + 0) / 3.
        assert_eq!(means, [0.5, 0.5, 0.75, 0.5]);
    }

    #[test]
    fn combinations_find_an_exclusive_or() {
        let a: Vec<u32> = (0..400).map(|i| i % 5).collect();
        let b: Vec<u32> = (0..400).map(|i| i / 5 % 5).collect();
        let c: Vec<u32> = (0..400).map(|i| (i * 7 + i / 3) % 4).collect();
        let target: Vec<f64> = (0..400).map(|i| f64::from((a[i] % 2) ^ (b[i] % 2))).collect();
        let level_count = 5;
        let features = [&a, &b, &c].map(|codes| FeatureData::Category { codes, level_count });
        let bins = Bins::build(&features, &BinParams::default()).unwrap();
        let rows: Vec<u32> = (0..400).collect();
        let input = OrderedInput {
            bins: &bins,
            rows: &rows,
            valid_rows: &[],
            target: &target,
            weights: None,
            objective: &Objective::Logistic,
            features: &[0, 1, 2],
        };
        let made = build(&input, &OrderedParams::default(), Seed(1)).unwrap();
        let pair = made.statistics.iter().find(|statistic| statistic.sources.len() == 2).unwrap();
        assert_eq!(pair.features(), [0, 1]);
        // Levels seen together more often with target 1 have the larger code.
        let code = |a: u32, b: u32| pair.code(|feature| if feature == 0 { a } else { b });
        assert!(code(0, 1) > code(0, 0) && code(1, 2) > code(2, 4));
        assert_eq!(code(9, 0), pair.unseen);
    }

    #[test]
    fn partial_correlation_removes_the_others() {
        let x: Vec<f64> = (0..100).map(|i| f64::from(i % 10)).collect();
        let z: Vec<f64> = (0..100).map(|i| f64::from(i / 10)).collect();
        let y: Vec<f64> = x.iter().zip(&z).map(|(x, z)| x + z).collect();
        assert!(partial_correlation_squared(&y, &x, &[&x]) < 1e-12);
        assert!((partial_correlation_squared(&y, &x, &[&z]) - 1.0).abs() < 1e-12);
    }
}
