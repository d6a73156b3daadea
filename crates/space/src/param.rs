//! One parameter: its name, its domain, its starting value and when it is active.

use crate::domain::{Domain, Value};

/// Says that a choice must have taken one of some options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// A choice that stands earlier in the space.
    pub param: String,
    /// At least one of the choice's options.
    pub options: Vec<String>,
}

/// A parameter; it is checked when it enters a [`Space`](crate::Space).
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub(crate) name: String,
    pub(crate) domain: Domain,
    pub(crate) start: Option<Value>,
    pub(crate) conditions: Vec<Condition>,
}

impl Param {
    /// A parameter over any domain.
    pub fn new(name: impl Into<String>, domain: Domain) -> Self {
        Self { name: name.into(), domain, start: None, conditions: Vec::new() }
    }

    /// A real number in [`low`, `high`].
    pub fn float(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self::new(name, Domain::Float { low, high, log: false, step: None })
    }

    /// An integer in [`low`, `high`].
    pub fn int(name: impl Into<String>, low: i64, high: i64) -> Self {
        Self::new(name, Domain::Int { low, high, log: false })
    }

    /// One of the options, none nearer to another.
    pub fn choice<S: Into<String>>(name: impl Into<String>, options: impl IntoIterator<Item = S>) -> Self {
        let options = options.into_iter().map(Into::into).collect();
        Self::new(name, Domain::Choice { options, ordered: false })
    }

    /// One of the options, where neighbours in the list are alike.
    pub fn ordinal<S: Into<String>>(name: impl Into<String>, options: impl IntoIterator<Item = S>) -> Self {
        let options = options.into_iter().map(Into::into).collect();
        Self::new(name, Domain::Choice { options, ordered: true })
    }

    /// A choice between `false` and `true`, read with [`Config::flag`](crate::Config::flag).
    pub fn flag(name: impl Into<String>) -> Self {
        Self::choice(name, ["false", "true"])
    }

    /// The same parameter on a logarithmic scale; a choice stays as it is.
    #[must_use]
    pub fn log(mut self) -> Self {
        match &mut self.domain {
            Domain::Float { log, .. } | Domain::Int { log, .. } => *log = true,
            Domain::Choice { .. } => {}
        }
        self
    }

    /// The same real number on a grid of this step from its low end; other domains stay as they are.
    #[must_use]
    pub fn step(mut self, size: f64) -> Self {
        if let Domain::Float { step, .. } = &mut self.domain {
            *step = Some(size);
        }
        self
    }

    /// The same parameter with the value from which a search starts; without it, [`Domain::middle`].
    #[must_use]
    pub fn starting_at(mut self, value: impl Into<Value>) -> Self {
        self.start = Some(value.into());
        self
    }

    /// The same parameter, active only while the choice `param` has one of `options`.
    ///
    /// Called more than once, all conditions must hold.
    #[must_use]
    pub fn only_if<S: Into<String>>(
        mut self,
        param: impl Into<String>,
        options: impl IntoIterator<Item = S>,
    ) -> Self {
        let options = options.into_iter().map(Into::into).collect();
        self.conditions.push(Condition { param: param.into(), options });
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its domain.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// When it is active: while all of these hold (and the choices they name are active themselves).
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// The value from which a search starts.
    pub fn start(&self) -> Value {
        self.start.clone().unwrap_or_else(|| self.domain.middle())
    }
}
