//! Histograms of packed gradients over the bins of all features.
//!
//! Blocks of eight features are independent tasks. Where a table has fewer of them than the machine could run, the rows
//! are cut into pieces as well and the pieces' histograms added up. Sums are exact integers, so neither axis can show in
//! a result, and the number of pieces may follow the number of threads.

use rayon::prelude::*;

use crate::bins::Bins;
use crate::kernel::{self, LaneSet, Packed};

/// Below this many scattered updates a histogram is built by one thread: waking another costs more.
const PARALLEL_UPDATES: usize = 60_000;

/// Rows below which a piece with a histogram of its own costs more than it saves: clearing and adding the bins of eight
/// features is about as much work as two thousand rows.
const PIECE_ROWS: usize = 8_192;

/// Tasks for each thread that are enough to even out their lengths.
const TASKS_A_THREAD: usize = 2;

/// Where each feature's bins lie in a histogram.
#[derive(Debug)]
pub(crate) struct Layout {
    /// First bin of each feature.
    pub(crate) starts: Vec<usize>,
    /// First bin of each block, and the end.
    pub(crate) block_starts: Vec<usize>,
    /// Bins of all features.
    pub(crate) total: usize,
}

impl Layout {
    pub(crate) fn new(bins: &Bins) -> Self {
        let mut starts = Vec::with_capacity(bins.columns.len());
        let mut block_starts = Vec::with_capacity(bins.blocks.len() + 1);
        let mut total = 0;
        for block in &bins.blocks {
            block_starts.push(total);
            for bin_count in &block.bin_counts[..block.lane_count] {
                starts.push(total);
                total += bin_count;
            }
        }
        block_starts.push(total);
        Self { starts, block_starts, total }
    }

    /// The lanes of each block that hold one of `features` (ascending).
    pub(crate) fn lane_sets(&self, bins: &Bins, features: &[u32]) -> Vec<LaneSet> {
        let mut sets = vec![LaneSet { lanes: Vec::new(), all: false }; bins.blocks.len()];
        for feature in features {
            let (block, lane) = bins.places[*feature as usize];
            let start = self.starts[*feature as usize] - self.block_starts[block as usize];
            sets[block as usize].lanes.push((lane, start));
        }
        for (set, block) in sets.iter_mut().zip(&bins.blocks) {
            set.all = set.lanes.len() == block.lane_count;
        }
        sets
    }
}

/// Buffers that are used again instead of allocated anew.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Vec<Packed>>,
}

impl Pool {
    pub(crate) fn take(&mut self, len: usize) -> Vec<Packed> {
        let mut buffer = self.free.pop().unwrap_or_default();
        buffer.clear();
        buffer.resize(len, 0);
        buffer
    }

    pub(crate) fn give(&mut self, buffer: Vec<Packed>) {
        // Leaves of the last level have no histogram: kept, their empty buffers would be taken first and filled anew,
        // and the pool would grow with every tree.
        if buffer.capacity() > 0 {
            self.free.push(buffer);
        }
    }
}

/// Adds the gradients of `rows` to `histogram` `[outputs, total bins]`, which must be zero.
///
/// `packed` holds one array by table row for each output. Sums are exact, so how the work is shared never shows.
pub(crate) fn build(
    bins: &Bins,
    layout: &Layout,
    lane_sets: &[LaneSet],
    packed: &[Vec<Packed>],
    rows: &[u32],
    histogram: &mut [Packed],
) {
    let lane_count: usize = lane_sets.iter().map(|set| set.lanes.len()).sum();
    let updates = rows.len() * lane_count * packed.len();
    let threads = rayon::current_num_threads();
    let parallel = updates >= PARALLEL_UPDATES && threads > 1;
    let block_count = lane_sets.iter().filter(|set| !set.lanes.is_empty()).count();
    let pieces = if parallel { piece_count(rows.len(), block_count, threads) } else { 1 };
    let piece_len = rows.len().div_ceil(pieces).max(1);
    // The first piece goes straight into the result.
    let mut spare = vec![0; (pieces - 1) * layout.total];
    for (output, packed) in packed.iter().enumerate() {
        let result = &mut histogram[output * layout.total..(output + 1) * layout.total];
        let gather = |row: &u32| packed[*row as usize];
        let ordered: Vec<Packed> = if pieces > 1 {
            rows.par_iter().with_min_len(PIECE_ROWS).map(gather).collect()
        } else {
            rows.iter().map(gather).collect()
        };
        spare.fill(0);
        let mut tasks = Vec::with_capacity(block_count * pieces);
        let targets = std::iter::once(&mut *result).chain(spare.chunks_exact_mut(layout.total.max(1)));
        for ((target, rows), ordered) in targets.zip(rows.chunks(piece_len)).zip(ordered.chunks(piece_len)) {
            for (block, part) in block_parts(layout, lane_sets, target) {
                tasks.push((block, rows, ordered, part));
            }
        }
        let work = |(block, rows, ordered, part): (usize, &[u32], &[Packed], &mut [Packed])| {
            kernel::accumulate(&bins.blocks[block], rows, ordered, &lane_sets[block], part);
        };
        if parallel {
            tasks.into_par_iter().for_each(work);
        } else {
            tasks.into_iter().for_each(work);
        }
        for piece in spare.chunks_exact(layout.total.max(1)) {
            kernel::add(result, piece);
        }
    }
}

