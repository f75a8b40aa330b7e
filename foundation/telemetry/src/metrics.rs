//! Metrics in Dapr's names (contract surface 5.1), rendered for Prometheus.
//!
//! [`Metrics`] has one method per event; the files below hold them by group. Processes with metrics of their own, such as
//! the control plane, make their instruments at a [`Registry`].
mod access;
mod actors;
mod app;
mod cache;
mod components;
mod error;
mod grpc;
mod http;
mod instruments;
mod invocation;
mod operations;
mod path;
mod path_pattern;
mod process;
mod pubsub;
mod registry;
mod resiliency;
mod rules;
mod settings;
mod vector;
mod workflow;

#[cfg(test)]
mod tests;

pub use access::AclDecision;
pub use app::Rejected;
pub use error::MetricsError;
pub use grpc::{GrpcBytes, grpc_code_name};
pub use http::HttpServed;
pub use instruments::{Counter, Distribution, Gauge, Timed};
pub use invocation::InvocationKind;
pub use pubsub::Ingress;
pub use registry::Registry;
pub use resiliency::PolicyUse;
pub use settings::{HttpMetrics, MetricsSettings, RewriteRule};

use std::sync::Arc;

/// Counts what a sidecar does. Clones share the same series; the default handle is disabled and does nothing.
#[derive(Clone, Default)]
pub struct Metrics {
    groups: Option<Arc<Groups>>,
}

/// The instruments by group.
struct Groups {
    registry: Registry,
    access: access::Access,
    actors: actors::Actors,
    app: app::AppMetrics,
    components: components::Components,
    grpc: grpc::Grpc,
    http: http::Http,
    invocation: invocation::Invocation,
    operations: operations::Operations,
    pubsub: pubsub::PubSub,
    resiliency: resiliency::Resiliency,
    workflow: workflow::Workflow,
}

impl Metrics {
    /// Metrics of one sidecar.
    ///
    /// # Errors
    /// A rule with a malformed regular expression.
    pub fn new(settings: &MetricsSettings) -> Result<Self, MetricsError> {
        let registry = Registry::for_app(settings)?;
        let namespace = &settings.namespace;
        let groups = Groups {
            access: access::Access::new(&registry, settings.record_error_codes)?,
            actors: actors::Actors::new(&registry)?,
            app: app::AppMetrics::new(&settings.app_id, settings.max_series),
            components: components::Components::new(&registry)?,
            grpc: grpc::Grpc::new(&registry)?,
            http: http::Http::new(&registry, &settings.http)?,
            invocation: invocation::Invocation::new(&registry)?,
            operations: operations::Operations::new(&registry, namespace)?,
            pubsub: pubsub::PubSub::new(&registry, namespace)?,
            resiliency: resiliency::Resiliency::new(&registry)?,
            workflow: workflow::Workflow::new(&registry, namespace)?,
            registry,
        };
        Ok(Self { groups: Some(Arc::new(groups)) })
    }

    /// Metrics that are not kept.
    pub fn disabled() -> Self {
        Self::default()
    }

    /// Whether anything is counted.
    pub fn is_enabled(&self) -> bool {
        self.groups.is_some()
    }

    /// All series, those of the process, and those of the app, in Prometheus' text format; empty when disabled.
    pub fn render(&self) -> String {
        self.groups.as_ref().map(|groups| groups.registry.render_with(groups.app.families())).unwrap_or_default()
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").field("enabled", &self.is_enabled()).finish_non_exhaustive()
    }
}
