//! Cuts rows into folds: plain, stratified, by group, and forward in time.
//!
//! Every plan is a pure function of its inputs and a seed. A row is validated at most once in a repeat; under a time
//! plan the earliest rows are never validated.

use std::collections::BTreeMap;

use kaizen_base::{Rng, Seed};

/// One fold: rows to learn from and rows to be judged on, both ascending and disjoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Rows to fit on.
    pub train: Vec<u32>,
    /// Rows to validate on.
    pub valid: Vec<u32>,
}

/// How rows are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SplitPlan {
    /// Shuffled folds; with strata, every fold has each stratum's share.
    Shuffled {
        /// Number of folds, at least 2.
        folds: usize,
        /// How often the rows are cut anew; folds of later repeats follow those of earlier ones.
        repeats: usize,
    },
    /// Rows of one group stay together.
    Grouped {
        /// Number of folds, at least 2.
        folds: usize,
    },
    /// Each fold learns from rows before the rows it is judged on; equal moments stay together.
    Forward {
        /// Number of folds, at least 1.
        folds: usize,
    },
    /// One fold: a share of the rows is held out, stratified where strata are given.
    Holdout {
        /// Held-out rows per thousand, in 1..=999.
        per_thousand: u32,
    },
}

/// What the rows look like to a plan; all slices have one entry a row.
#[derive(Clone, Copy, Debug, Default)]
pub struct RowLabels<'a> {
    /// Stratum of a row, for instance its class.
    pub strata: Option<&'a [u32]>,
    /// Group of a row.
    pub groups: Option<&'a [u32]>,
    /// Moment of a row; NaN counts as before everything.
    pub moments: Option<&'a [f64]>,
}

/// Why rows cannot be cut as planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// Fewer rows, groups or moments than folds.
    #[error("{found} {what} cannot be cut into {folds} folds")]
    TooFew {
        /// `rows`, `groups` or `moments`.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many folds were asked for.
        folds: usize,
    },
}

impl SplitPlan {
    /// Cuts `row_count` rows.
    ///
    /// # Errors
    /// [`SplitError::TooFew`].
    ///
    /// # Panics
    /// If a grouped plan comes without groups, a forward plan without moments, or labels have another length.
    pub fn cut(&self, row_count: usize, labels: RowLabels<'_>, seed: Seed) -> Result<Vec<Fold>, SplitError> {
        let too_few = |what, found, folds| Err(SplitError::TooFew { what, found, folds });
        match *self {
            Self::Shuffled { folds, repeats } => {
                if row_count < folds {
                    return too_few("rows", row_count, folds);
                }
                let mut all = Vec::with_capacity(folds * repeats);
                for repeat in 0..repeats {
                    let mut rng = seed.child("split", repeat as u64).rng();
                    let fold_of = deal(row_count, labels.strata, folds, &mut rng);
                    all.extend(folds_from(&fold_of, folds));
                }
                Ok(all)
            }
            Self::Grouped { folds } => {
                let groups = labels.groups.unwrap_or_else(|| panic!("a grouped plan needs groups"));
                assert_eq!(groups.len(), row_count);
                let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
                for &group in groups {
                    *sizes.entry(group).or_default() += 1;
                }
                if sizes.len() < folds {
                    return too_few("groups", sizes.len(), folds);
                }
                let fold_of_group = pack(&sizes, folds, &mut seed.child("split", 0).rng());
                let fold_of: Vec<usize> = groups.iter().map(|group| fold_of_group[group]).collect();
                Ok(folds_from(&fold_of, folds))
            }
            Self::Forward { folds } => {
                let moments = labels.moments.unwrap_or_else(|| panic!("a forward plan needs moments"));
                assert_eq!(moments.len(), row_count);
                forward(moments, folds)
            }
            Self::Holdout { per_thousand } => {
                if row_count < 2 {
                    return too_few("rows", row_count, 2);
                }
                let mut rng = seed.child("holdout", 0).rng();
                Ok(vec![holdout(row_count, labels.strata, per_thousand, &mut rng)])
            }
        }
    }
}

