//! JSON Web Key Sets, and tokens signed by one of their keys.
use crate::claims::{Claims, Expected};
use crate::error::Error;
use crate::key::Key;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::SystemTime;

/// Public keys by their ids.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none of them is.
    crit: Option<Value>,
}

impl KeySet {
    /// Reads a set. Keys that are not for signatures, or of no known kind, are left out.
    ///
    /// # Errors
    /// [`Error::KeySet`] when it is none.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        let document: Document = serde_json::from_slice(json).map_err(|error| Error::KeySet(error.to_string()))?;
        Ok(Self(document.keys.into_iter().filter_map(Key::read).collect()))
    }

    /// The claims of a token in compact form, when it is signed by one of the keys and says what is expected.
    ///
    /// # Errors
    /// [`Error`]: why the token is not to be trusted.
    pub fn verify(&self, token: &str, expected: &Expected) -> Result<Claims, Error> {
        self.verify_at(token, expected, SystemTime::now())
    }

    pub(crate) fn verify_at(&self, token: &str, expected: &Expected, now: SystemTime) -> Result<Claims, Error> {
        let (message, signature) = token.rsplit_once('.').ok_or(Error::Form)?;
        let (header, claims) = message.split_once('.').ok_or(Error::Form)?;
        let header: Header = decoded(header, Error::Header)?;
        if header.crit.is_some() {
            return Err(Error::Header);
        }
        let id = header.kid.filter(|id| !id.is_empty()).ok_or(Error::NoKey)?;
        let key = self.0.iter().find(|key| key.id() == Some(id.as_str())).ok_or(Error::UnknownKey)?;
        key.verify(&header.alg, message.as_bytes(), signature)?;
        let claims: Claims = decoded(claims, Error::Claims)?;
        expected.check(&claims, now)?;
        Ok(claims)
    }
}

fn decoded<T: DeserializeOwned>(part: &str, error: Error) -> Result<T, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| error.clone())?;
    serde_json::from_slice(&bytes).map_err(|_| error)
}
