//! A fitted thing as plain data: a JSON value for what is small and named tensors for what is large.
//!
//! States are what the artifact stores. Everything read from a state comes from a file that nobody vouches for:
//! loading checks lengths, ranges and indices and answers with [`LoadError`], it never panics.

use std::collections::BTreeMap;

use serde_json::Value;

/// A flat array of one type.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// 64-bit floats.
    F64(Vec<f64>),
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 32-bit unsigned integers.
    U32(Vec<u32>),
    /// 16-bit unsigned integers.
    U16(Vec<u16>),
    /// Bytes.
    U8(Vec<u8>),
}

impl Tensor {
    /// Bytes of its entries.
    pub fn size_bytes(&self) -> usize {
        match self {
            Self::F64(values) => 8 * values.len(),
            Self::F32(values) => 4 * values.len(),
            Self::U32(values) => 4 * values.len(),
            Self::U16(values) => 2 * values.len(),
            Self::U8(values) => values.len(),
        }
    }
}

/// A fitted thing as plain data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What is small: scalars, names, shapes.
    pub meta: Value,
    /// What is large, by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Parts that are fitted things themselves, by name.
    pub parts: BTreeMap<String, State>,
}

/// Why a state cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Something is missing.
    #[error("the model lacks `{0}`")]
    Missing(String),
    /// Something is there but cannot be right.
    #[error("`{name}` of the model is damaged: {why}")]
    Damaged {
        /// What.
        name: String,
        /// In what way.
        why: String,
    },
    /// A plug-in of this name does not exist in this version.
    #[error("this version of Kaizen has no {kind} called `{name}`")]
    Unknown {
        /// `learner`, `transform`, …
        kind: &'static str,
        /// The name.
        name: String,
    },
}

impl LoadError {
    /// Damage with a reason.
    pub fn damaged(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged { name: name.into(), why: why.into() }
    }
}

macro_rules! tensor_access {
    ($($take:ident $variant:ident $type:ty, $doc:literal;)*) => {$(
        #[doc = $doc]
        ///
        /// # Errors
        /// [`LoadError::Missing`] or [`LoadError::Damaged`] (another type).
        pub fn $take(&self, name: &str) -> Result<&[$type], LoadError> {
            match self.tensors.get(name) {
                Some(Tensor::$variant(values)) => Ok(values),
                Some(_) => Err(LoadError::damaged(name, concat!("not of type ", stringify!($type)))),
                None => Err(LoadError::Missing(name.to_owned())),
            }
        }
    )*};
}

impl State {
    /// A state with these small values.
    pub fn new(meta: Value) -> Self {
        Self { meta, ..Self::default() }
    }

    /// Adds a tensor.
    #[must_use]
    pub fn with(mut self, name: &str, tensor: Tensor) -> Self {
        self.tensors.insert(name.to_owned(), tensor);
        self
    }

    /// Adds a part.
    #[must_use]
    pub fn with_part(mut self, name: &str, part: State) -> Self {
        self.parts.insert(name.to_owned(), part);
        self
    }

    /// Bytes of all tensors, those of the parts included; what is small is not counted.
    pub fn size_bytes(&self) -> usize {
        let own: usize = self.tensors.values().map(Tensor::size_bytes).sum();
        own + self.parts.values().map(State::size_bytes).sum::<usize>()
    }

    /// A part by name.
    ///
    /// # Errors
    /// [`LoadError::Missing`].
    pub fn part(&self, name: &str) -> Result<&State, LoadError> {
        self.parts.get(name).ok_or_else(|| LoadError::Missing(name.to_owned()))
    }

    /// A small value by name.
    ///
    /// # Errors
    /// [`LoadError::Missing`].
    pub fn value(&self, name: &str) -> Result<&Value, LoadError> {
        self.meta.get(name).ok_or_else(|| LoadError::Missing(name.to_owned()))
    }

    /// A finite number by name.
    ///
    /// # Errors
    /// [`LoadError::Missing`] or [`LoadError::Damaged`].
    pub fn number(&self, name: &str) -> Result<f64, LoadError> {
        self.value(name)?
            .as_f64()
            .filter(|number| number.is_finite())
            .ok_or_else(|| LoadError::damaged(name, "not a finite number"))
    }

    /// A count by name.
    ///
    /// # Errors
    /// [`LoadError::Missing`] or [`LoadError::Damaged`].
    pub fn count(&self, name: &str) -> Result<usize, LoadError> {
        let damaged = || LoadError::damaged(name, "not a count");
        usize::try_from(self.value(name)?.as_u64().ok_or_else(damaged)?).map_err(|_| damaged())
    }

    /// A string by name.
    ///
    /// # Errors
    /// [`LoadError::Missing`] or [`LoadError::Damaged`].
    pub fn text(&self, name: &str) -> Result<&str, LoadError> {
        self.value(name)?.as_str().ok_or_else(|| LoadError::damaged(name, "not a string"))
    }

    /// Anything that serde can read, by name.
    ///
    /// # Errors
    /// [`LoadError::Missing`] or [`LoadError::Damaged`].
    pub fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, LoadError> {
        serde_json::from_value(self.value(name)?.clone())
            .map_err(|error| LoadError::damaged(name, error.to_string()))
    }

    tensor_access! {
        f64s F64 f64, "A tensor of 64-bit floats by name.";
        f32s F32 f32, "A tensor of 32-bit floats by name.";
        u32s U32 u32, "A tensor of 32-bit integers by name.";
        u16s U16 u16, "A tensor of 16-bit integers by name.";
        u8s U8 u8, "A tensor of bytes by name.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_types_are_refused_by_name() {
        let state =
            State::new(serde_json::json!({"rows": -1, "rate": 0.5})).with("w", Tensor::F64(vec![1.0]));
        assert_eq!(state.f64s("w"), Ok([1.0].as_slice()));
        assert!(matches!(state.f32s("w"), Err(LoadError::Damaged { name, .. }) if name == "w"));
        assert_eq!(state.u8s("v"), Err(LoadError::Missing("v".to_owned())));
        assert!(state.count("rows").is_err());
        assert_eq!(state.number("rate"), Ok(0.5));
    }
}
