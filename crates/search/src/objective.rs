//! What is measured, and which way is better. The only place where natural values become losses and back.

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Less is better.
    Minimise,
    /// More is better.
    Maximise,
}

/// One number that every measurement holds: a goal, a limit to be kept, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Its name, unique in its study.
    pub name: String,
    /// Its unit (`ms`, `MiB`, empty for a pure number).
    pub unit: String,
    /// Which way is better.
    pub direction: Direction,
    /// The worst natural value that is still acceptable; a configuration beyond it is infeasible.
    pub limit: Option<f64>,
    /// Whether it is to be optimised; without this only its limit counts.
    pub is_goal: bool,
}

impl Objective {
    /// A goal of which less is better.
    pub fn minimise(name: impl Into<String>, unit: impl Into<String>) -> Self {
        let direction = Direction::Minimise;
        Self { name: name.into(), unit: unit.into(), direction, limit: None, is_goal: true }
    }

    /// A goal of which more is better.
    pub fn maximise(name: impl Into<String>, unit: impl Into<String>) -> Self {
        Self { direction: Direction::Maximise, ..Self::minimise(name, unit) }
    }

    /// The same objective with the worst natural value that is still acceptable.
    #[must_use]
    pub fn with_limit(self, limit: f64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The same objective as a constraint only: its limit must be kept, and it does not matter by how much.
    #[must_use]
    pub fn as_constraint(self) -> Self {
        Self { is_goal: false, ..self }
    }

    /// The loss (lower is better) of a natural value.
    ///
    /// ```
    /// use kaizen_search::Objective;
    /// assert_eq!(Objective::maximise("accuracy", "").loss(0.9), -0.9);
    /// ```
    pub fn loss(&self, value: f64) -> f64 {
        match self.direction {
            Direction::Minimise => value,
            Direction::Maximise => -value,
        }
    }

    /// The natural value of a loss.
    pub fn value(&self, loss: f64) -> f64 {
        self.loss(loss)
    }

    /// By how much a loss breaks the limit; 0 where there is no limit or it is kept.
    pub fn violation(&self, loss: f64) -> f64 {
        self.limit.map_or(0.0, |limit| (loss - self.loss(limit)).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_hold_in_either_direction() {
        let recall = Objective::maximise("recall", "").with_limit(0.8).as_constraint();
        assert_eq!(recall.violation(recall.loss(0.9)), 0.0);
        assert!((recall.violation(recall.loss(0.5)) - 0.3).abs() < 1e-12);
        let latency = Objective::minimise("latency", "ms").with_limit(1.0);
        assert_eq!(latency.violation(latency.loss(3.0)), 2.0);
        assert_eq!(latency.value(latency.loss(3.0)), 3.0);
    }
}