/// Deals rows to folds, stratum after stratum without starting again, so that both strata and folds stay even.
fn deal(row_count: usize, strata: Option<&[u32]>, folds: usize, rng: &mut Rng) -> Vec<usize> {
    let mut fold_of = vec![0; row_count];
    let mut next = rng.below(folds);
    for mut rows in rows_by_stratum(row_count, strata) {
        rng.shuffle(&mut rows);
        for row in rows {
            fold_of[row as usize] = next;
            next = (next + 1) % folds;
        }
    }
    fold_of
}

fn rows_by_stratum(row_count: usize, strata: Option<&[u32]>) -> Vec<Vec<u32>> {
    let Some(strata) = strata else {
        return vec![(0..row_count as u32).collect()];
    };
    assert_eq!(strata.len(), row_count);
    let mut by: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (row, &stratum) in strata.iter().enumerate() {
        by.entry(stratum).or_default().push(row as u32);
    }
    by.into_values().collect()
}

/// Puts groups into folds, largest first, each into the fold with the fewest rows so far.
fn pack(sizes: &BTreeMap<u32, usize>, folds: usize, rng: &mut Rng) -> BTreeMap<u32, usize> {
    let mut order: Vec<(u32, usize)> = sizes.iter().map(|(&group, &size)| (group, size)).collect();
    rng.shuffle(&mut order);
    order.sort_by_key(|&(_, size)| std::cmp::Reverse(size));
    let mut filled = vec![0; folds];
    let mut fold_of = BTreeMap::new();
    for (group, size) in order {
        let emptiest = (0..folds).min_by_key(|&fold| filled[fold]).unwrap_or(0);
        filled[emptiest] += size;
        fold_of.insert(group, emptiest);
    }
    fold_of
}

fn folds_from(fold_of: &[usize], folds: usize) -> Vec<Fold> {
    (0..folds)
        .map(|fold| {
            let (valid, train) = (0..fold_of.len() as u32).partition(|&row| fold_of[row as usize] == fold);
            Fold { train, valid }
        })
        .collect()
}

/// Cuts time into `folds` + 1 parts of about equal rows; fold i learns from parts 0..=i and is judged on part i + 1.
fn forward(moments: &[f64], folds: usize) -> Result<Vec<Fold>, SplitError> {
    let key = |row: u32| {
        let moment = moments[row as usize];
        if moment.is_nan() { f64::NEG_INFINITY } else { moment }
    };
    let mut order: Vec<u32> = (0..moments.len() as u32).collect();
    order.sort_by(|&a, &b| key(a).total_cmp(&key(b)));
    let mut edges = vec![0];
    for part in 1..=folds {
        let mut edge = order.len() * part / (folds + 1);
        while edge > 0 && edge < order.len() && key(order[edge]) == key(order[edge - 1]) {
            edge += 1;
        }
        edges.push(edge);
    }
    edges.push(order.len());
    let distinct = edges.windows(2).filter(|pair| pair[0] < pair[1]).count();
    if distinct < folds + 1 {
        return Err(SplitError::TooFew { what: "moments", found: distinct, folds: folds + 1 });
    }
    let sorted = |rows: &[u32]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    };
    Ok((1..=folds)
        .map(|part| Fold {
            train: sorted(&order[..edges[part]]),
            valid: sorted(&order[edges[part]..edges[part + 1]]),
        })
        .collect())
}

