//! The tree engine: boosting with leaf-wise, depth-wise and symmetric growth on one shared binned table.
//!
//! It knows arrays only. A table is cut into bins once ([`Bins`]) and shared by every fold, trial and fidelity;
//! [`train`] boosts on any subset of its rows and gives an immutable [`Ensemble`] whose predictions equal those of
//! training bit for bit. Histograms hold exact integer sums, so 1 and N threads and every instruction set give the same
//! trees; threads are rayon's, which sleep when there is nothing to do.
//!
//! Beyond plain boosting: forests ([`forest`]), linear leaves ([`LinearLeaves`]), dropout of rounds ([`Dropout`]), ordered
//! target statistics ([`Categories`]), monotone and interaction constraints ([`BoostParams`]). `tests/it/oracle.rs` holds
//! the engine to the trees of LightGBM and XGBoost.

mod bins;
mod boost;
mod builder;
mod derivatives;
mod dropout;
mod ensemble;
mod error;
mod forest;
mod grower;
mod histogram;
mod input;
mod joint;
mod kernel;
mod leaves;
mod linear;
mod monotone;
mod objective;
mod ordered;
mod params;
mod parts;
mod row;
mod sampling;
mod scan;
mod sets;
mod splitter;
mod symmetric;

pub use bins::{BinParams, Bins, FeatureData};
pub use boost::{RoundReport, Trained, automatic_rate, train};
pub use ensemble::Ensemble;
pub use error::{Result, TreesError};
pub use forest::{Forest, ForestCriterion, ForestParams, ForestTarget, forest};
pub use input::{Evaluate, Start, TrainInput};
pub use params::{
    BoostParams, Categories, Dropout, Growth, LinearLeaves, MonotoneBound, Objective, OrderedParams,
    RowSampling, SplitScore,
};
pub use parts::EnsembleParts;
