//! Zipkin, in its JSON of version 2. The crate that OpenTelemetry had for it is to be removed.
use super::connector::Poster;
use super::values::{find, hex, text};
use super::{ExportError, Sink};
use crate::trace::TraceError;
use async_trait::async_trait;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use serde_json::{Map, Value, json};
use std::time::Duration;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const DEADLINE: Duration = Duration::from_secs(10);
const NANOS_PER_MICRO: u64 = 1000;

/// A Zipkin server.
pub(super) struct Zipkin {
    poster: Poster,
    name: String,
}

impl Zipkin {
    /// `address` is the whole URL.
    pub(super) fn new(address: &str) -> Result<Self, TraceError> {
        let poster = Poster::new(address, HeaderMap::from_iter([(CONTENT_TYPE, JSON)]), DEADLINE)?;
        let name = poster.address().to_string();
        Ok(Self { poster, name })
    }
}

#[async_trait]
impl Sink for Zipkin {
    fn name(&self) -> &str {
        &self.name
    }

    async fn traces(&self, traces: &ExportTraceServiceRequest) -> Result<(), ExportError> {
        let spans: Vec<Value> = traces.resource_spans.iter().flat_map(of_resource).collect();
        self.poster.post(Value::from(spans).to_string()).await
    }
}

/// The spans of one service as Zipkin has them.
pub(super) fn of_resource(resource: &ResourceSpans) -> Vec<Value> {
    let attributes = resource.resource.as_ref().map(|resource| resource.attributes.as_slice()).unwrap_or_default();
    let service = find(attributes, "service.name").unwrap_or_default();
    let of_scope = |scope: &ScopeSpans| {
        let library = scope.scope.as_ref().map(|scope| scope.name.clone()).unwrap_or_default();
        scope.spans.iter().map(|span| of_span(span, &service, &library)).collect::<Vec<_>>()
    };
    resource.scope_spans.iter().flat_map(of_scope).collect()
}

fn of_span(span: &Span, service: &str, library: &str) -> Value {
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    let mut zipkin = json!({
        "traceId": hex(&span.trace_id),
        "id": hex(&span.span_id),
        "name": span.name.to_lowercase(),
        "timestamp": start / NANOS_PER_MICRO,
        // Zipkin takes 0 for an unknown duration.
        "duration": (end.saturating_sub(start) / NANOS_PER_MICRO).max(1),
        "localEndpoint": {"serviceName": service},
        "tags": tags(span, library),
    });
    if !span.parent_span_id.is_empty() {
        zipkin["parentId"] = hex(&span.parent_span_id).into();
    }
    if let Some(kind) = kind(span.kind()) {
        zipkin["kind"] = kind.into();
    }
    if !span.events.is_empty() {
        zipkin["annotations"] = span.events.iter().map(annotation).collect();
    }
    zipkin
}

fn kind(kind: SpanKind) -> Option<&'static str> {
    match kind {
        SpanKind::Client => Some("CLIENT"),
        SpanKind::Server => Some("SERVER"),
        SpanKind::Producer => Some("PRODUCER"),
        SpanKind::Consumer => Some("CONSUMER"),
        SpanKind::Internal | SpanKind::Unspecified => None,
    }
}

fn tags(span: &Span, library: &str) -> Map<String, Value> {
    let tag = |name: &str, value: String| (name.to_owned(), Value::from(value));
    let attributes = span.attributes.iter().map(|attribute| tag(&attribute.key, text(attribute.value.as_ref())));
    let scope = (!library.is_empty()).then(|| tag("otel.scope.name", library.to_owned()));
    let mut tags: Map<String, Value> = attributes.chain(scope).collect();
    let status = span.status.clone().unwrap_or_default();
    match status.code() {
        StatusCode::Unset => {}
        StatusCode::Ok => tags.extend([tag("otel.status_code", "OK".to_owned())]),
        StatusCode::Error => {
            tags.extend([tag("otel.status_code", "ERROR".to_owned()), tag("error", status.message)]);
        }
    }
    tags
}

fn annotation(event: &Event) -> Value {
    json!({"timestamp": event.time_unix_nano / NANOS_PER_MICRO, "value": event.name})
}
