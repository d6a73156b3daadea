//! The JSON forms of spaces and configurations: versioned structs of their own, so that inner types may change.
//!
//! A space is `{"version":1,"params":[{"name":"lr","type":"float","low":1e-5,"high":0.1,"log":true},…]}`; a
//! configuration is an object from names to values and is read against its space.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};

use crate::config::Config;
use crate::domain::{Domain, Value};
use crate::error::SpaceError;
use crate::param::{Condition, Param};
use crate::space::Space;

/// Version of the form written here; readers accept this one and earlier ones.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpaceWire {
    version: u32,
    params: Vec<ParamWire>,
}

#[derive(Serialize, Deserialize)]
struct ParamWire {
    name: String,
    #[serde(flatten)]
    domain: DomainWire,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    only_if: Vec<ConditionWire>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum DomainWire {
    Float {
        low: f64,
        high: f64,
        #[serde(default)]
        log: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<f64>,
    },
    Int {
        low: i64,
        high: i64,
        #[serde(default)]
        log: bool,
    },
    Choice {
        options: Vec<String>,
    },
    Ordinal {
        options: Vec<String>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionWire {
    param: String,
    options: Vec<String>,
}

impl Space {
    /// The space as one line of JSON; equal spaces give equal text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.to_wire())
            .unwrap_or_else(|error| unreachable!("finite numbers and text always serialise: {error}"))
    }

    /// As [`Space::to_json`], for embedding in a larger document.
    pub fn to_value(&self) -> Json {
        serde_json::to_value(self.to_wire())
            .unwrap_or_else(|error| unreachable!("finite numbers and text always serialise: {error}"))
    }

    fn to_wire(&self) -> SpaceWire {
        SpaceWire { version: VERSION, params: self.params().iter().map(param_to_wire).collect() }
    }

    /// Reads what [`Space::to_json`] wrote (or a person), and checks it like [`Space::new`].
    ///
    /// # Errors
    /// [`SpaceError::Json`] when the text is no such form or of a later version; else as [`Space::new`].
    pub fn from_json(text: &str) -> Result<Self, SpaceError> {
        let wire: SpaceWire =
            serde_json::from_str(text).map_err(|error| SpaceError::Json(error.to_string()))?;
        if wire.version == 0 || wire.version > VERSION {
            return Err(SpaceError::Json(format!(
                "version {} is not known here, only up to {VERSION}",
                wire.version
            )));
        }
        let params: Result<_, _> = wire.params.into_iter().map(param_from_wire).collect();
        Self::new(params?)
    }
}

impl Config {
    /// The configuration as one line of JSON, names in order; equal configurations give equal text.
    pub fn to_json(&self) -> String {
        self.to_value().to_string()
    }

    /// As [`Config::to_json`], for embedding in a larger document.
    pub fn to_value(&self) -> Json {
        Json::Object(self.iter().map(|(name, value)| (name.to_owned(), value_to_json(value))).collect())
    }

    /// Reads what [`Config::to_json`] wrote (or a person) and checks it like [`Config::new`].
    ///
    /// Numbers are taken as the space wants them (`1` for a real number, `1.0` for an integer); `true` and `false`
    /// stand for the options of a flag.
    ///
    /// # Errors
    /// [`SpaceError::Json`] when the text is no object of plain values; else as [`Config::new`].
    pub fn from_json(space: &Space, text: &str) -> Result<Self, SpaceError> {
        Self::from_value(
            space,
            serde_json::from_str(text).map_err(|error| SpaceError::Json(error.to_string()))?,
        )
    }

    /// As [`Config::from_json`], out of a larger document.
    ///
    /// # Errors
    /// As [`Config::from_json`].
    pub fn from_value(space: &Space, json: Json) -> Result<Self, SpaceError> {
        let Json::Object(object) = json else {
            return Err(SpaceError::Json(format!("{json} is not an object")));
        };
        let pairs: Result<Vec<_>, _> =
            object.into_iter().map(|(name, json)| Ok((name, value_from_json(&json)?))).collect();
        Self::new(space, pairs?)
    }
}

fn value_to_json(value: &Value) -> Json {
    match value {
        Value::Float(number) => Number::from_f64(*number)
            .map_or_else(|| unreachable!("values of a space are finite, not {number}"), Json::Number),
        Value::Int(number) => Json::from(*number),
        Value::Choice(option) => Json::from(option.as_str()),
    }
}

fn value_from_json(json: &Json) -> Result<Value, SpaceError> {
    match json {
        Json::Bool(flag) => Ok(Value::from(*flag)),
        Json::String(option) => Ok(Value::from(option.as_str())),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Value::Int(whole)),
            (None, Some(real)) => Ok(Value::Float(real)),
            (None, None) => Err(SpaceError::Json(format!("{number} is out of range"))),
        },
        other => Err(SpaceError::Json(format!("{other} is not a number, a text or a truth value"))),
    }
}

