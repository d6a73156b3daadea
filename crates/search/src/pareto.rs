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

/// How isolated each point is within its front: the summed relative gaps to its neighbours in each loss, infinite at
/// the ends.
///
/// Source: Deb, Pratap, Agarwal and Meyarivan 2002, crowding distance.
pub(crate) fn crowding(points: &[Vec<f64>], fronts: &[usize]) -> Vec<f64> {
    let mut crowding = vec![0.0; points.len()];
    let loss_count = points.first().map_or(0, Vec::len);
    for loss in 0..loss_count {
        let mut order: Vec<usize> = (0..points.len()).collect();
        order.sort_by(|a, b| {
            fronts[*a].cmp(&fronts[*b]).then(points[*a][loss].total_cmp(&points[*b][loss])).then(a.cmp(b))
        });
        for front in order.chunk_by(|a, b| fronts[*a] == fronts[*b]) {
            let (first, last) = (front[0], front[front.len() - 1]);
            let range = points[last][loss] - points[first][loss];
            crowding[first] = f64::INFINITY;
            crowding[last] = f64::INFINITY;
            for three in front.windows(3) {
                let gap = points[three[2]][loss] - points[three[0]][loss];
                crowding[three[1]] += if range > 0.0 { gap / range } else { 0.0 };
            }
        }
    }
    crowding
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

    #[test]
    fn ends_of_a_front_are_never_crowded() {
        let points = [[0.0, 4.0], [1.0, 3.0], [1.5, 2.0], [4.0, 0.0]].map(|point| point.to_vec());
        let crowding = crowding(&points, &fronts(&points));
        assert_eq!((crowding[0], crowding[3]), (f64::INFINITY, f64::INFINITY));
        assert_eq!(crowding[1], 1.5 / 4.0 + 2.0 / 4.0);
        assert_eq!(crowding[2], 3.0 / 4.0 + 3.0 / 4.0);
    }
}
