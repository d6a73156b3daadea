//! A checked list of parameters.

use std::collections::BTreeMap;

use kaizen_base::{Digest, Rng};

use crate::config::Config;
use crate::domain::{Domain, Value};
use crate::error::SpaceError;
use crate::param::{Condition, Param};

/// Longest allowed name in bytes; Optuna's tables, which studies can be stored in, hold 512.
const MAX_NAME_BYTES: usize = 200;

/// A condition with indices in place of names: parameter `parent` has one of the options marked in `allowed`.
#[derive(Clone, Debug, PartialEq)]
struct Link {
    parent: usize,
    allowed: Vec<bool>,
}

/// What may be chosen. Checked when it is made, immutable afterwards.
///
/// Parameters keep the order in which they were given; a parameter's conditions refer to earlier ones only, so walking
/// the list once settles which are active.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Space {
    params: Vec<Param>,
    links: Vec<Vec<Link>>,
    indices: BTreeMap<String, usize>,
}

impl Space {
    /// Checks names, domains, starting values and conditions. An empty list is a space of exactly one configuration.
    ///
    /// # Errors
    /// [`SpaceError`] with the first parameter that is wrong.
    pub fn new(params: Vec<Param>) -> Result<Self, SpaceError> {
        let mut space = Self::default();
        for mut param in params {
            let name = &param.name;
            if name.is_empty() || name.len() > MAX_NAME_BYTES || name.chars().any(char::is_control) {
                return Err(SpaceError::Name(name.clone()));
            }
            if space.indices.contains_key(name) {
                return Err(SpaceError::Repeated(name.clone()));
            }
            param.domain.check(name)?;
            if let Some(start) = &param.start {
                let accepted = param.domain.accept(start).ok_or_else(|| refusal(&param, start))?;
                param.start = Some(accepted);
            }
            let links = param.conditions.iter().map(|condition| space.link(&param, condition));
            space.links.push(links.collect::<Result<_, _>>()?);
            space.indices.insert(param.name.clone(), space.params.len());
            space.params.push(param);
        }
        Ok(space)
    }

    /// One choice named `choice` between the prefixes, and below each prefix its space.
    ///
    /// A parameter `p` of the space with the prefix `x` is named `x.p` and is active only while `choice` is `x`;
    /// [`Config::below`] gives the inner configuration back, and [`Space::raise`] goes the other way.
    ///
    /// ```
    /// use kaizen_space::{Config, Param, Space};
    ///
    /// let tree = Space::new(vec![Param::int("depth", 1, 12).starting_at(6)])?;
    /// let linear = Space::new(vec![Param::float("penalty", 1e-4, 10.0).log().starting_at(1.0)])?;
    /// let both = Space::join("learner", &[("tree", tree), ("linear", linear)])?;
    /// let config = Config::filled(&both, [("learner", "linear".into())])?;
    /// assert_eq!(config.below("linear").float("penalty"), 1.0);
    /// assert!(!config.contains("tree.depth"));
    /// # Ok::<(), kaizen_space::SpaceError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpaceError`] when no prefix is given, a prefix stands there twice, or a name becomes too long.
    pub fn join(choice: &str, parts: &[(&str, Self)]) -> Result<Self, SpaceError> {
        let mut params = vec![Param::choice(choice, parts.iter().map(|(prefix, _)| *prefix))];
        for (prefix, part) in parts {
            for param in &part.params {
                let mut below = Param { name: format!("{prefix}.{}", param.name), ..param.clone() };
                for condition in &mut below.conditions {
                    condition.param = format!("{prefix}.{}", condition.param);
                }
                // Parameters with a condition of their own are switched off with the choice they depend on.
                if below.conditions.is_empty() {
                    below = below.only_if(choice, [*prefix]);
                }
                params.push(below);
            }
        }
        Self::new(params)
    }

    /// The configuration of this joined space that chooses `option` for `choice` with `inner` below it.
    ///
    /// Parameters beside the join take their starting values.
    ///
    /// # Errors
    /// [`SpaceError`] when the result does not fit this space.
    pub fn raise(&self, choice: &str, option: &str, inner: &Config) -> Result<Config, SpaceError> {
        let below = inner.iter().map(|(name, value)| (format!("{option}.{name}"), value.clone()));
        Config::filled(self, below.chain([(choice.to_owned(), Value::from(option))]))
    }

