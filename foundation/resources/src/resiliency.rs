//! Resiliency v1alpha1: policies, and what they are for (surface.md 3.5).
use crate::common::{ObjectMeta, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Policies against failures, and the targets that use them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Resiliency {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// Policies and targets.
    pub spec: ResiliencySpec,
    /// Ids of the apps that it is for; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// Policies and targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ResiliencySpec {
    /// Policies by name.
    pub policies: Policies,
    /// Who uses them.
    pub targets: Targets,
}

/// Policies by name. They stay texts here: one that is wrong spoils itself and not the document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Policies {
    /// Durations; a bare number is milliseconds.
    pub timeouts: BTreeMap<String, String>,
    /// When and how often to try again.
    pub retries: BTreeMap<String, Retry>,
    /// When not even to try.
    pub circuit_breakers: BTreeMap<String, CircuitBreaker>,
}

/// When and how often to try again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Retry {
    /// `constant` or `exponential`.
    pub policy: String,
    /// Pause of a constant policy; 5 seconds when empty.
    pub duration: String,
    /// Longest pause of an exponential policy; 60 seconds when empty.
    pub max_interval: String,
    /// Most retries; none or -1 is without end.
    pub max_retries: Option<i32>,
    /// Failures that are tried again; none is all.
    pub matching: Option<RetryMatching>,
}

/// Failures that are tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RetryMatching {
    /// HTTP status codes and ranges, such as `429,500-599`.
    #[serde(rename = "httpStatusCodes")]
    pub http_status_codes: String,
    /// gRPC status codes and ranges, such as `1-4,14`.
    #[serde(rename = "gRPCStatusCodes")]
    pub grpc_status_codes: String,
}

/// When not even to try.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct CircuitBreaker {
    /// Requests that pass while it is half open; 1 when 0.
    pub max_requests: i64,
    /// Time after which counters start again while it is closed; never when empty.
    pub interval: String,
    /// Time that it stays open; 60 seconds when empty.
    pub timeout: String,
    /// CEL expression that opens it; `consecutiveFailures > 5` when empty.
    pub trip: String,
}

/// Who uses policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Targets {
    /// By app id or name of an HTTPEndpoint.
    pub apps: BTreeMap<String, EndpointPolicies>,
    /// By actor type.
    pub actors: BTreeMap<String, ActorPolicies>,
    /// By name of a component.
    pub components: BTreeMap<String, ComponentPolicies>,
}

/// Names of the policies of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct EndpointPolicies {
    /// Name of a timeout.
    pub timeout: String,
    /// Name of a retry policy.
    pub retry: String,
    /// Name of a circuit breaker.
    pub circuit_breaker: String,
    /// Most circuit breakers that are kept; 100 when 0.
    pub circuit_breaker_cache_size: i64,
}

/// Names of the policies of an actor type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ActorPolicies {
    /// Name of a timeout.
    pub timeout: String,
    /// Name of a retry policy.
    pub retry: String,
    /// Name of a circuit breaker.
    pub circuit_breaker: String,
    /// What has a circuit breaker of its own: `type`, `id` or `both`. Required with a circuit breaker.
    pub circuit_breaker_scope: String,
    /// Most circuit breakers that are kept; 5000 when 0.
    pub circuit_breaker_cache_size: i64,
}

/// Policies of a component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ComponentPolicies {
    /// For what comes from the component.
    pub inbound: PolicyNames,
    /// For what goes to the component.
    pub outbound: PolicyNames,
}

/// Names of policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PolicyNames {
    /// Name of a timeout.
    pub timeout: String,
    /// Name of a retry policy.
    pub retry: String,
    /// Name of a circuit breaker.
    pub circuit_breaker: String,
}

impl Resource for Resiliency {
    const KIND: &'static str = "Resiliency";
    const API_VERSIONS: &'static [&'static str] = &["dapr.io/v1alpha1"];

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn scopes(&self) -> &[String] {
        &self.scopes
    }
}
