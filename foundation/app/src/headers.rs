//! Which headers travel between callers and the app, and under which names (protocols.md 6.3).
use crate::Origin;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue};

pub(crate) const TOKEN: HeaderName = HeaderName::from_static("dapr-api-token");
pub(crate) const APP_ID: HeaderName = HeaderName::from_static("dapr-app-id");
const DESTINATION: &str = "destination-app-id";
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_BINARY: HeaderName = HeaderName::from_static("grpc-trace-bin");

/// Removes what belongs to one connection only, and renames what gRPC reserves. For requests to an HTTP app.
pub(crate) fn request_to_http(headers: &mut HeaderMap) {
    let named = connection_named(headers);
    headers.remove("host");
    to_http(headers, |name| named.contains(name) || name == DESTINATION);
}

/// The headers of an app's answer as an HTTP caller gets them: names of one connection, binary ones and the length are
/// left out, `grpc-*` become `dapr-grpc-*`. Doing it twice changes nothing.
pub fn answer_to_http(headers: &mut HeaderMap) {
    let named = connection_named(headers);
    to_http(headers, |name| named.contains(name) || name == "content-length");
}

/// Removes what belongs to one connection only.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named = connection_named(headers);
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| is_hop_by_hop(name) || named.contains(name)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

fn to_http(headers: &mut HeaderMap, gone: impl Fn(&HeaderName) -> bool) {
    let affected = |name: &&HeaderName| gone(name) || is_hop_by_hop(name) || is_binary(name) || is_reserved(name);
    let names: Vec<HeaderName> = headers.keys().filter(affected).cloned().collect();
    for name in names {
        let keep = is_reserved(&name) && !is_binary(&name) && !gone(&name);
        let renamed = HeaderName::try_from(format!("dapr-{name}")).ok().filter(|_| keep);
        for value in take_all(headers, name) {
            renamed.iter().for_each(|name| {
                headers.append(name, value.clone());
            });
        }
    }
}

/// The headers of an HTTP or gRPC caller as metadata of a call to a gRPC app.
pub(crate) fn request_to_grpc(headers: HeaderMap, origin: Origin) -> HeaderMap {
    let named = connection_named(&headers);
    let mut metadata = HeaderMap::with_capacity(headers.len() + 2);
    let mut current = None;
    for (name, value) in headers {
        current = name.or(current);
        let Some(name) = &current else { continue };
        let gone = name == DESTINATION || is_hop_by_hop(name) || is_transport(name) || named.contains(name);
        if !gone && let Some((name, value)) = grpc_entry(name, value, origin) {
            metadata.append(name, value);
        }
    }
    // Also that of an untraced call, which is all zeros.
    insert_trace_binary(&mut metadata, |_| true);
    metadata
}

fn grpc_entry(name: &HeaderName, value: HeaderValue, origin: Origin) -> Option<(HeaderName, HeaderValue)> {
    match origin {
        // The length of the caller's message is not that of the one which the app gets.
        Origin::Grpc if name == CONTENT_LENGTH => None,
        Origin::Grpc => Some((name.clone(), value)),
        Origin::Http if is_permanent(name) => Some((HeaderName::try_from(format!("dapr-{name}")).ok()?, value)),
        // HTTP knows no binary values: what the caller wrote is the value.
        Origin::Http if is_binary(name) => {
            Some((name.clone(), HeaderValue::try_from(STANDARD_NO_PAD.encode(value.as_bytes())).ok()?))
        }
        Origin::Http => Some((name.clone(), value)),
    }
}

/// Gives metadata with a `traceparent` the same in binary, where it has none yet and there is a trace.
pub(crate) fn add_trace_binary(metadata: &mut HeaderMap) {
    insert_trace_binary(metadata, |binary| binary[2..18].iter().any(|byte| *byte != 0));
}

fn insert_trace_binary(metadata: &mut HeaderMap, wanted: impl Fn(&[u8; 29]) -> bool) {
    if metadata.contains_key(TRACE_BINARY) {
        return;
    }
    let binary = metadata.get(TRACEPARENT).and_then(|value| value.to_str().ok()).and_then(trace_binary).filter(wanted);
    if let Some(value) = binary.and_then(|binary| HeaderValue::try_from(STANDARD_NO_PAD.encode(binary)).ok()) {
        metadata.insert(TRACE_BINARY, value);
    }
}

/// The 29 bytes of `grpc-trace-bin` for a `traceparent`; none for one that is malformed.
fn trace_binary(traceparent: &str) -> Option<[u8; 29]> {
    let mut parts = traceparent.split('-').skip(1);
    let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
    let mut binary = [0; 29];
    hex(trace, &mut binary[2..18])?;
    hex(span, &mut binary[19..27])?;
    hex(flags, &mut binary[28..])?;
    (binary[18], binary[27]) = (1, 2);
    Some(binary)
}

