//! How long a body is, which tells whether it can be read first and sent again.
use axum::extract::Request;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use http_body::Body;

/// What the client named, as an extension of its request.
#[derive(Clone, Copy, Debug)]
struct Named(u64);

/// Keeps in mind how long the client said its body is. A middleware that changes the body takes that word away, and yet it is none that
/// comes without an end.
pub fn note_length(request: &mut Request) {
    if let Some(length) = of_header(request.headers()) {
        request.extensions_mut().insert(Named(length));
    }
}

/// None where nobody knows.
pub(crate) fn length(parts: &Parts, body: &impl Body) -> Option<u64> {
    let named = || parts.extensions.get::<Named>().map(|Named(length)| *length);
    body.size_hint().exact().or_else(|| of_header(&parts.headers)).or_else(named)
}

/// Names the length of a body that has been read, unless that is named.
pub(crate) fn name_length(headers: &mut HeaderMap, length: usize) {
    if length > 0 && of_header(headers) != u64::try_from(length).ok() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}

fn of_header(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
