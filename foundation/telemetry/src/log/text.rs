//! Lines as logrus writes text: `name=value`, with Go's quotes where a value is not plain.
use super::line::{Line, Value};
use std::fmt::Write as _;

/// The line without its end.
pub(super) fn line(line: &Line) -> String {
    let mut out = String::with_capacity(256);
    pair(&mut out, "time", &line.time);
    pair(&mut out, "level", line.level);
    pair(&mut out, "msg", &line.message);
    for (name, value) in &line.fields {
        let (Value::Text(text) | Value::Bare(text)) = value;
        pair(&mut out, name, text);
    }
    out
}

fn pair(out: &mut String, name: &str, value: &str) {
    if !out.is_empty() {
        out.push(' ');
    }
    out.push_str(name);
    out.push('=');
    if value.chars().all(is_plain) { out.push_str(value) } else { quote(out, value) }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._/@^+".contains(c)
}

/// Go's `%q`.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || u32::from(c) == 0x7f => {
                write!(out, "\\x{:02x}", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
