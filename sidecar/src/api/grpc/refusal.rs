//! Calls that are turned away before any method sees them (surface.md 0.17).
use axum::body::Body;
use foundation_fault::{Category, Code, Detail, Fault};
use http::{HeaderValue, Response, StatusCode};
use tonic::{Code as Grpc, Status};

const STATUS: &str = "grpc-status";
const OUT_OF_RANGE: &str = "11";

static UNAUTHORIZED: Code =
    Code::rich(StatusCode::UNAUTHORIZED, Grpc::Unauthenticated, "", "Unauthorized", Category::Common);
static DENIED: Code =
    Code::rich(StatusCode::NOT_IMPLEMENTED, Grpc::Unimplemented, "", "Not Implemented", Category::Common);

/// The endpoint is on a deny list, or not on the allow list.
pub(crate) fn denied() -> Status {
    with_message(&DENIED, "requested endpoint is not available")
}

/// The token is missing.
pub(crate) fn no_token() -> Status {
    with_message(&UNAUTHORIZED, "missing api token in request metadata")
}

/// The token is another one.
pub(crate) fn wrong_token() -> Status {
    with_message(&UNAUTHORIZED, "authentication error: api token mismatch")
}

/// A message above the limit is RESOURCE_EXHAUSTED with every other gRPC library; ours says OUT_OF_RANGE.
pub(crate) fn as_too_large(mut response: Response<Body>) -> Response<Body> {
    let headers = response.headers_mut();
    let told = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if told(STATUS) == OUT_OF_RANGE && told("grpc-message").contains("message%20length%20too%20large") {
        headers.insert(STATUS, HeaderValue::from(Grpc::ResourceExhausted as u16));
    }
    response
}

/// The message proper is in the details alone; the status says what HTTP calls it.
fn with_message(code: &'static Code, message: &str) -> Status {
    let http = code.http.as_u16().to_string();
    let metadata = vec![("http.code".to_owned(), http), ("http.error_message".to_owned(), message.to_owned())];
    let reason = code.reason.to_owned();
    Fault::new(code, code.reason).with(Detail::ErrorInfo { reason, metadata, http_only_metadata: Vec::new() }).into()
}
