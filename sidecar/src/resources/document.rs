//! One YAML document, whose members are looked up without regard to case.
use super::Reader;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// A document or a part of one; what is not there is null.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document(Value);

impl Document {
    /// All documents of a file; one that cannot be read is logged and left out.
    pub(crate) fn parse(text: &str, file: &Path) -> Vec<Self> {
        let read = |text: &String| match serde_saphyr::from_str::<Value>(text) {
            Ok(value @ Value::Object(_)) => Some(Self(value)),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(target: "dapr.runtime", "error parsing yaml resource in {}: {error}", file.display());
                None
            }
        };
        split(text).iter().filter_map(read).collect()
    }

    pub(crate) fn of(value: Value) -> Self {
        Self(value)
    }

    pub(crate) fn kind(&self) -> String {
        self.text("kind")
    }

    pub(crate) fn name(&self) -> String {
        self.get("metadata").text("name")
    }

    pub(crate) fn namespace(&self) -> String {
        self.get("metadata").text("namespace")
    }

    pub(crate) fn spec(&self) -> Self {
        self.get("spec")
    }

    pub(crate) fn log_name(&self) -> String {
        let (name, spec) = (self.name(), self.spec());
        if self.kind() == "Component" {
            format!("{name} ({}/{})", spec.text("type"), spec.text("version"))
        } else {
            name
        }
    }

    /// Whether the namespace is the reader's.
    pub(crate) fn is_for(&self, reader: Reader<'_>) -> bool {
        let own = self.namespace();
        own.is_empty() || reader.namespace.is_empty() || own == reader.namespace
    }

    /// Whether the scopes name the app, or there are none.
    pub(crate) fn is_scoped_to(&self, app_id: &str) -> bool {
        let scopes = self.list("scopes");
        scopes.is_empty() || scopes.iter().any(|scope| scope.0.as_str() == Some(app_id))
    }

    pub(crate) fn value(&self) -> &Value {
        &self.0
    }

    pub(crate) fn get(&self, name: &str) -> Self {
        Self(self.member(name).cloned().unwrap_or_default())
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.scalar(name).unwrap_or_default()
    }

    /// A value of any kind as text; objects as JSON.
    pub(crate) fn scalar(&self, name: &str) -> Option<String> {
        match self.member(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    pub(crate) fn bool(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    pub(crate) fn int(&self, name: &str) -> i32 {
        self.text(name).parse().unwrap_or_default()
    }

    pub(crate) fn number(&self) -> Option<f64> {
        self.0.as_f64()
    }

    /// The members of an array.
    pub(crate) fn items(&self) -> Vec<Self> {
        self.0.as_array().into_iter().flatten().cloned().map(Self).collect()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<Self> {
        match self.member(name) {
            Some(Value::Array(items)) => items.iter().cloned().map(Self).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn strings(&self, name: &str) -> Vec<String> {
        self.list(name).iter().filter_map(|item| item.0.as_str().map(str::to_owned)).collect()
    }

    pub(crate) fn texts(&self, name: &str) -> BTreeMap<String, String> {
        let members = self.member(name).and_then(Value::as_object).cloned().unwrap_or_default();
        let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        members.into_iter().map(|(name, value)| (name, text(value))).collect()
    }

    fn member(&self, name: &str) -> Option<&Value> {
        let members: &Map<String, Value> = self.0.as_object()?;
        let exact = members.get(name);
        exact.or_else(|| members.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
    }
}

/// The documents between lines of three dashes.
fn split(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            documents.push(String::new());
        } else if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    documents.retain(|document| !document.trim().is_empty());
    documents
}
