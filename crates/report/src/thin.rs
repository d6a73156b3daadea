//! Fewer points for the same picture.

/// Thins a curve to at most `limit` points, always with both ends, by dropping points that lie near the line between
/// kept ones.
///
/// Source: Visvalingam and Whyatt 1993: the point that spans the smallest triangle with its neighbours goes first; here
/// in rounds that drop up to half of the points, which is linear in all and differs only where areas are nearly equal.
pub(crate) fn thin_curve(points: &[[f64; 2]], limit: usize) -> Vec<[f64; 2]> {
    let mut kept: Vec<[f64; 2]> =
        points.iter().copied().filter(|point| point.iter().all(|x| x.is_finite())).collect();
    let limit = limit.max(2);
    while kept.len() > limit {
        let area = |index: usize| {
            let ([ax, ay], [bx, by], [cx, cy]) = (kept[index - 1], kept[index], kept[index + 1]);
            ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)).abs()
        };
        let mut order: Vec<(f64, usize)> = (1..kept.len() - 1).map(|index| (area(index), index)).collect();
        order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let wanted = (kept.len() - limit).min(kept.len() / 2);
        let mut dropped = vec![false; kept.len()];
        let mut count = 0;
        for (_, index) in order {
            // Two neighbours in one round would be judged by a neighbour that is gone.
            if count < wanted && !dropped[index - 1] && !dropped[index + 1] {
                dropped[index] = true;
                count += 1;
            }
        }
        let mut index = 0;
        kept.retain(|_| {
            index += 1;
            !dropped[index - 1]
        });
    }
    kept
}

/// At most `limit` of the finite points, spread evenly over their order.
pub(crate) fn thin_cloud(points: &[[f64; 2]], limit: usize) -> Vec<[f64; 2]> {
    let finite: Vec<[f64; 2]> =
        points.iter().copied().filter(|point| point.iter().all(|x| x.is_finite())).collect();
    if finite.len() <= limit {
        return finite;
    }
    (0..limit).map(|index| finite[index * finite.len() / limit]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_stay_and_straight_parts_go() {
        let mut points: Vec<[f64; 2]> = (0..=100).map(|i| [0.0, f64::from(i) / 100.0]).collect();
        points.extend((1..=100).map(|i| [f64::from(i) / 100.0, 1.0]));
        points.push([f64::NAN, 0.5]);
        assert_eq!(thin_curve(&points, 3), [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]);
        assert_eq!(thin_curve(&points[..2], 10).len(), 2);
        assert_eq!(thin_curve(&[], 10).len(), 0);
    }

    #[test]
    fn clouds_are_spread() {
        let points: Vec<[f64; 2]> = (0..1000).map(|i| [f64::from(i), 0.0]).collect();
        let thin = thin_cloud(&points, 10);
        assert_eq!(thin.len(), 10);
        assert_eq!((thin[0][0], thin[9][0]), (0.0, 900.0));
    }
}
