//! Traces, metrics and logs.
use crate::common::{DynamicValue, NameValue};
use foundation_metadata::GoDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Traces, and where they go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Tracing {
    /// Share of the calls that are traced, from `0` to `1`; one in ten thousand when empty or no number.
    pub sampling_rate: String,
    /// Whether spans are written to the log.
    pub stdout: bool,
    /// A Zipkin server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zipkin: Option<Zipkin>,
    /// An OpenTelemetry collector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otel: Option<Otel>,
}

/// A Zipkin server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Zipkin {
    /// URL that spans are posted to.
    pub endpoint_address: String,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Otel {
    /// `http` or `grpc`.
    pub protocol: String,
    /// Host and port.
    pub endpoint_address: String,
    /// Whether the connection is encrypted; yes when not set.
    pub is_secure: Option<bool>,
    /// Headers of every export, as name and value or as `name=value`.
    #[serde(deserialize_with = "headers", skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<NameValue>,
    /// Longest time of an export.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
}

/// Metrics: which there are, and in what detail.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Metrics {
    /// Whether there are any; yes when not set.
    pub enabled: Option<bool>,
    /// Whether error codes of the API are counted; no when not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_error_codes: Option<bool>,
    /// Those of HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpMetrics>,
    /// Changes of labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<MetricsRule>,
    /// Upper bounds of the latency histograms' buckets, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_distribution_buckets: Option<Vec<i64>>,
}

/// Metrics of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct HttpMetrics {
    /// Whether paths and status codes are labels; yes when not set.
    pub increased_cardinality: Option<bool>,
    /// Patterns of paths that are told apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub path_matching: Vec<String>,
    /// Whether methods are left out; no when not set.
    pub exclude_verbs: Option<bool>,
}

/// Changes of a metric's labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MetricsRule {
    /// Name of the metric.
    pub name: String,
    /// The labels.
    pub labels: Vec<MetricsLabel>,
}

/// Changes of a label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MetricsLabel {
    /// Name of the label.
    pub name: String,
    /// New values, and the regular expressions of the values that they take the place of.
    pub regex: BTreeMap<String, String>,
}

/// What is logged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Logging {
    /// Calls of the API.
    pub api_logging: Option<ApiLogging>,
}

/// What is logged of calls of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ApiLogging {
    /// Whether calls are logged, unless a flag says otherwise.
    pub enabled: bool,
    /// Whether the names of routes take the place of paths.
    #[serde(rename = "obfuscateURLs")]
    pub obfuscate_urls: bool,
    /// Whether health checks are left out.
    pub omit_health_checks: bool,
}

impl Metrics {
    /// Whether there are any.
    pub fn is_enabled(&self) -> bool {
        self.enabled != Some(false)
    }
}

impl Otel {
    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.is_secure != Some(false)
    }
}

/// Dapr's sidecar reads `name=value` from files, and its resource definition has name and value.
fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<NameValue>, D::Error> {
    let headers: Vec<Value> = Vec::deserialize(deserializer)?;
    headers.into_iter().map(header).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

fn header(value: Value) -> Result<NameValue, String> {
    let Value::String(text) = value else {
        return serde_json::from_value(value).map_err(|_| "a header needs name and value".to_owned());
    };
    let (name, value) = text.split_once('=').ok_or("a header has the form name=value")?;
    Ok(NameValue { name: name.to_owned(), value: Some(DynamicValue::from(value)), ..NameValue::default() })
}
