//! What may be chosen: parameters with domains and conditions, and configurations that always fit their space.
//!
//! A [`Space`] is checked once, when it is made; a [`Config`] can only be made against a space, so whoever holds one
//! never checks it again. Conditions hang a parameter below choices of earlier parameters, to any depth;
//! [`Space::join`] hangs whole spaces below one choice. Everything a sampler needs (drawing, mutating, the unit cube,
//! enumeration) is here, so that samplers know nothing of logarithms or grids.
//!
//! ```
//! use kaizen_space::{Config, Param, Space};
//!
//! let space = Space::new(vec![
//!     Param::choice("booster", ["tree", "linear"]),
//!     Param::float("rate", 1e-3, 0.3).log().starting_at(0.1),
//!     Param::int("depth", 1, 12).starting_at(6).only_if("booster", ["tree"]),
//! ])?;
//! let config = Config::new(&space, [("booster", "linear".into()), ("rate", 0.05.into())])?;
//! assert_eq!(config.float("rate"), 0.05);
//! assert!(!config.contains("depth"));
//! # Ok::<(), kaizen_space::SpaceError>(())
//! ```

mod config;
mod cube;
mod domain;
mod enumerate;
mod error;
mod param;
mod space;
mod wire;

pub use config::Config;
pub use domain::{Domain, Value};
pub use enumerate::Configs;
pub use error::SpaceError;
pub use param::{Condition, Param};
pub use space::Space;
