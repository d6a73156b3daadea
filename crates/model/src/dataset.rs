//! A table with its target, shared by every fold, trial and fidelity.

use std::sync::Arc;

use kaizen_table::Table;

use crate::memo::Memo;
use crate::task::Task;

/// Features and target of the same rows. The target is not among the features.
#[derive(Debug)]
pub struct Dataset {
    /// The features.
    pub table: Table,
    /// What is to be predicted.
    pub task: Task,
    /// Class index or value, one a row, finite.
    pub target: Arc<Vec<f64>>,
    /// Weight of a row, positive and finite; `None` counts every row once.
    pub weights: Option<Arc<Vec<f64>>>,
    /// What fits of this data set share.
    pub memo: Memo,
}

impl Dataset {
    /// Puts features and target together.
    ///
    /// # Panics
    /// If lengths differ: the caller cut them from one table.
    pub fn new(table: Table, task: Task, target: Arc<Vec<f64>>, weights: Option<Arc<Vec<f64>>>) -> Self {
        assert_eq!(table.row_count(), target.len());
        assert!(weights.as_ref().is_none_or(|weights| weights.len() == target.len()));
        Self { table, task, target, weights, memo: Memo::default() }
    }

    /// Same rows, target and weights with other features and an empty memo.
    #[must_use]
    pub fn with_table(&self, table: Table) -> Self {
        Self::new(table, self.task.clone(), Arc::clone(&self.target), self.weights.clone())
    }

    /// Weight of a row.
    #[inline]
    pub fn weight(&self, row: u32) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row as usize])
    }
}

/// The rows of a data set that one fit may see.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The data set.
    pub data: &'a Dataset,
    /// Rows to fit on, ascending.
    pub train: &'a [u32],
    /// Rows for early stopping, disjoint from `train`; their predictions are returned with the model.
    pub valid: Option<&'a [u32]>,
}
