//! The search engine: proposes configurations, decides how far each is evaluated, and remembers everything.
//!
//! It knows spaces and numbers, never data or models: tuning a compiler would work. A [`Problem`] is evaluated at
//! configurations of its space; a [`Sampler`] says which configuration comes next, a [`Scheduler`] how far each goes;
//! neither sees the other, so any sampler works with any scheduler. What happened is a [`History`], changed by
//! [`Event`]s alone; a [`Journal`] keeps the events, and replaying them gives the same history, from which the search
//! goes on as if it had never been interrupted. A [`Study`] drives all of this, either by itself ([`Study::run`]) or
//! one question at a time ([`Study::ask`]).
//!
//! Inside the engine every objective is a loss to be minimised; [`Objective`] alone turns natural values round.
//!
//! ```
//! use std::sync::Arc;
//! use kaizen_base::{ManualClock, Seed};
//! use kaizen_search::{Budget, MemoryJournal, Objective, Plan, Step, Study, samplers, schedulers};
//! use kaizen_space::{Param, Space};
//!
//! let mut study = Study::new(Plan {
//!     space: Space::new(vec![Param::float("x", -5.0, 5.0)])?,
//!     objectives: vec![Objective::minimise("squared", "")],
//!     sampler: samplers::by_name("tpe").expect("a row of the table"),
//!     scheduler: schedulers::by_name("fifo").expect("a row of the table"),
//!     budget: Budget::trials(60),
//!     seed: Seed(1),
//!     journal: Box::new(MemoryJournal::default()),
//!     clock: Arc::new(ManualClock::new()),
//!     signal: kaizen_base::Signal::new(),
//! })?;
//! while let Step::Run(task) = study.ask()? {
//!     let x = task.config.float("x");
//!     study.report(task.trial, task.until, &[(x - 1.0) * (x - 1.0)], 0.0)?;
//!     study.leave(task.trial, Ok(()))?;
//! }
//! let best = study.history().best().expect("trials were finished");
//! assert!((best.config.float("x") - 1.0).abs() < 0.1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod driver;
mod event;
mod fidelity;
mod history;
pub mod journal;
mod objective;
mod pareto;
mod problem;
pub mod samplers;
pub mod schedulers;
mod study;
mod trial;

pub use budget::Budget;
pub use event::{Event, EventError};
pub use fidelity::Fidelity;
pub use history::{Changes, Cursor, History};
pub use journal::{FileJournal, Header, Journal, JournalError, MemoryJournal};
pub use objective::{Direction, Objective};
pub use problem::{Ctx, Problem};
pub use samplers::{Sampler, SuggestError};
pub use schedulers::{Job, Scheduler};
pub use study::{End, Plan, Step, Study, StudyError, Task};
pub use trial::{Failure, Measurement, State, Trial, TrialId};
