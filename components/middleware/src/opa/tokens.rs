//! `io.jwt.decode`, which the library does not have.
use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use regorus::{Engine, Value};
use std::fmt::Write;

/// Adds the function.
pub(super) fn add_to(engine: &mut Engine) -> anyhow::Result<()> {
    engine.add_extension("io.jwt.decode".to_owned(), 1, Box::new(|arguments: Vec<Value>| decode(&arguments)))
}

/// `[header, payload, signature]` of a token, the signature in hexadecimal digits. Nothing is verified.
fn decode(arguments: &[Value]) -> anyhow::Result<Value> {
    let [Value::String(token)] = arguments else { bail!("io.jwt.decode takes one string") };
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else { bail!("a token has three parts") };
    let hexadecimal = plain(signature)?.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    });
    Ok(Value::from(vec![document(header)?, document(payload)?, Value::from(hexadecimal)]))
}

fn document(part: &str) -> anyhow::Result<Value> {
    let bytes = plain(part)?;
    Value::from_json_str(std::str::from_utf8(&bytes).context("a part of the token is no text")?)
}

fn plain(part: &str) -> anyhow::Result<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).context("a part of the token is not base64url")
}
