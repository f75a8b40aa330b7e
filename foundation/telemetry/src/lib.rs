//! Logs, metrics and traces.
//!
//! [`Metrics`] is the handle that counts what happens and renders it for Prometheus.
mod body;
mod metrics;

pub use body::{BodyBytes, BodyEnd, counted, grpc_code, watched};
pub use metrics::{
    AclDecision, GrpcBytes, HttpMetrics, HttpServed, Ingress, InvocationKind, Metrics, MetricsError, MetricsSettings,
    PolicyUse, Registry, RewriteRule, grpc_code_name,
};
pub use metrics::{Counter, Distribution, Gauge, Timed};
