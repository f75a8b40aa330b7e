//! The CloudEvent that a published message is wrapped in (protocols.md 7.1).
use crate::content_type::{is_binary, is_cloud_event, is_json, is_protobuf_event};
use crate::model::Trace;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use component_api::pubsub::time_to_live;
use component_api::{Metadata, metadata_value};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const SENT: &str = "com.dapr.event.sent";
pub(crate) const SOURCE: &str = "Dapr";
const VERSION: &str = "1.0";

/// A message before it is wrapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unwrapped<'a> {
    pub app_id: &'a str,
    pub pubsub: &'a str,
    pub topic: &'a str,
    pub data: &'a [u8],
    pub content_type: &'a str,
    /// Overrides (`cloudevent.*`) and the time to live.
    pub metadata: &'a Metadata,
    pub trace: &'a Trace,
    /// The broker itself drops what is too old.
    pub broker_expires: bool,
}

/// The value of an attribute. JSON of the publisher is kept as it was written, digit for digit.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Attribute {
    Text(String),
    Json(Box<RawValue>),
}

type Attributes = BTreeMap<String, Attribute>;

/// The JSON text of the event.
///
/// # Errors
/// A message that says it is a CloudEvent and is none, or JSON too deep to be read again.
pub(crate) fn wrap(message: &Unwrapped<'_>) -> Result<Bytes, String> {
    let mut attributes = if is_cloud_event(message.content_type) { given(message)? } else { made(message) };
    if let Some(time) = time_to_live(message.metadata).filter(|_| !message.broker_expires) {
        set(&mut attributes, "expiration", after(time));
    }
    let text = serde_json::to_vec(&attributes).map_err(|error| error.to_string())?;
    foundation_json::check_depth(&text).map_err(|error| error.to_string())?;
    Ok(text.into())
}

/// A new event around the data.
fn made(message: &Unwrapped<'_>) -> Attributes {
    let given = |name: &str| metadata_value(message.metadata, name);
    let or = |name: &str, usual: &str| filled(given(name).unwrap_or(usual)).map(str::to_owned);
    let parent = given("cloudevent.traceparent").and_then(filled).or_else(|| given("cloudevent.traceid"));
    let parent = parent.unwrap_or(&message.trace.parent);
    let mut attributes = Attributes::new();
    let all = &mut attributes;
    set(all, "id", or("cloudevent.id", "").unwrap_or_else(|| Uuid::new_v4().to_string()));
    set(all, "source", or("cloudevent.source", message.app_id).unwrap_or_else(|| SOURCE.to_owned()));
    set(all, "type", or("cloudevent.type", SENT).unwrap_or_else(|| SENT.to_owned()));
    set(all, "specversion", VERSION);
    set(all, "datacontenttype", filled(message.content_type).unwrap_or("text/plain"));
    set(all, "topic", message.topic);
    set(all, "pubsubname", message.pubsub);
    set(all, "traceid", parent);
    set(all, "traceparent", parent);
    set(all, "tracestate", given("cloudevent.tracestate").unwrap_or(&message.trace.state));
    set(all, "time", seconds(Timestamp::now()));
    if let Some(subject) = or("cloudevent.subject", "") {
        set(all, "subject", subject);
    }
    let (name, data) = data(message);
    attributes.insert(name.to_owned(), data);
    attributes
}

fn data(message: &Unwrapped<'_>) -> (&'static str, Attribute) {
    let Unwrapped { data, content_type, .. } = *message;
    if is_binary(content_type) || is_protobuf_event(content_type, data) {
        return ("data_base64", Attribute::Text(STANDARD.encode(data)));
    }
    let json = if is_json(content_type) { first_json(data) } else { None };
    ("data", json.map_or_else(|| Attribute::Text(lossy(data)), Attribute::Json))
}

/// The event that the publisher wrote himself, with what is missing.
fn given(message: &Unwrapped<'_>) -> Result<Attributes, String> {
    let mut documents =
        serde_json::Deserializer::from_slice(message.data).into_iter::<BTreeMap<String, Box<RawValue>>>();
    let document = documents.next().unwrap_or_else(|| Ok(BTreeMap::new()));
    let document = document.map_err(|error| error.to_string())?;
    if document.is_empty() && message.data.iter().all(u8::is_ascii_whitespace) {
        return Err("EOF".to_owned());
    }
    let mut attributes: Attributes = document.into_iter().map(|(name, value)| (name, Attribute::Json(value))).collect();
    let all = &mut attributes;
    if !all.contains_key("time") {
        set(all, "time", seconds(Timestamp::now()));
    }
    if !all.contains_key("traceid") {
        set(all, "traceid", message.trace.parent.as_str());
        set(all, "traceparent", message.trace.parent.as_str());
    }
    if !all.contains_key("tracestate") {
        set(all, "tracestate", message.trace.state.as_str());
    }
    set(all, "topic", message.topic);
    set(all, "pubsubname", message.pubsub);
    for (name, usual) in [("source", SOURCE), ("type", SENT), ("specversion", VERSION)] {
        if all.get(name).is_none_or(Attribute::is_null) {
            set(all, name, usual);
        }
    }
    Ok(attributes)
}

impl Attribute {
    fn is_null(&self) -> bool {
        matches!(self, Self::Json(json) if json.get() == "null")
    }
}

fn set(attributes: &mut Attributes, name: &str, value: impl Into<String>) {
    attributes.insert(name.to_owned(), Attribute::Text(value.into()));
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The first JSON value of a text; what follows it is not looked at.
fn first_json(data: &[u8]) -> Option<Box<RawValue>> {
    serde_json::Deserializer::from_slice(data).into_iter().next()?.ok()
}

/// Bytes as text, each wrong one replaced, as Dapr writes them.
pub(crate) fn lossy(data: &[u8]) -> String {
    let mut text = String::with_capacity(data.len());
    for chunk in data.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

fn after(time: Duration) -> String {
    let now = Timestamp::now();
    let end = SignedDuration::try_from(time).ok().and_then(|time| now.checked_add(time).ok());
    seconds(end.unwrap_or(Timestamp::MAX))
}

fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests;
