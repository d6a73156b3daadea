//! One choice of values that fits its space.

use std::collections::BTreeMap;

use kaizen_base::Digest;

use crate::domain::Value;
use crate::error::SpaceError;
use crate::space::Space;

/// A value for every active parameter of a space, and for no other.
///
/// It can only be made against a [`Space`], so it always fits the one it was made for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    values: BTreeMap<String, Value>,
}

impl Config {
    /// Checks the pairs against the space: every active parameter once, nothing else, all inside their domains.
    ///
    /// # Errors
    /// [`SpaceError`] with the first parameter that is wrong.
    pub fn new<N: Into<String>>(
        space: &Space,
        pairs: impl IntoIterator<Item = (N, Value)>,
    ) -> Result<Self, SpaceError> {
        Self::build(space, pairs, false)
    }

    /// As [`Config::new`], but active parameters without a value take their starting value.
    ///
    /// ```
    /// use kaizen_space::{Config, Param, Space};
    /// let space = Space::new(vec![Param::float("a", 0.0, 1.0), Param::int("b", 1, 9).starting_at(3)])?;
    /// assert_eq!(Config::filled(&space, [("a", 0.25.into())])?.int("b"), 3);
    /// # Ok::<(), kaizen_space::SpaceError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpaceError`] with the first parameter that is wrong.
    pub fn filled<N: Into<String>>(
        space: &Space,
        pairs: impl IntoIterator<Item = (N, Value)>,
    ) -> Result<Self, SpaceError> {
        Self::build(space, pairs, true)
    }

    fn build<N: Into<String>>(
        space: &Space,
        pairs: impl IntoIterator<Item = (N, Value)>,
        fill: bool,
    ) -> Result<Self, SpaceError> {
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            let name = name.into();
            if given.contains_key(&name) {
                return Err(SpaceError::Repeated(name));
            }
            given.insert(name, value);
        }
        let config = space.config_from(|index, param| match given.remove(param.name()) {
            Some(value) => {
                param.domain().accept(&value).map(Some).ok_or_else(|| space.refusal(index, &value))
            }
            None if fill => Ok(None),
            None => Err(SpaceError::Missing(param.name().to_owned())),
        })?;
        match given.into_keys().next() {
            Some(name) if space.index(&name).is_some() => Err(SpaceError::Inactive(name)),
            Some(name) => Err(SpaceError::Unknown(name)),
            None => Ok(config),
        }
    }

    pub(crate) fn from_checked(values: BTreeMap<String, Value>) -> Self {
        Self { values }
    }

    /// The values by name, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether the parameter is active here.
    pub fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The value of a parameter, if it is active.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// The number under this name; an integer is given as a number too.
    ///
    /// # Panics
    /// If the parameter is not active here or is a choice: the caller asks for what its space does not hold.
    pub fn float(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Float(value)) => *value,
            Some(Value::Int(value)) => *value as f64,
            other => panic!("`{name}` is asked for as a number but is {other:?}"),
        }
    }

    /// The integer under this name.
    ///
    /// # Panics
    /// If the parameter is not active here or is no integer.
    pub fn int(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Value::Int(value)) => *value,
            other => panic!("`{name}` is asked for as an integer but is {other:?}"),
        }
    }

    /// The option chosen under this name.
    ///
    /// # Panics
    /// If the parameter is not active here or is no choice.
    pub fn choice(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Choice(option)) => option,
            other => panic!("`{name}` is asked for as a choice but is {other:?}"),
        }
    }

    /// The truth of a [`Param::flag`](crate::Param::flag).
    ///
    /// # Panics
    /// If the parameter is not active here or is no flag.
    pub fn flag(&self, name: &str) -> bool {
        match self.choice(name) {
            "true" => true,
            "false" => false,
            other => panic!("`{name}` is asked for as a flag but is `{other}`"),
        }
    }

    /// The part of a joined configuration that belongs to the space with this prefix, under its own names.
    ///
    /// See [`Space::join`].
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let start = format!("{prefix}.");
        let inner = self.values.range(start.clone()..).map_while(|(name, value)| {
            name.strip_prefix(&start).map(|name| (name.to_owned(), value.clone()))
        });
        Self { values: inner.collect() }
    }

    /// A digest of names and values: equal configurations have equal digests, in every version and on every platform.
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::with_capacity(self.values.len() * 24);
        for (name, value) in &self.values {
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
            match value {
                Value::Float(number) => {
                    bytes.push(0);
                    bytes.extend(number.to_bits().to_le_bytes());
                }
                Value::Int(number) => {
                    bytes.push(1);
                    bytes.extend(number.to_le_bytes());
                }
                Value::Choice(option) => {
                    bytes.push(2);
                    bytes.extend((option.len() as u64).to_le_bytes());
                    bytes.extend(option.as_bytes());
                }
            }
        }
        Digest::of(&bytes)
    }
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, value)) in self.values.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::param::Param;

    fn space() -> Space {
        Space::new(vec![
            Param::choice("kind", ["tree", "linear"]),
            Param::int("depth", 1, 12).starting_at(6).only_if("kind", ["tree"]),
            Param::float("rate", 0.0, 1.0),
        ])
        .unwrap()
    }

    #[test]
    fn every_mistake_has_its_own_message() {
        let space = space();
        let make = |pairs: Vec<(&str, Value)>| Config::new(&space, pairs).unwrap_err().to_string();
        let kind = ("kind", Value::from("linear"));
        let rate = ("rate", Value::from(0.5));
        assert_eq!(make(vec![kind.clone()]), "`rate` has no value");
        assert_eq!(
            make(vec![kind.clone(), rate.clone(), ("deep", 3.into())]),
            "there is no parameter `deep`"
        );
        assert_eq!(
            make(vec![kind.clone(), rate.clone(), ("depth", 3.into())]),
            "`depth` has a value although its condition does not hold"
        );
        assert_eq!(
            make(vec![kind.clone(), ("rate", 1.5.into())]),
            "`rate` cannot be 1.5: allowed is a number from 0 to 1"
        );
        assert_eq!(make(vec![kind.clone(), kind, rate]), "there are two parameters named `kind`");
    }

    #[test]
    fn absent_values_are_filled_only_where_active() {
        let space = space();
        let tree = Config::filled(&space, [("rate", 1.into())]).unwrap();
        assert_eq!(tree.to_string(), "depth=6 kind=tree rate=1");
        let linear = Config::filled(&space, [("kind", "linear".into())]).unwrap();
        assert_eq!(linear.to_string(), "kind=linear rate=0.5");
        assert_ne!(tree.digest(), linear.digest());
        assert_eq!(tree.digest(), Config::filled(&space, [("rate", 1.0.into())]).unwrap().digest());
    }

    #[test]
    #[should_panic(expected = "`depth` is asked for as an integer but is None")]
    fn an_inactive_parameter_cannot_be_read_by_mistake() {
        Config::filled(&space(), [("kind", "linear".into())]).unwrap().int("depth");
    }
}
