//! What every sampler promises.

use kaizen_base::Seed;
use kaizen_search::samplers::{Sampler, SamplerRow};
use kaizen_search::{History, SuggestError, schedulers};

use crate::simulation::{CASES, Case, Simulation, run};

/// Trials of the runs that compare with random sampling.
const COMPARED_TRIALS: u32 = 100;

/// Seeds of the comparison, and how many must be won. Under equal chances 15 or more wins of 20 have a probability of
/// 0.021 (binomial); seeds are fixed, so the check itself never varies.
const COMPARED_SEEDS: u64 = 20;
const NEEDED_WINS: usize = 15;

/// Goes through every promise.
pub fn check(row: &SamplerRow) {
    let name = row.card.name;
    assert!(
        !row.card.source.is_empty() && !row.card.summary.is_empty(),
        "`{name}` says what it is and where from"
    );
    for case in CASES {
        suggests_the_same_again(row, case);
        starts_cold_anywhere(row, case);
    }
    never_repeats_and_ends(row);
    if row.learns {
        // The finite space is left out: both samplers list much of it.
        for case in &CASES[..2] {
            beats_random(row, case);
        }
    }
}

/// The same seed gives the same study, another seed another one.
fn suggests_the_same_again(row: &SamplerRow, case: &Case) {
    let once = |seed| run(case, (row.make)(), fifo(), 20, seed, Vec::new()).1;
    assert_eq!(once(1), once(1), "`{}` is deterministic on `{}`", row.card.name, case.0);
    assert_ne!(once(1), once(2), "`{}` follows its seed on `{}`", row.card.name, case.0);
}

/// A sampler that saw the whole history grow and one that sees it for the first time suggest the same.
fn starts_cold_anywhere(row: &SamplerRow, case: &Case) {
    let (_, events) = run(case, (row.make)(), asha(), 20, 3, Vec::new());
    let simulation = Simulation::of(case);
    let header = simulation.header(3);
    let mut history = History::new(header.space, header.objectives);
    let mut warm = (row.make)();
    for (count, event) in events.into_iter().enumerate() {
        history.apply(event).unwrap_or_else(|error| panic!("a recorded event applies: {error}"));
        let suggest =
            |sampler: &mut dyn Sampler| sampler.suggest(&history, None, &mut Seed(count as u64).rng());
        let cold = suggest((row.make)().as_mut());
        assert_eq!(
            suggest(warm.as_mut()),
            cold,
            "`{}` keeps nothing of its own on `{}`",
            row.card.name,
            case.0
        );
        if let Ok(config) = cold {
            assert_eq!(history.space().check(&config), Ok(()), "`{}` respects the space", row.card.name);
        }
    }
}

/// On a finite space every configuration comes once, and then the sampler says that there is no more.
fn never_repeats_and_ends(row: &SamplerRow) {
    let case = &CASES[2];
    let all = (case.1)().configs().map_or(0, Iterator::count);
    let (history, _) = run(case, (row.make)(), fifo(), 1000, 5, Vec::new());
    assert_eq!(history.trials().len(), all, "`{}` lists the whole finite space once", row.card.name);
    for trial in history.trials() {
        assert_eq!(
            history.trial_of(&trial.config).map(|first| first.id),
            Some(trial.id),
            "`{}` repeats",
            row.card.name
        );
    }
    let after = (row.make)().suggest(&history, None, &mut Seed(1).rng());
    assert_eq!(after, Err(SuggestError::Exhausted), "`{}` says when it is done", row.card.name);
}

fn beats_random(row: &SamplerRow, case: &Case) {
    let best = |name: &str, seed| {
        let sampler =
            kaizen_search::samplers::by_name(name).unwrap_or_else(|| panic!("there is a row `{name}`"));
        let (history, _) = run(case, sampler, fifo(), COMPARED_TRIALS, seed, Vec::new());
        history.best().and_then(|trial| trial.last()).map_or(f64::INFINITY, |last| last.losses[0])
    };
    let wins =
        (0..COMPARED_SEEDS).filter(|seed| best(row.card.name, *seed) < best("random", *seed + 1000)).count();
    assert!(
        wins >= NEEDED_WINS,
        "`{}` wins {wins} of {COMPARED_SEEDS} against random on `{}`",
        row.card.name,
        case.0
    );
}

fn fifo() -> Box<dyn kaizen_search::Scheduler> {
    Box::new(schedulers::Fifo)
}

fn asha() -> Box<dyn kaizen_search::Scheduler> {
    Box::new(schedulers::Asha::default())
}
