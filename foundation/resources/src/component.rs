//! Component v1alpha1: a technology behind a building block (surface.md 3.2).
use crate::common::{Auth, NameValue, ObjectMeta, Resource};
use foundation_metadata::duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const INIT_TIMEOUT: Duration = Duration::from_secs(5);

/// A technology that a building block uses, and how it is reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Component {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// What it is.
    pub spec: ComponentSpec,
    /// Where its secrets are.
    pub auth: Auth,
    /// Ids of the apps that may use it; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// What a component is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ComponentSpec {
    /// Full type, such as `state.redis`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of the type; empty means `v1`.
    pub version: String,
    /// Whether the sidecar goes on without the component when it cannot be started.
    pub ignore_errors: bool,
    /// How long its start may take, such as `30s`; 5 seconds when empty or no duration.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub init_timeout: String,
    /// Settings of the component.
    pub metadata: Vec<NameValue>,
}

impl ComponentSpec {
    /// How long the start may take.
    pub fn init_timeout(&self) -> Duration {
        duration::parse(&self.init_timeout).unwrap_or(INIT_TIMEOUT)
    }
}

impl Resource for Component {
    const KIND: &'static str = "Component";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v1alpha1"];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &self.scopes
    }

    fn log_name(&self) -> String {
        format!("{} ({}/{})", self.metadata.name, self.spec.kind, self.spec.version)
    }
}
