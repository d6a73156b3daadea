//! What can be wrong with a space or a configuration; every case is one that the person who wrote it can fix.

/// Why a space or a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpaceError {
    /// A parameter's name is empty, too long or holds a control character.
    #[error("`{0}` is no name for a parameter: 1 to 200 characters, none of them a control character")]
    Name(String),
    /// Two parameters have one name.
    #[error("there are two parameters named `{0}`")]
    Repeated(String),
    /// The domain holds no value or cannot be computed with.
    #[error("the domain of `{param}` is unusable: {reason}")]
    Domain {
        /// The parameter.
        param: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A condition does not refer to options of an earlier choice.
    #[error("the condition of `{param}` is unusable: {reason}")]
    Condition {
        /// The parameter with the condition.
        param: String,
        /// What is wrong and what is allowed.
        reason: String,
    },
    /// A value (a starting value, or a configuration's) lies outside its domain.
    #[error("`{param}` cannot be {value}: allowed is {allowed}")]
    Value {
        /// The parameter.
        param: String,
        /// What was given.
        value: String,
        /// What would have been right.
        allowed: String,
    },
    /// The configuration names a parameter that the space has not.
    #[error("there is no parameter `{0}`")]
    Unknown(String),
    /// A parameter that is active in this configuration has no value.
    #[error("`{0}` has no value")]
    Missing(String),
    /// A parameter has a value although its condition does not hold.
    #[error("`{0}` has a value although its condition does not hold")]
    Inactive(String),
    /// A text is not the JSON form of a space or a configuration.
    #[error("not a valid JSON form: {0}")]
    Json(String),
}
