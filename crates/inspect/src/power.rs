//! How well one column alone predicts the target, out of fold.
//!
//! For each fold, every code of a binned column predicts what the other folds saw with that code: class frequencies
//! or a mean, pulled to the overall one by one pseudo-row. A key, whose codes never repeat, so predicts nothing,
//! and a column with ten thousand levels gains nothing by chance.

use kaizen_base::{Seed, math};
use kaizen_table::{Target, TargetValues};

use crate::binned::Binned;

const FOLDS: usize = 5;

/// Classes beyond which class frequencies are not tabulated: tables of counts grow with codes times classes.
pub(crate) const CLASSES_MAX: usize = 200;

/// How well one column predicts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Power {
    /// Share of the target's spread that is explained out of fold, at most 1 and negative when worse than nothing:
    /// of the log loss (`McFadden` 1974) for classes, of the variance for numbers.
    pub(crate) skill: f64,
    /// Area under the receiver operating characteristic, in [0, 1], for two classes.
    pub(crate) area: Option<f64>,
    /// Standard error of `area` (Hanley and `McNeil` 1982).
    pub(crate) area_error: f64,
}

/// The fold of each sampled row, shuffled by seed.
pub(crate) fn deal_folds(row_count: usize, seed: Seed) -> Vec<u8> {
    let mut folds: Vec<u8> = (0..row_count).map(|row| (row % FOLDS) as u8).collect();
    seed.child("power", 0).rng().shuffle(&mut folds);
    folds
}

/// Measures one column against the target of the same rows; `None` where nothing can be said (too many classes, no
/// spread in the target, fewer than two rows a fold).
pub(crate) fn measure(binned: &Binned, target: &Target, folds: &[u8]) -> Option<Power> {
    if folds.len() < 2 * FOLDS {
        return None;
    }
    match &target.values {
        TargetValues::Classes { codes, names } if (2..=CLASSES_MAX).contains(&names.len()) => {
            measure_classes(binned, codes, names.len(), folds)
        }
        TargetValues::Classes { .. } => None,
        TargetValues::Numbers(numbers) => measure_numbers(binned, numbers, folds),
    }
}

fn measure_classes(binned: &Binned, classes: &[u32], class_count: usize, folds: &[u8]) -> Option<Power> {
    // counts[fold][code][class]; a table too large for the cache is for columns that repeat too little to leak.
    let stride = binned.code_count * class_count;
    let mut counts = vec![0u32; FOLDS * stride];
    for ((&code, &class), &fold) in binned.codes.iter().zip(classes).zip(folds) {
        counts[usize::from(fold) * stride + code as usize * class_count + class as usize] += 1;
    }
    let mut overall = vec![0.0; class_count];
    let mut by_code = vec![0u32; stride];
    for fold in counts.chunks_exact(stride) {
        for (sum, &count) in by_code.iter_mut().zip(fold) {
            *sum += count;
        }
    }
    for cell in by_code.chunks_exact(class_count) {
        for (sum, &count) in overall.iter_mut().zip(cell) {
            *sum += f64::from(count);
        }
    }
    let total: f64 = overall.iter().sum();
    let prior: Vec<f64> = overall.iter().map(|count| count / total).collect();
    let base: f64 = prior.iter().filter(|share| **share > 0.0).map(|share| -share * math::ln(*share)).sum();
    if base <= 0.0 {
        return None;
    }
    let mut loss = 0.0;
    // Probability of class 1 with the rows of class 0 and class 1 that were given it.
    let mut scored: Vec<(f64, f64, f64)> = Vec::new();
    for fold in 0..FOLDS {
        for code in 0..binned.code_count {
            let from = fold * stride + code * class_count;
            let held = &counts[from..from + class_count];
            if held.iter().all(|&count| count == 0) {
                continue;
            }
            let all = &by_code[code * class_count..(code + 1) * class_count];
            let seen: f64 = all.iter().zip(held).map(|(&all, &held)| f64::from(all - held)).sum();
            let probability =
                |class: usize| (f64::from(all[class] - held[class]) + prior[class]) / (seen + 1.0);
            for (class, &count) in held.iter().enumerate().filter(|(_, count)| **count > 0) {
                loss -= f64::from(count) * math::ln(probability(class));
            }
            if class_count == 2 {
                scored.push((probability(1), f64::from(held[0]), f64::from(held[1])));
            }
        }
    }
    let area = (class_count == 2).then(|| area_under_curve(&mut scored));
    let area_error = area.map_or(0.0, |area| standard_error(area, overall[1], overall[0]));
    Some(Power { skill: 1.0 - loss / total / base, area, area_error })
}

