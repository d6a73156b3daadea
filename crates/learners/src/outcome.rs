//! What the training rows hold to be predicted: the classes that occur, or the scale of the numbers.

use kaizen_model::{LoadError, Sample, State, Task, Tensor};

/// Probability of a class that no training row had. Not zero, so that a logarithm of it is finite, and far below
/// anything that one row in a million could teach.
pub(crate) const ABSENT: f64 = 1e-7;

/// The classes that occur in training, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Classes {
    list: Vec<u32>,
}

impl Classes {
    /// Classes of the training rows; none for numbers.
    pub(crate) fn of(sample: Sample<'_>) -> Self {
        if !sample.data.task.is_classification() {
            return Self { list: Vec::new() };
        }
        let mut seen = vec![false; sample.data.task.output_count()];
        for &row in sample.train {
            seen[sample.data.target[row as usize] as usize] = true;
        }
        Self { list: (0..seen.len() as u32).filter(|&class| seen[class as usize]).collect() }
    }

    /// The classes.
    pub(crate) fn list(&self) -> &[u32] {
        &self.list
    }

    /// Place of a class in the list; `None` for one that does not occur.
    pub(crate) fn place(&self, class: f64) -> Option<usize> {
        self.list.binary_search(&(class as u32)).ok()
    }

    /// Probabilities of all classes from those of the occurring ones; absent ones get [`ABSENT`].
    pub(crate) fn spread(&self, occurring: &[f64], out: &mut [f64]) {
        let absent = (out.len() - self.list.len()) as f64 * ABSENT;
        out.fill(ABSENT);
        for (&class, probability) in self.list.iter().zip(occurring) {
            out[class as usize] = probability * (1.0 - absent);
        }
    }

    /// Adds the list to a state.
    pub(crate) fn save(&self, state: &mut State) {
        state.tensors.insert("classes".to_owned(), Tensor::U32(self.list.clone()));
    }

    /// Reads the list, checked against the task.
    pub(crate) fn load(state: &State, task: &Task) -> Result<Self, LoadError> {
        let list = state.u32s("classes")?.to_vec();
        let ascending = list.windows(2).all(|pair| pair[0] < pair[1]);
        let count = if task.is_classification() { task.output_count() } else { 0 };
        let inside = list.last().is_none_or(|&last| (last as usize) < count);
        if !ascending || !inside || list.is_empty() == task.is_classification() {
            return Err(LoadError::damaged("classes", "not ascending classes of the task"));
        }
        Ok(Self { list })
    }
}

/// Sample weights of rows, divided by their sum.
pub(crate) fn normalised_weights(sample: Sample<'_>, rows: &[u32]) -> Vec<f64> {
    let total: f64 = rows.iter().map(|&row| sample.data.weight(row)).sum();
    rows.iter().map(|&row| sample.data.weight(row) / total).collect()
}

/// The number itself, or the nearest finite one; NaN becomes zero.
#[inline]
pub(crate) fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_classes_keep_a_trace_of_probability() {
        let classes = Classes { list: vec![0, 2] };
        let mut out = [0.0; 4];
        classes.spread(&[0.25, 0.75], &mut out);
        assert_eq!(out[1], ABSENT);
        assert!((out.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(classes.place(2.0), Some(1));
        assert_eq!(classes.place(1.0), None);
    }
}
