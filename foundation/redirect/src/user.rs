//! User and password in a URL.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::InvalidHeaderValue;
use percent_encoding::percent_decode_str;

/// The URL without user and password, and these.
pub(crate) fn apart(url: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = url.split_once("://") else { return (url.to_owned(), None) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{scheme}://{host}{path}"), Some(user)),
        None => (url.to_owned(), None),
    }
}

/// The header that says the same (RFC 7617).
pub(crate) fn basic(user: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut plain: Vec<u8> = percent_decode_str(user).collect();
    if !user.contains(':') {
        plain.push(b':');
    }
    let mut header = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(plain)))?;
    header.set_sensitive(true);
    Ok(header)
}
