//! Order among points of several losses.

/// Whether `one` is nowhere worse than `other` and somewhere better (lower).
pub(crate) fn dominates(one: &[f64], other: &[f64]) -> bool {
    let mut is_better = false;
    for (a, b) in one.iter().zip(other) {
        if a > b {
            return false;
        }
        is_better |= a < b;
    }
    is_better
}

/// The front of each point: 0 for points that nothing dominates, 1 for those that only front 0 dominates, and so on.
///
/// Source: Deb, Pratap, Agarwal and Meyarivan 2002, fast non-dominated sorting. Cost: quadratic in the points.
pub(crate) fn fronts(points: &[Vec<f64>]) -> Vec<usize> {
    let mut dominated_by: Vec<usize> = vec![0; points.len()];
    let mut beats: Vec<Vec<usize>> = vec![Vec::new(); points.len()];
    for (i, one) in points.iter().enumerate() {
        for (j, other) in points.iter().enumerate() {
            if dominates(one, other) {
                beats[i].push(j);
                dominated_by[j] += 1;
            }
        }
    }
    let mut fronts = vec![0; points.len()];
    let mut current: Vec<usize> = (0..points.len()).filter(|i| dominated_by[*i] == 0).collect();
    let mut front = 0;
    while !current.is_empty() {
        let mut next = Vec::new();
        for i in current {
            fronts[i] = front;
            for j in &beats[i] {
                dominated_by[*j] -= 1;
                if dominated_by[*j] == 0 {
                    next.push(*j);
                }
            }
        }
        current = next;
        front += 1;
    }
    fronts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_peel_off_one_after_the_other() {
        let points = [[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [2.0, 5.0], [3.0, 3.0], [5.0, 5.0], [2.0, 2.0]];
        let points: Vec<Vec<f64>> = points.iter().map(|point| point.to_vec()).collect();
        assert_eq!(fronts(&points), [0, 0, 0, 1, 1, 2, 0]);
    }
}
