//! Time as a parameter, so that hours of search can be tested in milliseconds.

use std::sync::atomic::{AtomicU64, Ordering};

/// A source of elapsed time.
pub trait Clock: Send + Sync {
    /// Seconds since the clock's own origin; never goes back.
    fn now_seconds(&self) -> f64;
}

/// A clock that moves only when it is told to.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// Starts a clock at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves the clock forward by `seconds` (negative and NaN count as zero).
    pub fn advance(&self, seconds: f64) {
        let now = self.now_seconds();
        self.0.store((now + seconds.max(0.0)).to_bits(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_seconds(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_forward() {
        let clock = ManualClock::new();
        clock.advance(1.5);
        clock.advance(-3.0);
        clock.advance(f64::NAN);
        assert_eq!(clock.now_seconds(), 1.5);
    }
}
