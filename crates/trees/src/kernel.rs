//! The few loops in which training spends its time, compiled for each vector width and chosen at run time.
//!
//! Every variant runs the same IEEE operations in the same order on each element (Rust never contracts a multiply and
//! an add), so the choice of the instruction set never changes a bit of a result. Sums of gradients are sums of
//! integers: a gradient and a second derivative are rounded to fixed point and packed into one 64-bit integer, the
//! gradient in the upper and the second derivative in the lower half. Such sums are exact, do not depend on order or
//! thread count, are half the size of two floats, and the histogram of a sibling is an exact subtraction. The scale uses
//! all bits that the sum over all rows leaves: with n rows the mean gradient has 2^31 / n steps. (Shi et al. 2022 use
//! 2 to 5 bits; here the width is chosen so that no accuracy is lost.)

use crate::bins::{Block, LANES};

/// Gradient in the upper 32 bits (signed), second derivative in the lower 32 (unsigned).
pub(crate) type Packed = i64;

/// Upper half: sum of fixed-point gradients.
#[inline(always)]
pub(crate) fn gradient_of(sum: Packed) -> i32 {
    (sum >> 32) as i32
}

/// Lower half: sum of fixed-point second derivatives.
#[inline(always)]
pub(crate) fn hessian_of(sum: Packed) -> u32 {
    sum as u32
}

/// Packs fixed-point numbers.
#[inline(always)]
pub(crate) fn pack(gradient: i64, hessian: i64) -> Packed {
    // The lower half is never negative, so the upper half needs no borrow.
    (gradient << 32) + hessian
}