/// Probability that a row of class 1 scores above a row of class 0, ties counting half.
fn area_under_curve(scored: &mut [(f64, f64, f64)]) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut wins, mut positives) = (0.0, 0.0, 0.0);
    for ties in scored.chunk_by(|a, b| a.0 == b.0) {
        let negative: f64 = ties.iter().map(|cell| cell.1).sum();
        let positive: f64 = ties.iter().map(|cell| cell.2).sum();
        wins += positive * (below + negative / 2.0);
        below += negative;
        positives += positive;
    }
    if below * positives > 0.0 { wins / (below * positives) } else { 0.5 }
}

/// Standard error of an area under the curve (Hanley and `McNeil` 1982, equations 1 and 2, exponential approximation).
fn standard_error(area: f64, positives: f64, negatives: f64) -> f64 {
    let q1 = area / (2.0 - area);
    let q2 = 2.0 * area * area / (1.0 + area);
    let square = area * area;
    let variance =
        area * (1.0 - area) + (positives - 1.0) * (q1 - square) + (negatives - 1.0) * (q2 - square);
    (variance.max(0.0) / (positives * negatives).max(1.0)).sqrt()
}

fn measure_numbers(binned: &Binned, numbers: &[f64], folds: &[u8]) -> Option<Power> {
    let count = numbers.len() as f64;
    // Scaling keeps squares of huge targets finite; the share explained does not change.
    let scale = numbers.iter().map(|value| value.abs()).fold(0.0, f64::max);
    if scale == 0.0 {
        return None;
    }
    let mean = numbers.iter().map(|value| value / scale).sum::<f64>() / count;
    let spread: f64 = numbers.iter().map(|value| (value / scale - mean) * (value / scale - mean)).sum();
    if spread <= 1e-24 * count {
        return None;
    }
    let mut sums = vec![(0.0f64, 0.0f64); FOLDS * binned.code_count];
    for ((&code, &value), &fold) in binned.codes.iter().zip(numbers).zip(folds) {
        let cell = &mut sums[usize::from(fold) * binned.code_count + code as usize];
        cell.0 += 1.0;
        cell.1 += value / scale - mean;
    }
    let mut totals = vec![(0.0f64, 0.0f64); binned.code_count];
    for fold in sums.chunks_exact(binned.code_count.max(1)) {
        for (total, cell) in totals.iter_mut().zip(fold) {
            total.0 += cell.0;
            total.1 += cell.1;
        }
    }
    let mut left = 0.0;
    for ((&code, &value), &fold) in binned.codes.iter().zip(numbers).zip(folds) {
        let held = sums[usize::from(fold) * binned.code_count + code as usize];
        let total = totals[code as usize];
        let predicted = (total.1 - held.1) / (total.0 - held.0 + 1.0);
        let error = value / scale - mean - predicted;
        left += error * error;
    }
    Some(Power { skill: 1.0 - left / spread, area: None, area_error: 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binned::bin_column;
    use kaizen_table::Column;

    fn power(column: &Column, target: &Column, classes: bool) -> Power {
        let rows: Vec<u32> = (0..column.len() as u32).collect();
        let target = if classes { Target::classes(target) } else { Target::numbers(target) }.unwrap();
        measure(&bin_column(column, &rows), &target, &deal_folds(rows.len(), Seed(1))).unwrap()
    }

    #[test]
    fn a_copy_predicts_all_and_a_key_nothing() {
        let classes = Column::number("y", (0..2000).map(|row| f64::from(row % 2)).collect());
        let copy = power(&classes, &classes, true);
        assert_eq!(copy.area, Some(1.0));
        assert!(copy.skill > 0.99);
        let key = Column::text("id", (0..2000).map(|row| Some(format!("k{row}"))));
        let key = power(&key, &classes, true);
        assert_eq!(key.area, Some(0.5));
        assert!(key.skill.abs() < 1e-9);
        let number = Column::number("y", (0..2000).map(|row| f64::from(row * 7 % 2000)).collect());
        assert!(power(&number, &number, false).skill > 0.99);
    }

    #[test]
    fn noise_with_many_levels_gains_nothing() {
        let mut rng = Seed(3).rng();
        let classes = Column::number("y", (0..5000).map(|_| rng.below(2) as f64).collect());
        let noise = Column::category(
            "x",
            &(0..5000).map(|_| Some(format!("l{}", rng.below(1000)))).collect::<Vec<_>>(),
        );
        let area = power(&noise, &classes, true).area.unwrap();
        // Four standard errors at 0.5 with 2,500 rows of each class: 4 * 0.0082.
        assert!((area - 0.5).abs() < 0.033, "{area}");
    }

    #[test]
    fn area_by_hand() {
        // Scores 0.1 (one negative), 0.5 (one of each), 0.9 (one positive): 3.5 of 4 pairs are won.
        let mut scored = [(0.5, 1.0, 1.0), (0.9, 0.0, 1.0), (0.1, 1.0, 0.0)];
        assert_eq!(area_under_curve(&mut scored), 3.5 / 4.0);
    }
}
