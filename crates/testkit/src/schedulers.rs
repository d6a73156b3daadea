//! What every scheduler promises.

use kaizen_search::schedulers::SchedulerRow;
use kaizen_search::{Event, Fidelity, History, Job, State, Trial, samplers};

use crate::simulation::{CASES, Case, Simulation, run};

const TRIALS: u32 = 40;

/// An allocating scheduler may spend at most this share of what full training of every trial costs. The default ASHA
/// spends 1/9 on everyone, 2/9 on a third, 6/9 on a ninth: 1/9 + 2/27 + 6/81 = 0.26, and promotes some in error while
/// rungs are small.
const ALLOWED_SHARE: f64 = 0.45;

/// Goes through every promise.
pub fn check(row: &SchedulerRow) {
    let name = row.card.name;
    assert!(
        !row.card.source.is_empty() && !row.card.summary.is_empty(),
        "`{name}` says what it is and where from"
    );
    for case in CASES {
        ends_with_every_trial_settled(row, case);
        starts_cold_anywhere(row, case);
    }
    if row.allocates {
        spends_less_for_the_same(row, &CASES[0]);
    }
}

/// A study ends, every trial of the budget was started, and none is left in the middle of a job. (What can never be
/// resumed is refused by the history itself.)
fn ends_with_every_trial_settled(row: &SchedulerRow, case: &Case) {
    let sampler = Box::new(samplers::Random);
    let (history, events) = run(case, sampler, (row.make)(), TRIALS, 1, Vec::new());
    let all = (case.1)().configs().map_or(TRIALS as usize, |configs| configs.take(TRIALS as usize).count());
    assert_eq!(
        history.trials().len(),
        all,
        "`{}` starts what the budget allows on `{}`",
        row.card.name,
        case.0
    );
    for trial in history.trials() {
        let is_settled = trial.state.is_final() || trial.state == State::Paused;
        assert!(is_settled, "`{}` leaves trial {} {:?}", row.card.name, trial.id, trial.state);
    }
    assert!(
        history.trials().iter().any(|trial| trial.reached() == Some(Fidelity::FULL)),
        "`{}` takes somebody all the way on `{}`",
        row.card.name,
        case.0
    );
    let again = run(case, Box::new(samplers::Random), (row.make)(), TRIALS, 1, Vec::new()).1;
    assert_eq!(again, events, "`{}` is deterministic", row.card.name);
}

/// A scheduler that saw the history grow and one that sees it for the first time decide the same, and neither waits
/// for nobody nor starts without leave.
fn starts_cold_anywhere(row: &SchedulerRow, case: &Case) {
    let (_, events) = run(case, Box::new(samplers::Random), (row.make)(), TRIALS, 2, Vec::new());
    let header = Simulation::of(case).header(2);
    let mut history = History::new(header.space, header.objectives);
    let mut warm = (row.make)();
    for event in events {
        let measured = matches!(event, Event::Measured { .. }).then_some(event.trial());
        history.apply(event).unwrap_or_else(|error| panic!("a recorded event applies: {error}"));
        if let Some(trial) = measured {
            let cold = (row.make)().on_measurement(&history, trial);
            assert_eq!(
                warm.on_measurement(&history, trial),
                cold,
                "`{}` keeps nothing of its own",
                row.card.name
            );
        }
        for may_start in [true, false] {
            let cold = (row.make)().next_job(&history, may_start);
            assert_eq!(
                warm.next_job(&history, may_start),
                cold,
                "`{}` keeps nothing of its own",
                row.card.name
            );
            match cold {
                Job::Start { .. } => assert!(may_start, "`{}` starts without leave", row.card.name),
                Job::Wait => {
                    assert!(history.running().next().is_some(), "`{}` waits for nobody", row.card.name);
                }
                Job::Resume { trial, until } => {
                    let resumed = history.check(&Event::Resumed { trial, until });
                    assert_eq!(resumed, Ok(()), "`{}` resumes what can be resumed", row.card.name);
                }
                Job::Done => assert!(!may_start, "`{}` gives up although it may start", row.card.name),
            }
        }
    }
}

/// It finds the best of all started trials, as full training of everyone would, for less.
fn spends_less_for_the_same(row: &SchedulerRow, case: &Case) {
    for seed in 0..5 {
        let (history, _) = run(case, Box::new(samplers::Random), (row.make)(), TRIALS, seed, Vec::new());
        let spent: f64 = history.trials().iter().filter_map(Trial::reached).map(Fidelity::share).sum();
        let share = spent / f64::from(TRIALS);
        assert!(share <= ALLOWED_SHARE, "`{}` spends {share} of full training", row.card.name);
        let losses = history.trials().iter().map(|trial| (case.2)(&trial.config));
        let least = losses.fold(f64::INFINITY, f64::min);
        let found = history.best().map(|trial| (case.2)(&trial.config));
        // Simulated curves never cross, so the order at the lowest rung is the order at the top.
        assert_eq!(found, Some(least), "`{}` loses the best trial with seed {seed}", row.card.name);
    }
}
