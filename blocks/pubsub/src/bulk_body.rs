//! The body of a bulk publish over HTTP.
use crate::content_type::{is_binary, is_cloud_event, is_json, is_text};
use crate::model::BulkEntry;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

const MISMATCH: &str = "error: mismatch between contentType and event";

/// Why a body is none. The texts of the first are those of Go's decoder, which clients may look at (suite.md 4.4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Invalid {
    /// It cannot be read.
    Body(String),
    /// The event of an entry does not fit its content type.
    Event(String),
}

type Members = BTreeMap<String, Box<RawValue>>;

/// Reads the array of entries; what follows it is not looked at.
pub(crate) fn read(body: &[u8]) -> Result<Vec<BulkEntry>, Invalid> {
    let mut documents = serde_json::Deserializer::from_slice(body).into_iter::<Box<RawValue>>();
    let document = documents.next().ok_or_else(|| Invalid::Body("EOF".to_owned()))?;
    let document = document.map_err(|error| Invalid::Body(syntax(&error)))?;
    let items: Option<Vec<Box<RawValue>>> = typed(&document, "[]http.bulkPublishMessageEntry")?;
    items.unwrap_or_default().iter().map(|item| entry(item)).collect()
}

fn entry(item: &RawValue) -> Result<BulkEntry, Invalid> {
    let members: Option<Members> = typed(item, "http.bulkPublishMessageEntry")?;
    let members = members.unwrap_or_default().into_iter().map(|(name, value)| (name.to_lowercase(), value));
    let mut members: Members = members.collect();
    let mut text = |name: &str, field: &str| field_of(members.remove(name), field, "string");
    let id: Option<String> = text("entryid", "entryId")?;
    let content_type = text("contenttype", "contentType")?.unwrap_or_default();
    let event = members.remove("event");
    let data = data(event.as_deref().map_or("null", RawValue::get), &content_type).map_err(Invalid::Event)?;
    let metadata = field_of(members.remove("metadata"), "metadata", "map[string]string")?;
    Ok(BulkEntry { id: id.unwrap_or_default(), data, content_type, metadata })
}

/// What is published of an event. Binary data comes in base64, text as a string.
fn data(event: &str, content_type: &str) -> Result<Bytes, String> {
    let text = || serde_json::from_str::<String>(event).map_err(|_| MISMATCH.to_owned());
    if is_binary(content_type) {
        let decoded = STANDARD.decode(text()?);
        return decoded
            .map(Bytes::from)
            .map_err(|error| format!("error: unable to decode base64 application/octect-stream data: {error}"));
    }
    if is_text(content_type) {
        return Ok(text()?.into());
    }
    let json = is_json(content_type) || is_cloud_event(content_type);
    if json { Ok(Bytes::from(event.to_owned())) } else { Err(MISMATCH.to_owned()) }
}

fn field_of<T: DeserializeOwned>(value: Option<Box<RawValue>>, field: &str, go: &str) -> Result<Option<T>, Invalid> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| {
        let kind = kind(&value);
        Invalid::Body(format!(
            "json: cannot unmarshal {kind} into Go struct field bulkPublishMessageEntry.{field} of type {go}"
        ))
    })
}

/// None stands for null.
fn typed<T: DeserializeOwned>(value: &RawValue, go: &str) -> Result<Option<T>, Invalid> {
    let wrong = |_| Invalid::Body(format!("json: cannot unmarshal {} into Go value of type {go}", kind(value)));
    serde_json::from_str(value.get()).map_err(wrong)
}

fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "string",
        Some(b't' | b'f') => "bool",
        _ => "number",
    }
}

fn syntax(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => "unexpected EOF".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_by_content_type() {
        let body = br#"[{"entryID":"1","event":{"n":1.10},"contentType":"application/json","metadata":{"k":"v"}},
            {"entryId":"2","event":"hi","contentType":"text/plain"},
            {"entryId":"3","event":"AAE=","contentType":"application/octet-stream"}]"#;
        let entries = read(body).unwrap();
        let data: Vec<&[u8]> = entries.iter().map(|entry| &entry.data[..]).collect();
        assert_eq!(data, [br#"{"n":1.10}"# as &[u8], b"hi", b"\x00\x01"]);
        assert_eq!(
            (entries[0].id.as_str(), entries[0].metadata.is_some(), entries[1].metadata.is_some()),
            ("1", true, false)
        );
    }

    #[test]
    fn what_is_wrong_is_said_as_go_says_it() {
        let body = |text: &str| Invalid::Body(text.to_owned());
        let cases = [
            ("", body("EOF")),
            (r#"{"entryID": "}"#, body("unexpected EOF")),
            (
                r#"{"entryID": ""}"#,
                body("json: cannot unmarshal object into Go value of type []http.bulkPublishMessageEntry"),
            ),
            ("[1]", body("json: cannot unmarshal number into Go value of type http.bulkPublishMessageEntry")),
            (
                r#"[{"entryId":1}]"#,
                body(
                    "json: cannot unmarshal number into Go struct field bulkPublishMessageEntry.entryId of type string",
                ),
            ),
            (r#"[{"entryId":"1","event":1,"contentType":"text/plain"}]"#, Invalid::Event(MISMATCH.to_owned())),
            (r#"[{"entryId":"1","event":1}]"#, Invalid::Event(MISMATCH.to_owned())),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
        assert!(read(b"null").unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_break_nothing(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }
    }
}
