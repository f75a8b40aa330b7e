//! Answers that a middleware gives in place of what follows it.
use component_api::middleware::{Body, Response};
use http::header::CONTENT_TYPE;
#[cfg(feature = "oauth2")]
use http::header::LOCATION;
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

/// Sends the client elsewhere; a place that cannot be written in a header is an error of this side.
#[cfg(feature = "oauth2")]
pub(crate) fn redirect(location: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(location) else { return refusal(StatusCode::INTERNAL_SERVER_ERROR) };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    response
}
