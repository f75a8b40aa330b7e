//! The keys that a store gets: a prefix that keeps apps apart, the separator `||`, and the app's own key
//! (protocols.md 7.6).
use component_api::Properties;

const SEPARATOR: &str = "||";

/// What the component's metadata `keyPrefix` puts before the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyPrefix {
    /// The app id.
    #[default]
    AppId,
    /// The name of the component.
    Name,
    /// Namespace and app id.
    Namespace,
    /// Nothing.
    None,
    /// This text, in lower case.
    Literal(String),
}

/// A prefix that keys could not be told apart from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("input key/keyPrefix '{0}' can't contain '||'")]
pub struct IllegalPrefix(pub String);

impl KeyPrefix {
    /// Reads the metadata of a component.
    ///
    /// # Errors
    /// [`IllegalPrefix`] when the prefix contains `||`; a sidecar does not start with such a component.
    pub fn of(properties: &Properties) -> Result<Self, IllegalPrefix> {
        let Some(text) = properties.get("keyPrefix") else { return Ok(Self::AppId) };
        let text = text.to_lowercase();
        match text.as_str() {
            "appid" => Ok(Self::AppId),
            "name" => Ok(Self::Name),
            "namespace" => Ok(Self::Namespace),
            "none" => Ok(Self::None),
            _ if is_illegal(&text) => Err(IllegalPrefix(text)),
            _ => Ok(Self::Literal(text)),
        }
    }

    /// The text before the separator, if any. Without an app id or a namespace there is less of it.
    pub(crate) fn text(self, store: &str, app_id: &str, namespace: &str) -> Option<String> {
        match self {
            Self::None => None,
            Self::Name => Some(store.to_owned()),
            Self::Literal(text) => Some(text),
            Self::AppId | Self::Namespace if app_id.is_empty() => None,
            Self::Namespace if !namespace.is_empty() => Some(format!("{namespace}.{app_id}")),
            Self::AppId | Self::Namespace => Some(app_id.to_owned()),
        }
    }
}

/// Whether a key of the app would be taken for one with a prefix.
pub(crate) fn is_illegal(key: &str) -> bool {
    key.contains(SEPARATOR)
}

/// The key that the store gets.
pub(crate) fn stored(prefix: Option<&str>, key: &str) -> String {
    prefix.map_or_else(|| key.to_owned(), |prefix| [prefix, SEPARATOR, key].concat())
}

/// The app's own key of one that the store has.
pub(crate) fn original(stored: &str) -> &str {
    stored.split(SEPARATOR).nth(1).unwrap_or(stored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefix(value: &str) -> Option<String> {
        let properties = Properties::from_iter([("KEYPREFIX", value)]);
        KeyPrefix::of(&properties).unwrap().text("store", "app", "ns")
    }

    #[test]
    fn strategies() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!([prefix("appid"), prefix("Name"), prefix("none")], [text("app"), text("store"), None]);
        assert_eq!([prefix("namespace"), prefix("Mine")], [text("ns.app"), text("mine")]);
        assert_eq!(KeyPrefix::of(&Properties::default()), Ok(KeyPrefix::AppId));
        assert_eq!(KeyPrefix::Namespace.text("store", "app", ""), text("app"));
        assert_eq!(KeyPrefix::AppId.text("store", "", "ns"), None);
        let error = KeyPrefix::of(&Properties::from_iter([("keyPrefix", "A||b")])).unwrap_err();
        assert_eq!(error.to_string(), "input key/keyPrefix 'a||b' can't contain '||'");
    }

    proptest! {
        #[test]
        fn a_legal_key_comes_back(key in ".*", literal in "\\PC*") {
            let Ok(prefix) = KeyPrefix::of(&Properties::from_iter([("keyPrefix", literal)])) else { return Ok(()) };
            let text = prefix.text("store", "app", "ns");
            let with_prefix = stored(text.as_deref(), &key);
            // A single bar at the border of two texts makes it ambiguous, in Dapr too.
            let borders = key.starts_with('|') || text.is_some_and(|text| text.ends_with('|'));
            if !is_illegal(&key) && !borders {
                prop_assert_eq!(original(&with_prefix), key);
            }
        }
    }
}
