//! A message of a broker as the event that the app gets (protocols.md 7.2).
use crate::content_type::{BINARY, is_binary};
use crate::envelope::{SENT, SOURCE};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use component_api::pubsub::Message;
use component_api::{Metadata, metadata_value};
use foundation_app::Envelope;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

/// Marks metadata of a broker that holds attributes of an event whose data is the message itself.
const BINARY_MODE: &str = "ce_";

/// An event with its JSON text.
#[derive(Debug)]
pub(crate) struct Event {
    pub envelope: Envelope,
    pub body: Bytes,
}

/// Reads a message; `raw` messages have no envelope and get one.
///
/// # Errors
/// A message that is no CloudEvent where it should be one.
pub(crate) fn read(message: &Message, raw: bool, pubsub: &str, topic: &str) -> Result<Event, serde_json::Error> {
    let content_type = message.content_type.as_deref().or_else(|| metadata_value(&message.metadata, "content-type"));
    if raw {
        return Ok(around(message, pubsub, topic));
    }
    if let Some(content_type) = content_type.filter(|content_type| is_binary(content_type)) {
        return Ok(binary_mode(message, content_type));
    }
    let mut envelope: Envelope = foundation_json::from_slice(&message.data)?;
    add_trace(&mut envelope, &message.metadata);
    Ok(Event { envelope, body: message.data.clone() })
}

/// Attributes that are not text, and times that are none, do not count.
fn expiration(envelope: &Envelope) -> Option<Timestamp> {
    envelope.get("expiration")?.as_str()?.parse().ok()
}

impl Event {
    /// Whether it is too late to deliver it.
    pub(crate) fn is_expired(&self) -> bool {
        is_expired(&self.envelope)
    }

    /// The id for logs.
    pub(crate) fn id(&self) -> &Value {
        self.envelope.get("id").unwrap_or(&Value::Null)
    }
}

/// Whether it is too late to deliver an event.
pub(crate) fn is_expired(envelope: &Envelope) -> bool {
    expiration(envelope).is_some_and(|end| end < Timestamp::now())
}

fn around(message: &Message, pubsub: &str, topic: &str) -> Event {
    let attributes = json!({
        "id": Uuid::new_v4().to_string(),
        "specversion": "1.0",
        "datacontenttype": BINARY,
        "source": SOURCE,
        "type": SENT,
        "topic": topic,
        "pubsubname": pubsub,
        "data_base64": STANDARD.encode(&message.data),
    });
    let mut envelope = match attributes {
        Value::Object(envelope) => envelope,
        _ => Envelope::new(),
    };
    add_trace(&mut envelope, &message.metadata);
    let body = Value::Object(envelope.clone()).to_string().into();
    Event { envelope, body }
}

/// The app gets the bytes; only routing and gRPC apps look at the attributes.
fn binary_mode(message: &Message, content_type: &str) -> Event {
    let mut envelope = Envelope::new();
    for (name, value) in &message.metadata {
        if let Some(name) = name.to_lowercase().strip_prefix(BINARY_MODE) {
            envelope.insert(name.to_owned(), value.as_str().into());
        }
    }
    envelope.insert("data_base64".to_owned(), STANDARD.encode(&message.data).into());
    envelope.insert("datacontenttype".to_owned(), content_type.into());
    Event { envelope, body: message.data.clone() }
}

/// Fills the trace from the metadata of the message where the event has none.
fn add_trace(envelope: &mut Envelope, metadata: &Metadata) {
    let missing = |envelope: &Envelope, name: &str| {
        let value = metadata.get(name).filter(|_| !envelope.contains_key(name))?;
        Some(Value::from(value.as_str()))
    };
    if let Some(id) = missing(envelope, "traceid") {
        envelope.insert("traceid".to_owned(), id);
    }
    if let Some(parent) = missing(envelope, "traceparent") {
        envelope.insert("traceid".to_owned(), parent.clone());
        envelope.insert("traceparent".to_owned(), parent);
    }
    if let Some(state) = missing(envelope, "tracestate") {
        envelope.insert("tracestate".to_owned(), state);
    }
}
