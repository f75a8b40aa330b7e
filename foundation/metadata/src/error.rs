//! Why metadata could not be decoded.
use std::fmt::Display;

/// Why metadata could not be decoded. Names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The value of a field is not what it must be.
    #[error("metadata property {field} {reason}")]
    Field { field: String, reason: String },
    /// A field has to be set.
    #[error("metadata property {0} is missing")]
    Missing(String),
    /// Two names of the same field are set.
    #[error("metadata property {0} is set twice")]
    Twice(String),
    /// Anything else.
    #[error("invalid metadata: {0}")]
    Other(String),
}

impl Error {
    /// The same error for a field, unless it names one already.
    pub(crate) fn of_field(self, field: &str) -> Self {
        match self {
            Self::Other(reason) => Self::Field { field: field.to_owned(), reason },
            other => other,
        }
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::Other(message.to_string())
    }

    fn invalid_type(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::Other(format!("must be {expected}"))
    }

    fn invalid_value(_: serde::de::Unexpected<'_>, expected: &dyn serde::de::Expected) -> Self {
        Self::Other(format!("must be {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Other(format!("must be one of {}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field.to_owned())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::Twice(field.to_owned())
    }
}
