//! Calls that are turned away before any method sees them (surface.md 0.17).
use axum::body::Body;
use foundation_fault::{Category, Code, Detail, Fault};
use foundation_grpc::of_headers;
use http::{Response, StatusCode};
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
    if headers.get(STATUS).is_some_and(|status| status == OUT_OF_RANGE)
        && let Some(text) = of_headers(headers).and_then(|status| too_large(status.message()))
    {
        Status::resource_exhausted(text).add_header(headers).ok();
    }
    response
}

/// In Go's words.
fn too_large(message: &str) -> Option<String> {
    message.find("message length too large")?;
    let mut numbers = message.split(|letter: char| !letter.is_ascii_digit()).filter(|part| !part.is_empty());
    let (size, limit) = (numbers.next()?, numbers.next()?);
    Some(format!("grpc: received message larger than max ({size} vs. {limit})"))
}

/// The message proper is in the details alone; the status says what HTTP calls it.
fn with_message(code: &'static Code, message: &str) -> Status {
    let http = code.http.as_u16().to_string();
    let metadata = vec![("http.code".to_owned(), http), ("http.error_message".to_owned(), message.to_owned())];
    let reason = code.reason.to_owned();
    Fault::new(code, code.reason).with(Detail::ErrorInfo { reason, metadata, http_only_metadata: Vec::new() }).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_above_the_limit_are_told_as_go_tells_them() {
        let text = "Error, decoded message length too large: found 2064 bytes, the limit is: 1000 bytes";
        let response = as_too_large(Status::out_of_range(text).into_http());
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Grpc::ResourceExhausted);
        assert_eq!(status.message(), "grpc: received message larger than max (2064 vs. 1000)");
        let other = as_too_large(Status::out_of_range("no").into_http());
        assert_eq!(Status::from_header_map(other.headers()).unwrap().code(), Grpc::OutOfRange);
    }
}
