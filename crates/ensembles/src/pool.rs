//! What an ensemble is chosen from: the predictions of all candidates on the same rows, checked once.

use std::collections::{BTreeMap, BTreeSet};

use kaizen_base::Rng;
use kaizen_metrics::{Metric, MetricError, Scores, Truth};

use crate::error::EnsembleError;

/// One model, by what it said of each row when it had not seen it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Out-of-fold predictions `[rows, outputs]`, row-major.
    pub predictions: &'a [f64],
    /// What one prediction costs, in microseconds a row.
    pub cost: f64,
}

/// The shape of predictions, common to all candidates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outputs<'a> {
    /// A probability for each of so many classes.
    Probabilities(usize),
    /// One number.
    Values,
    /// One number for each of these quantile levels.
    Quantiles(&'a [f64]),
}

impl Outputs<'_> {
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Probabilities(classes) => *classes,
            Self::Values => 1,
            Self::Quantiles(levels) => levels.len(),
        }
    }

    pub(crate) fn scores<'b>(&'b self, values: &'b [f64]) -> Result<Scores<'b>, MetricError> {
        match self {
            Self::Probabilities(classes) => Scores::probabilities(values, *classes),
            Self::Values => Scores::values(values),
            Self::Quantiles(levels) => Scores::quantiles(values, levels),
        }
    }
}

/// Candidates, the truth, row weights and the metric: everything that a choice rests on, known to fit together.
pub struct Pool<'a> {
    pub(crate) truth: &'a Truth<'a>,
    pub(crate) outputs: Outputs<'a>,
    pub(crate) candidates: Vec<Candidate<'a>>,
    pub(crate) weights: Option<&'a [f64]>,
    pub(crate) metric: &'static Metric,
    groups: Option<&'a [u32]>,
}

impl<'a> Pool<'a> {
    /// Checks every candidate: shape, finite numbers, probabilities that sum to 1, and that `metric` has a value.
    ///
    /// # Errors
    /// [`EnsembleError::NoCandidates`]; [`EnsembleError::Cost`]; [`EnsembleError::Candidate`] with the metric's reason.
    pub fn new(
        truth: &'a Truth<'a>,
        outputs: Outputs<'a>,
        candidates: Vec<Candidate<'a>>,
        weights: Option<&'a [f64]>,
        metric: &'static Metric,
    ) -> Result<Self, EnsembleError> {
        if candidates.is_empty() {
            return Err(EnsembleError::NoCandidates);
        }
        for (index, candidate) in candidates.iter().enumerate() {
            if !(candidate.cost.is_finite() && candidate.cost >= 0.0) {
                return Err(EnsembleError::Cost { index, cost: candidate.cost });
            }
            let source_of = |source| EnsembleError::Candidate { index, source };
            let scores = outputs.scores(candidate.predictions).map_err(source_of)?;
            if scores.rows() != truth.rows() {
                let (found, expected) = (candidate.predictions.len(), truth.rows() * outputs.count());
                return Err(source_of(MetricError::Length {
                    what: "the array of predictions",
                    found,
                    expected,
                }));
            }
            // Whether a value exists depends on truth and weights, not on the model, but for the domain of a metric.
            if index == 0 || metric.prepare(truth, &scores).is_err() {
                metric.value(truth, &scores, weights).map_err(source_of)?;
            }
        }
        Ok(Self { truth, outputs, candidates, weights, metric, groups: None })
    }

    /// The same pool, of which rows with one number in `groups` `[rows]` stay on one side wherever rows are divided: rows
    /// that were validated together, or that belong together otherwise, flatter a choice that has seen some of them.
    ///
    /// # Errors
    /// [`EnsembleError::Groups`] when there is not one number a row.
    pub fn with_groups(self, groups: &'a [u32]) -> Result<Self, EnsembleError> {
        if groups.len() != self.rows() {
            return Err(EnsembleError::Groups { found: groups.len(), expected: self.rows() });
        }
        Ok(Self { groups: Some(groups), ..self })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.truth.rows()
    }

    /// Number of candidates, at least 1.
    pub fn len(&self) -> usize {
        self.candidates.len()
    }

    /// Never: a pool holds at least one candidate.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// The blend of all candidates' predictions by `weights` `[candidates]`: `[rows, outputs]`.
    ///
    /// # Panics
    /// If there is not one weight a candidate.
    pub fn blend(&self, weights: &[f64]) -> Vec<f64> {
        assert_eq!(weights.len(), self.len(), "one weight a candidate");
        let mut blend = vec![0.0; self.rows() * self.outputs.count()];
        for (candidate, &weight) in self.candidates.iter().zip(weights).filter(|pair| *pair.1 != 0.0) {
            for (sum, prediction) in blend.iter_mut().zip(candidate.predictions) {
                *sum += weight * prediction;
            }
        }
        blend
    }

    /// Parts into which the rows can be dealt at most: no class, and no group, may be too rare to stand in each.
    pub(crate) fn most_parts(&self) -> usize {
        let groups = self.groups.map(|groups| groups.iter().collect::<BTreeSet<_>>().len());
        self.rarest().min(groups.unwrap_or(usize::MAX))
    }

    /// All rows, dealt into `count` parts of nearly equal size, class by class, or group by group where there are
    /// groups; each part ascending.
    pub(crate) fn deal(&self, count: usize, rng: &mut Rng) -> Vec<Vec<u32>> {
        if let Some(groups) = self.groups {
            return deal_groups(groups, count, rng);
        }
        let mut parts = vec![Vec::new(); count];
        let mut dealt = 0;
        for mut stratum in self.strata() {
            rng.shuffle(&mut stratum);
            for row in stratum {
                parts[dealt % count].push(row);
                dealt += 1;
            }
        }
        for part in &mut parts {
            part.sort_unstable();
        }
        parts
    }

