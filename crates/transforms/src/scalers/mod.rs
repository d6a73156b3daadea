//! Numbers brought onto one scale, or into one shape.

pub mod affine;
pub mod min_max;
pub mod power;
pub mod quantile_normal;
pub mod robust;
pub mod standard;
