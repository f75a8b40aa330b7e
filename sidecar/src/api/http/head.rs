//! Heads of requests in HTTP/1.x that Go's server refuses and the library takes (RFC 9112 3.2, 6.1).
use super::plain;
use axum::body::Body;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};

/// Why a request is refused, in Go's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("400 Bad Request")]
    Malformed,
    #[error("400 Bad Request: missing required Host header")]
    NoHost,
    #[error("400 Bad Request: malformed Host header")]
    Host,
    #[error("Unsupported transfer encoding")]
    Encoding,
}

impl Refusal {
    /// The answer, after which the connection ends: where the next request begins is not sure.
    pub(super) fn answer(self) -> Response<Body> {
        match self {
            Self::Encoding => plain::not_implemented(self.to_string()),
            Self::Malformed | Self::NoHost | Self::Host => plain::bad_request(self.to_string()),
        }
    }
}

/// Whose host, length and encoding can be taken in one way only. HTTP/2 has rules of its own.
///
/// # Errors
/// What is wrong first, in Go's order.
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.version() > Version::HTTP_11 {
        return Ok(());
    }
    let host = only_host(request.headers())?;
    check_body(request.headers())?;
    match host {
        None if request.version() == Version::HTTP_11 && *request.method() != Method::CONNECT => Err(Refusal::NoHost),
        Some(host) if !host.as_bytes().iter().all(is_of_host) => Err(Refusal::Host),
        _ => Ok(()),
    }
}

fn only_host(headers: &HeaderMap) -> Result<Option<&HeaderValue>, Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() { Err(Refusal::Malformed) } else { Ok(host) }
}

/// Nothing but chunks, once, and no more bytes than Go counts.
fn check_body(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(TRANSFER_ENCODING).iter();
    if encodings.next().is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        || encodings.next().is_some()
    {
        return Err(Refusal::Encoding);
    }
    let Some(length) = headers.get(CONTENT_LENGTH) else { return Ok(()) };
    let length = length.to_str().ok().and_then(|length| length.parse::<i64>().ok());
    length.map(drop).ok_or(Refusal::Malformed)
}

/// What a host or its escapes may have (RFC 3986 3.2.2).
fn is_of_host(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&()*+,-.:;=['_~]".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(head: &str, version: Version) -> Result<(), Refusal> {
        let mut lines = head.split("; ");
        let mut request = Request::builder().method(lines.next().unwrap()).version(version);
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            request = request.header(name, value);
        }
        check(&request.body(()).unwrap())
    }

    #[test]
    fn heads_are_refused_as_go_refuses_them() {
        for (head, expected) in [
            ("GET; host: a.b:80", Ok(())),
            ("GET; host: [::1]:80", Ok(())),
            ("GET; host: ", Ok(())),
            ("GET", Err(Refusal::NoHost)),
            ("CONNECT", Ok(())),
            ("GET; host: a; host: a", Err(Refusal::Malformed)),
            ("GET; host: a/b", Err(Refusal::Host)),
            ("POST; host: a; transfer-encoding: Chunked", Ok(())),
            ("POST; host: a; transfer-encoding: gzip, chunked", Err(Refusal::Encoding)),
            ("POST; transfer-encoding: gzip; transfer-encoding: chunked", Err(Refusal::Encoding)),
            ("POST; host: a; content-length: 9223372036854775807", Ok(())),
            ("POST; host: a; content-length: 9223372036854775808", Err(Refusal::Malformed)),
        ] {
            assert_eq!(checked(head, Version::HTTP_11), expected, "{head}");
        }
    }

    #[test]
    fn other_versions_need_no_host() {
        assert_eq!(checked("GET", Version::HTTP_10), Ok(()));
        assert_eq!(checked("GET; transfer-encoding: gzip", Version::HTTP_2), Ok(()));
    }
}
