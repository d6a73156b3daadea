//! What growing trees takes of memory, counted from the arrays of the engine.

use kaizen_model::{Extent, Memory};

/// Columns whose codes lie together in one 64-bit word a row.
const LANES: usize = 8;

/// Codes of one column at most: 255 and that of a missing cell.
const CODES: usize = 256;

/// Bytes of a split and of its half of the children, as trees are kept; a leaf adds its values.
const NODE_BYTES: u64 = 40;

/// Rounds of a boosting that are counted at most. A ceiling of ten thousand is asked for so that early stopping decides,
/// and it does: counted in full, trees that are never grown would refuse a trial on a small machine only.
const MOST_ROUNDS: usize = 4_000;

/// Rounds of a boosting with this ceiling, as far as memory is concerned.
pub(crate) fn counted_rounds(ceiling: usize) -> usize {
    ceiling.min(MOST_ROUNDS)
}

/// Columns that statistics of categories add at most: combinations, and two for each category.
const COMBINATIONS: usize = 24;

/// Trees to be grown, as far as memory depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grove {
    /// Bins of a number at most.
    pub(crate) max_bins: usize,
    /// Trees of the whole model.
    pub(crate) trees: usize,
    /// Leaves of a tree.
    pub(crate) leaves: usize,
    /// Scores that one tree gives a row.
    pub(crate) outputs: usize,
    /// Scores that a row has.
    pub(crate) scores: usize,
    /// Random orders of the rows for which statistics of categories are kept; none without such statistics.
    pub(crate) orders: usize,
    /// Trees that are grown at once.
    pub(crate) at_once: usize,
}

impl Grove {
    /// The memory of one fit.
    pub(crate) fn memory(&self, extent: &Extent) -> Memory {
        let leaves = self.leaves.clamp(1, extent.train_count.max(1)) as u64;
        let statistics = if self.orders == 0 { 0 } else { 2 * extent.level_counts.len() + COMBINATIONS };
        let codes = |columns: usize| (extent.row_count * columns.div_ceil(LANES) * LANES) as u64;
        let bins = extent.bin_total.min(extent.number_count * (self.max_bins + 1))
            + extent.level_counts.iter().map(|levels| (levels + 1).min(CODES)).sum::<usize>()
            + statistics * CODES;
        let histograms = 8 * bins as u64 * self.outputs as u64 * (leaves + 1);
        // Scores and two derivatives for each order; packed gradients in the order of the table and of a leaf, scores
        // of now and of the best round; three lists of rows.
        let orders = self.orders.max(1);
        let numbers = self.scores * (3 * orders + 4) + 2;
        let rows = extent.row_bytes(numbers);
        // A statistic has a key and a mean for each row while it is made.
        let made = codes(statistics) * self.orders as u64 + extent.row_bytes(2 * statistics);
        Memory {
            working_bytes: self.at_once as u64 * (histograms + rows) + made,
            shared_bytes: codes(extent.column_count()),
            fitted_bytes: self.trees as u64 * leaves * (NODE_BYTES + 8 * self.outputs as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_model::Task;

    #[test]
    fn histograms_of_many_columns_and_leaves_outweigh_the_table() {
        let extent = Extent {
            row_count: 10_000,
            train_count: 8_000,
            number_count: 5_000,
            bin_total: 5_000 * 255,
            level_counts: Vec::new(),
            sparse_count: 0,
            sparse_cells: 0,
            sparse_width: 0,
            text_count: 0,
            text_bytes: 0,
            task: Task::Regression,
            thread_count: 2,
        };
        let grove =
            Grove { max_bins: 255, trees: 100, leaves: 1_000, outputs: 1, scores: 1, orders: 0, at_once: 2 };
        let memory = grove.memory(&extent);
        // Two threads, each with a histogram of 5,000 columns of 255 bins for each of 1,001 leaves.
        let histograms = 2 * 8 * 5_000 * 255 * 1_001;
        assert!((histograms..histograms + 3_000_000).contains(&memory.working_bytes), "{memory:?}");
        assert_eq!(memory.shared_bytes, 50_000_000);
        assert_eq!(memory.fitted_bytes, 100 * 1_000 * 48);
        // Fewer rows than leaves leave no room for more.
        let few = grove.memory(&Extent { train_count: 10, ..extent });
        assert_eq!(few.fitted_bytes, 100 * 10 * 48);
    }
}
