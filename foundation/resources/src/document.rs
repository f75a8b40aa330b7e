//! YAML documents: how a file is divided, and what each of them is.
use crate::bounded;
use crate::decode::{DecodeError, Stray, decode, decode_and_look, member};
use crate::{
    Component, Configuration, HttpEndpoint, McpServer, ObjectMeta, Resiliency, Resource, Subscription,
    WorkflowAccessPolicy,
};
use foundation_metadata::meant;
use serde_json::{Map, Value};

/// All kinds, with their versions.
const KINDS: [(&str, &[&str]); 7] = [
    (Component::KIND, Component::API_VERSIONS),
    (Configuration::KIND, Configuration::API_VERSIONS),
    (HttpEndpoint::KIND, HttpEndpoint::API_VERSIONS),
    (McpServer::KIND, McpServer::API_VERSIONS),
    (Resiliency::KIND, Resiliency::API_VERSIONS),
    (Subscription::KIND, Subscription::API_VERSIONS),
    (WorkflowAccessPolicy::KIND, WorkflowAccessPolicy::API_VERSIONS),
];

/// The documents of a file, with the number of the line that each begins in. They are divided by lines that begin with
/// three dashes; JSON is YAML too.
pub(crate) fn split(text: &str) -> Vec<(usize, &str)> {
    let (mut documents, mut start, mut line, mut offset) = (Vec::new(), 0, 1, 0);
    let mut first_line = 1;
    for one in text.split_inclusive('\n') {
        if one.starts_with("---") {
            documents.push((first_line, &text[start..offset]));
            (start, first_line) = (offset + one.len(), line + 1);
        }
        (line, offset) = (line + 1, offset + one.len());
    }
    documents.push((first_line, &text[start..]));
    documents.retain(|(_, document)| !document.trim().is_empty());
    documents
}

/// YAML as a JSON value.
///
/// # Errors
/// What is wrong and where. Never a part of the text, as it may be a secret.
pub(crate) fn parse(text: &str, first_line: usize) -> Result<Value, String> {
    bounded::read(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        let reason = bounded::reason(&error);
        format!("is no YAML near line {}: {reason}", u64::try_from(first_line).unwrap_or(1) + line - 1)
    })
}

/// What a document says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) kind: String,
    pub(crate) api_version: String,
    pub(crate) metadata: ObjectMeta,
}

impl Head {
    /// Reads it; none for what is no resource at all.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        let text = |name: &str| member(members, name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let metadata = member(members, "metadata").and_then(|metadata| decode(metadata).ok()).unwrap_or_default();
        Some(Self { kind: text("kind"), api_version: text("apiVersion"), metadata })
    }

    /// Why a document that wants to be a resource is none; none when it is one, or is meant for somebody else.
    pub(crate) fn foreign(&self) -> Option<String> {
        let Self { kind, api_version, .. } = self;
        // Without a kind it may be half written.
        if !api_version.starts_with("dapr.io/") || kind.is_empty() {
            return None;
        }
        let Some((_, versions)) = KINDS.iter().find(|(known, _)| known == kind) else {
            let known = KINDS.map(|(known, _)| known);
            let list = || format!("use {}", known.join(", "));
            let advice = meant(kind, known).map_or_else(list, |meant| format!("did you mean {meant}?"));
            return Some(format!("kind is none that is known; {advice}"));
        };
        let is_known = versions.contains(&api_version.as_str());
        (!is_known).then(|| format!("apiVersion is none that is known; use {}", versions.join(" or ")))
    }

    /// Whether the document is a resource of a kind.
    pub(crate) fn is<T: Resource>(&self) -> bool {
        self.kind == T::KIND && T::API_VERSIONS.contains(&self.api_version.as_str())
    }
}

/// A document as a resource of its kind, with the names that none of its fields has.
///
/// # Errors
/// The field that is wrong.
pub(crate) fn read<T: Resource>(value: &Value, head: &Head) -> Result<(T, Vec<Stray>), DecodeError> {
    let name = &head.metadata.name;
    if name == "." || name == ".." || name.contains(['/', '%']) {
        let reason = "must not be a part of a path: it may have no slash and no percent sign".to_owned();
        return Err(DecodeError { path: "metadata.name".to_owned(), reason });
    }
    decode_and_look(value)
}

/// Puts the members of `from` into `into`, which gives way; lists are replaced as a whole.
pub(crate) fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from.iter().filter(|(_, value)| !value.is_null()) {
        let known = into.keys().find(|known| known.eq_ignore_ascii_case(name)).unwrap_or(name).clone();
        match (into.get_mut(&known), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge(into, from),
            _ => drop(into.insert(known, value.clone())),
        }
    }
}
