//! The trace of a call, between sidecars and on its way to the app.
use foundation_peer::Head;
use foundation_telemetry::{GRPC_TRACE_BIN, Span, SpanContext, TRACEPARENT};
use http::HeaderMap;

/// Where nothing is traced, the app of another sidecar still gets a trace, of zeros (surface.md 0.35).
pub(crate) fn add_zeros(headers: &mut HeaderMap) {
    if !headers.contains_key(TRACEPARENT) {
        SpanContext::default().write_headers(headers);
    }
}

/// Metadata that tells another sidecar the trace which the headers of a call name.
pub(crate) fn for_peer(headers: &HeaderMap) -> HeaderMap {
    let (context, mut metadata) = (SpanContext::of_headers(headers), HeaderMap::new());
    if context.is_valid() {
        context.write_metadata(&mut metadata);
    }
    metadata
}

/// Describes a call from another sidecar, and hands its span on to the app.
pub(crate) fn received(span: Option<&Span>, app_id: &str, head: &mut Head) {
    let Some(span) = span else { return add_zeros(&mut head.headers) };
    if span.is_recorded() {
        span.rename(format!("CallLocal/{app_id}/{}", head.method));
        span.set("rpc.service", "ServiceInvocation");
        span.set("dapr.invoke_method", head.method.as_str());
    }
    head.headers.remove(GRPC_TRACE_BIN);
    span.context().write_headers(&mut head.headers);
}
