//! Configurations from files: later files win over earlier ones, field by field (surface.md 3.1).
use super::Configuration;
use crate::Resource;
use crate::decode::decode;
use crate::document::{Head, merge, parse, split};
use crate::environment::expand;
use crate::problem::Error;
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;

/// What an access control says without a default action or trust domain of its own (surface.md 0.31).
const DEFAULT_ACTION: &str = "allow";
const TRUST_DOMAIN: &str = "public";

impl Configuration {
    /// Reads files in their order; in their text `$NAME` and `${NAME}` stand for what `variable` gives.
    ///
    /// # Errors
    /// A file that cannot be read or is no configuration, or a configuration that contradicts itself.
    pub fn load<'a>(files: &[PathBuf], variable: &dyn Fn(&str) -> Option<&'a str>) -> Result<Self, Error> {
        let mut merged = Map::new();
        for file in files {
            let text = fs::read_to_string(file);
            let text = text.map_err(|reason| Error::Unreadable { path: file.clone(), reason })?;
            let malformed = |reason| Error::Malformed { file: file.clone(), reason };
            let document = document(&expand(&text, variable)).map_err(malformed)?;
            // A file that cannot be read by itself is to blame by its name.
            decode::<Self>(&Value::Object(document.clone())).map_err(|error| malformed(error.to_string()))?;
            merge(&mut merged, &document);
        }
        let merged = decode::<Self>(&Value::Object(merged)).map_err(|error| Error::Invalid(error.to_string()))?;
        merged.completed()
    }

    fn completed(mut self) -> Result<Self, Error> {
        if let Some(access) = &mut self.spec.access_control {
            set_empty(&mut access.default_action, DEFAULT_ACTION);
            set_empty(&mut access.trust_domain, TRUST_DOMAIN);
        }
        self.spec.check().map_err(Error::Invalid)?;
        Ok(self)
    }
}

fn set_empty(text: &mut String, usual: &str) {
    if text.is_empty() {
        usual.clone_into(text);
    }
}

/// The first configuration of a text; one without a kind counts too.
fn document(text: &str) -> Result<Map<String, Value>, String> {
    for (line, document) in split(text) {
        let value = parse(document, line)?;
        let kind = Head::of(&value).unwrap_or_default().kind;
        match value {
            Value::Object(members) if kind.is_empty() || kind == Configuration::KIND => return Ok(members),
            Value::Object(_) | Value::Null => {}
            _ => return Err("is no configuration".to_owned()),
        }
    }
    Ok(Map::new())
}
