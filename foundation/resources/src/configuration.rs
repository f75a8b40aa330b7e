//! Configuration v1alpha1: how sidecars and the control plane behave (surface.md 3.3).
mod access;
mod files;
mod observability;
mod workflow;

pub use access::{
    AccessControl, Api, ApiAccessRule, AppPolicy, DeniedComponents, Mtls, Operation, SecretScope, Secrets,
    TokenValidator,
};
pub use observability::{ApiLogging, HttpMetrics, Logging, Metrics, MetricsLabel, MetricsRule, Otel, Tracing, Zipkin};
pub use workflow::{ConcurrencyLimit, StateRetention, Workflow};

use crate::common::{DynamicValue, ObjectMeta, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Features that are on unless they are switched off (surface.md 6.5).
const DEFAULT_FEATURES: [&str; 2] = ["HotReload", "WorkflowsRemoteActivityReminder"];

/// How sidecars and the control plane behave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Configuration {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// All settings.
    pub spec: ConfigurationSpec,
}

/// All settings. What is not set is none here; methods give what that means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ConfigurationSpec {
    /// Middleware of calls to the app, the first one outermost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_http_pipeline: Option<Pipeline>,
    /// Middleware of the HTTP API, the first one outermost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_pipeline: Option<Pipeline>,
    /// Traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Tracing>,
    /// Metrics, by their older name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metrics>,
    /// Metrics. They win over `metric`, field by field.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Metrics>,
    /// Identities of sidecars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtls: Option<Mtls>,
    /// Which secrets may be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets: Option<Secrets>,
    /// Which apps may invoke this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_control: Option<AccessControl>,
    /// How other apps are found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_resolution: Option<NameResolution>,
    /// Preview features that are switched on or off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<Feature>,
    /// Which parts of the API are there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api: Option<Api>,
    /// Which components are not to be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<DeniedComponents>,
    /// What is logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// How WebAssembly runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasm: Option<Wasm>,
    /// Limits of workflows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<Workflow>,
}

/// Middleware in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Pipeline {
    /// The first one is outermost.
    pub handlers: Vec<Handler>,
}

/// A step of a pipeline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Handler {
    /// Name of a Component.
    pub name: String,
    /// Its type, such as `middleware.http.bearer`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its version; empty means `v1`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// For which requests; read but not used, as in Dapr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
}

/// For which requests a step is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Selector {
    /// Fields that have to match.
    pub fields: Vec<SelectorField>,
}

/// A field that has to match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SelectorField {
    /// Name of the field.
    pub field: String,
    /// Its value.
    pub value: String,
}

/// How other apps are found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct NameResolution {
    /// Name of the resolver, such as `mdns`; empty is the default of the mode.
    pub component: String,
    /// Its version; empty means `v1`.
    pub version: String,
    /// Its settings, any JSON.
    pub configuration: DynamicValue,
}

/// A preview feature that is switched on or off.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Feature {
    /// Name of the feature.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
}

/// How WebAssembly runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Wasm {
    /// No clocks and no randomness from the host.
    pub strict_sandbox: bool,
}

impl ConfigurationSpec {
    /// Names of the features that are on, in alphabetical order.
    pub fn enabled_features(&self) -> Vec<String> {
        let mut on: BTreeMap<&str, bool> = DEFAULT_FEATURES.map(|name| (name, true)).into();
        on.extend(self.features.iter().map(|feature| (feature.name.as_str(), feature.enabled)));
        let named = on.into_iter().filter(|(name, on)| *on && !name.is_empty());
        named.map(|(name, _)| name.to_owned()).collect()
    }

    /// Whether a feature is on.
    pub fn has_feature(&self, name: &str) -> bool {
        self.enabled_features().iter().any(|on| on == name)
    }

    /// The metrics of both names, `metrics` before `metric`.
    pub fn merged_metrics(&self) -> Metrics {
        let (old, new) = (self.metric.clone().unwrap_or_default(), self.metrics.clone().unwrap_or_default());
        Metrics {
            enabled: new.enabled.or(old.enabled),
            record_error_codes: new.record_error_codes.or(old.record_error_codes),
            http: new.http.or(old.http),
            rules: if new.rules.is_empty() { old.rules } else { new.rules },
            latency_distribution_buckets: new.latency_distribution_buckets.or(old.latency_distribution_buckets),
        }
    }

    /// Whether a component may be loaded (`components.deny`).
    pub fn allows_component(&self, kind: &str, version: &str) -> bool {
        self.components.as_ref().is_none_or(|components| !components.denies(kind, version))
    }
}

impl Resource for Configuration {
    const KIND: &'static str = "Configuration";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v1alpha1"];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &[]
    }
}
