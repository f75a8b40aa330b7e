//! Spans as lines of the log.
use super::values::hex;
use super::{ExportError, SCOPE, Sink};
use async_trait::async_trait;
use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;

/// The log.
pub(super) struct Stdout;

#[async_trait]
impl Sink for Stdout {
    fn name(&self) -> &'static str {
        "the log"
    }

    async fn traces(&self, traces: &ExportTraceServiceRequest) -> Result<(), ExportError> {
        let scopes = traces.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
        for span in scopes.flat_map(|scope| &scope.spans) {
            tracing::info!(target: SCOPE, "{}", line(span));
        }
        Ok(())
    }
}

/// In the words of Dapr's own exporter.
fn line(span: &Span) -> String {
    let parent = if span.parent_span_id.is_empty() { "0".repeat(16) } else { hex(&span.parent_span_id) };
    format!(
        "[{}] Trace: {} Span: {parent}/{} Time: [{} ->  {}] Annotations: []",
        span.name,
        hex(&span.trace_id),
        hex(&span.span_id),
        time(span.start_time_unix_nano),
        time(span.end_time_unix_nano)
    )
}

fn time(nanoseconds: u64) -> Timestamp {
    Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}
