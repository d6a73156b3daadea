//! Categories and booleans turned into numbers, or into fewer categories.

pub mod boolean;
pub mod frequency;
pub mod one_hot;
pub mod ordinal;
pub mod rare;
pub(crate) mod table_rule;
pub mod target;
