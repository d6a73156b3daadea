//! Workers, panics, deadlines, cancellation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kaizen_base::{Flow, ManualClock, Seed, Signal};
use kaizen_search::samplers::{Random, Tpe};
use kaizen_search::schedulers::{Asha, Fifo};
use kaizen_search::{
    Budget, Ctx, End, Failure, Fidelity, History, MemoryJournal, Objective, Plan, Problem, State, Step,
    Study, StudyError, TrialId,
};
use kaizen_space::{Config, Param, Space};
use kaizen_testkit::simulation::{CASES, Simulation};

/// A problem over one number in [0, 1] whose behaviour is a closure.
struct Odd<F> {
    space: Space,
    objectives: Vec<Objective>,
    behave: F,
    forgotten: AtomicUsize,
}

impl<F> Odd<F>
where
    F: Fn(f64, Fidelity, &mut Ctx<'_>) -> Result<(), Failure> + Sync,
{
    fn new(behave: F) -> Self {
        let space = Space::new(vec![Param::float("x", 0.0, 1.0)]).unwrap();
        Self {
            space,
            objectives: vec![Objective::maximise("gain", "")],
            behave,
            forgotten: AtomicUsize::new(0),
        }
    }

    fn study(
        &self,
        budget: Budget,
        clock: &Arc<ManualClock>,
        signal: &Signal,
        journal: &MemoryJournal,
    ) -> Study {
        Study::new(Plan {
            space: self.space.clone(),
            objectives: self.objectives.clone(),
            sampler: Box::new(Random),
            scheduler: Box::new(Fifo),
            budget,
            seed: Seed(1),
            journal: Box::new(journal.clone()),
            clock: Arc::clone(clock) as Arc<dyn kaizen_base::Clock>,
            signal: signal.clone(),
        })
        .unwrap()
    }

    fn run(&self, trials: u32, workers: usize) -> History {
        let parts = (Arc::new(ManualClock::new()), Signal::new(), MemoryJournal::default());
        let mut study = self.study(Budget::trials(trials), &parts.0, &parts.1, &parts.2);
        assert_eq!(study.run(self, workers).unwrap(), End::Complete);
        study.history().clone()
    }
}

impl<F> Problem for Odd<F>
where
    F: Fn(f64, Fidelity, &mut Ctx<'_>) -> Result<(), Failure> + Sync,
{
    fn space(&self) -> &Space {
        &self.space
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn evaluate(&self, config: &Config, until: Fidelity, ctx: &mut Ctx<'_>) -> Result<(), Failure> {
        (self.behave)(config.float("x"), until, ctx)
    }

    fn forget(&self, _trial: TrialId) {
        self.forgotten.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_failing_trial_costs_only_itself() {
    let problem = Odd::new(|x, until, ctx| {
        match ctx.trial.0 {
            0 => panic!("index {} out of reach", 7),
            1 => return Err(Failure::Memory("too large".to_owned())),
            2 => return Ok(()),
            3 => {
                assert_eq!(ctx.report(until, &[f64::NAN]), Flow::Stop);
                return Ok(());
            }
            4 => {
                assert_eq!(ctx.report(until, &[x, x]), Flow::Stop);
                return Err(Failure::Stopped);
            }
            5 => {
                ctx.report(Fidelity::of(1, 2).unwrap(), &[x]);
                return Ok(());
            }
            _ => {}
        }
        ctx.report(until, &[x]);
        Ok(())
    });
    let history = problem.run(8, 1);
    let reasons: Vec<String> = history
        .trials()
        .iter()
        .map(|trial| match &trial.state {
            State::Failed(failure) => failure.to_string(),
            state => format!("{state:?}"),
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "panicked: index 7 out of reach",
            "too large",
            "ended without a measurement",
            "trial 3 reports NaN for `gain`",
            "trial 4 reports 2 values, but there are 1 objectives",
            "ended at fidelity 0.5 although asked to go on to 1",
            "Finished",
            "Finished",
        ]
    );
    assert_eq!(problem.forgotten.load(Ordering::SeqCst), 8);
    let best = history.best().unwrap();
    assert_eq!(-best.last().unwrap().losses[0], best.config.float("x"));
}

#[test]
fn many_workers_leave_a_history_that_replays() {
    for workers in [2, 5] {
        let simulation = Simulation::of(&CASES[1]);
        let journal = MemoryJournal::default();
        let plan = simulation.plan(
            Box::new(Tpe::default()),
            Box::new(Asha::default()),
            60,
            3,
            Box::new(journal.clone()),
        );
        let mut study = Study::new(plan).unwrap();
        study.run(&simulation.problem, workers).unwrap();
        assert_eq!(study.history().trials().len(), 60);
        assert!(study.history().running().next().is_none() && study.history().waiting().next().is_none());
        let header = simulation.header(3);
        let mut replayed = History::new(header.space, header.objectives);
        for event in journal.events() {
            replayed.apply(event).unwrap();
        }
        assert_eq!(&replayed, study.history());
        // With rungs of 60, 20 and 6 or 7 trials somebody has come to the top.
        assert!(replayed.trials().iter().any(|trial| trial.state == State::Finished));
    }
}

#[test]
fn the_deadline_keeps_what_is_done_and_the_rest_waits_for_more_time() {
    let clock = Arc::new(ManualClock::new());
    let moved = Arc::clone(&clock);
    let problem = Odd::new(move |x, _, ctx| {
        let done = ctx.reached.map_or(0, |reached| reached.steps(4));
        for step in done + 1..=4 {
            moved.advance(1.0);
            if ctx.report(Fidelity::of(step, 4).unwrap(), &[x]) != Flow::Continue {
                return Ok(());
            }
        }
        Ok(())
    });
    let (signal, journal) = (Signal::new(), MemoryJournal::default());
    let mut study = problem.study(Budget { trials: 5, seconds: 10.0 }, &clock, &signal, &journal);
    assert_eq!(study.run(&problem, 1).unwrap(), End::Deadline);
    let states: Vec<State> = study.history().trials().iter().map(|trial| trial.state.clone()).collect();
    assert_eq!(states, [State::Finished, State::Finished, State::Waiting]);
    assert_eq!(study.history().trials()[2].reached(), Fidelity::new(0.5));
    assert_eq!(study.run(&problem, 1).unwrap(), End::Deadline);
    drop(study);
    let mut study = problem.study(Budget::trials(5), &clock, &signal, &journal);
    assert_eq!(study.run(&problem, 1).unwrap(), End::Complete);
    let seconds: Vec<f64> = study.history().trials().iter().map(kaizen_search::Trial::seconds).collect();
    assert_eq!(seconds, [4.0; 5]);
}

#[test]
fn a_trial_that_never_reports_is_told_of_the_deadline_too() {
    let clock = Arc::new(ManualClock::new());
    let moved = Arc::clone(&clock);
    let problem = Odd::new(move |_, _, ctx| {
        moved.advance(100.0);
        // Only the timer can raise this; it would hang here otherwise.
        while ctx.signal.flow() != Flow::Stop {
            std::thread::yield_now();
        }
        Err(Failure::Stopped)
    });
    let (signal, journal) = (Signal::new(), MemoryJournal::default());
    let mut study = problem.study(Budget::seconds(10.0), &clock, &signal, &journal);
    assert_eq!(study.run(&problem, 2).unwrap(), End::Deadline);
    assert!(study.history().trials().iter().all(|trial| trial.state == State::Waiting));
}

#[test]
fn cancelling_ends_the_study_and_it_can_be_taken_up_again() {
    let signal = Signal::new();
    let raised = signal.clone();
    let problem = Odd::new(move |x, until, ctx| {
        if ctx.trial.0 == 2 && !raised.may_continue() {
            return Err(Failure::Stopped);
        }
        if ctx.trial.0 == 2 {
            raised.raise(Flow::Finish);
            return Err(Failure::Stopped);
        }
        ctx.report(until, &[x]);
        Ok(())
    });
    let (clock, journal) = (Arc::new(ManualClock::new()), MemoryJournal::default());
    let mut study = problem.study(Budget::trials(5), &clock, &signal, &journal);
    assert_eq!(study.run(&problem, 1).unwrap(), End::Cancelled);
    assert_eq!(study.history().trials().len(), 3);
    assert_eq!(study.history().trials()[2].state, State::Waiting);
    drop(study);
    let calm = Odd::new(|x, until, ctx| {
        ctx.report(until, &[x]);
        Ok(())
    });
    let mut study = calm.study(Budget::trials(5), &clock, &Signal::new(), &journal);
    assert_eq!(study.run(&calm, 1).unwrap(), End::Complete);
    assert!(study.history().trials().iter().all(|trial| trial.state == State::Finished));
}

#[test]
fn asking_gives_each_task_once_and_refuses_nonsense() {
    let problem = Odd::new(|_, _, _| Ok(()));
    let (clock, journal) = (Arc::new(ManualClock::new()), MemoryJournal::default());
    let mut study = problem.study(Budget::trials(2), &clock, &Signal::new(), &journal);
    let mut trials = Vec::new();
    while let Step::Run(task) = study.ask().unwrap() {
        trials.push(task.trial);
    }
    assert_eq!(trials, [TrialId(0), TrialId(1)]);
    assert!(matches!(study.ask().unwrap(), Step::Done(End::Complete)));
    assert!(matches!(study.report(TrialId(9), Fidelity::FULL, &[1.0], 0.0), Err(StudyError::Event(_))));
    study.report(TrialId(1), Fidelity::FULL, &[1.0], 0.0).unwrap();
    study.leave(TrialId(1), Ok(())).unwrap();
    assert!(matches!(study.leave(TrialId(1), Ok(())), Err(StudyError::Event(_))));
    // A lost worker: its trial waits and is given out again.
    study.tell(kaizen_search::Event::Left { trial: TrialId(0), state: State::Waiting }).unwrap();
    let Step::Run(task) = study.ask().unwrap() else { panic!("the waiting trial comes again") };
    assert_eq!(task.trial, TrialId(0));
}

#[test]
fn unusable_plans_are_refused() {
    let problem = Odd::new(|_, _, _| Ok(()));
    let plan = |objectives: Vec<Objective>, seconds: f64| Plan {
        space: problem.space.clone(),
        objectives,
        sampler: Box::new(Random),
        scheduler: Box::new(Fifo),
        budget: Budget::seconds(seconds),
        seed: Seed(1),
        journal: Box::new(MemoryJournal::default()),
        clock: Arc::new(ManualClock::new()),
        signal: Signal::new(),
    };
    let goal = || Objective::minimise("a", "");
    assert!(matches!(Study::new(plan(vec![goal(), goal()], 1.0)), Err(StudyError::Objective(_))));
    assert!(matches!(Study::new(plan(vec![goal().as_constraint()], 1.0)), Err(StudyError::Objective(_))));
    assert!(matches!(
        Study::new(plan(vec![goal().with_limit(f64::NAN)], 1.0)),
        Err(StudyError::Objective(_))
    ));
    assert!(matches!(Study::new(plan(vec![goal()], f64::NAN)), Err(StudyError::Seconds(_))));
}
