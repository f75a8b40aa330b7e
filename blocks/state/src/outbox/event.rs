//! The event of an entry.
use bytes::Bytes;
use component_api::Metadata;
use component_api::state::{SetRequest, Value};
use foundation_telemetry::SpanContext;

const JSON: &str = "application/json";

/// An event of the own app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub id: String,
    pub pubsub: String,
    pub data: Bytes,
    /// Empty when nothing is known of it.
    pub content_type: String,
    /// More attributes, or other values for them.
    pub attributes: Metadata,
    /// Where the transaction belongs in its trace.
    pub trace: SpanContext,
}

impl Event {
    /// The event of an entry that has the metadata, with the data of a payload: the entry itself or its projection.
    pub(crate) fn of(
        (id, pubsub): (&str, &str),
        entry: &SetRequest,
        payload: &SetRequest,
        trace: &SpanContext,
    ) -> Self {
        let content_type = payload.metadata.get("contentType").map_or("", String::as_str);
        let (data, content_type) = content(&payload.value, content_type);
        let mut attributes = entry.metadata.clone();
        attributes.retain(|name, _| !matches!(name.as_str(), "data" | "id"));
        let (id, pubsub, trace) = (id.to_owned(), pubsub.to_owned(), trace.clone());
        Self { id, pubsub, data, content_type, attributes, trace }
    }
}

/// A JSON string is published as its text and other simple values as they are; objects and lists are JSON when nothing else
/// is said of them. (Dapr writes those as Go prints a map, which nobody can read.)
fn content(value: &Value, content_type: &str) -> (Bytes, String) {
    let given = content_type.to_owned();
    let Value::Json(json) = value else { return (value.bytes().clone(), given) };
    if content_type.eq_ignore_ascii_case(JSON) {
        return (json.clone(), given);
    }
    let text = serde_json::from_slice::<String>(json).ok();
    let is_structured = matches!(json.first(), Some(b'{' | b'['));
    let content_type = if given.is_empty() && is_structured { JSON.to_owned() } else { given };
    (text.map_or_else(|| json.clone(), Bytes::from), content_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(json: &'static str, content_type: &str) -> (String, String) {
        let (data, content_type) = content(&Value::Json(json.into()), content_type);
        (String::from_utf8_lossy(&data).into_owned(), content_type)
    }

    #[test]
    fn data_as_subscribers_see_it() {
        let pair = |data: &str, content_type: &str| (data.to_owned(), content_type.to_owned());
        assert_eq!(seen("\"text\"", ""), pair("text", ""));
        assert_eq!(seen("\"text\"", "application/json"), pair("\"text\"", "application/json"));
        assert_eq!(seen("1", ""), pair("1", ""));
        assert_eq!(seen("{\"a\":1}", ""), pair("{\"a\":1}", "application/json"));
        assert_eq!(seen("[1]", "text/plain"), pair("[1]", "text/plain"));
        let bytes = Value::Binary("\"as it is\"".into());
        assert_eq!(content(&bytes, ""), ("\"as it is\"".into(), String::new()));
    }
}
