//! A block of columns of which most cells are zero, row by row (compressed sparse rows).

/// A sparse block of shape [rows, width].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparse {
    width: usize,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Sparse {
    /// An empty block of `width` columns.
    pub fn new(width: usize) -> Self {
        Self { width, starts: vec![0], indices: Vec::new(), values: Vec::new() }
    }

    /// Adds a row from pairs of column and value.
    ///
    /// # Panics
    /// If a column lies outside the block.
    pub fn push_row(&mut self, cells: impl IntoIterator<Item = (u32, f32)>) {
        for (index, value) in cells {
            assert!((index as usize) < self.width, "column {index} outside a block of {}", self.width);
            self.indices.push(index);
            self.values.push(value);
        }
        self.starts.push(self.indices.len());
    }

    /// Columns and values of a row.
    pub fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row]..self.starts[row + 1];
        (&self.indices[range.clone()], &self.values[range])
    }

    /// Number of rows.
    pub fn row_count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of stored cells.
    pub fn stored_count(&self) -> usize {
        self.indices.len()
    }

    /// The rows `rows`, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let mut taken = Self::new(self.width);
        for &row in rows {
            let (indices, values) = self.row(row as usize);
            taken.indices.extend_from_slice(indices);
            taken.values.extend_from_slice(values);
            taken.starts.push(taken.indices.len());
        }
        taken
    }

    /// Memory, about, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.starts.len() * 8 + self.indices.len() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut block = Sparse::new(5);
        block.push_row([(0, 1.0), (4, 2.0)]);
        block.push_row([]);
        block.push_row([(2, -1.0)]);
        assert_eq!(block.row_count(), 3);
        assert_eq!(block.take(&[2, 0]).row(1), ([0u32, 4].as_slice(), [1.0f32, 2.0].as_slice()));
        assert_eq!(block.row(1).0.len(), 0);
    }
}
