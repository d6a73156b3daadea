//! Whether a trial fits into memory, decided before it begins.
//!
//! What a pipeline takes is added up from what its transforms and its learner say of themselves. A trial is refused only
//! when not even one of its folds fits at a time; where there is room for more, as many folds run at once as fit. How many
//! that are changes no result, and so does not depend on it what is refused: the same trials are left out on any number
//! of threads.

use std::collections::BTreeMap;

use kaizen_model::Extent;
use kaizen_search::Failure;

use crate::pipeline::Pipeline;

/// Copies of the fitted pipelines of a stage: themselves, as plain data, and packed for the run folder.
const STAGE_COPIES: u64 = 3;

/// Copies of a trial's predictions while it is scored: its folds', their sums, the mean, and what the metric makes of it.
const SCORE_COPIES: u64 = 4;

/// Trials whose predictions are copied at the end, when the blend is chosen, and copies of each.
const CLOSING_TRIALS: u64 = 40;
const CLOSING_COPIES: u64 = 2;

/// What trials may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryBudget {
    /// Bytes that the process may take; `None` without a limit.
    pub limit_bytes: Option<u64>,
    /// Bytes that are taken before the first trial and stay so: the tables and the program.
    pub base_bytes: u64,
    /// Threads for which buffers are counted.
    pub thread_count: usize,
}

impl MemoryBudget {
    /// No limit.
    pub const UNLIMITED: Self = Self { limit_bytes: None, base_bytes: 0, thread_count: 1 };
}

/// About what one pipeline takes, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    /// The transformed table of one fold, which stays for other trials as long as there is room.
    pub prepared_bytes: u64,
    /// What all folds share.
    pub shared_bytes: u64,
    /// Freed when a fold is done.
    pub working_bytes: u64,
    /// The fitted pipeline of one fold.
    pub fitted_bytes: u64,
}

impl Pipeline {
    /// About what fits of this pipeline on a table of this size take.
    pub fn memory(&self, extent: &Extent) -> Need {
        let mut need = Need::default();
        let mut extent = extent.clone();
        let mut most_working = 0;
        for step in &self.steps {
            let memory = step.transform.memory(&step.config, &extent);
            need.prepared_bytes += memory.made_bytes;
            need.fitted_bytes += memory.fitted_bytes;
            most_working = most_working.max(memory.working_bytes);
            extent = memory.after;
        }
        let learner = self.learner.memory(&self.config, &extent);
        need.fitted_bytes += learner.fitted_bytes;
        // What learners keep beside a table is kept beside the transformed one where there are transforms.
        if self.steps.is_empty() {
            need.shared_bytes += learner.shared_bytes;
        } else {
            need.prepared_bytes += learner.shared_bytes;
        }
        need.working_bytes = most_working.max(learner.working_bytes);
        need
    }
}

/// How a stage of a trial may use memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// Folds at once, at least one.
    pub(crate) at_once: usize,
    /// Whether transformed tables may stay for later trials.
    pub(crate) keeps: bool,
    /// Whether what earlier trials left must go first.
    pub(crate) clears: bool,
}

impl Room {
    const ALL: Self = Self { at_once: usize::MAX, keeps: true, clears: false };
}

/// What is there when a stage asks for room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Present {
    /// Bytes of the predictions of all trials, and the number of trials.
    pub(crate) predictions: (u64, u64),
    /// Bytes of one trial's predictions of all rows.
    pub(crate) score_bytes: u64,
    /// Bytes that other trials left for later ones and that could be made anew.
    pub(crate) retained_bytes: u64,
}

/// Room for `fold_count` folds of a pipeline.
///
/// # Errors
/// [`Failure::Memory`] with the figures when there is none.
pub(crate) fn room(
    budget: &MemoryBudget,
    need: &Need,
    fold_count: usize,
    present: &Present,
) -> Result<Room, Failure> {
    let Some(limit) = budget.limit_bytes else { return Ok(Room::ALL) };
    let folds = fold_count.max(1) as u64;
    let (bytes, trials) = present.predictions;
    let closing = (trials + 1).min(CLOSING_TRIALS) * CLOSING_COPIES * present.score_bytes;
    let taken = budget.base_bytes + bytes + closing;
    let stage =
        need.shared_bytes + STAGE_COPIES * folds * need.fitted_bytes + SCORE_COPIES * present.score_bytes;
    let fold = need.prepared_bytes + need.working_bytes;
    if taken + stage + fold > limit {
        return Err(Failure::Memory(format!(
            "needs about {} of memory, {} are left of the limit of {}",
            size_text(stage + fold),
            size_text(limit.saturating_sub(taken)),
            size_text(limit),
        )));
    }
    let at_once = ((limit - taken - stage) / fold.max(1)).clamp(1, folds);
    let whole = taken + stage + folds * need.prepared_bytes + at_once * need.working_bytes;
    Ok(Room {
        at_once: at_once as usize,
        keeps: whole <= limit,
        clears: whole.min(taken + stage + at_once * fold) + present.retained_bytes > limit,
    })
}

