//! What a fit will take of memory, said before it is begun.
//!
//! Learners and transforms tell it from sizes alone, so that asking costs next to nothing and the answer is the same on
//! every machine. The figures are upper estimates of what the fit allocates besides its input: a fit that would not fit
//! must not be begun, and one that is refused for no reason costs a candidate among many.

use kaizen_table::{Table, Values};

use crate::task::Task;

/// Distinct values up to which a number column is counted exactly; histograms tell no more apart.
const MOST_BINS: usize = 255;

/// Rows, at even distances, that are looked at to count the distinct values of a column.
const BIN_ROWS: usize = 4_096;

/// The sizes of a table that reaches a fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent {
    /// Rows of the whole table: transforms change them all, whatever rows they learn from.
    pub row_count: usize,
    /// Rows that are learned from.
    pub train_count: usize,
    /// Columns of numbers, truth values and moments.
    pub number_count: usize,
    /// Distinct values of these columns, each counted up to 255, added up.
    pub bin_total: usize,
    /// Levels of each category column.
    pub level_counts: Vec<usize>,
    /// Sparse blocks.
    pub sparse_count: usize,
    /// Stored cells of all sparse blocks.
    pub sparse_cells: usize,
    /// Columns of all sparse blocks.
    pub sparse_width: usize,
    /// Text columns.
    pub text_count: usize,
    /// Bytes of all texts.
    pub text_bytes: usize,
    /// What is predicted.
    pub task: Task,
    /// Threads that a fit may have buffers for. A fixed figure wherever the result must not depend on the machine.
    pub thread_count: usize,
}

impl Extent {
    /// The sizes of a table. Number columns are counted on at most 4,096 rows.
    pub fn of(table: &Table, task: Task, train_count: usize, thread_count: usize) -> Self {
        let mut extent = Self {
            row_count: table.row_count(),
            train_count,
            number_count: 0,
            bin_total: 0,
            level_counts: Vec::new(),
            sparse_count: 0,
            sparse_cells: 0,
            sparse_width: 0,
            text_count: 0,
            text_bytes: 0,
            task,
            thread_count,
        };
        for column in table.columns() {
            match &column.values {
                Values::Number(number) => extent.add_numbers(1, bins(&number.values)),
                Values::Time(time) => extent.add_numbers(1, bins(&time.seconds)),
                Values::Boolean(_) => extent.add_numbers(1, 3),
                Values::Category(category) => extent.level_counts.push(category.levels.len()),
                Values::Text(text) => {
                    extent.text_count += 1;
                    extent.text_bytes += text.size_bytes();
                }
                Values::Sparse(block) => {
                    extent.sparse_count += 1;
                    extent.sparse_cells += block.stored_count();
                    extent.sparse_width += block.width();
                }
            }
        }
        extent
    }

    /// Adds number columns with so many distinct values in all.
    pub fn add_numbers(&mut self, count: usize, bins: usize) {
        self.number_count += count;
        self.bin_total += bins.min(count * MOST_BINS);
    }

    /// Columns besides texts and sparse blocks.
    pub fn column_count(&self) -> usize {
        self.number_count + self.level_counts.len()
    }

    /// Levels of all category columns, missing cells counted as one more of each.
    pub fn level_total(&self) -> usize {
        self.level_counts.iter().map(|count| count + 1).sum()
    }

    /// Numbers that a model computes for one row: one for two classes and for a value.
    pub fn score_count(&self) -> usize {
        match &self.task {
            Task::Binary | Task::Regression => 1,
            Task::Multiclass { class_count } => *class_count,
            Task::Quantile { levels } => levels.len(),
        }
    }

    /// Bytes of 64-bit numbers, so many for each row of the table.
    pub fn row_bytes(&self, numbers: usize) -> u64 {
        8 * self.row_count as u64 * numbers as u64
    }

    /// Bytes of 64-bit numbers, so many for each row that is learned from.
    pub fn train_bytes(&self, numbers: usize) -> u64 {
        8 * self.train_count as u64 * numbers as u64
    }
}

/// About how many distinct values; twice what a sample has, since it misses some.
fn bins(values: &[f64]) -> usize {
    let step = values.len().div_ceil(BIN_ROWS).max(1);
    let mut seen: Vec<u64> = values.iter().step_by(step).map(|value| value.to_bits()).collect();
    seen.sort_unstable();
    seen.dedup();
    let factor = if step == 1 { 1 } else { 2 };
    (factor * seen.len()).min(MOST_BINS)
}

/// About how many bytes a fit takes besides its input, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Freed when the fit is over.
    pub working_bytes: u64,
    /// Kept beside the data set for other fits of it.
    pub shared_bytes: u64,
    /// The fitted thing.
    pub fitted_bytes: u64,
}

impl Memory {
    /// For a learner that says nothing of itself: two dense copies of its columns to work on, one of which it keeps.
    pub fn usual(extent: &Extent) -> Self {
        let sparse_bytes = 16 * extent.sparse_cells as u64;
        let copy = extent.train_bytes(extent.column_count() + extent.score_count()) + sparse_bytes;
        Self { working_bytes: 2 * copy, shared_bytes: 0, fitted_bytes: copy }
    }

    /// All of it.
    pub fn total_bytes(&self) -> u64 {
        self.working_bytes + self.shared_bytes + self.fitted_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_table::Column;

    #[test]
    fn columns_are_counted_by_what_they_cost() {
        let flag: Vec<f64> = (0..10_000).map(|row| f64::from(row % 2)).collect();
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        let city: Vec<Option<&str>> = (0..10_000).map(|row| Some(["a", "b", "c"][row % 3])).collect();
        let table = Table::from_columns(vec![
            Column::number("flag", flag),
            Column::number("many", many),
            Column::category("city", &city),
        ])
        .unwrap();
        let extent = Extent::of(&table, Task::Multiclass { class_count: 4 }, 8_000, 2);
        assert_eq!((extent.row_count, extent.number_count), (10_000, 2));
        // Two values of a sample are counted as four at most; a column of many stops at what bins can tell apart.
        assert!((2..=4).contains(&(extent.bin_total - 255)), "{extent:?}");
        assert_eq!((extent.column_count(), extent.level_total(), extent.score_count()), (3, 4, 4));
        assert_eq!((extent.row_bytes(2), extent.train_bytes(1)), (160_000, 64_000));
        let usual = Memory::usual(&extent);
        assert_eq!(usual.fitted_bytes, 8 * 8_000 * 7);
        assert_eq!(usual.total_bytes(), 3 * usual.fitted_bytes);
    }
}
