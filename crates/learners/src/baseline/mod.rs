//! What everything else must beat.

pub mod dummy;
