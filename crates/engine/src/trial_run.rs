//! Runs one job of one trial under a deadline, so that no fit, however stuck, can hold up the rest.
//!
//! The fit runs on the pool; the calling thread waits, keeps the person informed and the clock in view. At its deadline
//! a fit is asked to finish, a little later to stop, and a little later still it is abandoned: the caller goes on
//! without it, on fresh threads.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kaizen_base::{Clock, Flow, Signal};
use kaizen_search::{Ctx, Failure, Fidelity, Problem as _, Task};
use kaizen_tabular::{Pacer, TabularProblem};

use crate::clock::Alarms;
use crate::observer::Observer;

/// How often the person's screen is brought up to date.
const SCREEN_TICK: Duration = Duration::from_millis(50);

/// Moments of a job on the clock, in seconds; infinity for never.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// When it is to round off.
    pub finish: f64,
    /// When it is to give up.
    pub stop: f64,
    /// When it is left behind.
    pub abandon: f64,
}

/// How a job ended.
pub(crate) enum JobEnd {
    /// With a value at a fidelity.
    Measured(Fidelity, f64),
    /// Without.
    Failed(Failure),
    /// It did not even stop: its threads are lost.
    Abandoned,
}

/// Where jobs run and what they are given.
pub(crate) struct Bench<'a> {
    pub problem: &'a Arc<TabularProblem>,
    pub pool: &'a rayon::ThreadPool,
    pub clock: &'a Arc<dyn Clock>,
    pub alarms: &'a Alarms,
    pub pace: &'a Arc<Pace>,
}

pub(crate) fn run(
    bench: &Bench<'_>,
    task: Task,
    deadlines: Deadlines,
    observer: &mut dyn Observer,
    limit_seconds: Option<f64>,
) -> JobEnd {
    let (sender, receiver) = channel();
    bench.pace.set_finish(deadlines.finish);
    bench.alarms.raise_at(deadlines.stop, &task.signal, Flow::Stop);
    let (problem, clock) = (Arc::clone(bench.problem), Arc::clone(bench.clock));
    bench.pool.spawn(move || {
        let reported = Mutex::new(None);
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut sink = |fidelity: Fidelity, values: &[f64]| {
                *reported.lock().unwrap_or_else(PoisonError::into_inner) = Some((fidelity, values[0]));
                Flow::Continue
            };
            let mut ctx = Ctx::new(&task, &*clock, &mut sink);
            problem.evaluate(&task.config, task.until, &mut ctx)
        }));
        let reported = reported.into_inner().unwrap_or_else(PoisonError::into_inner);
        let end = match (result, reported) {
            (Ok(Ok(())), Some((fidelity, value))) => JobEnd::Measured(fidelity, value),
            (Ok(Ok(())), None) => JobEnd::Failed(Failure::Stopped),
            (Ok(Err(failure)), _) => JobEnd::Failed(failure),
            (Err(panic), _) => JobEnd::Failed(Failure::Panic(panic_words(&*panic))),
        };
        // The receiver is gone only when the job was abandoned.
        let _ = sender.send(end);
    });
    loop {
        match receiver.recv_timeout(SCREEN_TICK) {
            Ok(end) => return end,
            Err(RecvTimeoutError::Timeout) => {
                let now = bench.alarms.now_seconds();
                observer.tick(now, limit_seconds);
                if now > deadlines.abandon {
                    return JobEnd::Abandoned;
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return JobEnd::Failed(Failure::Panic("its thread ended".to_owned()));
            }
        }
    }
}

/// Cuts the time of a job into slices, one a fold, so that the last folds get as much as the first.
pub(crate) struct Pace {
    alarms: Alarms,
    threads: usize,
    finish_bits: AtomicU64,
}

impl Pace {
    pub(crate) fn new(alarms: Alarms, threads: usize) -> Self {
        Self { alarms, threads, finish_bits: AtomicU64::new(f64::INFINITY.to_bits()) }
    }

    fn set_finish(&self, seconds: f64) {
        self.finish_bits.store(seconds.to_bits(), Ordering::SeqCst);
    }
}

/// The problem's handle on the pace.
pub(crate) struct SharedPace(pub Arc<Pace>);

impl Pacer for SharedPace {
    fn stage(&self, fold_count: usize, at_once: usize) -> Box<dyn Fn(&Signal) -> Signal + Send + Sync> {
        let pace = Arc::clone(&self.0);
        let at_once = pace.threads.min(at_once).max(1);
        let finish = f64::from_bits(pace.finish_bits.load(Ordering::SeqCst));
        let begun = AtomicUsize::new(0);
        Box::new(move |parent| {
            let signal = parent.child();
            let begun = begun.fetch_add(1, Ordering::SeqCst).min(fold_count - 1);
            let waves = (fold_count - begun).div_ceil(at_once);
            let now = pace.alarms.now_seconds();
            pace.alarms.raise_at(now + (finish - now) / waves as f64, &signal, Flow::Finish);
            signal
        })
    }
}

/// What a panic said.
fn panic_words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without words".to_owned())
}
