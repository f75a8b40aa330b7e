//! Events as the app gets them, and what it says to them.
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The attributes and the data of a CloudEvent.
pub type Envelope = Map<String, Value>;

/// One event for one route of the app.
#[derive(Clone, Debug, Default)]
pub struct TopicEvent {
    /// Path of the rule that matched.
    pub path: String,
    pub pubsub: String,
    pub topic: String,
    pub envelope: Envelope,
    /// The envelope as JSON text, which HTTP apps get as it is.
    pub body: Bytes,
    /// What the broker says of the message; the app gets it as headers or gRPC metadata.
    pub metadata: BTreeMap<String, String>,
    /// Further headers, such as those of the trace.
    pub headers: HeaderMap,
}

/// Several events of one topic for one route of the app.
#[derive(Clone, Debug, Default)]
pub struct BulkEvent {
    /// Path of the rule that matched.
    pub path: String,
    pub pubsub: String,
    pub topic: String,
    pub entries: Vec<BulkEntry>,
    /// What the broker says of the bulk; the app gets it in the envelope and as headers or gRPC metadata.
    pub metadata: BTreeMap<String, String>,
    /// Further headers, such as those of the trace.
    pub headers: HeaderMap,
}

/// One event of a bulk.
#[derive(Clone, Debug)]
pub struct BulkEntry {
    /// Unique in its bulk.
    pub entry_id: String,
    pub event: BulkPayload,
    pub content_type: String,
    pub metadata: BTreeMap<String, String>,
}

/// What an entry of a bulk holds.
#[derive(Clone, Debug)]
pub enum BulkPayload {
    CloudEvent(Envelope),
    /// The message as it came from the broker (`rawPayload`).
    Raw(Bytes),
}

/// What the app says to an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStatus {
    /// It is done. This is also the end of an event that the app has no method for, over gRPC and in a bulk.
    Success,
    /// It shall come again.
    Retry,
    /// It shall not come again: to the dead letter topic, if there is one.
    Drop,
}

impl EventStatus {
    /// The status of a name, which is written in upper case; unknown ones want the event again.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "SUCCESS" => Self::Success,
            "DROP" => Self::Drop,
            _ => Self::Retry,
        }
    }
}

/// The statuses of a bulk's entries in their order; what the app does not mention shall come again.
pub(crate) fn in_order(entries: &[BulkEntry], mut said: BTreeMap<String, EventStatus>) -> Vec<EventStatus> {
    let statuses = entries.iter().map(|entry| said.remove(&entry.entry_id).unwrap_or(EventStatus::Retry)).collect();
    for unknown in said.keys() {
        tracing::warn!(target: "dapr.runtime.pubsub", "Invalid entry id received from app while processing pub/sub event {unknown}");
    }
    statuses
}
