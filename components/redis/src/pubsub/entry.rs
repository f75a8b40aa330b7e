//! Entries of a stream as messages.
use crate::SCOPE;
use bytes::Bytes;
use component_api::Metadata;
use component_api::pubsub::Message;
use redis::streams::StreamId;
use redis::{FromRedisValue, Value};

/// The field `metadata` of an entry: a JSON object.
pub(super) fn metadata_text(metadata: &Metadata) -> String {
    serde_json::to_string(metadata).unwrap_or_default()
}

/// The message in an entry. What is missing is empty.
pub(super) fn message(topic: &str, entry: &StreamId) -> Message {
    let metadata = bytes(entry.map.get("metadata"));
    if !metadata.is_empty() && serde_json::from_slice::<Option<Metadata>>(&metadata).is_err() {
        tracing::warn!(target: SCOPE, "redis streams: the metadata of message {} on {topic} is no JSON object of texts", entry.id);
    }
    Message {
        topic: topic.to_owned(),
        data: bytes(entry.map.get("data")),
        content_type: None,
        metadata: serde_json::from_slice::<Option<Metadata>>(&metadata).ok().flatten().unwrap_or_default(),
    }
}

fn bytes(value: Option<&Value>) -> Bytes {
    let bytes = value.and_then(|value| Vec::<u8>::from_redis_value_ref(value).ok());
    bytes.map(Bytes::from).unwrap_or_default()
}
