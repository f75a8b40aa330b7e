//! Answers that a middleware gives in place of what follows it.
use component_api::middleware::{Body, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A status, with its own name as text.
pub(crate) fn refusal(status: StatusCode) -> Response {
    message(status, status.canonical_reason().unwrap_or_default())
}

/// A status with a text.
pub(crate) fn message(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response
}
