//! Means, spreads and quantiles of a column's training rows, safe at any magnitude that an `f64` can hold.

/// First two moments of the present cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Weighted mean; 0 when no cell is present.
    pub mean: f64,
    /// Weighted standard deviation (divided by the sum of weights); 0 when constant or empty.
    pub deviation: f64,
    /// Smallest value; 0 when empty.
    pub lowest: f64,
    /// Largest value; 0 when empty.
    pub highest: f64,
    /// Number of present cells.
    pub present: usize,
}

/// Moments of `values` at `rows`, NaN left out.
///
/// Sums are taken of values divided by the largest magnitude, so that squares of 1e300 do not overflow.
pub fn moments(values: &[f64], rows: &[u32], weight: impl Fn(u32) -> f64) -> Moments {
    let (mut lowest, mut highest, mut present) = (f64::INFINITY, f64::NEG_INFINITY, 0);
    for &row in rows {
        let value = values[row as usize];
        if !value.is_nan() {
            lowest = lowest.min(value);
            highest = highest.max(value);
            present += 1;
        }
    }
    if present == 0 {
        return Moments { mean: 0.0, deviation: 0.0, lowest: 0.0, highest: 0.0, present };
    }
    let unit = lowest.abs().max(highest.abs());
    if lowest == highest || unit == 0.0 {
        return Moments { mean: lowest, deviation: 0.0, lowest, highest, present };
    }
    let (mut total, mut sum) = (0.0, 0.0);
    for &row in rows {
        let value = values[row as usize];
        if !value.is_nan() {
            total += weight(row);
            sum += weight(row) * (value / unit);
        }
    }
    let mean = sum / total;
    let mut squares = 0.0;
    for &row in rows {
        let value = values[row as usize];
        if !value.is_nan() {
            let difference = value / unit - mean;
            squares += weight(row) * difference * difference;
        }
    }
    Moments { mean: mean * unit, deviation: (squares / total).sqrt() * unit, lowest, highest, present }
}

/// The present cells of `rows`, ascending.
pub fn sorted_present(values: &[f64], rows: &[u32]) -> Vec<f64> {
    let mut present: Vec<f64> =
        rows.iter().map(|&row| values[row as usize]).filter(|value| !value.is_nan()).collect();
    present.sort_unstable_by(f64::total_cmp);
    present
}

/// The quantile at `share` of ascending values, linear between neighbours (Hyndman and Fan 1996, type 7).
///
/// # Panics
/// If there is no value.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let part = place - below as f64;
    // A weighted sum, not a step from one end: the difference of two extremes may overflow.
    sorted[below] * (1.0 - part) + sorted[above] * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_values_do_not_overflow() {
        let found = moments(&[-1e300, 1e300, f64::NAN], &[0, 1, 2], |_| 1.0);
        assert_eq!((found.mean, found.deviation, found.present), (0.0, 1e300, 2));
        assert_eq!(quantile(&[-1.7e308, 1.7e308], 0.5), 0.0);
    }

    #[test]
    fn weights_count_like_repeated_rows() {
        let values = [1.0, 2.0, 5.0];
        let weighted = moments(&values, &[0, 1, 2], |row| if row == 1 { 3.0 } else { 1.0 });
        let repeated = moments(&values, &[0, 1, 1, 1, 2], |_| 1.0);
        assert!((weighted.mean - repeated.mean).abs() < 1e-15);
        assert!((weighted.deviation - repeated.deviation).abs() < 1e-15);
    }

    #[test]
    fn quantiles_are_those_of_type_seven() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.25), 1.75);
        assert_eq!(quantile(&[7.0], 0.9), 7.0);
    }
}
