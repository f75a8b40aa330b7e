//! Logs, metrics and traces.
//!
//! [`start_log`] writes log lines, [`Metrics`] counts what happens and renders it for Prometheus.
mod body;
mod log;
mod metrics;

pub use body::{BodyBytes, BodyEnd, counted, grpc_code, watched};
pub use log::{LogError, LogSettings, start_log};
pub use metrics::{
    AclDecision, GrpcBytes, HttpMetrics, HttpServed, Ingress, InvocationKind, Metrics, MetricsError, MetricsSettings,
    PolicyUse, Registry, RewriteRule, grpc_code_name,
};
pub use metrics::{Counter, Distribution, Gauge, Timed};
