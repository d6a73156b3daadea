//! A list of strong configurations first, then another sampler.

use kaizen_base::Rng;
use kaizen_space::Config;

use super::{Sampler, SuggestError};
use crate::history::History;
use crate::trial::TrialId;

/// Proposes the configurations of a list in their order, then hands over to another sampler.
///
/// It keeps no place in the list: the next one is the first that was never started, so it goes on rightly after an
/// interruption. Configurations that do not fit the history's space are passed over, so one list may serve many spaces.
///
/// ```
/// use kaizen_base::Seed;
/// use kaizen_search::{History, Objective, samplers::{Portfolio, Random, Sampler}};
/// use kaizen_space::{Config, Param, Space};
///
/// let space = Space::new(vec![Param::float("x", 0.0, 1.0)])?;
/// let first = Config::new(&space, [("x", 0.25.into())])?;
/// let mut sampler = Portfolio::new(vec![first], Box::new(Random));
/// let history = History::new(space, vec![Objective::minimise("y", "")]);
/// assert_eq!(sampler.suggest(&history, None, &mut Seed(1).rng())?.float("x"), 0.25);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Portfolio {
    configs: Vec<Config>,
    then: Box<dyn Sampler>,
}

impl Portfolio {
    /// The list, and the sampler that comes after it.
    pub fn new(configs: Vec<Config>, then: Box<dyn Sampler>) -> Self {
        Self { configs, then }
    }
}

impl Sampler for Portfolio {
    fn suggest(
        &mut self,
        history: &History,
        from: Option<TrialId>,
        rng: &mut Rng,
    ) -> Result<Config, SuggestError> {
        let is_next =
            |config: &&Config| history.space().check(config).is_ok() && history.trial_of(config).is_none();
        match self.configs.iter().find(is_next) {
            Some(config) => Ok(config.clone()),
            None => self.then.suggest(history, from, rng),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, Fidelity, Objective, samplers::Random};
    use kaizen_base::Seed;
    use kaizen_space::{Param, Space};

    #[test]
    fn goes_through_the_list_once_and_passes_over_strangers() {
        let space = Space::new(vec![Param::int("x", 1, 4)]).unwrap();
        let stranger = Space::new(vec![Param::int("x", 1, 9)]).unwrap();
        let listed = [(&space, 3), (&stranger, 9), (&space, 3), (&space, 1)];
        let configs = listed.map(|(space, x)| Config::new(space, [("x", x.into())]).unwrap()).to_vec();
        let mut history = History::new(space, vec![Objective::minimise("y", "")]);
        let mut seen = Vec::new();
        for number in 0..4 {
            // A new sampler each time: it must find its place from the history alone.
            let mut sampler = Portfolio::new(configs.clone(), Box::new(Random));
            let config = sampler.suggest(&history, None, &mut Seed(number).rng()).unwrap();
            seen.push(config.int("x"));
            let trial = TrialId(number as u32);
            history.apply(Event::Started { trial, config, from: None, until: Fidelity::FULL }).unwrap();
        }
        assert_eq!(seen[..2], [3, 1]);
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3, 4]);
        let mut sampler = Portfolio::new(configs, Box::new(Random));
        assert_eq!(sampler.suggest(&history, None, &mut Seed(9).rng()), Err(SuggestError::Exhausted));
    }
}