fn hex(text: &str, out: &mut [u8]) -> Option<()> {
    if text.len() != out.len() * 2 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (index, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(())
}

/// Metadata of a broker as headers of a request; what cannot be a header is left out.
pub(crate) fn append_metadata<'a>(
    headers: &mut HeaderMap,
    metadata: impl IntoIterator<Item = (&'a String, &'a String)>,
) {
    for (name, value) in metadata {
        let name = HeaderName::try_from(name.as_str()).ok();
        let value = HeaderValue::try_from(value.as_str()).ok();
        if let Some((name, value)) =
            name.zip(value).filter(|(name, _)| name != "content-type" && name != "content-length")
        {
            headers.insert(name, value);
        }
    }
}

fn take_all(headers: &mut HeaderMap, name: HeaderName) -> Vec<HeaderValue> {
    match headers.entry(name) {
        http::header::Entry::Occupied(entry) => entry.remove_entry_mult().1.collect(),
        http::header::Entry::Vacant(_) => Vec::new(),
    }
}

/// Names that the `Connection` header keeps to one connection.
fn connection_named(headers: &HeaderMap) -> Vec<HeaderName> {
    let texts = headers.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).filter_map(|name| HeaderName::try_from(name.trim()).ok()).collect()
}

fn is_binary(name: &HeaderName) -> bool {
    name.as_str().ends_with("-bin")
}

fn is_reserved(name: &HeaderName) -> bool {
    name.as_str().starts_with("grpc-")
}

/// RFC 7230 6.1.
fn is_hop_by_hop(name: &HeaderName) -> bool {
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

/// Set by gRPC itself for each call.
fn is_transport(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "host"
            | "user-agent"
            | "grpc-timeout"
            | "grpc-encoding"
            | "grpc-accept-encoding"
            | "grpc-message"
            | "grpc-message-type"
            | "grpc-status"
            | "grpc-status-details-bin"
    )
}

/// Request headers of IANA's permanent list, which get a prefix so that gRPC does not mistake them for its own.
fn is_permanent(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "accept"
            | "accept-charset"
            | "accept-language"
            | "accept-ranges"
            | "cache-control"
            | "content-type"
            | "content-length"
            | "cookie"
            | "date"
            | "expect"
            | "from"
            | "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-schedule-tag-match"
            | "if-unmodified-since"
            | "max-forwards"
            | "origin"
            | "pragma"
            | "referer"
            | "via"
            | "warning"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const NAMES: [&str; 16] = [
        "connection",
        "host",
        "te",
        "upgrade",
        "grpc-timeout",
        "grpc-status",
        "grpc-x",
        "x-bin",
        "grpc-trace-bin",
        "traceparent",
        "content-length",
        "content-type",
        "destination-app-id",
        "dapr-app-id",
        "x",
        "cookie",
    ];

    fn headers() -> impl Strategy<Value = HeaderMap> {
        let value = prop::collection::vec(any::<u8>(), 0..24)
            .prop_filter_map("a header", |value| HeaderValue::from_bytes(&value).ok());
        let named =
            "(x|te|,| |connection|\\PC){0,4}".prop_filter_map("a header", |value| HeaderValue::try_from(value).ok());
        let pair = (select(&NAMES[..]).prop_map(HeaderName::from_static), prop_oneof![value, named]);
        prop::collection::vec(pair, 0..8).prop_map(|pairs| {
            let mut headers = HeaderMap::new();
            pairs.into_iter().for_each(|(name, value)| {
                headers.append(name, value);
            });
            headers
        })
    }

    proptest! {
        #[test]
        fn headers_of_one_connection_go_no_further(headers in headers()) {
            let mut http = headers.clone();
            request_to_http(&mut http);
            for gone in ["connection", "te", "upgrade", "host", "grpc-timeout", "x-bin"] {
                prop_assert!(!http.contains_key(gone), "{gone}");
            }
            for origin in [Origin::Http, Origin::Grpc] {
                let grpc = request_to_grpc(headers.clone(), origin);
                for gone in ["connection", "te", "upgrade", "host", "grpc-timeout", "grpc-status", "content-length"] {
                    prop_assert!(!grpc.contains_key(gone), "{gone}");
                }
            }
        }

        #[test]
        fn an_answer_is_turned_once(headers in headers()) {
            let mut once = headers;
            answer_to_http(&mut once);
            let mut twice = once.clone();
            answer_to_http(&mut twice);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn any_trace_is_read(text in "[0-9a-fA-F+-]{0,60}|00-[0-9a-f+]{32}-[0-9a-f]{16}-[0-9a-f+]{2}|\\PC{0,20}") {
            prop_assert_eq!(trace_binary(&text).is_some_and(|_| text.contains('+')), false);
        }
    }
}
