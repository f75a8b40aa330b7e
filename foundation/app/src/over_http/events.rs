//! Events for an HTTP app (protocols.md 7.3 and 7.4).
use super::Caller;
use crate::events::in_order;
use crate::headers::append_metadata;
use crate::subscriptions::Members;
use crate::{BulkEntry, BulkEvent, BulkPayload, Error, EventStatus, TopicEvent};
use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const SCOPE: &str = "dapr.runtime.pubsub";
const CLOUD_EVENT: HeaderValue = HeaderValue::from_static("application/cloudevents+json");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// What a path may not hold as it is. A route may bring a query along.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'#')
    .add(b'{')
    .add(b'}')
    .add(b'\\')
    .add(b'^')
    .add(b'|');

impl Caller {
    pub(super) async fn event(&self, event: &TopicEvent) -> Result<EventStatus, Error> {
        let request = post(&event.path, CLOUD_EVENT, event.body.clone(), &event.metadata, &event.headers)?;
        let response = self.invoke(request).await?;
        self.status_of(event, response).await
    }

    async fn status_of(&self, event: &TopicEvent, response: Response<Body>) -> Result<EventStatus, Error> {
        let (status, id) = (response.status(), id(event));
        let body = self.read(response.into_body()).await?;
        if status.is_success() {
            return Ok(said(&body, id));
        }
        let text = String::from_utf8_lossy(&body);
        if status == StatusCode::NOT_FOUND {
            tracing::error!(target: SCOPE, "non-retriable error returned from app while processing pub/sub event {id}: {text}. status code returned: {}", status.as_u16());
            return Ok(EventStatus::Drop);
        }
        let message = format!(
            "retriable error returned from app while processing pub/sub event {id}, topic: {}, body: {text}. status code returned: {}",
            event.topic,
            status.as_u16()
        );
        tracing::warn!(target: SCOPE, "{message}");
        Err(Error::Rejected { status, message })
    }

    pub(super) async fn bulk_event(&self, event: &BulkEvent) -> Result<Vec<EventStatus>, Error> {
        let request = post(&event.path, JSON, bulk_body(event), &event.metadata, &event.headers)?;
        let response = self.invoke(request).await?;
        let status = response.status();
        let body = self.read(response.into_body()).await?;
        if status.is_success() {
            let said = bulk_said(&body).map_err(|error| {
                Error::Malformed(format!("failed unmarshalling app response for bulk subscribe: {error}"))
            })?;
            return Ok(in_order(&event.entries, said));
        }
        if status == StatusCode::NOT_FOUND {
            tracing::error!(target: SCOPE, "Non-retriable error returned from app while processing bulk pub/sub event. status code returned: 404");
            return Ok(vec![EventStatus::Success; event.entries.len()]);
        }
        let message = format!(
            "Retriable error returned from app while processing bulk pub/sub event, topic: {}. status code returned: {}",
            event.topic,
            status.as_u16()
        );
        tracing::warn!(target: SCOPE, "{message}");
        Err(Error::Rejected { status, message })
    }
}

