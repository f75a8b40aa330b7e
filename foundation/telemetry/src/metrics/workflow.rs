//! Workflows, activities and attestations of their completion.
use super::error::MetricsError;
use super::instruments::{Counter, Distribution, Timed};
use super::{Metrics, Registry};
use std::time::Duration;

/// Upper bounds for payloads as a fraction of the largest message, close together where workflows stall (0.95).
const RATIO_BUCKETS: [f64; 10] = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0, 1.5, 2.0];

pub(super) struct Workflow {
    namespace: String,
    operation: Timed,
    execution: Timed,
    scheduling: Distribution,
    activity_operation: Timed,
    activity_execution: Timed,
    payload: Distribution,
    activity_payload: Distribution,
    attested: Counter,
    attestation_verified: Counter,
    attestation_latency: Distribution,
    certificate_lookups: Counter,
}

impl Workflow {
    pub(super) fn new(registry: &Registry, namespace: &str) -> Result<Self, MetricsError> {
        const OPERATION: &[&str] = &["namespace", "operation", "status"];
        const WORKFLOW: &[&str] = &["namespace", "workflow_name", "status"];
        const ACTIVITY: &[&str] = &["namespace", "activity_name", "status"];
        const VERIFIED: &[&str] = &["namespace", "attestation_kind", "attestation_result"];
        let name = |rest: &str| format!("runtime_workflow_{rest}");
        let timed =
            |group: &str, count, latency, labels| registry.timed((&name(group), "latency"), (count, latency), labels);
        let ratio = |group: &str, help, labels| registry.distribution(&name(group), help, labels, &RATIO_BUCKETS);
        Ok(Self {
            namespace: namespace.to_owned(),
            operation: timed(
                "operation",
                "Operations on workflows.",
                "Latency of operations on workflows.",
                OPERATION,
            )?,
            execution: timed("execution", "Executions of workflows.", "Time to complete workflows.", WORKFLOW)?,
            scheduling: registry.latency(
                &name("scheduling_latency"),
                "Time from the request for a workflow to its start.",
                &WORKFLOW[..2],
            )?,
            activity_operation: timed(
                "activity_operation",
                "Operations on activities.",
                "Latency of operations on activities.",
                ACTIVITY,
            )?,
            activity_execution: timed(
                "activity_execution",
                "Executions of activities.",
                "Time to complete activities.",
                ACTIVITY,
            )?,
            payload: ratio("payload_size_ratio", "Payloads as a fraction of the largest message.", &WORKFLOW[..2])?,
            activity_payload: ratio(
                "activity_payload_size_ratio",
                "Payloads of activities as a fraction of the largest message.",
                &["namespace", "workflow_name", "activity_name"],
            )?,
            attested: registry.counter(
                &name("attestation_generated_count"),
                "Attestations of completion that were made.",
                &["namespace", "attestation_kind", "status"],
            )?,
            attestation_verified: registry.counter(
                &name("attestation_verified_count"),
                "Attestations of completion that were verified.",
                VERIFIED,
            )?,
            attestation_latency: registry.latency(
                &name("attestation_verify_latency"),
                "Time to verify an attestation.",
                VERIFIED,
            )?,
            certificate_lookups: registry.counter(
                &name("attestation_cert_cache_count"),
                "Look-ups of verified certificate chains.",
                &["namespace", "cert_cache_outcome"],
            )?,
        })
    }
}

impl Metrics {
    /// `dapr_runtime_workflow_operation_*`; operations: `create_workflow`, `get_workflow`, `add_event`, `purge_workflow`.
    pub fn workflow_operation(&self, operation: &str, status: &str, elapsed: Duration) {
        if let Some(Workflow { operation: timed, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.workflow)
        {
            timed.record(&[namespace, operation, status], elapsed);
        }
    }

    /// `dapr_runtime_workflow_execution_*`; statuses: `success`, `failed`, `terminated`, `recoverable`.
    pub fn workflow_execution(&self, workflow: &str, status: &str, elapsed: Duration) {
        if let Some(Workflow { execution, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.workflow) {
            execution.record(&[namespace, workflow, status], elapsed);
        }
    }

    /// `dapr_runtime_workflow_scheduling_latency`
    pub fn workflow_scheduled(&self, workflow: &str, elapsed: Duration) {
        if let Some(Workflow { scheduling, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.workflow) {
            scheduling.observe_latency(&[namespace, workflow], elapsed);
        }
    }

    /// `dapr_runtime_workflow_activity_operation_*`
    pub fn activity_operation(&self, activity: &str, status: &str, elapsed: Duration) {
        if let Some(Workflow { activity_operation, namespace, .. }) =
            self.groups.as_ref().map(|groups| &groups.workflow)
        {
            activity_operation.record(&[namespace, activity, status], elapsed);
        }
    }

    /// `dapr_runtime_workflow_activity_execution_*`; statuses: `success`, `failed`, `recoverable`.
    pub fn activity_execution(&self, activity: &str, status: &str, elapsed: Duration) {
        if let Some(Workflow { activity_execution, namespace, .. }) =
            self.groups.as_ref().map(|groups| &groups.workflow)
        {
            activity_execution.record(&[namespace, activity, status], elapsed);
        }
    }

    /// `dapr_runtime_workflow_payload_size_ratio`: a payload as a fraction of the largest message.
    pub fn workflow_payload(&self, workflow: &str, ratio: f64) {
        if let Some(Workflow { payload, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.workflow) {
            payload.observe(&[namespace, workflow], ratio);
        }
    }

    /// `dapr_runtime_workflow_activity_payload_size_ratio`
    pub fn activity_payload(&self, workflow: &str, activity: &str, ratio: f64) {
        if let Some(Workflow { activity_payload, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.workflow)
        {
            activity_payload.observe(&[namespace, workflow, activity], ratio);
        }
    }

    /// `dapr_runtime_workflow_attestation_generated_count`; kinds: `child`, `activity`; statuses: `success`, `failed`.
    pub fn attestation_generated(&self, kind: &str, status: &str) {
        if let Some(Workflow { attested, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.workflow) {
            attested.increment(&[namespace, kind, status]);
        }
    }

    /// `dapr_runtime_workflow_attestation_verified_count` and `_verify_latency`; results: `ok`, `reject`.
    pub fn attestation_verified(&self, kind: &str, result: &str, elapsed: Duration) {
        let Some(groups) = &self.groups else { return };
        let Workflow { attestation_verified, attestation_latency, namespace, .. } = &groups.workflow;
        attestation_verified.increment(&[namespace, kind, result]);
        attestation_latency.observe_latency(&[namespace, kind, result], elapsed);
    }

    /// `dapr_runtime_workflow_attestation_cert_cache_count`; outcomes: `hit`, `miss`.
    pub fn attestation_certificate_lookup(&self, outcome: &str) {
        if let Some(Workflow { certificate_lookups, namespace, .. }) =
            self.groups.as_ref().map(|groups| &groups.workflow)
        {
            certificate_lookups.increment(&[namespace, outcome]);
        }
    }
}
