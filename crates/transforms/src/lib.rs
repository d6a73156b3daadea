//! What turns tables into tables: missing cells filled, categories encoded, numbers scaled and bent, moments and texts
//! turned into numbers, useless columns dropped.
//!
//! Each transform learns from `sample.train` alone and is a row of [`TRANSFORMS`]. Those that look at the target give
//! training rows values that their own target had no part in; see [`Step::fit_apply`]. Columns that a transform does not
//! know pass through, unseen levels and missing cells are no error, and made columns are called `<column>:<what>`.
//!
//! ```
//! use std::sync::Arc;
//! use kaizen_base::{Seed, Signal};
//! use kaizen_model::{Ctx, Dataset, Sample, Shape, Task};
//! use kaizen_table::{Column, Table, Values};
//!
//! let table = Table::from_columns(vec![Column::number("x", vec![1.0, 3.0, f64::NAN])])?;
//! let data = Dataset::new(table, Task::Regression, Arc::new(vec![0.0; 3]), None);
//! let shape = Shape { row_count: 3, column_count: 1, category_count: 0, text_count: 0, task: Task::Regression };
//! let scale = kaizen_transforms::by_name("standard_scale").expect("a row of the table");
//! let fitted = scale.fit(
//!     &scale.space(&shape).start(),
//!     Sample { data: &data, train: &[0, 1, 2], valid: None },
//!     &Ctx { seed: Seed(1), signal: &Signal::new() },
//! )?;
//! let scaled = fitted.apply(&data.table)?;
//! let Values::Number(x) = &scaled.columns()[0].values else { unreachable!() };
//! assert_eq!(x.values[..2], [-1.0, 1.0]);
//! assert!(x.values[2].is_nan());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod brent;
mod columns;
pub mod dates;
mod eigen;
pub mod encoders;
pub mod imputers;
mod parameters;
pub mod scalers;
pub mod selectors;
pub mod step;
pub mod text;

use kaizen_model::{levels, moments};

pub use step::{Step, StepMemory, Uses};

/// Every transform.
pub const TRANSFORMS: &[&dyn Step] = &[
    &imputers::fill::FillMissing,
    &encoders::boolean::BooleanNumber,
    &encoders::frequency::Frequency,
    &encoders::one_hot::OneHot,
    &encoders::ordinal::Ordinal,
    &encoders::rare::MergeRare,
    &encoders::target::TargetMean,
    &scalers::min_max::MinMaxScale,
    &scalers::power::Power,
    &scalers::quantile_normal::QuantileNormal,
    &scalers::robust::RobustScale,
    &scalers::standard::StandardScale,
    &dates::parts::DateParts,
    &text::statistics::TextStatistics,
    &text::tf_idf::TfIdf,
    &text::truncated_svd::TruncatedSvd,
    &selectors::drop_useless::DropUseless,
];

/// The transform of a name, if there is one.
pub fn by_name(name: &str) -> Option<&'static dyn Step> {
    TRANSFORMS.iter().copied().find(|step| step.card().name == name)
}
