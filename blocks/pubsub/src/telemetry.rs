//! The seam to metrics and traces (surface.md 5.1 and 5.2).
use http::HeaderMap;
use std::time::Duration;

/// What became of events that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingress<'a> {
    pub pubsub: &'a str,
    pub topic: &'a str,
    /// `success`, `retry` or `drop`.
    pub process_status: &'static str,
    /// Mostly the same; `success` for what was dropped as it should be.
    pub status: &'static str,
    /// Time that the app took; zero when it was not asked.
    pub elapsed: Duration,
}

/// Counts and traces what the block does.
pub trait Telemetry: Send + Sync {
    /// `dapr_component_pubsub_egress_*`: one event was published, or not.
    fn egress(&self, _pubsub: &str, _topic: &str, _success: bool, _elapsed: Duration) {}

    /// `dapr_component_pubsub_egress_bulk_*`: of a bulk, so many events were published.
    fn bulk_egress(&self, _pubsub: &str, _topic: &str, _success: bool, _published: u64, _elapsed: Duration) {}

    /// `dapr_component_pubsub_ingress_*`: one event was delivered, or not.
    fn ingress(&self, _ingress: Ingress<'_>) {}

    /// `dapr_component_pubsub_ingress_bulk_*`: a bulk was delivered.
    fn bulk_ingress(&self, _pubsub: &str, _topic: &str, _elapsed: Duration) {}

    /// So many events of a bulk ended with that status.
    fn bulk_ingress_entries(&self, _pubsub: &str, _topic: &str, _status: &'static str, _count: u64) {}

    /// Starts the span `pubsub/<topic>` of a delivery below the trace of the event; returns the headers that tell the
    /// app of it.
    fn delivery(&self, _topic: &str, _trace_parent: Option<&str>) -> HeaderMap {
        HeaderMap::new()
    }
}

/// Nothing is counted or traced.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTelemetry;

impl Telemetry for NoTelemetry {}