fn id(event: &TopicEvent) -> &str {
    event.envelope.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// A request that hands something to the app.
pub(super) fn post(
    path: &str,
    content_type: HeaderValue,
    body: Bytes,
    metadata: &BTreeMap<String, String>,
    headers: &HeaderMap,
) -> Result<Request<Body>, Error> {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = route(path)?;
    append_metadata(request.headers_mut(), metadata);
    request.headers_mut().extend(headers.clone());
    request.headers_mut().insert(CONTENT_TYPE, content_type);
    Ok(request)
}

/// A route of the app as the path of a request.
pub(super) fn route(path: &str) -> Result<Uri, Error> {
    let escaped = format!("/{}", utf8_percent_encode(path.trim_start_matches('/'), UNSAFE));
    Uri::try_from(escaped).map_err(|error| Error::Malformed(format!("the route {path} is not a path: {error}")))
}

/// The first JSON value of an answer; what follows it does not matter.
fn first_value(body: &[u8]) -> Option<serde_json::Result<Value>> {
    serde_json::Deserializer::from_slice(body).into_iter::<Value>().next()
}

/// An answer that is no status is a success.
fn said(body: &[u8], id: &str) -> EventStatus {
    let value = first_value(body).and_then(Result::ok);
    let name = value.and_then(|value| Members::of(value).ok()).and_then(|mut members| members.text("status").ok());
    match name.as_deref().unwrap_or_default() {
        "" => EventStatus::Success,
        name => {
            let status = EventStatus::named(name);
            if status == EventStatus::Drop {
                tracing::warn!(target: SCOPE, "DROP status returned from app while processing pub/sub event {id}");
            }
            status
        }
    }
}

fn bulk_said(body: &[u8]) -> Result<BTreeMap<String, EventStatus>, String> {
    let value = first_value(body).ok_or("EOF")?.map_err(|error| error.to_string())?;
    let mut said = BTreeMap::new();
    for entry in Members::of(value)?.array("statuses")? {
        let mut entry = Members::of(entry)?;
        said.insert(entry.text("entryid")?, EventStatus::named(&entry.text("status")?));
    }
    Ok(said)
}

fn bulk_body(event: &BulkEvent) -> Bytes {
    let entries: Vec<Value> = event
        .entries
        .iter()
        .map(|entry| {
            let payload = match &entry.event {
                BulkPayload::CloudEvent(envelope) => Value::Object(envelope.clone()),
                BulkPayload::Raw(data) => Value::String(STANDARD.encode(data)),
            };
            let content_type = entry_type(entry);
            json!({ "entryId": entry.entry_id, "event": payload, "contentType": content_type, "metadata": entry.metadata })
        })
        .collect();
    let envelope = json!({
        "id": uuid::Uuid::new_v4().to_string(),
        "type": "com.dapr.event.sent.bulk",
        "topic": event.topic,
        "pubsubname": event.pubsub,
        "metadata": event.metadata,
        "entries": entries,
    });
    envelope.to_string().into()
}

/// Entries of HTTP apps always have a content type; those of gRPC apps only the broker's.
fn entry_type(entry: &BulkEntry) -> &str {
    match &entry.event {
        _ if !entry.content_type.is_empty() => &entry.content_type,
        BulkPayload::CloudEvent(_) => "application/cloudevents+json",
        BulkPayload::Raw(_) => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json_tests::json as any_json;
    use proptest::prelude::*;

    #[test]
    fn only_a_status_is_one() {
        let cases: [(&str, EventStatus); 9] = [
            ("", EventStatus::Success),
            ("hello", EventStatus::Success),
            ("{}", EventStatus::Success),
            ("[1]", EventStatus::Success),
            (r#"{"status": 1}"#, EventStatus::Success),
            (r#"{"Status": "DROP"} rest"#, EventStatus::Drop),
            (r#"{"status": "SUCCESS"}"#, EventStatus::Success),
            (r#"{"status": "success"}"#, EventStatus::Retry),
            (r#"{"status": "RETRY"}"#, EventStatus::Retry),
        ];
        for (body, expected) in cases {
            assert_eq!(said(body.as_bytes(), "id"), expected, "{body}");
        }
    }

    #[test]
    fn routes_become_paths() {
        assert_eq!(route("orders").unwrap(), "/orders");
        assert_eq!(route("/a b/ü?x=1").unwrap(), "/a%20b/%C3%BC?x=1");
        assert_eq!(route("").unwrap(), "/");
    }

    proptest! {
        #[test]
        fn any_answer_has_a_meaning(body in prop::collection::vec(any::<u8>(), 0..60), value in any_json()) {
            for body in [body, value.to_string().into_bytes()] {
                said(&body, "id");
                bulk_said(&body).ok();
            }
        }

        #[test]
        fn any_route_is_a_path_or_refused(path in "[/a?#%:@ \\\\]{0,12}|\\PC{0,12}") {
            if let Ok(uri) = route(&path) {
                prop_assert!(uri.path().starts_with('/') && uri.authority().is_none(), "{}", uri);
            }
        }
    }
}
