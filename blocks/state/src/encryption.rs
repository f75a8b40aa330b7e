//! Values at rest: encrypted with a key of the component's metadata before a store gets them (protocols.md 7.6).
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use component_api::Properties;
use component_api::state::Value;
use zeroize::Zeroizing;

const PRIMARY: &str = "primaryEncryptionKey";
const SECONDARY: &str = "secondaryEncryptionKey";
/// Between the ciphertext and the name of its key.
const SEPARATOR: &[u8] = b"||";

/// The keys of a store.
pub(crate) struct Encryption {
    /// Encrypts, and decrypts what it encrypted.
    primary: Key,
    /// Only decrypts, so that keys can be changed one after the other.
    secondary: Option<Key>,
}

/// A key that is configured and cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to extract encryption key: {name} {reason}")]
pub struct InvalidKey {
    name: &'static str,
    reason: &'static str,
}

struct Key {
    /// Name of the secret that it came from, which is stored with what it encrypted.
    name: String,
    key: LessSafeKey,
}

impl Encryption {
    /// The keys in a component's metadata; none when it has no primary one. Only keys from a secret store count.
    ///
    /// # Errors
    /// [`InvalidKey`]; a sidecar does not start with such a component.
    pub(crate) fn of(properties: &Properties) -> Result<Option<Self>, InvalidKey> {
        let Some(primary) = Key::of(properties, PRIMARY)? else { return Ok(None) };
        Ok(Some(Self { primary, secondary: Key::of(properties, SECONDARY)? }))
    }

    /// Whether there is only a key to decrypt with, which does nothing by itself.
    pub(crate) fn lacks_primary(properties: &Properties) -> bool {
        properties.get(PRIMARY).is_none() && properties.get(SECONDARY).is_some()
    }

    /// What a store gets instead of a value. JSON text that is a string is encrypted without its quotes, as Dapr does.
    ///
    /// # Errors
    /// A sentence, when there is no randomness to be had.
    pub(crate) fn encrypt(&self, value: &Value) -> Result<Value, String> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| "cannot encrypt: the system gives no random bytes")?;
        let mut data = plain(value).to_vec();
        let key = &self.primary.key;
        let tag = key.seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut data);
        let tag = tag.map_err(|_| "cannot encrypt: the value is too large")?;
        let text = BASE64_STANDARD.encode([&nonce[..], &data, tag.as_ref()].concat());
        Ok(Value::Binary([text.as_bytes(), SEPARATOR, self.primary.name.as_bytes()].concat().into()))
    }

    /// The value that was stored in its place.
    ///
    /// # Errors
    /// A sentence about what was stored; it does not say what it is.
    pub(crate) fn decrypt(&self, stored: &[u8]) -> Result<Bytes, String> {
        if stored.is_empty() {
            return Ok(Bytes::new());
        }
        let (text, name) = split(stored).ok_or("encryption key name not found on record")?;
        let all = [Some(&self.primary), self.secondary.as_ref()];
        let key = all.into_iter().flatten().find(|key| key.name.as_bytes() == name);
        let key = key.ok_or("the record is encrypted with a key that is not configured")?;
        key.open(text).ok_or_else(|| "the record was not encrypted with the key that it names".to_owned())
    }
}

impl Key {
    fn of(properties: &Properties, name: &'static str) -> Result<Option<Self>, InvalidKey> {
        let Some(text) = properties.get(name) else { return Ok(None) };
        let invalid = |reason| InvalidKey { name, reason };
        let by_value =
            || invalid("must be given by secretKeyRef, which names it; by its value the store would not be encrypted");
        let secret = properties.secret(name).ok_or_else(by_value)?;
        if text.is_empty() {
            return Err(invalid("is empty; check the secret that it refers to"));
        }
        let bytes = hexadecimal(text).ok_or_else(|| invalid("must be in hexadecimal digits"))?;
        let algorithm = match bytes.len() {
            16 => &AES_128_GCM,
            24 => &AES_192_GCM,
            32 => &AES_256_GCM,
            _ => return Err(invalid("must have 16, 24 or 32 bytes")),
        };
        let key = UnboundKey::new(algorithm, &bytes).map_err(|_| invalid("was refused"))?;
        Ok(Some(Self { name: secret.to_owned(), key: LessSafeKey::new(key) }))
    }

    fn open(&self, text: &[u8]) -> Option<Bytes> {
        let mut data = BASE64_STANDARD.decode(text).ok()?;
        let nonce = Nonce::try_assume_unique_for_key(data.get(..NONCE_LEN)?).ok()?;
        let length = self.key.open_within(nonce, Aad::empty(), &mut data, NONCE_LEN..).ok()?.len();
        data.truncate(length);
        Some(data.into())
    }
}

fn plain(value: &Value) -> Bytes {
    match value {
        Value::Json(json) if json.starts_with(b"\"") => {
            let text: Option<String> = serde_json::from_slice(json).ok();
            text.map_or_else(|| json.clone(), Bytes::from)
        }
        other => other.bytes().clone(),
    }
}

/// The ciphertext, and the name of its key.
fn split(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = stored.windows(SEPARATOR.len()).rposition(|pair| pair == SEPARATOR)?;
    let (text, name) = (&stored[..at], &stored[at + SEPARATOR.len()..]);
    (!name.is_empty()).then_some((text, name))
}

fn hexadecimal(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let valid = digits.len().is_multiple_of(2) && digits.iter().all(u8::is_ascii_hexdigit);
    digits.chunks(2).filter(|_| valid).map(byte).collect::<Option<Vec<_>>>().filter(|_| valid).map(Zeroizing::new)
}

#[cfg(test)]
mod tests;
