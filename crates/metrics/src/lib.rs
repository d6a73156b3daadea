//! Measures of predictive quality, by scikit-learn's names and definitions.
//!
//! What is compared is checked once, when it is wrapped ([`Truth`], [`Scores`]). A [`Metric`] is a row of a table:
//! name, direction, range, what it needs, and a function of truth, predictions and weights. Weights mean
//! repetition throughout: a row of weight two counts as two rows, one of weight zero is absent.
//!
//! This crate knows arrays only, neither models nor tables, and never decides what to optimise beyond
//! [`default_metric`].

#![expect(
    clippy::unnecessary_wraps,
    reason = "the rows of the table share one signature, and some families never fail"
)]

mod bootstrap;
mod confusion;
mod curves;
mod error;
mod fast;
mod input;
mod labels;
mod lookup;
mod mean;
mod metric;
mod probability;
mod ranking;
mod regression;

pub use bootstrap::{Bootstrap, Difference, Interval, IntervalMethod};
pub use confusion::{Average, Confusion, most_probable};
pub use curves::{
    Binning, CalibrationBin, PrecisionRecallPoint, RocPoint, Threshold, best_threshold, calibration,
    expected_calibration_error, precision_recall_curve, roc_curve,
};
pub use error::MetricError;
pub use fast::{log_loss, rmse};
pub use input::{Scores, Truth};
pub use lookup::{all, by_name, default_metric, resolve};
pub use metric::{Direction, Metric, Needs, Prepared, Structure, TaskKind};
pub use probability::log_loss_of;
pub use ranking::roc_auc;
pub use regression::pinball_of;
