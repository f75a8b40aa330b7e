//! Header names that matter between two sidecars, and how they are written.
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::{CONNECTION, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::borrow::Cow;

/// Id of the app that is called; only between sidecars.
pub const DESTINATION: &str = "destination-app-id";
/// Namespace of the app that calls.
pub const CALLER_NAMESPACE: &str = "dapr-caller-namespace";
/// Id of the app that calls.
pub const CALLER_ID: &str = "dapr-caller-app-id";
/// Id of the app that is called.
pub const CALLEE_ID: &str = "dapr-callee-app-id";
/// What a gRPC caller called its sidecar; between sidecars it is the pseudo header of HTTP/2.
pub const AUTHORITY: &str = "dapr-authority";
/// Id of the app to call, of a caller of the API.
pub const APP_ID: &str = "dapr-app-id";

/// Reads base64 with and without padding, and writes it with.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Which headers are not passed on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Skipped {
    /// Those of one connection, and those that the sidecar itself sets.
    OfRequest,
    /// Those of one connection, and the length, which may not fit what the app really sends.
    OfAnswer,
}

impl Skipped {
    pub(crate) fn skips(self, name: &HeaderName, connection_named: &[String]) -> bool {
        is_hop_by_hop(name)
            || connection_named.iter().any(|named| named == name.as_str())
            || self.skips_own(name.as_str())
    }

    fn skips_own(self, name: &str) -> bool {
        match self {
            Self::OfRequest => matches!(
                name,
                DESTINATION
                    | CALLER_NAMESPACE
                    | CALLER_ID
                    | CALLEE_ID
                    | "x-forwarded-for"
                    | "x-forwarded-host"
                    | "forwarded"
            ),
            Self::OfAnswer => name == "content-length",
        }
    }
}

/// Whether a header belongs to one connection only (RFC 7230 6.1; protocols.md 6.3).
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "transfer-encoding"
            | "upgrade"
            | "http2-settings"
            | "te"
            | "trailer"
            | "proxy-authorization"
            | "proxy-authenticate"
    )
}

/// Names of the headers that the `Connection` header keeps to one connection, in lower case.
pub fn connection_named(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    let names = texts.flat_map(|text| text.split(','));
    names.map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// The name as Go's HTTP library writes it: `X-Custom`. Go's sidecars know HTTP headers by it.
pub fn canonical(name: &str) -> Cow<'_, str> {
    let mut start = true;
    let letter = |letter: char| {
        let written = if start { letter.to_ascii_uppercase() } else { letter };
        start = letter == '-';
        written
    };
    Cow::Owned(name.chars().map(letter).collect())
}

/// A binary value in base64 with padding, which Go's sidecars insist on.
pub(crate) fn padded(value: &HeaderValue) -> String {
    match BASE64.decode(value.as_bytes()) {
        Ok(bytes) => BASE64.encode(bytes),
        Err(_) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    }
}
