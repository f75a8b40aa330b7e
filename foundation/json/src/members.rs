//! Objects whose members are found without regard to case and whose unknown members are ignored, as in Go.
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What is wrong with a document, in a sentence.
type Result<T> = std::result::Result<T, String>;

/// The members of an object that were not looked at yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(Map<String, Value>);

impl Members {
    /// `null` is an object without members.
    ///
    /// # Errors
    /// Any other value.
    pub fn of(value: Value) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            Value::Null => Ok(Self(Map::new())),
            _ => Err("an object was expected".to_owned()),
        }
    }

    /// Takes a member out, by its exact name if there is one.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.0.remove(name) {
            return Some(value);
        }
        let name = self.0.keys().find(|given| given.eq_ignore_ascii_case(name)).cloned()?;
        self.0.remove(&name)
    }

    /// Takes a text, which is empty where there is none.
    ///
    /// # Errors
    /// A value of another type.
    pub fn text(&mut self, name: &str) -> Result<String> {
        text(self.take(name).unwrap_or_default(), name)
    }

    /// Takes an object of texts.
    ///
    /// # Errors
    /// A value of another type.
    pub fn texts(&mut self, name: &str) -> Result<BTreeMap<String, String>> {
        let pairs = Self::of(self.take(name).unwrap_or_default())?;
        pairs.0.into_iter().map(|(name, value)| Ok((name.clone(), text(value, &name)?))).collect()
    }
}

/// The text of a value; `null` is empty. `name` is for the error.
///
/// # Errors
/// A value of another type.
pub fn text(value: Value, name: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        _ => Err(format!("{name} must be a text")),
    }
}

/// The items of a value; `null` has none. `name` is for the error.
///
/// # Errors
/// A value of another type.
pub fn list(value: Value, name: &str) -> Result<Vec<Value>> {
    match value {
        Value::Array(list) => Ok(list),
        Value::Null => Ok(Vec::new()),
        _ => Err(format!("{name} must be a list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_found_without_regard_to_case() {
        let mut members = Members::of(json!({"Key": "other", "key": "exact", "META": {"a": "b", "c": null}})).unwrap();
        assert_eq!(members.text("key").unwrap(), "exact");
        assert_eq!(members.text("key").unwrap(), "other");
        assert_eq!(members.text("key").unwrap(), "");
        assert_eq!(members.texts("meta").unwrap(), [("a", "b"), ("c", "")].map(|(a, b)| (a.into(), b.into())).into());
    }

    #[test]
    fn wrong_types_are_named() {
        assert_eq!(Members::of(json!([])).unwrap_err(), "an object was expected");
        let mut members = Members::of(json!({"a": 5, "b": {"c": 5}})).unwrap();
        assert_eq!(members.text("a").unwrap_err(), "a must be a text");
        assert_eq!(members.texts("b").unwrap_err(), "c must be a text");
        assert_eq!(list(json!("a"), "keys").unwrap_err(), "keys must be a list");
    }
}
