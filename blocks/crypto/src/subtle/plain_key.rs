//! A key that is to be wrapped, in whatever form it is given.
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;

/// The bytes of a key: those of a symmetric key, or DER.
///
/// # Errors
/// What is wrong with the form.
pub(crate) fn read(text: &Bytes) -> Result<Bytes, &'static str> {
    match text.first() {
        None => Err("key is empty"),
        // A symmetric key may happen to begin like JSON.
        Some(b'{') if ![16, 24, 32].contains(&text.len()) => jwk(text),
        Some(_) if text.starts_with(b"-----") => pem(text),
        Some(_) => Ok(symmetric(text)),
    }
}

fn jwk(text: &[u8]) -> Result<Bytes, &'static str> {
    let key: serde_json::Value = serde_json::from_slice(text).map_err(|_| "no JSON Web Key")?;
    let bytes = key["k"].as_str().filter(|_| key["kty"] == "oct").ok_or("give asymmetric keys in PEM")?;
    BASE64_URL_SAFE_NO_PAD.decode(bytes.trim_end_matches('=')).map(Bytes::from).map_err(|_| "no JSON Web Key")
}

fn pem(text: &[u8]) -> Result<Bytes, &'static str> {
    let text = std::str::from_utf8(text).map_err(|_| "no PEM")?;
    let mut lines = text.lines().map(str::trim);
    if !matches!(lines.next(), Some("-----BEGIN PRIVATE KEY-----" | "-----BEGIN PUBLIC KEY-----")) {
        return Err("PEM must be a PRIVATE KEY (PKCS#8) or a PUBLIC KEY");
    }
    let body: String = lines.take_while(|line| !line.starts_with("-----")).collect();
    BASE64_STANDARD.decode(body).map(Bytes::from).map_err(|_| "no PEM")
}

fn symmetric(text: &Bytes) -> Bytes {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'=')).map_or(0, |last| last + 1);
    let decoded = BASE64_STANDARD_NO_PAD.decode(&text[..end]);
    let decoded = decoded.or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(&text[..end]));
    decoded.map_or_else(|_| text.clone(), Bytes::from)
}