/// e to the power `x` within 2 units in the last place for |x| <= 700, clamped beyond.
///
/// Cody and Waite (1980) reduction to |r| <= ln(2)/2, then the Taylor polynomial of degree 13, whose remainder is below
/// 5e-18; written without branches so that it compiles to vector code.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    // The two parts of ln 2: the first has 21 trailing zero bits, so that its product with n is exact.
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Adding 1.5 * 2^52 rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    let x = x.clamp(-700.0, 700.0);
    let shifted = x * std::f64::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let r2 = r * r;
    let r4 = r2 * r2;
    let r8 = r4 * r4;
    // Estrin's scheme: short dependency chains.
    let p0 = (1.0 + r) + r2 * (0.5 + r * (1.0 / 6.0));
    let p1 = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5040.0));
    let p2 = (1.0 / 40320.0 + r * (1.0 / 362_880.0)) + r2 * (1.0 / 3_628_800.0 + r * (1.0 / 39_916_800.0));
    let p3 = 1.0 / 479_001_600.0 + r * (1.0 / 6_227_020_800.0);
    let p = (p0 + r4 * p1) + r8 * (p2 + r4 * p3);
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(0x3ff0_0000_0000_0000));
    p * scale
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// Compiles a loop for the baseline, AVX2 and AVX-512 and picks one at run time.
macro_rules! dispatch {
    ($(#[$doc:meta])* $name:ident, $body:ident, ($($arg:ident : $ty:ty),* $(,)?)) => {
        $(#[$doc])*
        pub(crate) fn $name($($arg: $ty),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn wide($($arg: $ty),*) { $body($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn middle($($arg: $ty),*) { $body($($arg),*) }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                {
                    // SAFETY: the features were detected on this processor in the line above.
                    return unsafe { wide($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the feature was detected on this processor in the line above.
                    return unsafe { middle($($arg),*) };
                }
            }
            $body($($arg),*);
        }
    };
}

dispatch!(
    /// Logistic loss: `gradients = sigmoid(scores) - targets`, `hessians = p (1 - p)`; equal lengths.
    logistic_gradients,
    logistic_body,
    (scores: &[f64], targets: &[f64], gradients: &mut [f64], hessians: &mut [f64])
);

#[inline(always)]
fn logistic_body(scores: &[f64], targets: &[f64], gradients: &mut [f64], hessians: &mut [f64]) {
    for (((score, target), gradient), hessian) in scores.iter().zip(targets).zip(gradients).zip(hessians) {
        let p = sigmoid(*score);
        *gradient = p - target;
        *hessian = p * (1.0 - p);
    }
}

dispatch!(
    /// `values = exp(values - shift)`; equal lengths.
    exp_shifted,
    exp_shifted_body,
    (values: &mut [f64], shifts: &[f64])
);

#[inline(always)]
fn exp_shifted_body(values: &mut [f64], shifts: &[f64]) {
    for (value, shift) in values.iter_mut().zip(shifts) {
        *value = exp(*value - shift);
    }
}

dispatch!(
    /// Rounds to fixed point and packs; equal lengths.
    pack_all,
    pack_body,
    (gradients: &[f64], hessians: &[f64], gradient_scale: f64, hessian_scale: f64, packed: &mut [Packed])
);

#[inline(always)]
fn pack_body(
    gradients: &[f64],
    hessians: &[f64],
    gradient_scale: f64,
    hessian_scale: f64,
    packed: &mut [Packed],
) {
    // Adding 1.5 * 2^52 rounds to the nearest integer, whose two's complement then stands in the low 51 bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const BITS: i64 = 0x4338_0000_0000_0000;
    for ((gradient, hessian), slot) in gradients.iter().zip(hessians).zip(packed) {
        let g = (gradient * gradient_scale + ROUND).to_bits() as i64 - BITS;
        let h = (hessian * hessian_scale + ROUND).to_bits() as i64 - BITS;
        *slot = pack(g, h);
    }
}

dispatch!(
    /// `larger -= smaller`: the sibling of a histogram.
    subtract,
    subtract_body,
    (larger: &mut [Packed], smaller: &[Packed])
);

#[inline(always)]
fn subtract_body(larger: &mut [Packed], smaller: &[Packed]) {
    for (large, small) in larger.iter_mut().zip(smaller) {
        *large = large.wrapping_sub(*small);
    }
}

dispatch!(
    /// `sums += parts`, which like all sums of packed numbers is exact.
    add,
    add_body,
    (sums: &mut [Packed], parts: &[Packed])
);

#[inline(always)]
fn add_body(sums: &mut [Packed], parts: &[Packed]) {
    for (sum, part) in sums.iter_mut().zip(parts) {
        *sum = sum.wrapping_add(*part);
    }
}

dispatch!(
    /// For every cut, adds the scores G^2 / (H + l2) of both sides (gradients shrunk by l1) to `gains`.
    ///
    /// `unit` is the value of one packed (gradient, second derivative) step, `penalty` is (l1, l2). Where a side is
    /// empty and l2 is 0 the result is NaN or infinite; the caller masks such cuts.
    add_newton_gains,
    newton_body,
    (prefix: &[Packed], total: Packed, unit: (f64, f64), penalty: (f64, f64), gains: &mut [f64; 256])
);

#[inline(always)]
fn newton_body(
    prefix: &[Packed],
    total: Packed,
    unit: (f64, f64),
    penalty: (f64, f64),
    gains: &mut [f64; 256],
) {
    for (left, gain) in prefix.iter().zip(gains) {
        let right = total - left;
        let gl = (f64::from(gradient_of(*left)) * unit.0).abs() - penalty.0;
        let gr = (f64::from(gradient_of(right)) * unit.0).abs() - penalty.0;
        let gl = if gl > 0.0 { gl } else { 0.0 };
        let gr = if gr > 0.0 { gr } else { 0.0 };
        let hl = f64::from(hessian_of(*left)) * unit.1 + penalty.1;
        let hr = f64::from(hessian_of(right)) * unit.1 + penalty.1;
        // One division instead of two.
        *gain += (gl * gl * hr + gr * gr * hl) / (hl * hr);
    }
}

dispatch!(
    /// For every cut, adds both sides' shares of the cosine score: `dots` += G m and `norms` += H m^2 with the leaf mean
    /// m = G / (H + l2).
    add_cosine_terms,
    cosine_body,
    (prefix: &[Packed], total: Packed, unit: (f64, f64), l2: f64, dots: &mut [f64; 256], norms: &mut [f64; 256])
);

#[inline(always)]
fn cosine_body(
    prefix: &[Packed],
    total: Packed,
    unit: (f64, f64),
    l2: f64,
    dots: &mut [f64; 256],
    norms: &mut [f64; 256],
) {
    for ((left, dot), norm) in prefix.iter().zip(dots).zip(norms) {
        let right = total - left;
        let gl = f64::from(gradient_of(*left)) * unit.0;
        let gr = f64::from(gradient_of(right)) * unit.0;
        let hl = f64::from(hessian_of(*left)) * unit.1;
        let hr = f64::from(hessian_of(right)) * unit.1;
        // An empty side has no gradient; the least divisor only keeps 0 / 0 away.
        let ml = gl / (hl + l2).max(1e-300);
        let mr = gr / (hr + l2).max(1e-300);
        *dot += gl * ml + gr * mr;
        *norm += hl * ml * ml + hr * mr * mr;
    }
}

/// One block's share of a histogram: for each lane in use, where its bins start.
#[derive(Clone, Debug)]
pub(crate) struct LaneSet {
    /// (lane, first bin in the histogram slice).
    pub(crate) lanes: Vec<(u8, usize)>,
    pub(crate) all: bool,
}

/// Adds the packed gradients of `rows` to the histogram of one block.
///
/// `ordered[i]` belongs to `rows[i]`; `histogram` is the block's slice.
pub(crate) fn accumulate(
    block: &Block,
    rows: &[u32],
    ordered: &[Packed],
    lane_set: &LaneSet,
    histogram: &mut [Packed],
) {
    assert_eq!(rows.len(), ordered.len(), "one gradient a row");
    let row_count = block.words.len();
    // One pass over the indices is far cheaper than the eight scattered updates a row that follow.
    let largest = rows.iter().copied().max().unwrap_or(0);
    assert!(rows.is_empty() || (largest as usize) < row_count, "row beyond the table");
    for (lane, start) in &lane_set.lanes {
        assert!(start + block.bin_counts[usize::from(*lane)] <= histogram.len(), "lane beyond the histogram");
    }
    // SAFETY: rows lie below the block's length and every lane's bins lie inside the histogram (asserted above);
    // `Block` is only made by `from_columns`, which asserts that each code lies below its column's bin count.
    unsafe {
        if lane_set.all {
            let mut starts = [0; LANES];
            for (lane, start) in &lane_set.lanes {
                starts[usize::from(*lane)] = *start;
            }
            match lane_set.lanes.len() {
                1 => accumulate_lanes::<1>(&block.words, rows, ordered, starts, histogram),
                2 => accumulate_lanes::<2>(&block.words, rows, ordered, starts, histogram),
                3 => accumulate_lanes::<3>(&block.words, rows, ordered, starts, histogram),
                4 => accumulate_lanes::<4>(&block.words, rows, ordered, starts, histogram),
                5 => accumulate_lanes::<5>(&block.words, rows, ordered, starts, histogram),
                6 => accumulate_lanes::<6>(&block.words, rows, ordered, starts, histogram),
                7 => accumulate_lanes::<7>(&block.words, rows, ordered, starts, histogram),
                _ => accumulate_lanes::<8>(&block.words, rows, ordered, starts, histogram),
            }
        } else {
            accumulate_some(&block.words, rows, ordered, &lane_set.lanes, histogram);
        }
    }
}

/// # Safety
/// Every row indexes `words`; for each lane below `N`, start + code lies inside `histogram` for every code that occurs.
unsafe fn accumulate_lanes<const N: usize>(
    words: &[u64],
    rows: &[u32],
    ordered: &[Packed],
    starts: [usize; LANES],
    histogram: &mut [Packed],
) {
    for (row, packed) in rows.iter().zip(ordered) {
        // SAFETY: by the contract of this function.
        let word = unsafe { *words.get_unchecked(*row as usize) };
        for (lane, start) in starts.iter().enumerate().take(N) {
            let code = (word >> (8 * lane)) as u8;
            // SAFETY: by the contract of this function.
            let slot = unsafe { histogram.get_unchecked_mut(start + usize::from(code)) };
            *slot = slot.wrapping_add(*packed);
        }
    }
}

/// # Safety
/// As [`accumulate_lanes`], for the lanes listed.
unsafe fn accumulate_some(
    words: &[u64],
    rows: &[u32],
    ordered: &[Packed],
    lanes: &[(u8, usize)],
    histogram: &mut [Packed],
) {
    for (row, packed) in rows.iter().zip(ordered) {
        // SAFETY: by the contract of this function.
        let word = unsafe { *words.get_unchecked(*row as usize) };
        for (lane, start) in lanes {
            let code = (word >> (8 * lane)) as u8;
            // SAFETY: by the contract of this function.
            let slot = unsafe { histogram.get_unchecked_mut(start + usize::from(code)) };
            *slot = slot.wrapping_add(*packed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_and_clamped() {
        let mut worst = 0.0f64;
        for step in -70_000..=70_000 {
            let x = f64::from(step) * 0.01;
            let exact = kaizen_base::math::exp(x);
            worst = worst.max(((exp(x) - exact) / exact).abs());
        }
        assert!(worst < 4.5e-16, "{worst:e}");
        assert!(exp(1e9).is_finite() && exp(-1e9) > 0.0);
    }

    #[test]
    fn packing_keeps_sign_and_sum() {
        let mut packed = [0; 3];
        pack_all(&[-1.25, 2.0, 0.1], &[0.5, 1.0, 0.0], 4.0, 2.0, &mut packed);
        let sum: Packed = packed.iter().sum();
        assert_eq!((gradient_of(packed[0]), hessian_of(packed[0])), (-5, 1));
        assert_eq!((gradient_of(sum), hessian_of(sum)), (-5 + 8, 3));
    }

    #[test]
    fn histogram_equals_a_plain_count() {
        let a: Vec<u8> = (0..100).map(|i| (i * 7 % 5) as u8).collect();
        let b: Vec<u8> = (0..100).map(|i| (i % 3) as u8).collect();
        let block = Block::from_columns(&[(&a, 5), (&b, 3)], 100);
        let rows: Vec<u32> = (0..100).step_by(3).collect();
        let ordered: Vec<Packed> = rows.iter().map(|row| pack(i64::from(*row) - 50, 2)).collect();
        for all in [true, false] {
            let mut histogram = vec![0; 8];
            let lanes = LaneSet { lanes: vec![(0, 0), (1, 5)], all };
            accumulate(&block, &rows, &ordered, &lanes, &mut histogram);
            for code in 0..3u8 {
                let expected: i32 =
                    rows.iter().filter(|row| b[**row as usize] == code).map(|row| *row as i32 - 50).sum();
                assert_eq!(gradient_of(histogram[5 + usize::from(code)]), expected);
            }
        }
    }
}
