//! Problems whose answers are formulas.

use std::sync::Arc;

use kaizen_base::{Flow, ManualClock};
use kaizen_search::{Ctx, Failure, Fidelity, Objective, Problem};
use kaizen_space::{Config, Param, Space};

/// A formula over a space, learned in a few steps of equal cost.
///
/// At step `s` of `S` the value is `formula(config) + slack * (1 - s / S)`: early values are worse, and in the right
/// order. Each step moves the clock by a quarter of a second (a power of two, so that sums of times are exact).
pub struct Simulated {
    space: Space,
    objectives: Vec<Objective>,
    formula: fn(&Config) -> f64,
    step_count: usize,
    clock: Arc<ManualClock>,
}

/// How much worse a value is before anything is learned.
const SLACK: f64 = 2.0;

/// Seconds of one step.
pub const STEP_SECONDS: f64 = 0.25;

impl Simulated {
    /// A problem of `step_count` steps (9 makes the rungs of the default ASHA whole).
    pub fn new(
        space: Space,
        formula: fn(&Config) -> f64,
        step_count: usize,
        clock: Arc<ManualClock>,
    ) -> Self {
        Self { space, objectives: vec![Objective::minimise("loss", "")], formula, step_count, clock }
    }

    /// The formula's value at full fidelity.
    pub fn value(&self, config: &Config) -> f64 {
        (self.formula)(config)
    }
}

impl Problem for Simulated {
    fn space(&self) -> &Space {
        &self.space
    }

    fn objectives(&self) -> &[Objective] {
        &self.objectives
    }

    fn evaluate(&self, config: &Config, until: Fidelity, ctx: &mut Ctx<'_>) -> Result<(), Failure> {
        let done = ctx.reached.map_or(0, |reached| reached.steps(self.step_count));
        for step in done + 1..=until.steps(self.step_count) {
            self.clock.advance(STEP_SECONDS);
            let fidelity = Fidelity::of(step, self.step_count)
                .ok_or_else(|| Failure::Fit("a step count of zero".to_owned()))?;
            let value = (self.formula)(config) + SLACK * (1.0 - fidelity.share());
            match ctx.report(fidelity, &[value]) {
                Flow::Continue => {}
                Flow::Finish => return Ok(()),
                Flow::Stop => return Err(Failure::Stopped),
            }
        }
        Ok(())
    }
}

/// Four numbers, one of them on a logarithmic scale and one an integer; least (0) at 1, -2, 0.01 and 7.
pub fn bowl_space() -> Space {
    checked(vec![
        Param::float("a", -5.0, 5.0),
        Param::float("b", -5.0, 5.0),
        Param::float("rate", 1e-5, 1.0).log(),
        Param::int("count", 1, 20),
    ])
}

/// The bowl over [`bowl_space`].
pub fn bowl(config: &Config) -> f64 {
    let (a, b) = (config.float("a") - 1.0, config.float("b") + 2.0);
    let decades = kaizen_base::math::log10(config.float("rate")) + 2.0;
    let count = (config.float("count") - 7.0) / 4.0;
    a * a + b * b + decades * decades + count * count
}

/// Three learners with a space each below one choice, one of them with a choice of its own.
pub fn learners_space() -> Space {
    let tree = checked(vec![
        Param::float("rate", 1e-3, 1.0).log(),
        Param::int("depth", 1, 12),
        Param::choice("growth", ["leaf", "level"]),
        Param::int("leaves", 4, 256).log().only_if("growth", ["leaf"]),
    ]);
    let linear = checked(vec![Param::float("penalty", 1e-6, 10.0).log(), Param::flag("intercept")]);
    let parts = [("tree", tree), ("linear", linear), ("constant", Space::default())];
    Space::join("learner", &parts).unwrap_or_else(|error| panic!("the parts fit together: {error}"))
}

/// The learners' values: trees reach 0, linear models 1, and constants are 5.
pub fn learners(config: &Config) -> f64 {
    let log10 = kaizen_base::math::log10;
    match config.choice("learner") {
        "tree" => {
            let inner = config.below("tree");
            let rate = log10(inner.float("rate")) + 1.0;
            let depth = (inner.float("depth") - 6.0) / 4.0;
            let growth = match inner.choice("growth") {
                "leaf" => (log10(inner.float("leaves")) - 1.5).abs(),
                _ => 0.5,
            };
            rate * rate + depth * depth + growth
        }
        "linear" => {
            let inner = config.below("linear");
            let penalty = log10(inner.float("penalty")) + 2.0;
            1.0 + penalty * penalty / 4.0 + if inner.flag("intercept") { 0.0 } else { 1.0 }
        }
        _ => 5.0,
    }
}

/// A finite space of 24 configurations.
pub fn small_space() -> Space {
    checked(vec![
        Param::choice("kind", ["a", "b", "c"]),
        Param::int("count", 1, 5),
        Param::flag("deep").only_if("kind", ["a", "b"]),
        Param::ordinal("size", ["s"]),
    ])
    .and(Space::default())
    .unwrap_or_else(|error| panic!("nothing repeats: {error}"))
}

/// A value for each configuration of [`small_space`].
pub fn small(config: &Config) -> f64 {
    let kind = if config.choice("kind") == "b" { 0.0 } else { 1.0 };
    kind + (config.float("count") - 3.0).abs()
        + if config.contains("deep") && config.flag("deep") { 0.25 } else { 0.0 }
}

fn checked(params: Vec<Param>) -> Space {
    Space::new(params).unwrap_or_else(|error| panic!("a simulated space is sound: {error}"))
}