    /// This space followed by the parameters of another.
    ///
    /// # Errors
    /// [`SpaceError::Repeated`] when both have a parameter of one name.
    pub fn and(self, other: Self) -> Result<Self, SpaceError> {
        Self::new(self.params.into_iter().chain(other.params).collect())
    }

    /// The parameters in order.
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// Number of parameters, active or not.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Whether there is nothing to choose.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// The place of a parameter in [`Space::params`].
    pub fn index(&self, name: &str) -> Option<usize> {
        self.indices.get(name).copied()
    }

    /// The configuration of all starting values.
    pub fn start(&self) -> Config {
        self.config_by(|_, param| param.start())
    }

    /// A configuration drawn uniformly, each active parameter on its own scale.
    ///
    /// One number of the stream is used for every parameter, active or not, so that a draw does not depend on
    /// conditions elsewhere.
    pub fn sample(&self, rng: &mut Rng) -> Config {
        let unit: Vec<f64> = self.params.iter().map(|_| rng.uniform()).collect();
        self.config_by(|index, param| param.domain.from_unit(unit[index]))
    }

    /// The configuration whose active parameters have the values that `choose` gives, asked in order.
    ///
    /// `choose` gets the index and the parameter; it is asked for active parameters only, and all their conditions
    /// are settled by then.
    ///
    /// # Panics
    /// If `choose` gives a value outside the domain: that is a mistake in the caller.
    pub fn config_by(&self, mut choose: impl FnMut(usize, &Param) -> Value) -> Config {
        let built = self.config_from(|index, param| {
            let value = choose(index, param);
            let accepted = param.domain.accept(&value);
            assert!(accepted.is_some(), "{}", refusal(param, &value));
            Ok(accepted)
        });
        built.unwrap_or_else(|error| unreachable!("every value was accepted: {error}"))
    }

    /// Whether a configuration (perhaps made for another space) fits this one.
    ///
    /// # Errors
    /// [`SpaceError`] with the first parameter that is wrong.
    pub fn check(&self, config: &Config) -> Result<(), SpaceError> {
        self.config_from(|index, param| {
            let value = config.get(&param.name).ok_or_else(|| SpaceError::Missing(param.name.clone()))?;
            match param.domain.accept(value) {
                Some(accepted) if accepted == *value => Ok(Some(accepted)),
                _ => Err(self.refusal(index, value)),
            }
        })
        .and_then(|fitting| match config.iter().find(|(name, _)| !fitting.contains(name)) {
            Some((name, _)) if self.index(name).is_some() => Err(SpaceError::Inactive(name.to_owned())),
            Some((name, _)) => Err(SpaceError::Unknown(name.to_owned())),
            None => Ok(()),
        })
    }

    /// Walks the parameters in order, asking for each active one; `None` takes its starting value.
    pub(crate) fn config_from(
        &self,
        mut value_of: impl FnMut(usize, &Param) -> Result<Option<Value>, SpaceError>,
    ) -> Result<Config, SpaceError> {
        let mut option_indices: Vec<Option<u64>> = vec![None; self.params.len()];
        let mut values = BTreeMap::new();
        for (index, param) in self.params.iter().enumerate() {
            if !self.is_active(index, &option_indices) {
                continue;
            }
            let value = value_of(index, param)?.unwrap_or_else(|| param.start());
            if matches!(param.domain, Domain::Choice { .. }) {
                option_indices[index] = param.domain.index_of(&value);
            }
            values.insert(param.name.clone(), value);
        }
        Ok(Config::from_checked(values))
    }

    /// Whether the parameter is active, given the options chosen before it (`None`: inactive).
    pub(crate) fn is_active(&self, index: usize, option_indices: &[Option<u64>]) -> bool {
        self.links[index]
            .iter()
            .all(|link| option_indices[link.parent].is_some_and(|option| link.allowed[option as usize]))
    }

