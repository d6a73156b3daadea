//! One call, [`fit`]: plan, search, blend, calibrate, explain, report, sign; and [`LoadedModel`], the way back from an
//! artifact to predictions.
//!
//! This is the lowest floor that reads a clock. It decides; the crates below it do. The order of the files is the order
//! of the work: `request`, `plan` (with `folds`), `search_loop` (with `trial_run`), `blend` (with `bagging`), `finish`,
//! and beside them `run_folder` (what survives a crash), `memory` (how much of it there may be), `clock`, `observer`
//! (what the person is told) and `loaded`.

mod bagging;
mod blend;
mod card;
pub mod clock;
mod error;
mod finish;
mod fit;
pub mod folds;
pub mod loaded;
mod memory;
mod observer;
mod page;
mod plan;
pub mod request;
mod run_folder;
mod search_loop;
mod stack;
mod trial_run;

pub use clock::WallClock;
pub use error::{Blame, EngineError};
pub use fit::{FitOutcome, LeftOut, Score, Standing, fit};
pub use loaded::{Evaluated, LoadedModel, Predicted};
pub use observer::{Event, Observer, Silent};
