//! Spans of events: those of a bulk that is published, and of deliveries.
use crate::model::Trace;
use foundation_app::Envelope;
use foundation_telemetry::{Span, SpanContext, SpanKind, Tracer};
use serde_json::Value;

/// The spans of the events of a bulk, below that of the request.
pub(crate) struct EntrySpans {
    above: Option<(Span, String)>,
    started: Vec<Span>,
}

impl EntrySpans {
    /// `above` is the request's, and the name for those of the events.
    pub(crate) fn new(above: Option<(Span, String)>) -> Self {
        Self { above, started: Vec::new() }
    }

    /// Starts the span of the next event; returns its trace.
    pub(crate) fn start_next(&mut self) -> Trace {
        let Some((above, name)) = &self.above else { return Trace::default() };
        let span = above.child(name.clone(), SpanKind::Producer);
        let trace = Trace::from(&span);
        self.started.push(span);
        trace
    }

    /// Ends all of them.
    pub(crate) fn end(self, success: bool) {
        for span in self.started {
            if !success {
                span.fail("not all events were published");
            }
            span.end();
        }
    }
}

/// Starts the span of a delivery below the trace of the event; none for an event without trace.
pub(crate) fn of_delivery(tracer: &Tracer, topic: &str, envelope: &Envelope) -> Option<Span> {
    if tracer.is_off() {
        return None;
    }
    let Value::String(parent) = trace_parent(envelope)? else {
        tracing::debug!(target: "dapr.runtime.pubsub", "an event of topic {topic} is not traced: its trace id is no string");
        return None;
    };
    let parent = SpanContext::parse(parent).unwrap_or_default();
    let span = tracer.start(format!("pubsub/{topic}"), SpanKind::Client, &parent);
    span.set("messaging.system", "pubsub");
    span.set("messaging.destination.name", topic);
    Some(span)
}

/// The trace of an event, by its newer name first.
fn trace_parent(envelope: &Envelope) -> Option<&Value> {
    let of = |name| envelope.get(name).filter(|value| !value.is_null());
    of("traceparent").or_else(|| of("traceid"))
}
