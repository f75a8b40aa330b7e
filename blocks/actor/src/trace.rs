//! The trace of a call, for the sidecar that it is passed on to.
use foundation_telemetry::{GRPC_TRACE_BIN, TRACEPARENT, TRACESTATE};
use http::HeaderMap;

/// The headers that tell the trace.
pub(crate) fn of(headers: &HeaderMap) -> HeaderMap {
    let named = [GRPC_TRACE_BIN, TRACEPARENT, TRACESTATE];
    named.into_iter().filter_map(|name| headers.get(&name).cloned().map(|value| (name, value))).collect()
}