/// Holds out a share of every stratum, at least one row overall; a stratum of one row stays in training.
fn holdout(row_count: usize, strata: Option<&[u32]>, per_thousand: u32, rng: &mut Rng) -> Fold {
    let mut held = vec![false; row_count];
    let mut held_count = 0;
    for mut rows in rows_by_stratum(row_count, strata) {
        rng.shuffle(&mut rows);
        let share = (rows.len() * per_thousand as usize + 500) / 1000;
        let count = share.max(usize::from(rows.len() > 1)).min(rows.len().saturating_sub(1));
        for &row in &rows[..count] {
            held[row as usize] = true;
        }
        held_count += count;
    }
    if held_count == 0 {
        held[rng.below(row_count)] = true;
    }
    let (valid, train) = (0..row_count as u32).partition(|&row| held[row as usize]);
    Fold { train, valid }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers_once(folds: &[Fold], row_count: usize) {
        let mut seen: Vec<u32> = folds.iter().flat_map(|fold| fold.valid.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..row_count as u32).collect::<Vec<_>>());
        for fold in folds {
            assert!(fold.train.iter().all(|row| fold.valid.binary_search(row).is_err()));
            assert_eq!(fold.train.len() + fold.valid.len(), row_count);
        }
    }

    #[test]
    fn strata_are_spread_evenly() {
        // 8 positives in 4,000 rows must reach every one of 8 folds.
        let strata: Vec<u32> = (0..4000).map(|row| u32::from(row % 500 == 0)).collect();
        let labels = RowLabels { strata: Some(&strata), ..RowLabels::default() };
        let folds = SplitPlan::Shuffled { folds: 8, repeats: 1 }.cut(4000, labels, Seed(1)).unwrap();
        covers_once(&folds, 4000);
        for fold in &folds {
            assert_eq!(fold.valid.iter().filter(|&&row| strata[row as usize] == 1).count(), 1);
            assert_eq!(fold.valid.len(), 500);
        }
    }

    #[test]
    fn groups_stay_together() {
        let groups: Vec<u32> = (0..1000).map(|row| row / 7).collect();
        let labels = RowLabels { groups: Some(&groups), ..RowLabels::default() };
        let folds = SplitPlan::Grouped { folds: 5 }.cut(1000, labels, Seed(1)).unwrap();
        covers_once(&folds, 1000);
        for fold in &folds {
            let valid: std::collections::BTreeSet<u32> =
                fold.valid.iter().map(|&row| groups[row as usize]).collect();
            assert!(fold.train.iter().all(|&row| !valid.contains(&groups[row as usize])));
        }
    }

    #[test]
    fn time_only_runs_forward() {
        let moments: Vec<f64> = (0..100).map(|row| f64::from((row * 37) % 100 / 3)).collect();
        let labels = RowLabels { moments: Some(&moments), ..RowLabels::default() };
        let plan = SplitPlan::Forward { folds: 4 };
        for fold in plan.cut(100, labels, Seed(1)).unwrap() {
            let latest = fold.train.iter().map(|&row| moments[row as usize]).fold(f64::MIN, f64::max);
            assert!(fold.valid.iter().all(|&row| moments[row as usize] > latest));
        }
        let equal = [1.0; 10];
        let labels = RowLabels { moments: Some(&equal), ..RowLabels::default() };
        assert!(SplitPlan::Forward { folds: 2 }.cut(10, labels, Seed(1)).is_err());
    }

    #[test]
    fn the_seed_decides_and_the_holdout_keeps_a_lone_row_in_training() {
        let plan = SplitPlan::Shuffled { folds: 3, repeats: 2 };
        let cut = |seed| plan.cut(50, RowLabels::default(), Seed(seed)).unwrap();
        assert_eq!(cut(1), cut(1));
        assert_ne!(cut(1), cut(2));
        assert_eq!(cut(1).len(), 6);
        let strata = [0, 0, 0, 0, 1];
        let labels = RowLabels { strata: Some(&strata), ..RowLabels::default() };
        let folds = SplitPlan::Holdout { per_thousand: 400 }.cut(5, labels, Seed(3)).unwrap();
        assert!(folds[0].train.contains(&4));
    }
}
