//! Paths of calls: which app is meant, which method, and what a method may look like.
//!
//! Contract: surface.md 0.14 and 0.15, protocols.md 6.1 and 6.2.
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foundation_peer::headers::{APP_ID, CALLEE_ID};
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

/// A method that no app shall see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMethod {
    #[error("method contains forbidden character: {}", quoted(.0))]
    Forbidden(String),
    #[error("method contains control character at position {position}: {}", quoted(.method))]
    Control { position: usize, method: String },
}

/// The method with dots and doubled slashes resolved, never above the root.
///
/// # Errors
/// [`InvalidMethod`] for `#`, `?`, NUL and control characters.
pub(crate) fn normalise(method: &str) -> Result<String, InvalidMethod> {
    if method.contains(['#', '?', '\0']) {
        return Err(InvalidMethod::Forbidden(method.to_owned()));
    }
    if let Some(position) = method.find(|letter: char| letter.is_ascii_control()) {
        return Err(InvalidMethod::Control { position, method: method.to_owned() });
    }
    let cleaned = clean(method);
    let mut kept = cleaned.as_str();
    while let Some(rest) = kept.strip_prefix("../") {
        kept = rest;
    }
    Ok(if matches!(kept, "." | "..") { String::new() } else { kept.to_owned() })
}

/// The shortest path that names the same; `.` for an empty one, as Go's `path.Clean`.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if kept.last().is_some_and(|last| *last != "..") => drop(kept.pop()),
            ".." if rooted => {}
            part => kept.push(part),
        }
    }
    match (rooted, kept.join("/")) {
        (true, path) => format!("/{path}"),
        (false, path) if path.is_empty() => ".".to_owned(),
        (false, path) => path,
    }
}

/// A text in quotes with escapes, as Go prints it.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|letter| match letter {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        control if control.is_ascii_control() => format!("\\x{:02x}", u32::from(control)),
        other => other.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests;
