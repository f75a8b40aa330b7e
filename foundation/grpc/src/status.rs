//! The status of a call, in trailers or in the head of an answer.
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use h2::Reason;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response, StatusCode};
use percent_encoding::percent_decode;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

pub(crate) const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";
const DETAILS: &str = "grpc-status-details-bin";
const GRPC: &[u8] = b"application/grpc";
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The trailers that tell a status.
pub fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    // A text that is no header is left out by then, but never the code.
    status.add_header(&mut trailers).ok();
    trailers
}

/// The status that headers tell, if they tell one; the other headers are its metadata. What comes from elsewhere may be malformed, on
/// which the library's own way to read it panics.
pub fn of_headers(headers: &HeaderMap) -> Option<Status> {
    let code = headers.get(STATUS)?;
    let Some(details) = details(headers) else { return Some(malformed()) };
    let message = headers.get(MESSAGE).map(|text| percent_decode(text.as_bytes()).decode_utf8_lossy().into_owned());
    let mut others = headers.clone();
    for name in [STATUS, MESSAGE, DETAILS] {
        others.remove(name);
    }
    let (code, message) = (Code::from_bytes(code.as_bytes()), message.unwrap_or_default());
    Some(Status::with_details_and_metadata(code, message, details, MetadataMap::from_headers(others)))
}

/// None where they cannot be read.
fn details(headers: &HeaderMap) -> Option<Bytes> {
    let Some(text) = headers.get(DETAILS) else { return Some(Bytes::new()) };
    BASE64.decode(text.as_bytes()).ok().map(Bytes::from)
}

fn malformed() -> Status {
    Status::internal(format!("malformed {DETAILS}"))
}

/// Makes headers such that the library can read their status.
pub(crate) fn make_readable(headers: &mut HeaderMap) {
    if details(headers).is_none() {
        headers.remove(DETAILS);
        headers.extend(trailers(&malformed()));
    }
}

/// The answer, if it is gRPC's and its head tells no error.
///
/// # Errors
/// The status in its head, or that of what is no gRPC.
pub fn accepted<B>(response: Response<B>) -> Result<Response<B>, Status> {
    let headers = response.headers();
    match of_headers(headers) {
        Some(status) if status.code() != Code::Ok => return Err(status),
        _ if response.status() != StatusCode::OK => return Err(of_http(response.status())),
        _ => {}
    }
    match headers.get(CONTENT_TYPE) {
        Some(kind) if kind.as_bytes().starts_with(GRPC) => Ok(response),
        kind => Err(Status::unknown(format!(
            "unexpected HTTP status code received from server: 200 (OK); transport: received unexpected content-type {:?}",
            kind.map(|kind| String::from_utf8_lossy(kind.as_bytes())).unwrap_or_default()
        ))),
    }
}

/// How a call ends by its trailers.
///
/// # Errors
/// The status in them when it is no good one, or there is none.
pub(crate) fn ended(trailers: &HeaderMap) -> Result<(), Status> {
    match of_headers(trailers) {
        Some(status) if status.code() == Code::Ok => Ok(()),
        Some(status) => Err(status),
        None => Err(Status::unknown("malformed header: missing grpc-status")),
    }
}

/// The status of a call whose answer has broken, whatever is around the cause.
pub(crate) fn as_status(error: &(dyn std::error::Error + 'static)) -> Status {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    let known = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<Status>().cloned().or_else(|| cause.downcast_ref().map(of_broken))
    };
    causes.find_map(known).unwrap_or_else(|| Status::unavailable(error.to_string()))
}

/// The status of a call whose connection or stream has broken (gRPC over HTTP/2, "HTTP2 transport mapping").
pub fn of_broken(error: &h2::Error) -> Status {
    let code = match error.reason() {
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::REFUSED_STREAM | Reason::NO_ERROR) | None => Code::Unavailable,
        Some(_) => Code::Internal,
    };
    // What Go says of it, and what is searched for.
    let context = if error.is_io() { "error reading from server: " } else { "" };
    Status::new(code, format!("{context}{error}"))
}

/// gRPC's own table for answers that are not gRPC's.
fn of_http(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("unexpected HTTP status code received from server: {}", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn head(status: u16, headers: &[(&'static str, &'static str)]) -> Result<Response<()>, Status> {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        accepted(response.body(()).unwrap())
    }

    #[test]
    fn an_answer_that_is_none_of_grpc_tells_why() {
        let of = |status| head(status, &[]).unwrap_err().code();
        assert!(head(200, &[("content-type", "application/grpc+proto")]).is_ok());
        assert_eq!(head(200, &[("content-type", "text/html")]).unwrap_err().code(), Code::Unknown);
        assert_eq!(
            [of(200), of(404), of(503), of(418)],
            [Code::Unknown, Code::Unimplemented, Code::Unavailable, Code::Unknown]
        );
    }

    #[test]
    fn a_status_in_the_head_counts_before_that_of_http() {
        let status = head(500, &[(STATUS, "5"), (MESSAGE, "none%20of%zz%ff"), ("shop", "closed")]).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "none of%zz\u{fffd}"));
        assert_eq!(status.metadata().get("shop").unwrap(), "closed");
    }

    #[test]
    fn details_that_cannot_be_read_are_told_and_made_readable() {
        let mut headers = HeaderMap::new();
        headers.insert(STATUS, HeaderValue::from_static("3"));
        headers.insert(DETAILS, HeaderValue::from_static("!!"));
        let status = of_headers(&headers).unwrap();
        assert_eq!((status.code(), status.message()), (Code::Internal, "malformed grpc-status-details-bin"));
        make_readable(&mut headers);
        assert_eq!(Status::from_header_map(&headers).unwrap().code(), Code::Internal);
        headers.insert(DETAILS, HeaderValue::from_static("aGk"));
        assert_eq!(of_headers(&headers).unwrap().details(), b"hi");
    }
}
