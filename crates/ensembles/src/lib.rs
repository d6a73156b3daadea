//! One prediction from many models: weighted blends chosen on out-of-fold predictions, and calibrated probabilities.
//!
//! This crate works on arrays: the predictions of each candidate on rows that it had not seen, and the truth. It
//! neither fits nor runs models, and knows no metric by name; what a metric lets a search reuse is data on its row
//! ([`kaizen_metrics::Structure`]).

mod calibrate;
mod error;
mod greedy;
mod isotonic;
mod kernel;
mod logistic;
mod pool;
mod select;
mod simplex;

pub use calibrate::{Calibration, Calibrator, Method, choose};
pub use error::EnsembleError;
pub use pool::{Candidate, Outputs, Pool};
pub use select::{Ensemble, HeldOut, Settings, Strategy, select};
