//! What every plug-in says of itself: data that listings, documentation and checks read.

/// Names and describes one plug-in (a learner, a transform, a metric, a sampler, …).
///
/// The name is unique in its table and `snake_case`; nothing ever matches on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// The name under which a person asks for it.
    pub name: &'static str,
    /// One sentence on what it does.
    pub summary: &'static str,
    /// Author, year and title, equation or algorithm that it follows.
    pub source: &'static str,
}
