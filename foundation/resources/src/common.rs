//! What all kinds of resources share: names, scopes, and values that come from elsewhere.
use crate::decode::scalar;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// A kind of resource (contract: surface.md section 3).
pub trait Resource: Clone + PartialEq + DeserializeOwned + Serialize {
    /// The `kind` of its documents.
    const KIND: &'static str;
    /// The `apiVersion`s of its documents, the one that is stored first.
    const API_VERSIONS: &'static [&'static str];

    /// Name and namespace.
    fn metadata(&self) -> &ObjectMeta;

    /// Ids of the apps that it is for; empty is all.
    fn scopes(&self) -> &[String];

    /// Name in log lines.
    fn log_name(&self) -> String {
        self.metadata().name.clone()
    }

    /// Whether it is for an app.
    fn is_scoped_to(&self, app_id: &str) -> bool {
        let scopes = self.scopes();
        scopes.is_empty() || scopes.iter().any(|scope| scope == app_id)
    }
}

/// Name and namespace of a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ObjectMeta {
    /// Unique among resources of one kind.
    pub name: String,
    /// Kubernetes namespace; empty means any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
}

/// Where secrets that a resource refers to are read from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Auth {
    /// Name of a secret store component.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub secret_store: String,
}

/// A named value: written out, or a reference to a secret or an environment variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NameValue {
    /// Name of the value.
    pub name: String,
    /// The value itself: any JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<DynamicValue>,
    /// A secret that holds the value. It wins over `value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_key_ref: Option<SecretKeyRef>,
    /// An environment variable of the sidecar that holds the value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub env_ref: String,
}

impl NameValue {
    /// The value that is written out, as text; none without one.
    pub fn text(&self) -> Option<String> {
        self.value.as_ref().map(DynamicValue::text)
    }

    /// The secret that is referred to.
    pub fn secret(&self) -> Option<&SecretKeyRef> {
        self.secret_key_ref.as_ref().filter(|secret| !secret.name.is_empty())
    }
}

/// A secret, and the key of its value there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SecretKeyRef {
    /// Name of the secret.
    pub name: String,
    /// Key in the secret; empty means the secret's name.
    pub key: String,
}

impl SecretKeyRef {
    /// The key in the secret.
    pub fn key(&self) -> &str {
        if self.key.is_empty() { &self.name } else { &self.key }
    }
}

/// Any JSON value. As it may be a password, it is never printed.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct DynamicValue(pub Value);

impl DynamicValue {
    /// The value as text: strings as they are, everything else as JSON.
    pub fn text(&self) -> String {
        match &self.0 {
            Value::String(text) => text.clone(),
            Value::Number(_) => scalar(&self.0),
            other => other.to_string(),
        }
    }
}

impl From<&str> for DynamicValue {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for DynamicValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynamicValue(..)")
    }
}
