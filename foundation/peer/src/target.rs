//! The app that a call is for: `id` or `id.namespace`.
use crate::Error;
use component_api::naming;

/// An app to call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub app_id: String,
    pub namespace: String,
}

impl Target {
    /// Reads `id` or `id.namespace`; without one it is the namespace of this sidecar (protocols.md 6.1).
    ///
    /// # Errors
    /// [`Error::Target`] when the id is empty or has more than one dot.
    pub fn parse(text: &str, own_namespace: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Target("app id is empty".to_owned()));
        }
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(app_id), None, _) => Ok(Self::new(app_id, own_namespace)),
            (Some(app_id), Some(namespace), None) => Ok(Self::new(app_id, namespace)),
            _ => Err(Error::Target(format!("invalid app id {text}"))),
        }
    }

    /// An app by id and namespace.
    pub fn new(app_id: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { app_id: app_id.into(), namespace: namespace.into() }
    }

    /// The question for the resolver.
    pub(crate) fn question(&self, default_port: u16) -> naming::Target {
        naming::Target { app_id: self.app_id.clone(), namespace: self.namespace.clone(), default_port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_name_is_a_target_or_refused(text in "[a-z.@]{0,12}|\\PC{0,12}", namespace in "[a-z]{0,4}") {
            Target::parse(&text, &namespace).ok();
        }
    }
}
