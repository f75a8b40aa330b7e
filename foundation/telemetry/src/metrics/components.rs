//! Loading of components, and mTLS.
use super::error::MetricsError;
use super::instruments::Counter;
use super::{Metrics, Registry};

pub(super) struct Components {
    loaded: Counter,
    initialized: Counter,
    failed: Counter,
    mtls_ready: Counter,
    mtls_failed: Counter,
    handshake_refused: Counter,
    certificate_rotated: Counter,
    certificate_failed: Counter,
}

impl Components {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let counter = |name, help, labels| registry.counter(name, help, labels);
        Ok(Self {
            loaded: counter("runtime_component_loaded", "Components that were loaded.", &[])?,
            initialized: counter("runtime_component_init_total", "Components that were initialized.", &["component"])?,
            failed: counter(
                "runtime_component_init_fail_total",
                "Components that could not be initialized.",
                &["component", "reason", "componentName"],
            )?,
            mtls_ready: counter("runtime_mtls_init_total", "Times that mTLS was set up.", &[])?,
            mtls_failed: counter("runtime_mtls_init_fail_total", "Times that mTLS could not be set up.", &["reason"])?,
            handshake_refused: counter(
                "runtime_mtls_handshake_fail_total",
                "TLS handshakes of other sidecars that failed.",
                &[],
            )?,
            certificate_rotated: counter(
                "runtime_mtls_workload_cert_rotated_total",
                "Rotations of the workload certificate.",
                &[],
            )?,
            certificate_failed: counter(
                "runtime_mtls_workload_cert_rotated_fail_total",
                "Rotations of the workload certificate that failed.",
                &["reason"],
            )?,
        })
    }
}

impl Metrics {
    /// `dapr_runtime_component_loaded`: a component was found among the resources and is wanted.
    pub fn component_loaded(&self) {
        if let Some(groups) = &self.groups {
            groups.components.loaded.increment(&[]);
        }
    }

    /// `dapr_runtime_component_init_total`: a component of this type, such as `state.redis`, is ready.
    pub fn component_initialized(&self, component_type: &str) {
        if let Some(groups) = &self.groups {
            groups.components.initialized.increment(&[component_type]);
        }
    }

    /// `dapr_runtime_component_init_fail_total`: a component could not be made (`creation`) or initialized (`init`).
    pub fn component_init_failed(&self, component_type: &str, reason: &str, name: &str) {
        if let Some(groups) = &self.groups {
            groups.components.failed.increment(&[component_type, reason, name]);
        }
    }

    /// `dapr_runtime_mtls_init_total`
    pub fn mtls_initialized(&self) {
        if let Some(groups) = &self.groups {
            groups.components.mtls_ready.increment(&[]);
        }
    }

    /// `dapr_runtime_mtls_init_fail_total`
    pub fn mtls_init_failed(&self, reason: &str) {
        if let Some(groups) = &self.groups {
            groups.components.mtls_failed.increment(&[reason]);
        }
    }

    /// `dapr_runtime_mtls_handshake_fail_total`, which Dapr does not have.
    pub fn handshake_refused(&self) {
        if let Some(groups) = &self.groups {
            groups.components.handshake_refused.increment(&[]);
        }
    }

    /// `dapr_runtime_mtls_workload_cert_rotated_total`
    pub fn workload_certificate_rotated(&self) {
        if let Some(groups) = &self.groups {
            groups.components.certificate_rotated.increment(&[]);
        }
    }

    /// `dapr_runtime_mtls_workload_cert_rotated_fail_total`
    pub fn workload_certificate_rotation_failed(&self, reason: &str) {
        if let Some(groups) = &self.groups {
            groups.components.certificate_failed.increment(&[reason]);
        }
    }
}
