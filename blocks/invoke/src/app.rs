//! Calls to the app of this sidecar.
use crate::error::Error;
use crate::upgrade::take_mark;
use crate::url::path_and_query;
use axum::body::Body;
use foundation_app::{AppStatus, CallContext, Called, Channel};
use foundation_peer::headers::AUTHORITY;
use foundation_peer::{Answer, Head, Origin, Outcome};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, Uri};

/// Calls the app and waits for the head of its answer.
pub(crate) async fn deliver(app: &dyn Channel, head: Head, body: Body) -> Result<Answer, Error> {
    let request = if app.protocol().is_grpc() { grpc_request(head, body)? } else { request(head, body)? };
    Ok(answer(app.invoke(request).await?))
}

/// A gRPC app takes any text as a method and as a query. What the caller called its sidecar is told to HTTP apps only, as in
/// Go.
fn grpc_request(mut head: Head, body: Body) -> Result<Request<Body>, Error> {
    let called = Called { method: std::mem::take(&mut head.method), query: std::mem::take(&mut head.query) };
    head.headers.remove(AUTHORITY);
    let mut request = request(head, body)?;
    if let Some(context) = request.extensions_mut().get_mut::<CallContext>() {
        context.called = Some(called);
    }
    Ok(request)
}

fn request(head: Head, body: Body) -> Result<Request<Body>, Error> {
    let mut request = Request::new(body);
    *request.uri_mut() = Uri::from(path_and_query(&head.method, &head.query)?);
    let mut headers = head.headers;
    let context = CallContext {
        origin: origin(head.origin),
        type_url: head.type_url,
        no_verb: head.verb.is_none(),
        upgrade: take_mark(&mut headers),
        called: None,
    };
    *request.method_mut() = head.verb.unwrap_or(Method::POST);
    *request.headers_mut() = headers;
    request.extensions_mut().insert(context);
    if let Some(deadline) = head.deadline {
        request.extensions_mut().insert(deadline);
    }
    match head.content_type {
        Some(content_type) => request.headers_mut().insert(CONTENT_TYPE, content_type),
        None => request.headers_mut().remove(CONTENT_TYPE),
    };
    Ok(request)
}

fn origin(origin: Origin) -> foundation_app::Origin {
    match origin {
        Origin::Http => foundation_app::Origin::Http,
        Origin::Grpc => foundation_app::Origin::Grpc,
    }
}

fn answer(response: Response<Body>) -> Answer {
    let (mut parts, body) = response.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).cloned();
    let (outcome, type_url) = match parts.extensions.remove::<AppStatus>() {
        Some(AppStatus { status, trailers, type_url }) => (Outcome::Grpc { status, trailers }, type_url),
        None => (Outcome::Http(parts.status), String::new()),
    };
    Answer { outcome, headers: parts.headers, content_type, type_url, body }
}
