//! A table with its target, shared by every fold, trial and fidelity.

use std::collections::BTreeMap;
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
    /// Columns with which predictions must rise (+1) or fall (-1), by name; only learners whose
    /// [`Handles`](crate::Handles) promise it heed them.
    pub monotone: Arc<BTreeMap<String, i8>>,
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
        Self { table, task, target, weights, monotone: Arc::default(), memo: Memo::default() }
    }

    /// Same rows, target, weights and constraints with other features and an empty memo.
    #[must_use]
    pub fn with_table(&self, table: Table) -> Self {
        let weights = self.weights.clone();
        let same = Self::new(table, self.task.clone(), Arc::clone(&self.target), weights);
        Self { monotone: Arc::clone(&self.monotone), ..same }
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
