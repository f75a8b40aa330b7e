//! The path of a call as it is written in the request to the app.
use http::uri::PathAndQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What Go's URL library escapes in a path.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b',')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'=')
    .remove(b'@');

/// Why a method is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("parse \"/{method}\": invalid URL escape \"{escape}\"")]
    Escape { method: String, escape: String },
    #[error("parse \"/{0}\": net/url: invalid query in URL")]
    Query(String),
}

/// Path and query of a method; what is escaped in it already stays so (surface.md 0.14).
///
/// # Errors
/// [`InvalidUrl`] for a percent sign that escapes nothing, and for a query that cannot be sent.
pub(crate) fn path_and_query(method: &str, query: &str) -> Result<PathAndQuery, InvalidUrl> {
    if let Some(escape) = broken_escape(method) {
        return Err(InvalidUrl::Escape { method: method.to_owned(), escape });
    }
    let mut text = String::with_capacity(method.len() + query.len() + 2);
    if !method.starts_with('/') {
        text.push('/');
    }
    if method.bytes().all(is_plain) {
        text.push_str(method);
    } else {
        let decoded = percent_decode_str(method).decode_utf8_lossy();
        text.extend(utf8_percent_encode(&decoded, ESCAPED));
    }
    if !query.is_empty() {
        text.push('?');
        text.push_str(query);
    }
    PathAndQuery::try_from(text).map_err(|_| InvalidUrl::Query(method.to_owned()))
}

/// Whether a byte may stand in a path as it is.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:@[]/%".contains(&byte)
}

/// The first percent sign that two hexadecimal digits do not follow, with what does.
fn broken_escape(method: &str) -> Option<String> {
    let mut parts = method.split('%');
    parts.next();
    let broken = parts.find(|part| {
        !part.as_bytes().first_chunk::<2>().is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })?;
    Some(format!("%{}", broken.chars().take(2).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(method: &str, query: &str) -> String {
        path_and_query(method, query).unwrap().to_string()
    }

    #[test]
    fn methods_are_escaped_once() {
        assert_eq!(written("a b/ü", ""), "/a%20b/%C3%BC");
        assert_eq!(written("a%20b/ü", "x=%20"), "/a%20b/%C3%BC?x=%20");
        assert_eq!(written("/m", ""), "/m");
        assert_eq!(written("", "a=1"), "/?a=1");
        assert_eq!(written("a*b\\", ""), "/a%2Ab%5C");
        assert_eq!(written("a*b", ""), "/a*b");
    }

    #[test]
    fn a_lonely_percent_sign_is_refused() {
        let error = path_and_query("test%stream", "").unwrap_err().to_string();
        assert_eq!(error, "parse \"/test%stream\": invalid URL escape \"%st\"");
        assert!(path_and_query("a%", "").is_err());
    }

    proptest! {
        #[test]
        fn any_method_is_written_or_refused(method in "\\PC{0,30}", query in "\\PC{0,10}") {
            path_and_query(&method, &query).ok();
        }
    }
}
