//! The nearest stored rows of a row, exactly, in blocks that stay in the cache.
//!
//! Numbers are standardised, so that two random rows differ by 2 in mean square on each. Two different levels of a
//! category differ by 2 / (1 - Σ p²), which gives a category the same mean difference; a missing cell is a level. Space
//! partitioning trees were not taken: beyond a dozen columns they look at every row anyway (Weber, Schek and Blott 1998).

use kaizen_table::MISSING_CODE;

use crate::features::Cells;
use crate::linear::design::DenseTerm;

/// Stored rows looked at together.
const BLOCK: usize = 512;

/// Rows in the form in which they are compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Points {
    pub(crate) count: usize,
    /// [numbers, rows].
    pub(crate) numbers: Vec<f32>,
    /// [categories, rows].
    pub(crate) codes: Vec<u32>,
}

/// One neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Neighbour {
    /// Squared distance.
    pub(crate) distance: f32,
    /// Place among the stored rows.
    pub(crate) place: u32,
}

/// Turns cells into points.
#[derive(Clone, Debug)]
pub(crate) struct Geometry {
    pub(crate) terms: Vec<DenseTerm>,
    /// Features that are categories, ascending.
    pub(crate) categories: Vec<u32>,
    /// Squared distance of two levels of each category.
    pub(crate) mismatch: Vec<f32>,
}

impl Geometry {
    /// The points of rows.
    pub(crate) fn points(&self, cells: &[Cells<'_>], rows: &[u32]) -> Points {
        let mut numbers = Vec::with_capacity(self.terms.len() * rows.len());
        for term in &self.terms {
            if let Cells::Number(values) = &cells[term.feature as usize] {
                numbers.extend(rows.iter().map(|&row| coordinate(term.value(values[row as usize]))));
            }
        }
        let mut codes = Vec::with_capacity(self.categories.len() * rows.len());
        for &feature in &self.categories {
            if let Cells::Category(own) = &cells[feature as usize] {
                codes.extend(rows.iter().map(|&row| own[row as usize]));
            }
        }
        Points { count: rows.len(), numbers, codes }
    }

    /// The `wanted` nearest of `stored` to each of `asked`, nearest first, ties by place. `but_not` names for each
    /// asked row a stored one to leave out: itself.
    pub(crate) fn nearest(
        &self,
        stored: &Points,
        asked: &Points,
        but_not: Option<&[u32]>,
        wanted: usize,
    ) -> Vec<Vec<Neighbour>> {
        let mut found: Vec<Vec<Neighbour>> = vec![Vec::with_capacity(wanted + 1); asked.count];
        let mut distances = [0.0_f32; BLOCK];
        for start in (0..stored.count).step_by(BLOCK) {
            let size = BLOCK.min(stored.count - start);
            for (row, found) in found.iter_mut().enumerate() {
                let distances = &mut distances[..size];
                self.distances(stored, start, asked, row, distances);
                let itself = but_not.and_then(|places| (places[row] as usize).checked_sub(start));
                if let Some(distance) = itself.and_then(|place| distances.get_mut(place)) {
                    *distance = f32::INFINITY;
                }
                for (offset, &distance) in distances.iter().enumerate() {
                    let limit = found.get(wanted - 1).map_or(f32::MAX, |last| last.distance);
                    if distance < limit || (found.len() < wanted && distance <= limit) {
                        let place = found.partition_point(|neighbour| neighbour.distance <= distance);
                        found.truncate(wanted - 1);
                        found.insert(place, Neighbour { distance, place: (start + offset) as u32 });
                    }
                }
            }
        }
        found
    }

    fn distances(&self, stored: &Points, start: usize, asked: &Points, row: usize, out: &mut [f32]) {
        out.fill(0.0);
        for term in 0..self.terms.len() {
            let value = asked.numbers[term * asked.count + row];
            let others =
                &stored.numbers[term * stored.count + start..term * stored.count + start + out.len()];
            for (sum, other) in out.iter_mut().zip(others) {
                let difference = value - other;
                *sum += difference * difference;
            }
        }
        for (category, &mismatch) in self.mismatch.iter().enumerate() {
            let code = asked.codes[category * asked.count + row];
            let others =
                &stored.codes[category * stored.count + start..category * stored.count + start + out.len()];
            for (sum, other) in out.iter_mut().zip(others) {
                *sum += if code == *other { 0.0 } else { mismatch };
            }
        }
    }
}

/// A standardised number in single precision, bounded so that sums of squares stay finite.
fn coordinate(value: f64) -> f32 {
    value.clamp(-1e15, 1e15) as f32
}

/// The squared distance of two levels of a category with these codes.
pub(crate) fn mismatch(codes: &[u32], rows: &[u32], level_count: usize) -> f32 {
    let mut counts = vec![0.0_f64; level_count + 2];
    for &row in rows {
        let code = codes[row as usize];
        counts[if code == MISSING_CODE { level_count + 1 } else { (code as usize).min(level_count) }] += 1.0;
    }
    let agree: f64 =
        counts.iter().map(|count| (count / rows.len() as f64) * (count / rows.len() as f64)).sum();
    // A constant category tells nothing of training rows; a later other level counts as much as any.
    (2.0 / (1.0 - agree).max(0.01)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_sorted_and_ties_go_by_place() {
        let term = DenseTerm { feature: 0, missing: false, centre: 0.0, spread: 1.0 };
        let geometry = Geometry { terms: vec![term], categories: Vec::new(), mismatch: Vec::new() };
        let stored = Points { count: 5, numbers: vec![3.0, 1.0, -1.0, 1.0, 9.0], codes: Vec::new() };
        let asked = Points { count: 1, numbers: vec![0.0], codes: Vec::new() };
        let places = |but_not: Option<&[u32]>| -> Vec<u32> {
            geometry.nearest(&stored, &asked, but_not, 3)[0].iter().map(|neighbour| neighbour.place).collect()
        };
        assert_eq!(places(None), [1, 2, 3]);
        assert_eq!(places(Some(&[1])), [2, 3, 0]);
    }

    #[test]
    fn a_balanced_pair_of_levels_counts_like_a_standardised_zero_and_one() {
        assert!((mismatch(&[0, 1, 0, 1], &[0, 1, 2, 3], 2) - 4.0).abs() < 1e-6);
    }
}
