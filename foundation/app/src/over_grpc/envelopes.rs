//! CloudEvents taken apart into the fields of Dapr's messages (protocols.md 7.3).
use crate::{BulkEntry, BulkEvent, BulkPayload, Envelope, Error, TopicEvent};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use foundation_json::to_protobuf;
use prost_types::Struct;
use serde_json::Value;
use wire::runtime::v1::topic_event_bulk_request_entry::Event;
use wire::runtime::v1::{TopicEventBulkRequest, TopicEventBulkRequestEntry, TopicEventCeRequest, TopicEventRequest};

const UNEXPECTED: &str = "unexpected data type encountered in envelope";

/// Attributes that have a field of their own.
const FIELDS: [&str; 7] = ["id", "source", "datacontenttype", "type", "specversion", "data", "data_base64"];

/// One event as gRPC apps and streams get it.
///
/// # Errors
/// [`Error::Malformed`]: data that does not fit its content type.
pub fn topic_event(event: &TopicEvent) -> Result<TopicEventRequest, Error> {
    let envelope = &event.envelope;
    Ok(TopicEventRequest {
        id: text(envelope, "id"),
        source: text(envelope, "source"),
        r#type: text(envelope, "type"),
        spec_version: text(envelope, "specversion"),
        data_content_type: text(envelope, "datacontenttype"),
        topic: event.topic.clone(),
        data: binary(envelope)?.map_or_else(|| data(envelope), Ok)?,
        pubsub_name: event.pubsub.clone(),
        path: event.path.clone(),
        extensions: Some(extensions(envelope)),
    })
}

/// Several events. An entry that cannot be taken apart is an error of the whole: it cannot have come in as a CloudEvent.
pub(super) fn bulk_event(event: &BulkEvent) -> Result<TopicEventBulkRequest, Error> {
    Ok(TopicEventBulkRequest {
        id: uuid::Uuid::new_v4().to_string(),
        entries: event.entries.iter().map(entry).collect::<Result<_, _>>()?,
        metadata: event.metadata.clone().into_iter().collect(),
        topic: event.topic.clone(),
        pubsub_name: event.pubsub.clone(),
        r#type: "com.dapr.event.sent.bulk".to_owned(),
        path: event.path.clone(),
    })
}

fn entry(entry: &BulkEntry) -> Result<TopicEventBulkRequestEntry, Error> {
    let event = match &entry.event {
        BulkPayload::Raw(data) => Event::Bytes(data.clone()),
        BulkPayload::CloudEvent(envelope) => Event::CloudEvent(cloud_event(envelope)?),
    };
    Ok(TopicEventBulkRequestEntry {
        entry_id: entry.entry_id.clone(),
        content_type: entry.content_type.clone(),
        metadata: entry.metadata.clone().into_iter().collect(),
        event: Some(event),
    })
}

/// Binary data has no place here: Dapr leaves it out, and so must we.
fn cloud_event(envelope: &Envelope) -> Result<TopicEventCeRequest, Error> {
    Ok(TopicEventCeRequest {
        id: text(envelope, "id"),
        source: text(envelope, "source"),
        r#type: text(envelope, "type"),
        spec_version: text(envelope, "specversion"),
        data_content_type: text(envelope, "datacontenttype"),
        data: data(envelope)?,
        extensions: Some(extensions(envelope)),
    })
}

fn text(envelope: &Envelope, name: &str) -> String {
    envelope.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn binary(envelope: &Envelope) -> Result<Option<Bytes>, Error> {
    match envelope.get("data_base64") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => {
            let decoded = STANDARD
                .decode(text)
                .map_err(|error| Error::Malformed(format!("data_base64 of the event: {error}")))?;
            Ok(Some(decoded.into()))
        }
        Some(_) => Err(Error::Malformed(UNEXPECTED.to_owned())),
    }
}

fn data(envelope: &Envelope) -> Result<Bytes, Error> {
    let content_type = text(envelope, "datacontenttype").to_lowercase();
    let bare = content_type.split(';').next().unwrap_or_default();
    match envelope.get("data") {
        None | Some(Value::Null) => Ok(Bytes::new()),
        Some(data) if content_type.starts_with("text/") || bare == "application/xml" => match data {
            Value::String(text) => Ok(text.clone().into()),
            _ => Err(Error::Malformed(UNEXPECTED.to_owned())),
        },
        Some(data) if bare == "application/json" || bare == "application/cloudevents+json" => {
            Ok(data.to_string().into())
        }
        Some(_) => Ok(Bytes::new()),
    }
}

fn extensions(envelope: &Envelope) -> Struct {
    let others = envelope.iter().filter(|(name, _)| !FIELDS.contains(&name.as_str()));
    Struct { fields: others.map(|(name, value)| (name.clone(), to_protobuf(value))).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_tests::json;
    use proptest::prelude::*;
    use proptest::sample::select;
    use prost::Message;

    const TYPES: [&str; 6] =
        ["text/plain", "application/json", "application/xml; charset=x", "application/octet-stream", "", ";"];

    proptest! {
        #[test]
        fn any_event_is_taken_apart_or_refused(mut attributes in json(), data in json(), kind in select(&TYPES[..]), binary in json(), levels in 0..200_usize) {
            attributes = (0..levels).fold(attributes, |inner, _| Value::Array(vec![inner]));
            let envelope = Envelope::from_iter([
                ("datacontenttype".to_owned(), kind.into()),
                ("data".to_owned(), data),
                ("data_base64".to_owned(), binary),
                ("extension".to_owned(), attributes),
            ]);
            if let Ok(event) = topic_event(&TopicEvent { envelope, ..TopicEvent::default() }) {
                let read = TopicEventRequest::decode(event.encode_to_vec().as_slice());
                prop_assert_eq!(read.map(|read| read.data), Ok(event.data));
            }
        }
    }
}
