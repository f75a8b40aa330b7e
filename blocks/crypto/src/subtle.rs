//! Operations with single keys, on short messages. Dapr has them in special builds only; here a feature of the Configuration
//! switches them on.
//!
//! Callers are not told why an operation failed: details could serve as an oracle.
mod grpc;
mod http;
mod plain_key;

pub use grpc::{decrypt_message, encrypt_message, get_key, sign, unwrap_key, verify, wrap_key};
pub(crate) use http::add_to;

use crate::error::Error;
use crate::service::{Provider, Service};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use component_api::crypto::{DecryptRequest, EncryptRequest, Encrypted, SignRequest};
use std::sync::Arc;

/// How a public key is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyFormat {
    /// SubjectPublicKeyInfo in PEM.
    #[default]
    Pem,
    /// A JSON Web Key.
    Json,
}

/// The counted operation, as metrics name it.
const OPERATION: &str = "crypto_op";
const LINE: usize = 64;

impl Service {
    /// The name of a key and its public part.
    pub(crate) async fn public_key(
        &self,
        component: &str,
        name: &str,
        format: KeyFormat,
    ) -> Result<(String, String), Error> {
        let provider = self.subtle_provider(component)?;
        let key = self.call(&provider, "get", || provider.component.public_key(name)).await;
        let key = key.map_err(|error| Error::Key { key: name.to_owned(), reason: error.to_string() })?;
        let text = match format {
            KeyFormat::Pem => pem(&key.der),
            KeyFormat::Json => key.jwk.to_string(),
        };
        Ok((key.id, text))
    }

    pub(crate) async fn encrypt_message(&self, component: &str, request: EncryptRequest) -> Result<Encrypted, Error> {
        let provider = self.subtle_provider(component)?;
        let done = self.call(&provider, OPERATION, || provider.component.encrypt(request.clone())).await;
        done.map_err(hidden("failed to encrypt"))
    }

    pub(crate) async fn decrypt_message(&self, component: &str, request: DecryptRequest) -> Result<Bytes, Error> {
        let provider = self.subtle_provider(component)?;
        let done = self.call(&provider, OPERATION, || provider.component.decrypt(request.clone())).await;
        done.map_err(hidden("failed to decrypt"))
    }

    /// The plaintext is a key in any form: a JSON Web Key, PEM, Base64, or bytes.
    pub(crate) async fn wrap_key(&self, component: &str, request: EncryptRequest) -> Result<Encrypted, Error> {
        let provider = self.subtle_provider(component)?;
        let plaintext = plain_key::read(&request.plaintext);
        let unread = |reason| Error::Operation(format!("failed to parse plaintext key: {reason}"));
        let request = EncryptRequest { plaintext: plaintext.map_err(unread)?, ..request };
        let done = self.call(&provider, OPERATION, || provider.component.wrap_key(request.clone())).await;
        done.map_err(hidden("failed to wrap key"))
    }

    pub(crate) async fn unwrap_key(&self, component: &str, request: DecryptRequest) -> Result<Bytes, Error> {
        let provider = self.subtle_provider(component)?;
        let done = self.call(&provider, OPERATION, || provider.component.unwrap_key(request.clone())).await;
        done.map_err(hidden("failed to unwrap key"))
    }

    pub(crate) async fn sign(&self, component: &str, request: SignRequest) -> Result<Bytes, Error> {
        let provider = self.subtle_provider(component)?;
        let done = self.call(&provider, OPERATION, || provider.component.sign(request.clone())).await;
        done.map_err(hidden("failed to sign"))
    }

    pub(crate) async fn verify(&self, component: &str, request: SignRequest, signature: Bytes) -> Result<bool, Error> {
        let provider = self.subtle_provider(component)?;
        let verify = || provider.component.verify(request.clone(), signature.clone());
        self.call(&provider, OPERATION, verify).await.map_err(hidden("failed to verify signature"))
    }

    fn subtle_provider(&self, component: &str) -> Result<Arc<Provider>, Error> {
        if self.has_subtle() { self.provider(component) } else { Err(Error::Unimplemented) }
    }
}

fn hidden(told: &'static str) -> impl FnOnce(component_api::Error) -> Error {
    move |error| {
        tracing::debug!("{told}: {error}");
        Error::Operation(told.to_owned())
    }
}

fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines = text.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    ["-----BEGIN PUBLIC KEY-----\n".to_owned()].into_iter().chain(lines).collect::<String>()
        + "-----END PUBLIC KEY-----\n"
}
