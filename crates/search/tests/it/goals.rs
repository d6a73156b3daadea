//! Several goals and a limit at once.

use std::sync::Arc;

use kaizen_base::{Clock, Flow, ManualClock, Seed, Signal};
use kaizen_search::samplers::{Random, Sampler, Tpe};
use kaizen_search::schedulers::{Asha, Fifo};
use kaizen_search::{
    Budget, Ctx, Failure, Fidelity, History, MemoryJournal, Objective, Plan, Problem, Scheduler, State, Study,
};
use kaizen_space::{Config, Param, Space};

/// Two goals that pull `x` to either end, both spoilt by `waste`; at most 1.5 of `size` is allowed.
struct Tradeoff {
    space: Space,
    objectives: [Objective; 3],
}

impl Tradeoff {
    fn new() -> Self {
        let names = ["x", "a", "b", "c"];
        Self {
            space: Space::new(names.map(|name| Param::float(name, 0.0, 1.0)).to_vec()).unwrap(),
            objectives: [
                Objective::minimise("cost", ""),
                Objective::maximise("gain", ""),
                Objective::minimise("size", "MiB").with_limit(1.5).as_constraint(),
            ],
        }
    }

    fn run(
        &self,
        sampler: Box<dyn Sampler>,
        scheduler: Box<dyn Scheduler>,
        seed: u64,
        journal: &MemoryJournal,
    ) -> History {
        let mut study = Study::new(Plan {
            space: self.space.clone(),
            objectives: self.objectives.to_vec(),
            sampler,
            scheduler,
            budget: Budget::trials(60),
            seed: Seed(seed),
            journal: Box::new(journal.clone()),
            clock: Arc::new(ManualClock::new()) as Arc<dyn Clock>,
            signal: Signal::new(),
        })
        .unwrap();
        study.run(self, 1).unwrap();
        study.history().clone()
    }
}

fn waste(config: &Config) -> f64 {
    ["a", "b", "c"].iter().map(|name| (config.float(name) - 0.3).abs()).sum()
}

impl Problem for Tradeoff {
    fn space(&self) -> &Space {
        &self.space
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn evaluate(&self, config: &Config, until: Fidelity, ctx: &mut Ctx<'_>) -> Result<(), Failure> {
        let x = config.float("x");
        let done = ctx.reached.map_or(0, |reached| reached.steps(9));
        for step in done + 1..=until.steps(9) {
            let fidelity = Fidelity::of(step, 9).unwrap();
            let spoilt = waste(config) + 1.0 - fidelity.share();
            let size = x + config.float("a");
            if ctx.report(fidelity, &[x * x + spoilt, -(1.0 - x) * (1.0 - x) - spoilt, size])
                != Flow::Continue
            {
                break;
            }
        }
        Ok(())
    }
}

fn mean_waste(history: &History) -> f64 {
    let front = history.front();
    front.iter().map(|id| waste(&history.trial(*id).unwrap().config)).sum::<f64>() / front.len() as f64
}

#[test]
fn tpe_wastes_less_on_its_front_than_random() {
    let problem = Tradeoff::new();
    let front = |sampler: Box<dyn Sampler>, seed| {
        mean_waste(&problem.run(sampler, Box::new(Fifo), seed, &MemoryJournal::default()))
    };
    let wins =
        (0..10).filter(|seed| front(Box::<Tpe>::default(), *seed) < front(Box::new(Random), *seed + 50));
    // Under equal chances nine or more wins of ten have a probability of 0.011.
    let wins = wins.count();
    assert!(wins >= 9, "{wins} of 10");
}

#[test]
fn the_front_is_feasible_and_undominated_and_restarts_agree() {
    let problem = Tradeoff::new();
    let journal = MemoryJournal::default();
    let history = problem.run(Box::new(Tpe::default()), Box::new(Asha::default()), 1, &journal);
    let front = history.front();
    assert!(front.len() > 1, "{front:?}");
    for id in &front {
        let trial = history.trial(*id).unwrap();
        assert_eq!(trial.state, State::Finished);
        assert!(trial.config.float("x") + trial.config.float("a") <= 1.5);
    }
    assert!(history.trials().iter().filter(|trial| trial.state == State::Paused).count() >= 20);
    let events = journal.events();
    for count in (0..events.len()).step_by(7) {
        let header = kaizen_search::Header {
            space: problem.space.clone(),
            objectives: problem.objectives.to_vec(),
            seed: Seed(1),
        };
        let again = MemoryJournal::of(header, events[..count].to_vec());
        problem.run(Box::new(Tpe::default()), Box::new(Asha::default()), 1, &again);
        assert!(again.events() == events, "differs after a break at event {count}");
    }
}
