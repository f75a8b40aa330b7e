//! Which way a binding goes, and what an operation came to.
use crate::error::Error;
use bytes::Bytes;
use component_api::binding::Binding;
use component_api::{Instance, Metadata, Properties};

/// Ways that a binding is used. A component may be able to go both ways, and its metadata `direction` may name one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    pub input: bool,
    pub output: bool,
}

impl Direction {
    /// What the component can do, as far as its metadata wants it.
    pub fn of(instance: &Instance<dyn Binding>) -> Self {
        let wanted = Self::named(&instance.properties).unwrap_or(Self { input: true, output: true });
        let component = &instance.component;
        Self {
            input: wanted.input && component.is_input(),
            output: wanted.output && !component.operations().is_empty(),
        }
    }

    /// What the metadata names, if it names any.
    pub(crate) fn named(properties: &Properties) -> Option<Self> {
        let names: Vec<_> = properties.get("direction")?.split(',').map(|name| name.trim().to_lowercase()).collect();
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        Some(Self { input: has("input"), output: has("output") })
    }
}

/// What an operation came to. The caller is told the metadata even when it failed.
#[derive(Debug)]
pub struct Outcome {
    pub metadata: Metadata,
    /// Nothing where the operation has no answer.
    pub result: Result<Option<Bytes>, Error>,
}

impl From<Error> for Outcome {
    fn from(error: Error) -> Self {
        Self { metadata: Metadata::new(), result: Err(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_listed_by_comma() {
        let named = |text: &str| Direction::named(&[("Direction", text)].into_iter().collect());
        assert_eq!(named("input"), Some(Direction { input: true, output: false }));
        assert_eq!(named("Input , OUTPUT"), Some(Direction { input: true, output: true }));
        assert_eq!(named("inputs"), Some(Direction { input: false, output: false }));
        assert_eq!(Direction::named(&Properties::default()), None);
    }
}
