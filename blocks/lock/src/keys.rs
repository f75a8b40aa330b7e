//! The keys that a store gets: `lock`, a prefix that keeps apps apart, and the app's own resource, with `||` between them
//! (surface.md 3.2).
use component_api::Properties;

const SEPARATOR: &str = "||";
const START: &str = "lock";

/// What the component's metadata `keyPrefix` puts before the resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyPrefix {
    /// The app id.
    #[default]
    AppId,
    /// The name of the component.
    Name,
    /// Nothing.
    None,
    /// This text, in lower case.
    Literal(String),
}

/// A text that keys could not be told apart from.
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
        check(&text)?;
        match text.as_str() {
            "appid" => Ok(Self::AppId),
            "name" => Ok(Self::Name),
            "none" => Ok(Self::None),
            _ => Ok(Self::Literal(text)),
        }
    }

    /// The key of a resource in the store.
    ///
    /// # Errors
    /// [`IllegalPrefix`] when the resource contains `||`.
    pub(crate) fn key(&self, store: &str, app_id: &str, resource: &str) -> Result<String, IllegalPrefix> {
        check(resource)?;
        let prefix = match self {
            Self::None => None,
            Self::AppId => Some(app_id).filter(|app_id| !app_id.is_empty()),
            Self::Name => Some(store),
            Self::Literal(text) => Some(text.as_str()),
        };
        let parts: Vec<_> = [Some(START), prefix, Some(resource)].into_iter().flatten().collect();
        Ok(parts.join(SEPARATOR))
    }
}

fn check(text: &str) -> Result<(), IllegalPrefix> {
    if text.contains(SEPARATOR) { Err(IllegalPrefix(text.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(prefix: &str) -> String {
        let properties = Properties::from_iter([("KEYPREFIX", prefix)]);
        KeyPrefix::of(&properties).unwrap().key("store", "app", "r").unwrap()
    }

    #[test]
    fn strategies() {
        assert_eq!([key("AppID"), key("name"), key("none")], ["lock||app||r", "lock||store||r", "lock||r"]);
        assert_eq!([key("Mine"), key("namespace")], ["lock||mine||r", "lock||namespace||r"]);
        assert_eq!(KeyPrefix::of(&Properties::default()), Ok(KeyPrefix::AppId));
        assert_eq!(KeyPrefix::AppId.key("store", "", "r").unwrap(), "lock||r");
        let error = KeyPrefix::of(&Properties::from_iter([("keyPrefix", "A||b")])).unwrap_err();
        assert_eq!(error.to_string(), "input key/keyPrefix 'a||b' can't contain '||'");
        assert_eq!(KeyPrefix::None.key("store", "app", "a||b"), Err(IllegalPrefix("a||b".to_owned())));
    }
}