/// What trials left beside the data set, by what made it.
#[derive(Debug, Default)]
pub(crate) struct Retained(BTreeMap<String, u64>);

impl Retained {
    /// Bytes of all but those of `key`.
    pub(crate) fn besides(&self, key: &str) -> u64 {
        self.0.iter().filter(|(other, _)| *other != key).map(|(_, bytes)| bytes).sum()
    }

    pub(crate) fn add(&mut self, key: String, bytes: u64) {
        self.0.insert(key, bytes);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A size as people write it: `512 MB`, `3.1 GB`.
///
/// ```
/// assert_eq!(kaizen_tabular::memory::size_text(3_140_000_000), "3.1 GB");
/// assert_eq!(kaizen_tabular::memory::size_text(480_000), "0.5 MB");
/// ```
pub fn size_text(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        small if small < 9.95e6 => format!("{:.1} MB", small / 1e6),
        middle if middle < 1e9 => format!("{:.0} MB", middle / 1e6),
        large if large < 9.95e10 => format!("{:.1} GB", large / 1e9),
        huge => format!("{:.0} GB", huge / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEED: Need = Need { prepared_bytes: 100, shared_bytes: 50, working_bytes: 200, fitted_bytes: 10 };
    const PRESENT: Present = Present { predictions: (0, 0), score_bytes: 0, retained_bytes: 0 };

    fn budget(limit: u64) -> MemoryBudget {
        MemoryBudget { limit_bytes: Some(limit), base_bytes: 1_000, thread_count: 1 }
    }

    #[test]
    fn one_fold_at_a_time_decides_and_more_run_where_they_fit() {
        // The base, what is shared, four folds three times over, and one fold at work.
        let least = 1_000 + 50 + 4 * 3 * 10 + 300;
        let refused = room(&budget(least - 1), &NEED, 4, &PRESENT).unwrap_err();
        assert!(matches!(refused, Failure::Memory(_)), "{refused:?}");
        let one = room(&budget(least), &NEED, 4, &PRESENT).unwrap();
        assert_eq!((one.at_once, one.keeps), (1, false));
        let two = room(&budget(least + 300), &NEED, 4, &PRESENT).unwrap();
        assert_eq!((two.at_once, two.keeps), (2, false));
        // Two at work, and what all four folds prepared.
        let kept = room(&budget(1_000 + 50 + 4 * 3 * 10 + 2 * 200 + 4 * 100), &NEED, 4, &PRESENT).unwrap();
        assert_eq!((kept.at_once, kept.keeps), (2, true));
        let all = room(&budget(10_000), &NEED, 4, &PRESENT).unwrap();
        assert_eq!(all, Room { at_once: 4, keeps: true, clears: false });
        assert_eq!(room(&MemoryBudget::UNLIMITED, &NEED, 4, &PRESENT).unwrap(), Room::ALL);
    }

    #[test]
    fn what_can_be_made_anew_gives_way_and_what_cannot_counts() {
        let retained = Present { retained_bytes: 9_000, ..PRESENT };
        let cleared = room(&budget(10_000), &NEED, 4, &retained).unwrap();
        assert_eq!(cleared, Room { at_once: 4, keeps: true, clears: true });
        let predictions = Present { predictions: (9_000, 3), ..PRESENT };
        assert!(room(&budget(10_000), &NEED, 4, &predictions).is_err());
    }

    #[test]
    fn what_a_trial_left_is_not_counted_against_its_like() {
        let mut retained = Retained::default();
        retained.add("a".to_owned(), 5);
        retained.add("b".to_owned(), 7);
        retained.add("a".to_owned(), 6);
        assert_eq!((retained.besides("a"), retained.besides("c")), (7, 13));
        retained.clear();
        assert_eq!(retained.besides("c"), 0);
    }
}
