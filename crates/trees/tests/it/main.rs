//! Behaviour of the tree engine as its callers see it.

mod spine;
mod tables;
