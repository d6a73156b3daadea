//! The wall clock, and signals that are raised when it reaches a moment.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kaizen_base::{Clock, Flow, Signal};

/// Seconds since the process started, as far as that can be told (or since the clock was made).
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    origin: Instant,
    head_start_seconds: f64,
}

impl WallClock {
    /// A clock that starts at `head_start_seconds`: the time that had passed before it could be made.
    #[expect(clippy::disallowed_methods, reason = "this is the wall clock that all else is given")]
    pub fn starting_at(head_start_seconds: f64) -> Self {
        Self { origin: Instant::now(), head_start_seconds: head_start_seconds.max(0.0) }
    }
}

impl Clock for WallClock {
    fn now_seconds(&self) -> f64 {
        self.origin.elapsed().as_secs_f64() + self.head_start_seconds
    }
}

/// How often the clock is looked at; a signal comes at most this late.
const TICK: Duration = Duration::from_millis(2);

struct Entry {
    at_seconds: f64,
    signal: Signal,
    flow: Flow,
}

/// Raises signals at given moments, from a thread of its own that ends with the value.
pub struct Timekeeper {
    alarms: Alarms,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The way to set alarms, to be handed to other threads.
#[derive(Clone)]
pub struct Alarms {
    clock: Arc<dyn Clock>,
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl Alarms {
    /// Seconds on the clock.
    pub fn now_seconds(&self) -> f64 {
        self.clock.now_seconds()
    }

    /// Raises `signal` to `flow` once the clock shows `at_seconds`; infinity means never.
    pub fn raise_at(&self, at_seconds: f64, signal: &Signal, flow: Flow) {
        if at_seconds.is_finite() {
            let entry = Entry { at_seconds, signal: signal.clone(), flow };
            self.entries.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        }
    }
}

impl Timekeeper {
    /// Starts keeping time.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let entries: Arc<Mutex<Vec<Entry>>> = Arc::default();
        let done = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (clock, entries, done) = (Arc::clone(&clock), Arc::clone(&entries), Arc::clone(&done));
            move || {
                while !done.load(Ordering::Relaxed) {
                    let now = clock.now_seconds();
                    entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|entry| {
                        let due = entry.at_seconds <= now;
                        if due {
                            entry.signal.raise(entry.flow);
                        }
                        !due
                    });
                    std::thread::sleep(TICK);
                }
            }
        });
        Self { alarms: Alarms { clock, entries }, done, thread: Some(thread) }
    }

    /// The way to set alarms.
    pub fn alarms(&self) -> &Alarms {
        &self.alarms
    }
}

impl Drop for Timekeeper {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic in the thread has nothing left to harm here.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::ManualClock;

    #[test]
    fn signals_come_when_the_clock_says_so() {
        let clock = Arc::new(ManualClock::new());
        let keeper = Timekeeper::new(Arc::clone(&clock) as Arc<dyn Clock>);
        let signal = Signal::new();
        keeper.alarms().raise_at(10.0, &signal, Flow::Finish);
        keeper.alarms().raise_at(f64::INFINITY, &signal, Flow::Stop);
        clock.advance(9.0);
        assert_eq!(signal.flow(), Flow::Continue);
        clock.advance(2.0);
        while signal.flow() == Flow::Continue {
            std::thread::yield_now();
        }
        assert_eq!(signal.flow(), Flow::Finish);
    }
}
