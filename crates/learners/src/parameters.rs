//! How the learners state their search spaces.

use kaizen_space::{Param, Space};

/// A space of parameters that are written down in this crate.
pub(crate) fn space(parameters: impl IntoIterator<Item = Param>) -> Space {
    #[expect(
        clippy::expect_used,
        reason = "ranges are constants or clamped, and the conformance tests make every space"
    )]
    Space::new(parameters.into_iter().collect()).expect("constant parameters make a space")
}
