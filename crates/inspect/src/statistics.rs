//! The few distribution functions and tests that the checks need.

use kaizen_base::math;

/// Largest distance between the empirical distribution functions of two ascending samples without NaN.
///
/// In [0, 1]; 0 when either sample is empty.
pub(crate) fn ks_distance(first: &[f64], second: &[f64]) -> f64 {
    if first.is_empty() || second.is_empty() {
        return 0.0;
    }
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while i < first.len() && j < second.len() {
        let value = if first[i].total_cmp(&second[j]).is_le() { first[i] } else { second[j] };
        while i < first.len() && first[i] <= value {
            i += 1;
        }
        while j < second.len() && second[j] <= value {
            j += 1;
        }
        largest = largest.max((i as f64 / first.len() as f64 - j as f64 / second.len() as f64).abs());
    }
    largest
}

/// Probability of a distance of at least `distance` between two samples of one continuous distribution.
///
/// Source: Smirnov 1948 with the small-sample correction of Stephens 1970; conservative with ties.
pub(crate) fn ks_p_value(distance: f64, first_count: usize, second_count: usize) -> f64 {
    let effective = (first_count as f64 * second_count as f64 / (first_count + second_count) as f64).sqrt();
    let x = (effective + 0.12 + 0.11 / effective) * distance;
    if x < 0.2 {
        // The series converges slowly there, and the probability is 1 to 12 digits.
        return 1.0;
    }
    let mut sum = 0.0;
    for k in 1..=100 {
        let k_float = f64::from(k);
        let term = math::exp(-2.0 * k_float * k_float * x * x);
        sum += if k % 2 == 1 { term } else { -term };
        if term < 1e-18 {
            break;
        }
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// Probability that a chi-squared variable with `degrees` degrees of freedom is at least `x`.
pub(crate) fn chi_squared_upper(x: f64, degrees: usize) -> f64 {
    if x <= 0.0 || degrees == 0 {
        return 1.0;
    }
    upper_gamma_share(degrees as f64 / 2.0, x / 2.0)
}

/// Regularised upper incomplete gamma function Q(a, x) for a > 0, x > 0.
///
/// Source: power series below a + 1, continued fraction by the modified method of Lentz above (Thompson and Barnett
/// 1986).
fn upper_gamma_share(a: f64, x: f64) -> f64 {
    const STEPS_MAX: usize = 10_000;
    const TINY: f64 = 1e-300;
    let scale = math::exp(a * math::ln(x) - x - math::ln_gamma(a));
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for step in 1..STEPS_MAX {
            term *= x / (a + step as f64);
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        return (1.0 - sum * scale).clamp(0.0, 1.0);
    }
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / b;
    let mut fraction = d;
    for step in 1..STEPS_MAX {
        let k = step as f64;
        let numerator = -k * (k - a);
        b += 2.0;
        d = numerator * d + b;
        d = if d.abs() < TINY { TINY } else { d };
        c = b + numerator / c;
        c = if c.abs() < TINY { TINY } else { c };
        d = 1.0 / d;
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    (fraction * scale).clamp(0.0, 1.0)
}

/// Two-sided probability of a standard normal variable at least as far from zero as `z`.
pub(crate) fn normal_two_sided(z: f64) -> f64 {
    2.0 * math::normal_cdf(-z.abs())
}

/// Which hypotheses to reject so that the expected share of false rejections is at most `level`.
///
/// Source: Benjamini and Hochberg 1995, step-up procedure. NaN is never rejected.
pub(crate) fn benjamini_hochberg(p_values: &[f64], level: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|&index| !p_values[index].is_nan()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let total = order.len() as f64;
    let passed = (0..order.len())
        .rev()
        .find(|&rank| p_values[order[rank]] <= level * (rank + 1) as f64 / total)
        .map_or(0, |rank| rank + 1);
    let mut rejected = vec![false; p_values.len()];
    for &index in &order[..passed] {
        rejected[index] = true;
    }
    rejected
}

/// Pearson correlation of two slices over the rows where both are present; `None` below 3 such rows or when either
/// is constant there.
pub(crate) fn correlation(first: &[f64], second: &[f64]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> =
        first.iter().zip(second).filter(|(a, b)| !a.is_nan() && !b.is_nan()).map(|(&a, &b)| (a, b)).collect();
    if pairs.len() < 3 {
        return None;
    }
    // Dividing by the largest size keeps squares of 1e300 finite.
    let largest =
        |pick: fn(&(f64, f64)) -> f64| pairs.iter().map(|pair| pick(pair).abs()).fold(0.0, f64::max);
    let (scale_a, scale_b) = (largest(|pair| pair.0), largest(|pair| pair.1));
    if scale_a == 0.0 || scale_b == 0.0 {
        return None;
    }
    let count = pairs.len() as f64;
    let mean_a = pairs.iter().map(|(a, _)| a / scale_a).sum::<f64>() / count;
    let mean_b = pairs.iter().map(|(_, b)| b / scale_b).sum::<f64>() / count;
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (a, b) in &pairs {
        let (a, b) = (a / scale_a - mean_a, b / scale_b - mean_b);
        aa += a * a;
        bb += b * b;
        ab += a * b;
    }
    (aa > 0.0 && bb > 0.0).then(|| (ab / (aa * bb).sqrt()).clamp(-1.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chi_squared_matches_tables() {
        // Fisher and Yates: the 5 % points for 1, 10 and 100 degrees of freedom.
        for (x, degrees) in [(3.841459, 1), (18.307038, 10), (124.342113, 100)] {
            assert!((chi_squared_upper(x, degrees) - 0.05).abs() < 1e-7, "{degrees}");
        }
        assert_eq!(chi_squared_upper(0.0, 3), 1.0);
    }

    #[test]
    fn kolmogorov_matches_the_limit_table() {
        // 1.3581 is the 5 % point of the limit distribution.
        let count = 2_000_000;
        let effective = (f64::from(count) / 2.0).sqrt();
        let p = ks_p_value(1.3581 / effective, count as usize, count as usize);
        assert!((p - 0.05).abs() < 1e-4, "{p}");
        assert_eq!(ks_distance(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), 0.0);
        assert_eq!(ks_distance(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert!((ks_distance(&[1.0, 1.0, 2.0], &[1.0, 2.0, 2.0]) - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn step_up_procedure_by_hand() {
        // Thresholds at 0.05 for four p values: 0.0125, 0.025, 0.0375, 0.05.
        assert_eq!(benjamini_hochberg(&[0.03, 0.9, 0.01, 0.036], 0.05), [true, false, true, true]);
        assert_eq!(benjamini_hochberg(&[f64::NAN, 0.2], 0.05), [false, false]);
    }

    #[test]
    fn correlation_survives_huge_values_and_gaps() {
        let a = [1e300, 2e300, f64::NAN, 3e300];
        let b = [-1.0, -2.0, 5.0, -3.0];
        assert!((correlation(&a, &b).unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(correlation(&[1.0, 1.0, 1.0], &[1.0, 2.0, 3.0]), None);
    }
}
