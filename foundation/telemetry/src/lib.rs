//! Logs, metrics and traces.
//!
//! [`start_log`] writes log lines, [`Metrics`] counts what happens and renders it for Prometheus,
//! and [`start_tracing`] gives the [`Tracer`] that follows calls from app to app.
mod body;
mod export;
mod log;
mod metrics;
mod trace;

pub use body::{BodyBytes, BodyEnd, counted, grpc_code, watched};
pub use export::{Exporter, start_tracing};
pub use log::{LogError, LogSettings, flush_log, start_log};
pub use metrics::{
    AclDecision, GrpcBytes, HttpMetrics, HttpServed, Ingress, InvocationKind, Metrics, MetricsError, MetricsSettings,
    PolicyUse, Registry, Rejected, RewriteRule, grpc_code_name,
};
pub use metrics::{Counter, Distribution, Gauge, Timed};
pub use trace::{
    GRPC_TRACE_BIN, InvalidBaggage, OtlpProtocol, OtlpSettings, Span, SpanContext, SpanKind, TRACEPARENT, TRACESTATE,
    TraceError, TraceSettings, Tracer, check_baggage,
};
