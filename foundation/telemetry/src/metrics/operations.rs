//! Operations on components that are not pub/sub, and jobs.
use super::error::MetricsError;
use super::instruments::{Counter, Distribution, Timed};
use super::{Metrics, Registry};
use std::time::Duration;

const WITH_OPERATION: &[&str] = &["component", "namespace", "operation", "success"];
const WITHOUT_OPERATION: &[&str] = &["component", "namespace", "success"];

pub(super) struct Operations {
    namespace: String,
    state: Timed,
    configuration: Timed,
    secret: Timed,
    crypto: Timed,
    lock: Timed,
    output_binding: Timed,
    input_binding: Timed,
    conversation: Timed,
    job_success: Counter,
    job_failure: Counter,
    job_latency: Distribution,
}

impl Operations {
    pub(super) fn new(registry: &Registry, namespace: &str) -> Result<Self, MetricsError> {
        let timed = |group, count, latency, labels| registry.timed((group, "latencies"), (count, latency), labels);
        let job = &["namespace", "operation"];
        Ok(Self {
            namespace: namespace.to_owned(),
            state: timed("component_state", "Operations on state stores.", "Latency of state stores.", WITH_OPERATION)?,
            configuration: timed(
                "component_configuration",
                "Operations on configuration stores.",
                "Latency of configuration stores.",
                WITH_OPERATION,
            )?,
            secret: timed(
                "component_secret",
                "Operations on secret stores.",
                "Latency of secret stores.",
                WITH_OPERATION,
            )?,
            crypto: timed(
                "component_crypto",
                "Operations on crypto components.",
                "Latency of crypto components.",
                WITH_OPERATION,
            )?,
            lock: timed("component_lock", "Operations on lock stores.", "Latency of lock stores.", WITH_OPERATION)?,
            output_binding: timed(
                "component_output_binding",
                "Operations invoked on output bindings.",
                "Latency of output bindings.",
                WITH_OPERATION,
            )?,
            input_binding: timed(
                "component_input_binding",
                "Events that came from input bindings.",
                "Latency of the app with events of input bindings.",
                WITHOUT_OPERATION,
            )?,
            conversation: timed(
                "component_conversation",
                "Operations on conversation components.",
                "Latency of conversation components.",
                WITHOUT_OPERATION,
            )?,
            job_success: registry.counter("component_job_success_count", "Jobs that succeeded.", job)?,
            job_failure: registry.counter("component_job_failure_count", "Jobs that failed.", job)?,
            job_latency: registry.latency(
                "component_job_latencies",
                "Latency of the app with jobs.",
                &["namespace", "operation", "success"],
            )?,
        })
    }

    fn record(&self, timed: &Timed, component: &str, operation: &str, success: bool, elapsed: Duration) {
        timed.record(&[component, &self.namespace, operation, text(success)], elapsed);
    }
}

impl Metrics {
    /// `dapr_component_state_*`; operations: `get`, `set`, `delete`, `bulk_get`, `bulk_delete`, `query`, `transaction`.
    pub fn state(&self, component: &str, operation: &str, success: bool, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.operations.record(&groups.operations.state, component, operation, success, elapsed);
        }
    }

    /// `dapr_component_configuration_*`; operations: `get`, `subscribe`, `unsubscribe`.
    pub fn configuration(&self, component: &str, operation: &str, success: bool, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.operations.record(&groups.operations.configuration, component, operation, success, elapsed);
        }
    }

    /// `dapr_component_secret_*`; operations: `get`, `bulk_get`.
    pub fn secret(&self, component: &str, operation: &str, success: bool, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.operations.record(&groups.operations.secret, component, operation, success, elapsed);
        }
    }

    /// `dapr_component_crypto_*`; the operation is `crypto_op`.
    pub fn crypto(&self, component: &str, operation: &str, success: bool, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.operations.record(&groups.operations.crypto, component, operation, success, elapsed);
        }
    }

    /// `dapr_component_lock_*`, which Dapr has not; operations: `try_lock`, `unlock`.
    pub fn lock(&self, component: &str, operation: &str, success: bool, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.operations.record(&groups.operations.lock, component, operation, success, elapsed);
        }
    }

    /// `dapr_component_output_binding_*`; the operation is the one that the caller asked for.
    pub fn output_binding(&self, component: &str, operation: &str, success: bool, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.operations.record(&groups.operations.output_binding, component, operation, success, elapsed);
        }
    }

    /// `dapr_component_input_binding_*`: the app handled an event, or failed to.
    pub fn input_binding(&self, component: &str, success: bool, elapsed: Duration) {
        if let Some(Operations { input_binding, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.operations)
        {
            input_binding.record(&[component, namespace, text(success)], elapsed);
        }
    }

    /// `dapr_component_conversation_*`
    pub fn conversation(&self, component: &str, success: bool, elapsed: Duration) {
        if let Some(Operations { conversation, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.operations)
        {
            conversation.record(&[component, namespace, text(success)], elapsed);
        }
    }

    /// `dapr_component_job_*`; the operation is `job_trigger_op`.
    pub fn job(&self, operation: &str, success: bool, elapsed: Duration) {
        let Some(groups) = &self.groups else { return };
        let Operations { namespace, job_success, job_failure, job_latency, .. } = &groups.operations;
        let count = if success { job_success } else { job_failure };
        count.increment(&[namespace, operation]);
        job_latency.observe_latency(&[namespace, operation, text(success)], elapsed);
    }
}

/// The label value of a yes or no.
pub(super) fn text(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
