//! Calls of other apps and of endpoints as metrics count them.
use axum::response::Response;
use foundation_telemetry::{InvocationKind, Metrics, grpc_code, watched};
use std::time::Instant;
use tonic::Code;

/// A call that was sent. One that gets no answer is counted as sent only.
pub(crate) struct Counted {
    metrics: Metrics,
    app_id: String,
    kind: InvocationKind,
    start: Instant,
}

impl Counted {
    /// Counts a call.
    pub(crate) fn sent(metrics: &Metrics, app_id: &str, kind: InvocationKind) -> Self {
        metrics.invocation_request_sent(app_id, kind);
        Self { metrics: metrics.clone(), app_id: app_id.to_owned(), kind, start: Instant::now() }
    }

    /// Counts its answer, by its HTTP status or gRPC code.
    pub(crate) fn answered(self, status: i32) {
        self.metrics.invocation_response_received(&self.app_id, status, self.kind, self.start.elapsed());
    }

    /// Counts a gRPC answer at its end, which is where its code stands.
    pub(crate) fn watching(self, response: Response) -> Response {
        if let Some(code) = grpc_code(response.headers()) {
            self.answered(code);
            return response;
        }
        let end = |is_complete| if is_complete { Code::Unknown } else { Code::Cancelled } as i32;
        response
            .map(|body| watched(body, move |ended| self.answered(ended.grpc_code.unwrap_or(end(ended.is_complete)))))
    }
}
