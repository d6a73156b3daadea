//! Runs a whole study on a number of workers.
//!
//! With one worker the calling thread does everything, in an order that the seed fixes. With more, each worker asks,
//! evaluates and leaves on its own thread; results count in the order in which they come, and that order is recorded,
//! so even then the journal gives the same history again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kaizen_base::{Clock, Flow, Signal};

use crate::problem::{Ctx, Problem};
use crate::study::{End, Step, Study, StudyError, Task};
use crate::trial::Failure;

/// How often the timer looks at the clock; small beside the grace that trials are given, large beside the cost of a look.
const TIMER_PERIOD: Duration = Duration::from_millis(2);

/// How long a worker waits for others before it asks again; a notice ends the wait earlier.
const WAIT_PERIOD: Duration = Duration::from_millis(50);

struct Shared<'a> {
    study: Mutex<&'a mut Study>,
    changed: Condvar,
    /// The first error; it ends the run.
    error: Mutex<Option<StudyError>>,
    end: Mutex<Option<End>>,
}

impl Study {
    /// Evaluates `problem` until the study has nothing more to do, on `worker_count` workers (0 counts as 1).
    ///
    /// A panic in the problem fails its trial and costs nothing else. Time is the plan's clock; where the budget has a
    /// limit in seconds, a thread watches the clock and raises the tasks' signals at the deadline.
    ///
    /// # Errors
    /// [`StudyError::Journal`] when an event cannot be recorded: running trials are stopped, and the study can be run
    /// again.
    pub fn run(&mut self, problem: &dyn Problem, worker_count: usize) -> Result<End, StudyError> {
        let clock = Arc::clone(self.clock());
        let watch = Watch::of(self);
        let shared = Shared {
            study: Mutex::new(self),
            changed: Condvar::new(),
            error: Mutex::new(None),
            end: Mutex::new(None),
        };
        std::thread::scope(|scope| {
            let is_over = Arc::new(AtomicBool::new(false));
            let timer = watch.deadline_seconds.is_finite().then(|| {
                let (watch, clock, is_over) = (&watch, &clock, Arc::clone(&is_over));
                scope.spawn(move || watch.run(clock.as_ref(), &is_over))
            });
            std::thread::scope(|workers| {
                for _ in 1..worker_count {
                    workers.spawn(|| work(&shared, problem, clock.as_ref()));
                }
                work(&shared, problem, clock.as_ref());
            });
            is_over.store(true, Ordering::SeqCst);
            if let Some(timer) = timer {
                timer.thread().unpark();
            }
        });
        match locked(&shared.error).take() {
            Some(error) => Err(error),
            None => Ok(locked(&shared.end).take().unwrap_or(End::Complete)),
        }
    }
}

/// What the timer needs to know of a study.
struct Watch {
    signal: Signal,
    deadline_seconds: f64,
    grace_seconds: f64,
}

impl Watch {
    fn of(study: &Study) -> Self {
        Self {
            signal: study.signal().clone(),
            deadline_seconds: study.deadline_seconds(),
            grace_seconds: study.grace_seconds(),
        }
    }

    /// Raises the signal at the deadline and after the grace; ends when the run is over.
    fn run(&self, clock: &dyn Clock, is_over: &AtomicBool) {
        while !is_over.load(Ordering::SeqCst) {
            let late_seconds = clock.now_seconds() - self.deadline_seconds;
            if late_seconds >= self.grace_seconds {
                self.signal.raise(Flow::Stop);
                return;
            }
            if late_seconds >= 0.0 {
                self.signal.raise(Flow::Finish);
            }
            std::thread::park_timeout(TIMER_PERIOD);
        }
    }
}

/// One worker's loop.
fn work(shared: &Shared<'_>, problem: &dyn Problem, clock: &dyn Clock) {
    loop {
        let mut study = locked(&shared.study);
        if locked(&shared.error).is_some() {
            return;
        }
        match study.ask() {
            Ok(Step::Run(task)) => {
                drop(study);
                let left = evaluate(shared, problem, clock, &task);
                shared.changed.notify_all();
                if let Err(error) = left {
                    locked(&shared.study).abandon(task.trial);
                    return fail(shared, error);
                }
            }
            Ok(Step::Wait) => {
                let waited = shared.changed.wait_timeout(study, WAIT_PERIOD);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
            Ok(Step::Done(end)) => {
                locked(&shared.end).get_or_insert(end);
                return;
            }
            Err(error) => {
                drop(study);
                return fail(shared, error);
            }
        }
    }
}

/// Keeps the first error and stops everybody.
fn fail(shared: &Shared<'_>, error: StudyError) {
    locked(&shared.study).stop_tasks();
    locked(&shared.error).get_or_insert(error);
    shared.changed.notify_all();
}

/// Evaluates one task and leaves it.
fn evaluate(
    shared: &Shared<'_>,
    problem: &dyn Problem,
    clock: &dyn Clock,
    task: &Task,
) -> Result<(), StudyError> {
    let mut complaint: Option<Failure> = None;
    let mut fault: Option<StudyError> = None;
    let mut sink = |fidelity, values: &[f64]| {
        if complaint.is_some() || fault.is_some() {
            return Flow::Stop;
        }
        let reported = locked(&shared.study).report_now(task.trial, fidelity, values);
        shared.changed.notify_all();
        match reported {
            Ok(flow) => flow,
            Err(StudyError::Event(error)) => {
                complaint = Some(Failure::Fit(error.to_string()));
                Flow::Stop
            }
            Err(error) => {
                fault = Some(error);
                Flow::Stop
            }
        }
    };
    let mut ctx = Ctx::new(task, clock, &mut sink);
    // A trial's state is its own; the engine's is behind the lock and is changed by whole events only.
    let outcome = catch_unwind(AssertUnwindSafe(|| problem.evaluate(&task.config, task.until, &mut ctx)))
        .unwrap_or_else(|payload| Err(Failure::Panic(message_of(payload.as_ref()))));
    if let Some(fault) = fault {
        return Err(fault);
    }
    let is_final = {
        let mut study = locked(&shared.study);
        study.leave(task.trial, complaint.map_or(outcome, Err))?;
        study.history().trial(task.trial).is_none_or(|trial| trial.state.is_final())
    };
    if is_final {
        // What became of the trial is recorded by now; a panic while its state is dropped changes nothing about it.
        let _ = catch_unwind(AssertUnwindSafe(|| problem.forget(task.trial)));
    }
    Ok(())
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing under these locks is left half-changed by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