    /// A random half of `rows`, ascending: half of every class (rounded up), or whole groups with half of the rows where
    /// there are several.
    pub(crate) fn half(&self, rows: &[u32], rng: &mut Rng) -> Vec<u32> {
        let mut half: Vec<u32> = match self.grouped(rows) {
            Some(mut grouped) if grouped.len() > 1 => {
                rng.shuffle(&mut grouped);
                let mut half = Vec::new();
                let last = grouped.len() - 1;
                for group in grouped.into_iter().take(last) {
                    if 2 * half.len() < rows.len() {
                        half.extend(group);
                    }
                }
                half
            }
            _ => self.half_of_classes(rows, rng),
        };
        half.sort_unstable();
        half
    }

    fn half_of_classes(&self, rows: &[u32], rng: &mut Rng) -> Vec<u32> {
        let mut shuffled = rows.to_vec();
        rng.shuffle(&mut shuffled);
        let classes = self.truth.class_count().unwrap_or(1);
        let class_of = |row: u32| self.truth.labels().map_or(0, |labels| labels[row as usize] as usize);
        let mut left = vec![0_usize; classes];
        for &row in rows {
            left[class_of(row)] += 1;
        }
        for count in &mut left {
            *count = count.div_ceil(2);
        }
        shuffled.retain(|&row| {
            let open = &mut left[class_of(row)];
            let is_taken = *open > 0;
            *open -= usize::from(is_taken);
            is_taken
        });
        shuffled
    }

    /// Rows by group, in the order of the groups' numbers; `None` without groups.
    fn grouped(&self, rows: &[u32]) -> Option<Vec<Vec<u32>>> {
        Some(by_group(self.groups?, rows.iter().copied()))
    }

    /// Rows by class; all rows together where the truth is numbers.
    fn strata(&self) -> Vec<Vec<u32>> {
        match (self.truth.labels(), self.truth.class_count()) {
            (Some(labels), Some(classes)) => {
                let mut strata = vec![Vec::new(); classes];
                for (row, &label) in labels.iter().enumerate() {
                    strata[label as usize].push(row as u32);
                }
                strata
            }
            _ => vec![(0..self.rows() as u32).collect()],
        }
    }

    /// Rows of the rarest class that occurs; all rows where the truth is numbers.
    pub(crate) fn rarest(&self) -> usize {
        self.strata().iter().map(Vec::len).filter(|&rows| rows > 0).min().unwrap_or(0)
    }
}

/// Rows by group, in the order of the groups' numbers.
fn by_group(groups: &[u32], rows: impl Iterator<Item = u32>) -> Vec<Vec<u32>> {
    let mut by_group: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in rows {
        by_group.entry(groups[row as usize]).or_default().push(row);
    }
    by_group.into_values().collect()
}

/// All rows, dealt group by group into `count` parts as even as the groups allow; each part ascending.
pub(crate) fn deal_groups(groups: &[u32], count: usize, rng: &mut Rng) -> Vec<Vec<u32>> {
    let mut grouped = by_group(groups, 0..groups.len() as u32);
    let mut parts: Vec<Vec<u32>> = vec![Vec::new(); count];
    rng.shuffle(&mut grouped);
    // The largest first, each to the part with the fewest rows.
    grouped.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    for rows in grouped {
        if let Some(smallest) = parts.iter_mut().min_by_key(|part| part.len()) {
            smallest.extend(rows);
        }
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    parts
}

/// The entries of `values` `[rows, columns]` that belong to `rows`.
pub(crate) fn gather(values: &[f64], columns: usize, rows: &[u32]) -> Vec<f64> {
    let mut gathered = Vec::with_capacity(rows.len() * columns);
    for &row in rows {
        gathered.extend_from_slice(&values[row as usize * columns..(row as usize + 1) * columns]);
    }
    gathered
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    #[test]
    fn groups_stay_whole_wherever_rows_are_divided() {
        let truth: Vec<f64> = (0..100).map(f64::from).collect();
        let groups: Vec<u32> = (0..100).map(|row| if row < 40 { 7 } else { row / 10 + 10 }).collect();
        let predictions = truth.clone();
        let checked = Truth::values(&truth).unwrap();
        let metric = kaizen_metrics::by_name("rmse").unwrap();
        let candidates = vec![Candidate { predictions: &predictions, cost: 1.0 }];
        let pool = Pool::new(&checked, Outputs::Values, candidates, None, metric).unwrap();
        assert_eq!(pool.most_parts(), 100);
        let pool = pool.with_groups(&groups).unwrap();
        assert_eq!(pool.most_parts(), 7);
        let of = |rows: &[u32]| rows.iter().map(|&row| groups[row as usize]).collect::<BTreeSet<u32>>();
        for seed in 0..20 {
            let parts = pool.deal(3, &mut Seed(seed).rng());
            assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 100);
            for (place, part) in parts.iter().enumerate() {
                assert!((20..=40).contains(&part.len()) && part.is_sorted(), "{part:?}");
                assert!(parts[..place].iter().all(|other| of(other).is_disjoint(&of(part))));
            }
            let all: Vec<u32> = (0..100).collect();
            let half = pool.half(&all, &mut Seed(seed).rng());
            let rest: Vec<u32> = all.iter().copied().filter(|row| !half.contains(row)).collect();
            assert!(of(&half).is_disjoint(&of(&rest)) && half.is_sorted());
            assert!((50..90).contains(&half.len()) && !rest.is_empty(), "{}", half.len());
        }
        let short = pool.with_groups(&groups[..99]).err();
        assert_eq!(short, Some(EnsembleError::Groups { found: 99, expected: 100 }));
    }
}
