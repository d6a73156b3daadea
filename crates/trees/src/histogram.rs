//! Histograms of packed gradients over the bins of all features.

use rayon::prelude::*;

use crate::bins::Bins;
use crate::kernel::{self, LaneSet, Packed};

/// Below this many scattered updates a histogram is built by one thread: waking another costs more.
const PARALLEL_UPDATES: usize = 60_000;

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
    let parallel = updates >= PARALLEL_UPDATES && rayon::current_num_threads() > 1;
    for (output, packed) in packed.iter().enumerate() {
        let slice = &mut histogram[output * layout.total..(output + 1) * layout.total];
        let ordered: Vec<Packed> = rows.iter().map(|row| packed[*row as usize]).collect();
        let mut parts: Vec<(usize, &mut [Packed])> = Vec::with_capacity(bins.blocks.len());
        let mut rest = slice;
        for (block, lane_set) in lane_sets.iter().enumerate() {
            let len = layout.block_starts[block + 1] - layout.block_starts[block];
            let (head, tail) = rest.split_at_mut(len);
            rest = tail;
            if !lane_set.lanes.is_empty() {
                parts.push((block, head));
            }
        }
        let work = |(block, part): (usize, &mut [Packed])| {
            kernel::accumulate(&bins.blocks[block], rows, &ordered, &lane_sets[block], part);
        };
        if parallel {
            parts.into_par_iter().for_each(work);
        } else {
            parts.into_iter().for_each(work);
        }
    }
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
    fn threads_and_feature_subsets_do_not_change_a_bin() {
        let columns: Vec<Vec<f64>> =
            (0..11).map(|f| (0..20_000).map(|i| f64::from((i * (f + 3)) % 97)).collect()).collect();
        let features: Vec<FeatureData<'_>> = columns.iter().map(|c| FeatureData::Number(c)).collect();
        let bins = Bins::build(&features, &BinParams::default()).unwrap();
        let layout = Layout::new(&bins);
        let rows: Vec<u32> = (0..20_000).filter(|i| i % 7 != 0).collect();
        let packed = vec![(0..20_000).map(|i| kernel::pack(i % 13 - 6, i % 5)).collect::<Vec<_>>()];
        let run = |threads: usize, features: &[u32]| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut histogram = vec![0; layout.total];
            let sets = layout.lane_sets(&bins, features);
            pool.install(|| build(&bins, &layout, &sets, &packed, &rows, &mut histogram));
            histogram
        };
        let all: Vec<u32> = (0..11).collect();
        let full = run(1, &all);
        assert_eq!(full, run(3, &all));
        let some = run(3, &[2, 9]);
        let range = layout.starts[9]..layout.starts[10];
        assert_eq!(some[range.clone()], full[range]);
        assert!(some[..layout.starts[2]].iter().all(|bin| *bin == 0));
    }
}
