//! Component metadata: name/value pairs decoded into typed structs, as Dapr's own decoder does it.
use std::collections::BTreeMap;
use std::fmt;

/// Why metadata could not be decoded. Names the field, never its value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// Whether a text is one of the words that Dapr takes for yes; everything else means no.
pub fn is_truthy(text: &str) -> bool {
    matches!(text.trim().to_lowercase().as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
}

/// Name/value pairs whose names are looked up without regard to case. Values are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, (String, String)>);

impl Properties {
    /// The value of a name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_lowercase()).map(|(_, value)| value.as_str())
    }

    /// All pairs, with names as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.values().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let entry = |(name, value): (K, V)| {
            let name = name.into();
            (name.to_lowercase(), (name, value.into()))
        };
        Self(pairs.into_iter().map(entry).collect())
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
