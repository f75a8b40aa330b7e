//! Configurations from files: later files win over earlier ones, field by field (surface.md 3.1).
use super::Configuration;
use crate::Resource;
use crate::decode::{decode, decode_and_look};
use crate::document::{Head, merge, parse, split};
use crate::environment::expand;
use crate::hints::hints;
use crate::problem::{Error, Problem};
use serde_json::{Map, Value};
use std::fs;
use std::path::PathBuf;

const SCOPE: &str = "dapr.runtime";

/// What an access control says without a default action or trust domain of its own (surface.md 0.31).
const DEFAULT_ACTION: &str = "allow";
const TRUST_DOMAIN: &str = "public";

impl Configuration {
    /// Reads files in their order; in their text `$NAME` and `${NAME}` stand for what `variable` gives.
    ///
    /// # Errors
    /// A file that cannot be read or is no configuration, or a configuration that contradicts itself.
    pub fn load<'a>(files: &[PathBuf], variable: &dyn Fn(&str) -> Option<&'a str>) -> Result<Self, Error> {
        let (configuration, hints) = Self::read(files, variable)?;
        hints.iter().for_each(|hint| tracing::warn!(target: SCOPE, "{hint}"));
        Ok(configuration)
    }

    /// The same, with what has no effect in the files.
    pub(crate) fn read<'a>(
        files: &[PathBuf],
        variable: &dyn Fn(&str) -> Option<&'a str>,
    ) -> Result<(Self, Vec<Problem>), Error> {
        let (mut merged, mut said) = (Map::new(), Vec::new());
        for file in files {
            let text = fs::read_to_string(file);
            let text = text.map_err(|reason| Error::Unreadable { path: file.clone(), reason })?;
            let malformed = |reason| Error::Malformed { file: file.clone(), reason };
            let document = document(&expand(&text, variable)).map_err(malformed)?;
            // A file that cannot be read by itself is to blame by its name.
            let value = Value::Object(document.clone());
            let (_, strays) = decode_and_look::<Self>(&value).map_err(|error| malformed(error.to_string()))?;
            let head = Head::of(&value).unwrap_or_default();
            let hint = |reason| Problem::of(file, &head, reason);
            said.extend(hints(&value, &head, strays).into_iter().map(hint));
            merge(&mut merged, &document);
        }
        let merged = decode::<Self>(&Value::Object(merged)).map_err(|error| Error::Invalid(error.to_string()))?;
        Ok((merged.completed()?, said))
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
