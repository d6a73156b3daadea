//! Which configuration comes next. One file and one row of [`SAMPLERS`] each.

mod portfolio;
mod random;
mod tpe;
mod unseen;

use kaizen_base::{Card, Rng};
use kaizen_space::Config;

use crate::history::History;
use crate::trial::TrialId;

pub use portfolio::Portfolio;
pub use random::Random;
pub use tpe::{Tpe, TpeOptions};

/// Says which configuration comes next: a pure function of the history and the random stream.
///
/// A sampler may remember what it computed from the history (see [`History::changed_since`]), but a fresh one given
/// the same history and stream says the same. That is why no sampler is ever stored.
pub trait Sampler: Send {
    /// The next configuration of the history's space; `from` is the trial whose learned state it will begin from.
    ///
    /// # Errors
    /// [`SuggestError::Exhausted`] when every configuration of a finite space has been started.
    fn suggest(
        &mut self,
        history: &History,
        from: Option<TrialId>,
        rng: &mut Rng,
    ) -> Result<Config, SuggestError>;
}

/// Why there is no suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuggestError {
    /// Every configuration of the finite space has been started.
    #[error("every configuration of the space has been tried")]
    Exhausted,
}

/// A row of [`SAMPLERS`].
pub struct SamplerRow {
    /// What it is.
    pub card: Card,
    /// Makes one with its default options.
    pub make: fn() -> Box<dyn Sampler>,
    /// Whether it learns from results, so that it must beat random sampling on easy problems.
    pub learns: bool,
}

/// Every sampler that can be asked for by name.
pub const SAMPLERS: &[SamplerRow] = &[
    SamplerRow { card: random::CARD, make: || Box::new(Random), learns: false },
    SamplerRow { card: tpe::CARD, make: || Box::new(Tpe::default()), learns: true },
];

/// The sampler of this name with its default options.
pub fn by_name(name: &str) -> Option<Box<dyn Sampler>> {
    SAMPLERS.iter().find(|row| row.card.name == name).map(|row| (row.make)())
}