    /// Groups of parameters that are always active together, each with the indices of its parameters in order.
    ///
    /// Groups come in the order of their first parameter, so the choices that decide on a group stand in groups
    /// before it.
    pub fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<(&[Link], Vec<usize>)> = Vec::new();
        for (index, links) in self.links.iter().enumerate() {
            match groups.iter_mut().find(|(known, _)| *known == links.as_slice()) {
                Some((_, members)) => members.push(index),
                None => groups.push((links, vec![index])),
            }
        }
        groups.into_iter().map(|(_, members)| members).collect()
    }

    /// A digest of the space's JSON form; equal spaces have equal digests.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }

    pub(crate) fn refusal(&self, index: usize, value: &Value) -> SpaceError {
        refusal(&self.params[index], value)
    }

    fn link(&self, param: &Param, condition: &Condition) -> Result<Link, SpaceError> {
        let refuse = |reason: String| SpaceError::Condition { param: param.name.clone(), reason };
        let parent = self
            .index(&condition.param)
            .ok_or_else(|| refuse(format!("there is no earlier parameter `{}`", condition.param)))?;
        let Domain::Choice { options, .. } = &self.params[parent].domain else {
            return Err(refuse(format!("`{}` is not a choice", condition.param)));
        };
        if condition.options.is_empty() {
            return Err(refuse(format!("it names no option of `{}`", condition.param)));
        }
        if let Some(unknown) = condition.options.iter().find(|option| !options.contains(option)) {
            let allowed = options.join(", ");
            return Err(refuse(format!("`{}` has no option `{unknown}`, only {allowed}", condition.param)));
        }
        Ok(Link {
            parent,
            allowed: options.iter().map(|option| condition.options.contains(option)).collect(),
        })
    }
}

fn refusal(param: &Param, value: &Value) -> SpaceError {
    SpaceError::Value {
        param: param.name.clone(),
        value: value.to_string(),
        allowed: param.domain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    /// Three levels of choices, with a conjunction at the end.
    fn deep() -> Space {
        Space::new(vec![
            Param::choice("a", ["x", "y", "z"]),
            Param::choice("b", ["u", "v"]).only_if("a", ["x", "y"]),
            Param::float("c", 0.0, 1.0).only_if("b", ["v"]),
            Param::int("d", 0, 9).only_if("b", ["v"]).only_if("a", ["y"]),
            Param::float("e", 1.0, 2.0),
        ])
        .unwrap()
    }

    #[test]
    fn conditions_hold_to_any_depth() {
        let space = deep();
        let mut rng = Seed(1).rng();
        for _ in 0..200 {
            let config = space.sample(&mut rng);
            let a = config.choice("a");
            let v = config.get("b") == Some(&"v".into());
            assert_eq!(config.contains("b"), a != "z");
            assert_eq!(config.contains("c"), v);
            assert_eq!(config.contains("d"), v && a == "y");
            assert!(config.contains("e"));
        }
        assert_eq!(space.groups(), [vec![0, 4], vec![1], vec![2], vec![3]]);
    }

    #[test]
    fn contradictions_are_refused() {
        let refused = |params: Vec<Param>| Space::new(params).unwrap_err().to_string();
        assert_eq!(
            refused(vec![Param::int("a", 0, 1).only_if("b", ["x"]), Param::choice("b", ["x"])]),
            "the condition of `a` is unusable: there is no earlier parameter `b`"
        );
        assert_eq!(
            refused(vec![Param::int("a", 0, 1), Param::int("b", 0, 1).only_if("a", ["1"])]),
            "the condition of `b` is unusable: `a` is not a choice"
        );
        assert_eq!(
            refused(vec![Param::choice("a", ["x"]), Param::int("b", 0, 1).only_if("a", ["y"])]),
            "the condition of `b` is unusable: `a` has no option `y`, only x"
        );
        assert_eq!(
            refused(vec![Param::int("a", 1, 5).starting_at(9)]),
            "`a` cannot be 9: allowed is an integer from 1 to 5"
        );
        assert_eq!(refused(vec![Param::flag("a"), Param::flag("a")]), "there are two parameters named `a`");
        assert!(matches!(Space::new(vec![Param::flag("")]), Err(SpaceError::Name(_))));
    }

    #[test]
    fn joined_spaces_nest_and_come_apart_again() {
        let inner = deep();
        let joined = Space::join("learner", &[("one", inner.clone()), ("two", Space::default())]).unwrap();
        let outer = Space::join("kind", &[("all", joined.clone())]).unwrap();
        let mut rng = Seed(4).rng();
        for _ in 0..50 {
            let config = inner.sample(&mut rng);
            let raised = joined.raise("learner", "one", &config).unwrap();
            assert_eq!(raised.below("one"), config);
            let again = outer.raise("kind", "all", &raised).unwrap();
            assert_eq!(again.below("all").below("one"), config);
        }
        let two = joined.raise("learner", "two", &Config::default()).unwrap();
        assert_eq!(two.to_string(), "learner=two");
        assert!(joined.raise("learner", "two", &inner.start()).is_err());
        assert!(matches!(inner.clone().and(inner), Err(SpaceError::Repeated(_))));
    }
}
