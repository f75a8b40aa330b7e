//! Service invocation between sidecars.
use super::error::MetricsError;
use super::instruments::{Counter, Distribution};
use super::{Metrics, Registry};
use std::time::Duration;

pub(super) struct Invocation {
    request_sent: Counter,
    request_received: Counter,
    response_sent: Counter,
    response_received: Counter,
    response_latency: Distribution,
}

/// Whether a call is one request and one answer, or streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationKind {
    Unary,
    Streaming,
}

impl Invocation {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        let counter = |name, help, labels| registry.counter(name, help, labels);
        Ok(Self {
            request_sent: counter(
                "runtime_service_invocation_req_sent_total",
                "Requests sent to other apps.",
                &["dst_app_id", "type"],
            )?,
            request_received: counter(
                "runtime_service_invocation_req_recv_total",
                "Requests received from other apps.",
                &["src_app_id"],
            )?,
            response_sent: counter(
                "runtime_service_invocation_res_sent_total",
                "Answers sent to other apps.",
                &["dst_app_id", "status"],
            )?,
            response_received: counter(
                "runtime_service_invocation_res_recv_total",
                "Answers received from other apps.",
                &["src_app_id", "status", "type"],
            )?,
            response_latency: registry.latency(
                "runtime_service_invocation_res_recv_latency_ms",
                "Latency of other apps.",
                &["src_app_id", "status"],
            )?,
        })
    }
}

impl Metrics {
    /// `dapr_runtime_service_invocation_req_sent_total`: a request goes to the sidecar of another app.
    pub fn invocation_request_sent(&self, to_app_id: &str, kind: InvocationKind) {
        if let Some(groups) = &self.groups {
            groups.invocation.request_sent.increment(&[to_app_id, kind.text()]);
        }
    }

    /// `dapr_runtime_service_invocation_req_recv_total`: a request came from the sidecar of another app.
    pub fn invocation_request_received(&self, from_app_id: &str) {
        if let Some(groups) = &self.groups {
            groups.invocation.request_received.increment(&[from_app_id]);
        }
    }

    /// `dapr_runtime_service_invocation_res_sent_total`: the answer to such a request, with its HTTP status or
    /// gRPC code.
    pub fn invocation_response_sent(&self, to_app_id: &str, status: i32) {
        if let Some(groups) = &self.groups {
            groups.invocation.response_sent.increment(&[to_app_id, &status.to_string()]);
        }
    }

    /// `dapr_runtime_service_invocation_res_recv_*`: the answer of another app. Only unary calls have a latency.
    pub fn invocation_response_received(
        &self,
        from_app_id: &str,
        status: i32,
        kind: InvocationKind,
        elapsed: Duration,
    ) {
        let Some(groups) = &self.groups else { return };
        let status = status.to_string();
        groups.invocation.response_received.increment(&[from_app_id, &status, kind.text()]);
        if kind == InvocationKind::Unary {
            groups.invocation.response_latency.observe_latency(&[from_app_id, &status], elapsed);
        }
    }
}

impl InvocationKind {
    fn text(self) -> &'static str {
        match self {
            Self::Unary => "unary",
            Self::Streaming => "streaming",
        }
    }
}
