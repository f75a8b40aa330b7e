//! Events that go out and come in.
use super::error::MetricsError;
use super::instruments::{Counter, Timed};
use super::operations::text;
use super::{Metrics, Registry};
use std::time::Duration;

pub(super) struct PubSub {
    namespace: String,
    ingress: Timed,
    bulk_ingress: Timed,
    bulk_events: Counter,
    egress: Timed,
    bulk_egress: Timed,
}

/// What became of an event that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingress<'a> {
    pub component: &'a str,
    pub topic: &'a str,
    /// `success`, `retry` or `drop`.
    pub process_status: &'a str,
    /// Mostly the same; `success` for what was dropped as it should be.
    pub status: &'a str,
    /// Time that the app took; zero when it was not asked.
    pub elapsed: Duration,
}

impl PubSub {
    pub(super) fn new(registry: &Registry, namespace: &str) -> Result<Self, MetricsError> {
        let timed = |group, count, latency, labels| registry.timed((group, "latencies"), (count, latency), labels);
        let processed = &["component", "namespace", "process_status", "topic"];
        let published = &["component", "namespace", "success", "topic"];
        let took = "Latency of the app with events.";
        Ok(Self {
            namespace: namespace.to_owned(),
            ingress: timed(
                "component_pubsub_ingress",
                "Events that came in.",
                took,
                &["component", "namespace", "process_status", "topic", "status"],
            )?,
            bulk_ingress: timed("component_pubsub_ingress_bulk", "Bulks that came in.", took, processed)?,
            bulk_events: registry.counter(
                "component_pubsub_ingress_bulk_event_count",
                "Events that came in with bulks.",
                processed,
            )?,
            egress: timed("component_pubsub_egress", "Events that were published.", "Latency of brokers.", published)?,
            bulk_egress: timed(
                "component_pubsub_egress_bulk",
                "Bulks that were published.",
                "Latency of brokers.",
                published,
            )?,
        })
    }
}

impl Metrics {
    /// `dapr_component_pubsub_egress_*`: one event was published, or not.
    pub fn pubsub_egress(&self, component: &str, topic: &str, success: bool, elapsed: Duration) {
        if let Some(PubSub { egress, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.pubsub) {
            egress.record(&[component, namespace, text(success), topic], elapsed);
        }
    }

    /// `dapr_component_pubsub_egress_bulk_*`: a bulk was published, or not.
    pub fn pubsub_bulk_egress(&self, component: &str, topic: &str, success: bool, elapsed: Duration) {
        if let Some(PubSub { bulk_egress, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.pubsub) {
            bulk_egress.record(&[component, namespace, text(success), topic], elapsed);
        }
    }

    /// `dapr_component_pubsub_ingress_*`: one event was delivered, or not.
    pub fn pubsub_ingress(&self, event: Ingress<'_>) {
        let Some(groups) = &self.groups else { return };
        let PubSub { ingress, namespace, .. } = &groups.pubsub;
        ingress.record(&[event.component, namespace, event.process_status, event.topic, event.status], event.elapsed);
    }

    /// `dapr_component_pubsub_ingress_bulk_count` and `_latencies`: a bulk was delivered.
    pub fn pubsub_bulk_ingress(&self, component: &str, topic: &str, elapsed: Duration) {
        if let Some(PubSub { bulk_ingress, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.pubsub) {
            bulk_ingress.record(&[component, namespace, "", topic], elapsed);
        }
    }

    /// `dapr_component_pubsub_ingress_bulk_event_count`: so many events of a bulk ended as `success`, `retry` or `drop`.
    pub fn pubsub_bulk_ingress_events(&self, component: &str, topic: &str, process_status: &str, count: u64) {
        if let Some(PubSub { bulk_events, namespace, .. }) = self.groups.as_ref().map(|groups| &groups.pubsub) {
            bulk_events.add(&[component, namespace, process_status, topic], count);
        }
    }
}
