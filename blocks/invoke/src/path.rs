//! Paths of calls: which app is meant, and which method.
//!
//! Contract: surface.md 0.14 and 0.15, protocols.md 6.1.
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foundation_peer::headers::{APP_ID, CALLEE_ID};
use foundation_peer::method::clean;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use percent_encoding::percent_decode_str;

const PREFIX: [&str; 2] = ["v1.0", "invoke"];
const METHOD: &str = "/method/";

/// What a caller named: the app with its namespace, or a URL, and the method at the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) target: String,
    pub(crate) method: String,
}

/// Finds the address in the header `dapr-app-id` (and removes it), the user of the URL, or the path, in this order.
pub(crate) fn address(escaped_path: &str, headers: &mut HeaderMap) -> Option<Address> {
    let path = percent_decode_str(escaped_path).decode_utf8_lossy();
    let named = headers.remove(APP_ID).filter(|value| !value.is_empty());
    let target = match named {
        Some(value) => Some(String::from_utf8_lossy(value.as_bytes()).into_owned()),
        None => user_of_url(headers),
    };
    match target {
        Some(target) if target.is_empty() => None,
        Some(target) => Some(Address { target, method: without_slash(clean(&path)) }),
        None => of_path(&path),
    }
}

fn without_slash(path: String) -> String {
    path.strip_prefix('/').map(str::to_owned).unwrap_or(path)
}

/// Whether headers, or metadata, name the app that is meant.
pub fn names_app(headers: &HeaderMap) -> bool {
    headers.contains_key(APP_ID) || headers.contains_key(CALLEE_ID) || user_of_url(headers).is_some()
}

/// `http://dapr-app-id:<id>@host/` arrives as basic authentication.
fn user_of_url(headers: &HeaderMap) -> Option<String> {
    let encoded = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = pair.split_once(':')?;
    (user.eq_ignore_ascii_case(APP_ID) && !password.contains(':')).then(|| password.to_owned())
}

/// `/v1.0/invoke/<target>/method/<method>`; slashes may be doubled.
fn of_path(path: &str) -> Option<Address> {
    let mut rest = path;
    for part in PREFIX {
        rest = rest.trim_start_matches('/').strip_prefix(part)?.strip_prefix('/')?;
    }
    let rest = rest.trim_start_matches('/');
    let (target, method) = rest.split_once(METHOD).filter(|(target, _)| !target.is_empty())?;
    let method = clean(method);
    let method = if method == "." { String::new() } else { method };
    Some(Address { target: unescape(target), method })
}

fn unescape(target: &str) -> String {
    let unescaped = percent_decode_str(&target.replace('+', " ")).decode_utf8_lossy().into_owned();
    if unescaped.is_empty() { target.to_owned() } else { unescaped }
}

#[cfg(test)]
mod tests;
