//! Resiliency policies at work.
use super::error::MetricsError;
use super::instruments::{Counter, Gauge};
use super::{Metrics, Registry};

const USE: &[&str] = &["name", "policy", "namespace", "flow_direction", "target", "status"];
const BREAKER: &str = "circuitbreaker";
const BREAKER_STATES: [&str; 4] = ["closed", "half-open", "open", "unknown"];

pub(super) struct Resiliency {
    loaded: Counter,
    executed: Counter,
    activated: Counter,
    breaker_state: Gauge,
}

/// One use of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyUse<'a> {
    /// The Resiliency resource.
    pub resource: &'a str,
    pub namespace: &'a str,
    /// `timeout`, `retry` or `circuitbreaker`.
    pub policy: &'a str,
    /// `inbound` or `outbound`.
    pub flow_direction: &'a str,
    /// Such as `app_orders`, `Statestore_store` or `actor_Type`.
    pub target: &'a str,
    /// The state of a circuit breaker: `closed`, `half-open`, `open` or `unknown`; else empty.
    pub status: &'a str,
}

impl Resiliency {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        Ok(Self {
            loaded: registry.counter("resiliency_loaded", "Resiliency resources loaded.", &["name", "namespace"])?,
            executed: registry.counter("resiliency_count", "Calls under a policy.", USE)?,
            activated: registry.counter(
                "resiliency_activations_total",
                "Times that a policy acted: after a failure, or when the state of a breaker changed.",
                USE,
            )?,
            breaker_state: registry.gauge(
                "resiliency_cb_state",
                "1 at the state that the circuit breaker is in, 0 at the others.",
                USE,
            )?,
        })
    }
}

impl Metrics {
    /// `dapr_resiliency_loaded`: a Resiliency resource is in force.
    pub fn resiliency_loaded(&self, resource: &str, namespace: &str) {
        if let Some(groups) = &self.groups {
            groups.resiliency.loaded.increment(&[resource, namespace]);
        }
    }

    /// `dapr_resiliency_count`: a call goes under the policy; also sets `dapr_resiliency_cb_state` of a breaker.
    pub fn resiliency_executed(&self, policy: PolicyUse<'_>) {
        let Some(groups) = &self.groups else { return };
        groups.resiliency.executed.increment(&policy.values());
        if policy.policy == BREAKER {
            for status in BREAKER_STATES {
                let value = i64::from(status == policy.status);
                groups.resiliency.breaker_state.set(&PolicyUse { status, ..policy }.values(), value);
            }
        }
    }

    /// `dapr_resiliency_activations_total`: the policy acted.
    pub fn resiliency_activated(&self, policy: PolicyUse<'_>) {
        if let Some(groups) = &self.groups {
            groups.resiliency.activated.increment(&policy.values());
        }
    }
}

impl<'a> PolicyUse<'a> {
    fn values(&self) -> [&'a str; 6] {
        [self.resource, self.policy, self.namespace, self.flow_direction, self.target, self.status]
    }
}
