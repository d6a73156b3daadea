//! The minimum of a function of one variable without derivatives.

/// Golden section of an interval, (3 - sqrt 5) / 2.
const GOLDEN: f64 = 0.381_966_011_250_105_1;

/// Parabolic steps converge superlinearly; this many are never needed on an interval of doubles.
const STEP_LIMIT: usize = 100;

/// A local minimiser of `f` on [`low`, `high`] to within about `tolerance`.
///
/// Source: Brent 1973, Algorithms for Minimization without Derivatives, chapter 5. `f` must not return NaN.
pub(crate) fn minimise(f: impl Fn(f64) -> f64, low: f64, high: f64, tolerance: f64) -> f64 {
    let (mut a, mut b) = (low, high);
    // Best, second best and previous second best point with their values.
    let mut x = a + GOLDEN * (b - a);
    let (mut w, mut v) = (x, x);
    let mut fx = f(x);
    let (mut fw, mut fv) = (fx, fx);
    let (mut step, mut step_before) = (0.0_f64, 0.0_f64);
    for _ in 0..STEP_LIMIT {
        let middle = 0.5 * (a + b);
        let least = tolerance + 1e-10 * x.abs();
        if (x - middle).abs() <= 2.0 * least - 0.5 * (b - a) {
            break;
        }
        let parabola = parabolic_step(x, w, v, fx, fw, fv);
        let far = step_before.abs();
        if let Some(p) = parabola.filter(|&p| p.abs() < 0.5 * far && x + p > a && x + p < b) {
            step_before = step;
            step = p;
            if x + p - a < 2.0 * least || b - x - p < 2.0 * least {
                step = if x < middle { least } else { -least };
            }
        } else {
            step_before = if x < middle { b - x } else { a - x };
            step = GOLDEN * step_before;
        }
        let u = if step.abs() >= least { x + step } else { x + least.copysign(step) };
        let fu = f(u);
        if fu <= fx {
            if u < x {
                b = x;
            } else {
                a = x;
            }
            (v, fv, w, fw, x, fx) = (w, fw, x, fx, u, fu);
        } else {
            if u < x {
                a = u;
            } else {
                b = u;
            }
            if fu <= fw || w == x {
                (v, fv, w, fw) = (w, fw, u, fu);
            } else if fu <= fv || v == x || v == w {
                (v, fv) = (u, fu);
            }
        }
    }
    x
}

/// From `x` to the vertex of the parabola through three points; `None` if they lie on a line.
fn parabolic_step(x: f64, w: f64, v: f64, fx: f64, fw: f64, fv: f64) -> Option<f64> {
    let r = (x - w) * (fx - fv);
    let q = (x - v) * (fx - fw);
    let (top, bottom) = ((x - v) * q - (x - w) * r, 2.0 * (q - r));
    let step = -top / bottom;
    (bottom != 0.0 && step.is_finite()).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minima_of_known_functions_are_found() {
        assert!((minimise(|x| (x - 1.25) * (x - 1.25), -5.0, 5.0, 1e-9) - 1.25).abs() < 1e-7);
        assert!((minimise(|x| (x + 4.0).abs(), -5.0, 5.0, 1e-9) + 4.0).abs() < 1e-6);
        // Falls all the way: the minimum is at the end.
        assert!((minimise(|x| -x, 0.0, 1.0, 1e-9) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn few_evaluations_are_enough() {
        let count = std::cell::Cell::new(0);
        minimise(
            |x| {
                count.set(count.get() + 1);
                x * x * x * x - x
            },
            -5.0,
            5.0,
            1e-8,
        );
        assert!(count.get() < 60, "{}", count.get());
    }
}
