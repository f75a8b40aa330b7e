//! Actors of an app that speaks HTTP (protocols.md 2.5).
use super::{App, Failure};
use crate::model::{ActorKey, Answer, Call, Metadata};
use crate::tick::{Kind, Tick};
use ::http::header::{CONTENT_TYPE, HeaderName};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use foundation_app::{Channel, answer_to_http};
use foundation_peer::headers::canonical;
use foundation_peer::method::{check_name, normalise};
use foundation_resiliency::Resiliency;
use http_body_util::BodyExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The actor wants no more of a reminder or timer.
const CANCEL: &str = "x-daprremindercancel";
const JSON: &str = "application/json";
/// What stands in a part of a path as it is (RFC 3986, but for slashes and percent signs).
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
const PATH: &AsciiSet = &PART.remove(b'/');

/// An app that speaks HTTP.
pub(crate) struct OverHttp {
    channel: Arc<dyn Channel>,
    resiliency: Resiliency,
}

/// What the app is told of a reminder.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReminderBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    due_time: &'a str,
    period: &'a str,
}

/// What the app is told of a timer.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TimerBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    callback: &'a str,
    due_time: &'a str,
    period: &'a str,
}

impl OverHttp {
    pub(crate) fn new(channel: Arc<dyn Channel>, resiliency: Resiliency) -> Self {
        Self { channel, resiliency }
    }

    async fn put(&self, call: &Call) -> Result<Answer, Failure> {
        let method =
            normalise(&call.method).map_err(|invalid| Failure::Unreached(format!("invalid method name: {invalid}")))?;
        let method = format!("{}/method/{method}", path(&call.actor)?);
        let policy = self.resiliency.actor_in_turn(&call.actor.actor_type);
        let attempt = || async { self.exchange(Method::PUT, &method, call).await.map_err(Attempt) };
        let answered = policy.run(attempt).await;
        let response = answered.map_err(|error| error.failure_or_else(|text| Attempt(text.to_owned())).0);
        let answer = read(response.map_err(Failure::Unreached)?).await?;
        match answer.status {
            404 => Err(Failure::NoMethod(method.trim_start_matches('/').to_owned())),
            200 => Ok(answer),
            status => Err(Failure::Refused(format!("({status}) {}", String::from_utf8_lossy(&answer.data)))),
        }
    }

    async fn exchange(&self, verb: Method, path: &str, call: &Call) -> Result<Response<Body>, String> {
        let query = call.http.as_ref().map(|http| http.querystring.as_str()).filter(|query| !query.is_empty());
        let escaped = utf8_percent_encode(path, PATH);
        let uri = query.map_or_else(|| escaped.to_string(), |query| format!("{escaped}?{query}"));
        let mut request = Request::new(Body::from(call.data.clone()));
        *request.method_mut() = verb;
        *request.uri_mut() = Uri::try_from(uri).map_err(|error| error.to_string())?;
        *request.headers_mut() = headers(&call.metadata);
        if let Some(content_type) = HeaderValue::from_str(&call.content_type).ok().filter(|value| !value.is_empty()) {
            request.headers_mut().insert(CONTENT_TYPE, content_type);
        }
        self.channel.invoke(request).await.map_err(|error| error.to_string())
    }
}

/// What a policy sees of a failed attempt.
struct Attempt(String);

impl foundation_resiliency::Failure for Attempt {}

#[async_trait]
impl App for OverHttp {
    async fn invoke(&self, call: &Call) -> Result<Answer, Failure> {
        let answer = self.put(call).await?;
        let cancels = answer.metadata.get(CANCEL).is_some_and(is_truthy);
        if cancels && !answer.is_error() { Err(Failure::Cancelled) } else { Ok(answer) }
    }

    async fn tick(&self, tick: &Tick) -> Result<(), Failure> {
        let (data, due_time, period) = (tick.json(), tick.due_time.as_str(), tick.period.as_str());
        let (kind, body) = match tick.kind {
            Kind::Reminder => ("remind", serde_json::to_vec(&ReminderBody { data, due_time, period })),
            Kind::Timer => {
                ("timer", serde_json::to_vec(&TimerBody { callback: &tick.callback, data, due_time, period }))
            }
        };
        let call = Call {
            actor: tick.actor.clone(),
            method: format!("{kind}/{}", tick.name),
            content_type: JSON.to_owned(),
            data: body.map_err(|error| Failure::Unreached(error.to_string()))?.into(),
            ..Call::default()
        };
        let answer = self.invoke(&call).await?;
        if answer.is_error() { Err(Failure::Unreached(ACTOR_ERROR.to_owned())) } else { Ok(()) }
    }

    async fn deactivate(&self, actor: &ActorKey) -> Result<(), Failure> {
        let call = Call { actor: actor.clone(), ..Call::default() };
        let response = self.exchange(Method::DELETE, &path(actor)?, &call).await.map_err(Failure::Unreached)?;
        // The status says it all: an app that never ends its answer must not hold up the end of its sidecar.
        if response.status() == StatusCode::OK {
            return Ok(());
        }
        let answer = read(response).await?;
        Err(Failure::Refused(format!("({}) {}", answer.status, String::from_utf8_lossy(&answer.data))))
    }
}

/// What Dapr says of an error that is the actor's own.
const ACTOR_ERROR: &str = "actor error with details in body";

/// Reminders may be older than the rules for ids, and other sidecars may not know them.
fn path(actor: &ActorKey) -> Result<String, Failure> {
    let ActorKey { actor_type, id } = actor;
    let checked = check_name(actor_type).and_then(|()| check_name(id));
    checked.map_err(|reason| Failure::Unreached(format!("invalid actor {actor}: {reason}")))?;
    Ok(format!("/actors/{actor_type}/{id}"))
}

fn headers(metadata: &Metadata) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in &metadata.0 {
        let Ok(name) = HeaderName::try_from(name) else { continue };
        if name != CONTENT_TYPE && name != ::http::header::CONTENT_LENGTH {
            values.iter().filter_map(|value| HeaderValue::try_from(value).ok()).for_each(|value| {
                headers.append(&name, value);
            });
        }
    }
    headers
}

async fn read(response: Response<Body>) -> Result<Answer, Failure> {
    let (mut head, body) = response.into_parts();
    let data = body.collect().await;
    let data: Bytes =
        data.map_err(|error| Failure::Unreached(format!("failed to read response data: {error}")))?.to_bytes();
    answer_to_http(&mut head.headers);
    let content_type = head.headers.remove(CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().map(str::to_owned).ok()).unwrap_or_default();
    Ok(Answer { status: i32::from(head.status.as_u16()), metadata: metadata(&head.headers), content_type, data })
}

/// Headers under their names as Go writes them, by which Go's sidecars look for them.
pub(crate) fn metadata(headers: &HeaderMap) -> Metadata {
    let values = |name: &HeaderName| {
        let values = headers.get_all(name).into_iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    };
    Metadata(headers.keys().map(|name| (canonical(name.as_str()).into_owned(), values(name))).collect())
}

fn is_truthy(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_asked_for_by_its_own_path_only() {
        assert_eq!(path(&ActorKey::new("t", "a b")).unwrap(), "/actors/t/a b");
        for id in ["..", ".", "a/b", "a?b"] {
            assert!(path(&ActorKey::new("t", id)).is_err(), "{id}");
        }
    }
}
