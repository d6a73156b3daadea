//! The best non-decreasing function of one number.

/// A non-decreasing function through knots, straight between them and constant beyond; values strictly inside (0, 1).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Isotonic {
    /// Ascending strictly.
    at: Vec<f64>,
    /// Never falling.
    values: Vec<f64>,
}

/// Neighbours whose means would fall are pooled into one.
struct Block {
    low: f64,
    high: f64,
    sum: f64,
    weight: f64,
}

impl Isotonic {
    /// Least squares by pooling adjacent violators (Ayer, Brunk, Ewing, Reid and Silverman 1955), from points of `x`, a target in
    /// [0, 1] and a weight. Equal `x` share one value; rows of weight zero are absent. Values are kept half a row of the
    /// whole weight away from 0 and 1, since no finite sample proves certainty.
    pub(crate) fn fit(mut points: Vec<(f64, f64, f64)>) -> Self {
        points.retain(|point| point.2 > 0.0);
        points
            .sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2)));
        let mut blocks: Vec<Block> = Vec::new();
        for tie in points.chunk_by(|a, b| a.0 == b.0) {
            let sum = tie.iter().map(|point| point.1 * point.2).sum();
            let weight = tie.iter().map(|point| point.2).sum();
            let mut block = Block { low: tie[0].0, high: tie[0].0, sum, weight };
            while let Some(last) = blocks.pop_if(|last| last.sum * block.weight >= block.sum * last.weight) {
                block.low = last.low;
                block.sum += last.sum;
                block.weight += last.weight;
            }
            blocks.push(block);
        }
        let total: f64 = blocks.iter().map(|block| block.weight).sum();
        let edge = 0.5 / (total + 1.0);
        let (mut at, mut values) = (Vec::new(), Vec::new());
        for block in &blocks {
            let value = (block.sum / block.weight).clamp(edge, 1.0 - edge);
            at.push(block.low);
            values.push(value);
            if block.high > block.low {
                at.push(block.high);
                values.push(value);
            }
        }
        Self { at, values }
    }

    /// The function at `x`; NaN at NaN.
    pub(crate) fn at(&self, x: f64) -> f64 {
        if x.is_nan() {
            return f64::NAN;
        }
        let above = self.at.partition_point(|knot| *knot <= x);
        if above == 0 {
            return self.values[0];
        }
        if above == self.at.len() {
            return self.values[above - 1];
        }
        let (from, to) = (self.at[above - 1], self.at[above]);
        let share = (x - from) / (to - from);
        self.values[above - 1] + share * (self.values[above] - self.values[above - 1])
    }

    /// All knots, then all values.
    pub(crate) fn to_numbers(&self) -> Vec<f64> {
        self.at.iter().chain(&self.values).copied().collect()
    }

    /// What [`Isotonic::to_numbers`] gave, or nothing for numbers that are no such function.
    pub(crate) fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (at, values) = numbers.split_at(numbers.len() / 2);
        let is_one = !at.is_empty()
            && at.len() == values.len()
            && at.windows(2).all(|pair| pair[0] < pair[1])
            && values.windows(2).all(|pair| pair[0] <= pair[1])
            && values.iter().all(|value| *value > 0.0 && *value < 1.0);
        is_one.then(|| Self { at: at.to_vec(), values: values.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled() {
        let targets = [0.2, 0.4, 0.3, 0.1, 0.9];
        let points = targets.iter().enumerate().map(|(x, &y)| (x as f64, y, 1.0)).collect();
        let function = Isotonic::fit(points);
        let pooled = (0.4 + 0.3 + 0.1) / 3.0;
        for (x, expected) in [(-1.0, 0.2), (0.0, 0.2), (1.0, pooled), (2.5, pooled), (4.0, 0.9), (9.0, 0.9)] {
            assert!((function.at(x) - expected).abs() < 1e-15, "{x}");
        }
        assert!((function.at(0.5) - 0.5 * (0.2 + pooled)).abs() < 1e-15);
        assert!(function.at(f64::NAN).is_nan());
    }

    #[test]
    fn ties_share_a_value_and_certainty_is_withheld() {
        let function =
            Isotonic::fit(vec![(0.1, 0.0, 1.0), (0.5, 1.0, 3.0), (0.5, 0.0, 1.0), (0.9, 1.0, 2.0)]);
        assert_eq!(function.at(0.5), 0.75);
        let edge = 0.5 / 8.0;
        assert_eq!((function.at(0.0), function.at(1.0)), (edge, 1.0 - edge));
    }

    #[test]
    fn a_falling_truth_gives_its_mean() {
        let function = Isotonic::fit(vec![(0.1, 1.0, 1.0), (0.9, 0.0, 3.0)]);
        assert_eq!((function.at(0.1), function.at(0.9)), (0.25, 0.25));
        assert_eq!(Isotonic::from_numbers(&function.to_numbers()), Some(function));
        assert_eq!(Isotonic::from_numbers(&[0.1, 0.2, 0.9, 0.5]), None);
        assert_eq!(Isotonic::from_numbers(&[]), None);
    }
}
