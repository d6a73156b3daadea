//! Never the same configuration twice.
//!
//! Discrete spaces repeat themselves under any sampler, and a repeated evaluation teaches nothing about a
//! deterministic problem. (The road not taken, as in Optuna, repeats them.)

use kaizen_base::Rng;
use kaizen_space::Config;

use crate::history::History;
use crate::samplers::SuggestError;

/// How often a sampler may propose before an unseen configuration is looked for by drawing uniformly.
const MAX_PROPOSALS: usize = 16;

/// How often uniform drawing may hit seen configurations before the space is listed.
const MAX_DRAWS: usize = 64;

/// The first of a few proposals that was never started; failing that a uniform draw; failing that, one of what is left
/// of a finite space.
///
/// Cost in the last case: one digest for each configuration started, since listing stops soon after those.
pub(super) fn unseen(
    history: &History,
    rng: &mut Rng,
    mut propose: impl FnMut(&mut Rng) -> Config,
) -> Result<Config, SuggestError> {
    for attempt in 0..MAX_PROPOSALS + MAX_DRAWS {
        let config = if attempt < MAX_PROPOSALS { propose(rng) } else { history.space().sample(rng) };
        if history.trial_of(&config).is_none() {
            return Ok(config);
        }
    }
    let Some(all) = history.space().configs() else {
        // With an interval of real numbers, repetition means that the interval hardly matters; it is allowed.
        return Ok(propose(rng));
    };
    // Draws have missed what is left many times, so little is left: a few of the first unseen ones represent it.
    let mut left: Vec<Config> =
        all.filter(|config| history.trial_of(config).is_none()).take(MAX_DRAWS).collect();
    if left.is_empty() {
        return Err(SuggestError::Exhausted);
    }
    Ok(left.swap_remove(rng.below(left.len())))
}
