//! Uniform random sampling.

use kaizen_base::{Card, Rng};
use kaizen_space::Config;

use super::unseen::unseen;
use super::{Sampler, SuggestError};
use crate::history::History;
use crate::trial::TrialId;

pub(super) const CARD: Card = Card {
    name: "random",
    summary: "draws every parameter uniformly on its own scale, never the same configuration twice",
    source: "Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization",
};

/// Draws every parameter uniformly on its own scale; never the same configuration twice.
///
/// ```
/// use kaizen_base::Seed;
/// use kaizen_search::{History, Objective, samplers::{Random, Sampler}};
/// use kaizen_space::{Param, Space};
///
/// let history = History::new(Space::new(vec![Param::int("x", 1, 6)])?, vec![Objective::minimise("y", "")]);
/// let config = Random.suggest(&history, None, &mut Seed(1).rng())?;
/// assert_eq!(config.int("x"), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Sampler for Random {
    fn suggest(
        &mut self,
        history: &History,
        _from: Option<TrialId>,
        rng: &mut Rng,
    ) -> Result<Config, SuggestError> {
        unseen(history, rng, |rng| history.space().sample(rng))
    }
}