fn param_to_wire(param: &Param) -> ParamWire {
    let domain = match param.domain().clone() {
        Domain::Float { low, high, log, step } => DomainWire::Float { low, high, log, step },
        Domain::Int { low, high, log } => DomainWire::Int { low, high, log },
        Domain::Choice { options, ordered: false } => DomainWire::Choice { options },
        Domain::Choice { options, ordered: true } => DomainWire::Ordinal { options },
    };
    let only_if = param.conditions().iter().cloned();
    ParamWire {
        name: param.name().to_owned(),
        domain,
        start: param.start.as_ref().map(value_to_json),
        only_if: only_if.map(|Condition { param, options }| ConditionWire { param, options }).collect(),
    }
}

fn param_from_wire(wire: ParamWire) -> Result<Param, SpaceError> {
    let domain = match wire.domain {
        DomainWire::Float { low, high, log, step } => Domain::Float { low, high, log, step },
        DomainWire::Int { low, high, log } => Domain::Int { low, high, log },
        DomainWire::Choice { options } => Domain::Choice { options, ordered: false },
        DomainWire::Ordinal { options } => Domain::Choice { options, ordered: true },
    };
    let mut param = Param::new(wire.name, domain);
    param.start = wire.start.as_ref().map(value_from_json).transpose()?;
    param.conditions = wire
        .only_if
        .into_iter()
        .map(|ConditionWire { param, options }| Condition { param, options })
        .collect();
    Ok(param)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaizen_base::Seed;

    fn space() -> Space {
        Space::new(vec![
            Param::choice("kind", ["a", "b"]),
            Param::float("rate", 1e-5, 0.1).log().starting_at(0.01).only_if("kind", ["a"]),
            Param::float("share", 0.0, 1.0).step(0.1),
            Param::int("count", -4, 70),
            Param::ordinal("size", ["s", "m"]),
        ])
        .unwrap()
    }

    #[test]
    fn spaces_and_configurations_survive_the_way_through_text() {
        let space = space();
        let again = Space::from_json(&space.to_json()).unwrap();
        assert_eq!(again, space);
        assert_eq!(again.digest(), space.digest());
        let mut rng = Seed(8).rng();
        for _ in 0..200 {
            let config = space.sample(&mut rng);
            assert_eq!(Config::from_json(&space, &config.to_json()).unwrap(), config);
        }
    }

    #[test]
    fn the_written_form_is_fixed() {
        // A change of this text breaks stored studies: it needs a new version.
        let space = Space::new(vec![
            Param::flag("deep"),
            Param::float("rate", 0.5, 2.0).log().starting_at(1.0).only_if("deep", ["true"]),
        ]);
        let expected = concat!(
            r#"{"version":1,"params":[{"name":"deep","type":"choice","options":["false","true"]},"#,
            r#"{"name":"rate","type":"float","low":0.5,"high":2.0,"log":true,"start":1.0,"#,
            r#""only_if":[{"param":"deep","options":["true"]}]}]}"#
        );
        assert_eq!(space.unwrap().to_json(), expected);
    }

    #[test]
    fn numbers_written_by_people_are_understood() {
        let space = space();
        let text = r#"{"kind":"b","share":1,"count":3.0,"size":"m"}"#;
        let config = Config::from_json(&space, text).unwrap();
        assert_eq!((config.float("share"), config.int("count")), (1.0, 3));
    }

    #[test]
    fn garbage_is_refused_with_words() {
        for text in ["", "[]", "{\"version\":1}", "{\"version\":9,\"params\":[]}", "{\"params\":[]}"] {
            assert!(matches!(Space::from_json(text), Err(SpaceError::Json(_))), "{text}");
        }
        let kinds = r#"{"version":1,"params":[{"name":"a","type":"float","low":2,"high":1}]}"#;
        assert!(matches!(Space::from_json(kinds), Err(SpaceError::Domain { .. })));
        assert!(matches!(Config::from_json(&space(), r#"{"kind":["a"]}"#), Err(SpaceError::Json(_))));
    }
}
