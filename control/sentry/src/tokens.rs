//! Tokens that prove the same identity as a certificate (SPIFFE JWT-SVID; protocols.md 5.4).
use crate::error::Error;
use crate::options::JwtOptions;
use foundation_credentials::{pem, read, write};
use foundation_identity::SpiffeId;
use foundation_jwt::{SigningKey, generate_rsa};
use foundation_tls::pem_fault;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What keys are made for when there are none.
const OWN_ALGORITHM: &str = "RS256";

/// Signs tokens.
pub struct Tokens {
    key: SigningKey,
    /// The public keys, as they are published.
    key_set: String,
    issuer: Option<String>,
    ttl: Duration,
    skew: Duration,
}

/// What signs tokens, as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Keys {
    /// In PEM.
    pub(crate) key: String,
    /// The public keys in JSON.
    pub(crate) key_set: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: String,
    aud: &'a [String],
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    #[serde(rename = "use")]
    usage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
}

impl Tokens {
    /// Reads the keys from their files.
    ///
    /// # Errors
    /// Files that cannot be read or are not there, and keys that do not fit together.
    pub(crate) fn present(options: &JwtOptions, skew: Duration) -> Result<Self, Error> {
        let gone = |path: &Path| foundation_credentials::Error::Incomplete(path.display().to_string());
        let key = read(&options.key)?.ok_or_else(|| gone(&options.key))?;
        let key_set = read(&options.key_set)?.ok_or_else(|| gone(&options.key_set))?;
        Self::new(Keys { key, key_set }, options, skew)
    }

    /// Reads the keys from their files. Makes and writes them when both are missing, and the public ones when only they are: only one
    /// process at a time may do that.
    ///
    /// # Errors
    /// Files that cannot be read or written, keys that do not fit together, and public keys without the private one.
    pub fn load(options: &JwtOptions, skew: Duration) -> Result<Self, Error> {
        match (read(&options.key)?, read(&options.key_set)?) {
            (Some(key), Some(key_set)) => Self::new(Keys { key, key_set }, options, skew),
            (Some(key), None) => {
                let keys = Keys::of(key, options)?;
                write(&options.key_set, &keys.key_set)?;
                Self::new(keys, options, skew)
            }
            (None, Some(_)) => Err(foundation_credentials::Error::Incomplete(options.key.display().to_string()).into()),
            (None, None) => {
                let keys = Keys::generate(options)?;
                write(&options.key, &keys.key)?;
                write(&options.key_set, &keys.key_set)?;
                Self::new(keys, options, skew)
            }
        }
    }

    /// # Errors
    /// Keys that cannot be read, or do not fit together.
    pub(crate) fn new(keys: Keys, options: &JwtOptions, skew: Duration) -> Result<Self, Error> {
        let key = signing_key(&keys.key, options)?;
        if !holds(&keys.key_set, &key, options.key_id.as_deref()) {
            return Err(Error::ForeignKeySet);
        }
        Ok(Self { key, key_set: keys.key_set, issuer: options.issuer.clone(), ttl: options.ttl, skew })
    }

    /// A token for an identity.
    ///
    /// # Errors
    /// None but what the library says.
    pub fn sign(&self, id: &SpiffeId, audiences: &[String]) -> Result<String, Error> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let claims = Claims {
            sub: id.to_string(),
            aud: audiences,
            iat: now.as_secs(),
            nbf: now.saturating_sub(self.skew).as_secs(),
            exp: (now + self.ttl).as_secs(),
            jti: format!("{:032x}", rand::random::<u128>()),
            usage: "sig",
            iss: self.issuer.as_deref(),
        };
        self.key.sign(&claims).map_err(Error::TokenKey)
    }

    /// The public keys, as they are published.
    pub fn key_set(&self) -> &str {
        &self.key_set
    }

    /// The algorithm of the tokens.
    pub fn algorithm(&self) -> &str {
        self.key.algorithm()
    }

    /// The issuer that tokens name.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }
}

impl Keys {
    /// A private key and what is published of it.
    fn of(key: String, options: &JwtOptions) -> Result<Self, Error> {
        let public = signing_key(&key, options)?.public();
        Ok(Self { key, key_set: json!({ "keys": [public] }).to_string() })
    }

    /// New ones.
    ///
    /// # Errors
    /// [`Error::NoKeyFor`], and what the library says.
    pub(crate) fn generate(options: &JwtOptions) -> Result<Self, Error> {
        if options.algorithm != OWN_ALGORITHM {
            return Err(Error::NoKeyFor {
                algorithm: options.algorithm.clone(),
                path: options.key.display().to_string(),
            });
        }
        let der = generate_rsa().map_err(Error::TokenKey)?;
        let key = SigningKey::from_der(&der, OWN_ALGORITHM, options.key_id.as_deref()).map_err(Error::TokenKey)?;
        Ok(Self { key: pem("PRIVATE KEY", &der), key_set: json!({ "keys": [key.public()] }).to_string() })
    }
}

fn signing_key(pem: &str, options: &JwtOptions) -> Result<SigningKey, Error> {
    let der = PrivateKeyDer::from_pem_slice(pem.as_bytes());
    let der = der
        .map_err(|error| Error::TokenKeyFile { path: options.key.display().to_string(), reason: pem_fault(&error) })?;
    SigningKey::from_der(der.secret_der(), &options.algorithm, options.key_id.as_deref()).map_err(Error::TokenKey)
}

/// Whether a set has the public key, by a certain id if there is one.
fn holds(key_set: &str, key: &SigningKey, id: Option<&str>) -> bool {
    let document: Value = serde_json::from_str(key_set).unwrap_or_default();
    let members = document["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    members.iter().any(|member| key.is_public_key(member) && id.is_none_or(|id| member["kid"] == id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(folder: &Path) -> JwtOptions {
        JwtOptions {
            key: folder.join("jwt.key"),
            key_set: folder.join("jwks.json"),
            issuer: None,
            algorithm: OWN_ALGORITHM.to_owned(),
            key_id: None,
            ttl: Duration::from_secs(60),
        }
    }

    #[test]
    fn keys_are_made_for_one_algorithm_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = JwtOptions { algorithm: "ES256".to_owned(), ..options(folder.path()) };
        let error = Tokens::load(&other, Duration::ZERO).err().unwrap().to_string();
        assert!(error.contains("ES256") && error.contains("jwt.key"), "{error}");
        assert!(!other.key.exists() && !other.key_set.exists());
    }

    #[test]
    fn a_key_that_is_there_is_kept_and_published() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let first = Tokens::load(&options, Duration::ZERO).unwrap();
        std::fs::remove_file(&options.key_set).unwrap();
        let again = Tokens::load(&options, Duration::ZERO).unwrap();
        assert_eq!(first.key_set(), again.key_set());
        assert_eq!(std::fs::read_to_string(&options.key_set).unwrap(), again.key_set());
        std::fs::remove_file(&options.key).unwrap();
        let error = Tokens::load(&options, Duration::ZERO).err().unwrap().to_string();
        assert!(error.contains("jwt.key is missing"), "{error}");
    }
}
