//! Headers of an answer as metadata for a gRPC caller (protocols.md 6.3).
use foundation_peer::Origin;
use foundation_peer::headers::{connection_named, is_hop_by_hop};
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// Metadata of the answer to a gRPC caller; names that HTTP apps and gRPC both use get a prefix.
pub(crate) fn answer_to_grpc(headers: &HeaderMap, origin: Origin) -> HeaderMap {
    let named = connection_named(headers);
    let travels = |name: &HeaderName| !is_hop_by_hop(name) && !named.iter().any(|named| named == name.as_str());
    let kept = headers.iter().filter(|(name, _)| travels(name));
    kept.filter_map(|(name, value)| Some((metadata_name(name, value, origin)?, value.clone()))).collect()
}

/// A binary value that is not base64 cannot be metadata.
fn metadata_name(name: &HeaderName, value: &HeaderValue, origin: Origin) -> Option<HeaderName> {
    let text = name.as_str();
    match origin {
        Origin::Http if is_permanent(text) => HeaderName::from_bytes(format!("dapr-{text}").as_bytes()).ok(),
        _ if is_of_grpc(text) => None,
        _ if text.ends_with("-bin") && !is_base64(value.as_bytes()) => None,
        _ => Some(name.clone()),
    }
}

fn is_base64(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
}

/// Names that a gRPC library sets itself.
fn is_of_grpc(name: &str) -> bool {
    matches!(name, "content-type" | "content-length" | "user-agent" | "grpc-status" | "grpc-message")
        || matches!(name, "grpc-status-details-bin" | "grpc-encoding" | "grpc-accept-encoding" | "grpc-timeout")
}

/// Headers of IANA's permanent list, as far as answers have them.
fn is_permanent(name: &str) -> bool {
    matches!(
        name,
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
            | "host"
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

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let parsed = pairs.iter().map(|(name, value)| (name.parse::<HeaderName>(), value.parse::<HeaderValue>()));
        parsed.map(|(name, value)| (name.unwrap(), value.unwrap())).collect()
    }

    #[test]
    fn names_of_http_get_a_prefix() {
        let given =
            [("content-type", "text/plain"), ("x-h", "1"), ("x-h", "2"), ("connection", "x-gone"), ("x-gone", "1")];
        let expected = [("dapr-content-type", "text/plain"), ("x-h", "1"), ("x-h", "2")];
        assert_eq!(answer_to_grpc(&headers(&given), Origin::Http), headers(&expected));
    }

    #[test]
    fn names_of_grpc_stay() {
        let given =
            [("content-type", "application/grpc"), ("cookie", "a"), ("x-thing-bin", "AAE="), ("x-odd-bin", "?")];
        assert_eq!(
            answer_to_grpc(&headers(&given), Origin::Grpc),
            headers(&[("cookie", "a"), ("x-thing-bin", "AAE=")])
        );
    }

    proptest! {
        #[test]
        fn any_headers_become_metadata(pairs in prop::collection::vec(("[a-z0-9-]{1,16}", "[ -~]{0,16}"), 0..8)) {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            for origin in [Origin::Http, Origin::Grpc] {
                let metadata = answer_to_grpc(&headers(&pairs), origin);
                prop_assert!(!metadata.contains_key("content-type"));
            }
        }
    }
}