/// Pieces into which the rows of a node are cut.
fn piece_count(row_count: usize, block_count: usize, threads: usize) -> usize {
    let wanted = (TASKS_A_THREAD * threads).div_ceil(block_count.max(1));
    (row_count / PIECE_ROWS).clamp(1, wanted)
}

/// The slices of the blocks that have a lane in use.
fn block_parts<'a>(
    layout: &Layout,
    lane_sets: &[LaneSet],
    histogram: &'a mut [Packed],
) -> Vec<(usize, &'a mut [Packed])> {
    let mut parts = Vec::with_capacity(lane_sets.len());
    let mut rest = histogram;
    for (block, lane_set) in lane_sets.iter().enumerate() {
        let (head, tail) = rest.split_at_mut(layout.block_starts[block + 1] - layout.block_starts[block]);
        rest = tail;
        if !lane_set.lanes.is_empty() {
            parts.push((block, head));
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::{BinParams, FeatureData};

    #[test]
    fn the_pool_does_not_grow_by_buffers_that_hold_nothing() {
        let mut pool = Pool::default();
        let buffer = pool.take(8);
        let address = buffer.as_ptr();
        pool.give(buffer);
        pool.give(Vec::new());
        let again = pool.take(8);
        assert_eq!(again.as_ptr(), address);
        assert!(pool.free.is_empty());
    }

    #[test]
    fn rows_are_cut_only_where_blocks_are_few_and_rows_many() {
        // (rows, blocks, threads) and pieces.
        for (case, pieces) in [
            ((1_000_000, 1, 8), 16),
            ((1_000_000, 3, 8), 6),
            ((1_000_000, 20, 8), 1),
            ((20_000, 1, 8), 2),
            ((5_000, 1, 8), 1),
            ((0, 0, 2), 1),
        ] {
            assert_eq!(piece_count(case.0, case.1, case.2), pieces, "{case:?}");
        }
    }

    #[test]
    fn threads_and_feature_subsets_do_not_change_a_bin() {
        let columns: Vec<Vec<f64>> =
            (0..11).map(|f| (0..20_000).map(|i| f64::from((i * (f + 3)) % 97)).collect()).collect();
        let features: Vec<FeatureData<'_>> = columns.iter().map(|c| FeatureData::Number(c)).collect();
        let bins = Bins::build(&features, &BinParams::default()).unwrap();
        let layout = Layout::new(&bins);
        let rows: Vec<u32> = (0..20_000).filter(|i| i % 7 != 0).collect();
        // Two outputs, so that the spare histograms are used again.
        let pack = |factor: i64| (0..20_000).map(|i| kernel::pack(i * factor % 13 - 6, i % 5)).collect();
        let packed: Vec<Vec<Packed>> = vec![pack(1), pack(5)];
        let run = |threads: usize, features: &[u32]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut histogram = vec![0; 2 * layout.total];
            let sets = layout.lane_sets(&bins, features);
            pool.install(|| build(&bins, &layout, &sets, &packed, &rows, &mut histogram));
            histogram
        };
        let all: Vec<u32> = (0..11).collect();
        let full = run(1, &all);
        // Two blocks and 17,142 rows: with three threads or more both axes are cut.
        assert!(piece_count(rows.len(), 2, 3) > 1);
        assert_eq!(full, run(3, &all));
        assert_eq!(full, run(7, &all));
        let some = run(3, &[2, 9]);
        let range = layout.starts[9]..layout.starts[10];
        assert_eq!(some[range.clone()], full[range]);
        assert!(some[..layout.starts[2]].iter().all(|bin| *bin == 0));
    }
}
