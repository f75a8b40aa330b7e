//! Answers in plain text, as Go's HTTP library writes them.
use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_SNIFF: HeaderName = HeaderName::from_static("x-content-type-options");

/// A status with a line of text.
pub(crate) fn text(status: StatusCode, line: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(line.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, TEXT);
    response.headers_mut().insert(NO_SNIFF, HeaderValue::from_static("nosniff"));
    response
}

/// There is nothing at this path.
pub(crate) fn not_found() -> Response<Body> {
    text(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// The token is missing or wrong.
pub(crate) fn unauthorized() -> Response<Body> {
    text(StatusCode::UNAUTHORIZED, "invalid api token\n")
}

/// The head cannot be read.
pub(crate) fn bad_request(line: impl Into<Body>) -> Response<Body> {
    closing(text(StatusCode::BAD_REQUEST, line))
}

/// The body is encoded in a way that is not known here.
pub(crate) fn not_implemented(line: impl Into<Body>) -> Response<Body> {
    closing(text(StatusCode::NOT_IMPLEMENTED, line))
}

/// All headers together are too large.
pub(crate) fn headers_too_large() -> Response<Body> {
    closing(text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "431 Request Header Fields Too Large"))
}

fn closing(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
