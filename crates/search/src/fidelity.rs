//! The share of full training behind one measurement.

/// The share of the full effort (rows, rounds, folds, epochs) that a measurement stands on; in (0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity(f64);

impl Fidelity {
    /// The full effort.
    pub const FULL: Self = Self(1.0);

    /// A share; `None` unless it lies in (0, 1].
    pub fn new(share: f64) -> Option<Self> {
        (share > 0.0 && share <= 1.0).then_some(Self(share))
    }

    /// `done` steps of `total`, at most full; `None` when either is zero.
    ///
    /// ```
    /// use kaizen_search::Fidelity;
    /// assert_eq!(Fidelity::of(3, 12).map(Fidelity::share), Some(0.25));
    /// assert_eq!(Fidelity::of(12, 12), Some(Fidelity::FULL));
    /// ```
    pub fn of(done: usize, total: usize) -> Option<Self> {
        if total == 0 { None } else { Self::new((done as f64 / total as f64).min(1.0)) }
    }

    /// The share, in (0, 1].
    pub fn share(self) -> f64 {
        self.0
    }

    /// How many of `total` steps it takes to get here: rounded up, at least one and at most all.
    ///
    /// Inverse of [`Fidelity::of`] for every `total` below 2^50.
    pub fn steps(self, total: usize) -> usize {
        // The allowance absorbs the rounding of the division in `of`.
        ((self.0 * total as f64 * (1.0 - 4.0 * f64::EPSILON)).ceil() as usize).clamp(1, total.max(1))
    }
}

impl Eq for Fidelity {}

impl PartialOrd for Fidelity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fidelity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl std::fmt::Display for Fidelity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_invert_shares() {
        for total in 1..400 {
            for done in 1..=total {
                assert_eq!(Fidelity::of(done, total).unwrap().steps(total), done, "{done} of {total}");
            }
        }
    }

    #[test]
    fn only_shares_are_fidelities() {
        for bad in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Fidelity::new(bad), None);
        }
        assert_eq!((Fidelity::of(0, 5), Fidelity::of(1, 0)), (None, None));
    }
}
