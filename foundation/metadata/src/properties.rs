//! Name/value pairs with names that are looked up without regard to case.
use crate::Error;
use crate::decode::decode;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt;

/// Name/value pairs whose names are looked up without regard to case. Values are never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// By name in lower case: the name as it was written, and the value.
    pairs: BTreeMap<String, (String, String)>,
    /// By name in lower case: the secret that the value was taken from.
    secrets: BTreeMap<String, String>,
}

impl Properties {
    /// The value of a name, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.get(&name.to_lowercase()).map(|(_, value)| value.as_str())
    }

    /// The name of the secret that the value of a name was taken from.
    pub fn secret(&self, name: &str) -> Option<&str> {
        self.secrets.get(&name.to_lowercase()).map(String::as_str)
    }

    /// The same pairs, one of whose values was taken from a secret.
    #[must_use]
    pub fn taken_from(mut self, name: &str, secret: &str) -> Self {
        self.secrets.insert(name.to_lowercase(), secret.to_owned());
        self
    }

    /// The text with `***` in place of values that were taken from secrets. Those of less than four bytes stay: they would be
    /// found in words.
    pub fn redact(&self, text: &str) -> String {
        let values = self.secrets.keys().filter_map(|name| self.get(name));
        values.filter(|value| value.len() >= 4).fold(text.to_owned(), |text, value| text.replace(value, "***"))
    }

    /// All pairs, with names as they were written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.values().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The pairs as a struct. Texts become what its fields are (contract: how Dapr decodes component metadata):
    /// - booleans: `y`, `yes`, `true`, `t`, `on` and `1` in any case are true, everything else is false;
    /// - numbers: as they are written;
    /// - durations ([`crate::GoDuration`]): `1m30s`, or a whole number of seconds;
    /// - sizes ([`crate::ByteSize`]): `4Mi`, or a whole number of bytes;
    /// - lists: divided by commas;
    /// - enums: the name of a variant in any case.
    ///
    /// An empty value is as if it were not set. When several names of one field are set, its own name wins.
    ///
    /// # Errors
    /// A field that is missing or whose value is wrong, by its name.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        decode(self)
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let entry = |(name, value): (K, V)| {
            let name = name.into();
            (name.to_lowercase(), (name, value.into()))
        };
        Self { pairs: pairs.into_iter().map(entry).collect(), secrets: BTreeMap::new() }
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}
