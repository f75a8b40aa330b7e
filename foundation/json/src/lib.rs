//! JSON as Go reads and writes it: what is stored must be the same text, whichever sidecar stored it (protocols.md 7.6).
mod depth;
mod members;
mod protobuf;
mod repair;

pub use depth::{DEPTH, STACK, TooDeep, check_depth, from_slice};
pub use members::{Members, list, text};
pub use protobuf::{of_protobuf, to_protobuf};

use bytes::Bytes;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Reads the first JSON value of a body; what follows it is ignored.
///
/// Bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD. The thread needs a stack of [`STACK`].
///
/// # Errors
/// The decoder's text.
pub fn read(body: &[u8]) -> Result<Value, String> {
    match first(body) {
        Err(_) if repair::is_needed(body) => first(&repair::repaired(body)),
        read => read,
    }
}

fn first(body: &[u8]) -> Result<Value, String> {
    let mut values = depth::unlimited(body).map_err(|error| error.to_string())?.into_iter();
    let value = values.next().ok_or_else(|| "EOF".to_owned())?;
    value.map_err(|error| error.to_string())
}

/// Writes a value: members sorted by name, numbers as 64-bit floats, `<`, `>`, `&` and line separators escaped.
pub fn write(value: &Value) -> Bytes {
    let mut out = Vec::new();
    put(&mut out, value);
    escape_html(out).into()
}

/// A JSON text without white space, or nothing when it is no JSON.
pub fn compact(text: &[u8]) -> Option<Box<RawValue>> {
    let text = std::str::from_utf8(text).ok()?;
    serde_json::from_str::<&RawValue>(text).ok()?;
    let (mut inside, mut escaped) = (false, false);
    let keep = |character: &char| {
        let is_quote = *character == '"' && !escaped;
        escaped = inside && *character == '\\' && !escaped;
        inside ^= is_quote;
        inside || !matches!(character, ' ' | '\t' | '\n' | '\r')
    };
    let compact: Cow<'_, str> = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        text.chars().filter(keep).collect()
    } else {
        text.into()
    };
    RawValue::from_string(compact.into_owned()).ok()
}

/// Escapes, in a JSON text, what could end a script in a web page.
pub fn escape_html(json: Vec<u8>) -> Vec<u8> {
    if !json.iter().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xe2)) {
        return json;
    }
    let mut out = Vec::with_capacity(json.len() + 16);
    for (index, byte) in json.iter().enumerate() {
        match (byte, json.get(index + 1..index + 3)) {
            (b'<', _) => out.extend(b"\\u003c"),
            (b'>', _) => out.extend(b"\\u003e"),
            (b'&', _) => out.extend(b"\\u0026"),
            (0xe2, Some([0x80, 0xa8])) => out.extend(b"\\u2028"),
            (0xe2, Some([0x80, 0xa9])) => out.extend(b"\\u2029"),
            _ if is_inside_separator(&json, index) => {}
            _ => out.push(*byte),
        }
    }
    out
}

/// Whether the byte is the second or third one of U+2028 or U+2029.
fn is_inside_separator(json: &[u8], index: usize) -> bool {
    let starts = |back: usize| {
        let start = index.checked_sub(back).and_then(|start| json.get(start..start + 3));
        matches!(start, Some([0xe2, 0x80, 0xa8 | 0xa9]))
    };
    starts(1) || starts(2)
}

fn put(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Number(number) => out.extend(float(number.as_f64().unwrap_or_default()).into_bytes()),
        Value::Array(list) => put_list(out, list),
        Value::Object(members) => put_members(out, members),
        Value::String(text) => put_text(out, text),
        Value::Null | Value::Bool(_) => out.extend(value.to_string().into_bytes()),
    }
}

fn put_list(out: &mut Vec<u8>, list: &[Value]) {
    out.push(b'[');
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put(out, value);
    }
    out.push(b']');
}

fn put_members(out: &mut Vec<u8>, members: &Map<String, Value>) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put_text(out, name);
        out.push(b':');
        put(out, value);
    }
    out.push(b'}');
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    // Writing text into memory cannot fail.
    serde_json::to_writer(out, text).ok();
}

/// Very large and very small numbers are written with an exponent.
fn float(number: f64) -> String {
    let size = number.abs();
    if size != 0.0 && !(1e-6..1e21).contains(&size) {
        return format!("{number:e}").replace('e', if size < 1.0 { "e" } else { "e+" });
    }
    number.to_string()
}

#[cfg(test)]
mod tests;
