//! Service invocation over HTTP: by path, by header or by user of the URL, with any verb.
use crate::answer::{Wanted, respond};
use crate::error::Error;
use crate::length::{length, name_length};
use crate::path;
use crate::service::Service;
use crate::upgrade;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use foundation_endpoint::{Endpoints, read_body};
use foundation_peer::{Head, Origin, Payload};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, Method, Version};
use http_body::Body as _;
use std::sync::Arc;

/// Bodies of known length up to here are read before they are sent, so that they can be sent again.
const REPLAYED: u64 = 4 << 20;

/// The endpoints of service invocation. [`invoke`] also takes what no other endpoint matches.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    Endpoints::new().add("v1.0", "invoke", "invoke/{*rest}", any(invoke).with_state(service))
}

/// Calls an app. Its path must come as the client sent it but for doubled slashes.
pub async fn invoke(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let Some(address) = path::address(parts.uri.path(), &mut parts.headers) else {
        return Error::NoAppId.into_fault("").into_response();
    };
    match call(&service, &address.target, address.method, parts, body).await {
        Ok(response) => response,
        Err(error) => error.into_fault(&address.target).into_response(),
    }
}

async fn call(
    service: &Service,
    target: &str,
    method: String,
    mut parts: Parts,
    body: Body,
) -> Result<Response, Error> {
    if let (Some(client), Some(drain)) = (upgrade::asked(&mut parts), service.upgrades()) {
        return upgrade::call(service, target, head(method, parts), client, drain).await;
    }
    let payload = payload(&mut parts, body).await?;
    let wanted = Wanted {
        streamed: matches!(payload, Payload::Stream(_)),
        events: wants_events(&parts.headers),
        over_http2: parts.version == Version::HTTP_2,
    };
    let answer = service.invoke(target, head(method, parts), payload).await?;
    Ok(respond(answer, wanted).await)
}

fn head(method: String, parts: Parts) -> Head {
    Head {
        origin: Origin::Http,
        verb: Some(verb(&parts.method)),
        method,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        content_type: parts.headers.get(CONTENT_TYPE).cloned(),
        headers: parts.headers,
        type_url: String::new(),
        deadline: None,
    }
}

/// Unknown verbs reach the app as POST (surface.md 0.12).
fn verb(method: &Method) -> Method {
    let upper = Method::from_bytes(method.as_str().to_ascii_uppercase().as_bytes()).unwrap_or(Method::POST);
    let known = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::CONNECT,
        Method::OPTIONS,
        Method::TRACE,
        Method::PATCH,
    ];
    if known.contains(&upper) { upper } else { Method::POST }
}

/// A body of unknown length is passed on as it comes.
async fn payload(parts: &mut Parts, body: Body) -> Result<Payload, Error> {
    let known = body.is_end_stream() || length(parts, &body).is_some_and(|length| length <= REPLAYED);
    if !known {
        return Ok(Payload::Stream(body));
    }
    let whole = read_body(body).await.map_err(|error| Error::Body(error.to_string()))?;
    name_length(&mut parts.headers, whole.len());
    Ok(Payload::Whole(whole))
}

/// Whether server-sent events are asked for.
pub(crate) fn wants_events(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.trim().eq_ignore_ascii_case("text/event-stream"))
}
