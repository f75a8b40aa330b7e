//! Operations with keys that are held here, wherever they come from.
use crate::error::Problem;
use crate::jwk;
use crate::key::{Key, Material};
use async_trait::async_trait;
use bytes::Bytes;
use component_api::crypto::{DecryptRequest, EncryptRequest, Encrypted, Keys, PublicKey, SignRequest};
use component_api::{Error, Kind, Result};
use std::sync::Arc;

/// Where keys come from.
#[async_trait]
pub(crate) trait Source: Send + Sync {
    /// The key of that name.
    async fn key(&self, name: &str) -> Result<Arc<Key>>;
}

/// A provider that does all operations itself.
pub(crate) struct Provider<S>(pub(crate) S);

impl<S: Source> Provider<S> {
    /// The key, if it may be used for that.
    async fn key_for(&self, name: &str, algorithm: &str, operation: &str, usage: &str) -> Result<Arc<Key>> {
        let wrapping = matches!(operation, "wrapKey" | "unwrapKey");
        let what = if wrapping { "the key encryption key" } else { "the key" };
        let failed = |error: Error| Error::new(error.kind(), format!("failed to retrieve {what}: {error}"));
        let key = self.0.key(name).await.map_err(failed)?;
        if !key.limits.allow(operation, usage) {
            return Err(Error::new(Kind::Denied, format!("key cannot perform the '{operation}' operation")));
        }
        if !key.limits.allow_algorithm(algorithm) {
            return Err(Error::new(Kind::Denied, format!("key cannot be used with algorithm '{algorithm}'")));
        }
        Ok(key)
    }
}

#[async_trait]
impl<S: Source> Keys for Provider<S> {
    async fn public_key(&self, name: &str) -> Result<PublicKey> {
        let key = self.0.key(name).await?;
        let der = match &key.material {
            Material::Symmetric(_) => return Err(not_found()),
            Material::Rsa(key) => key.public_der()?,
            Material::Ec(key) => key.public_der()?,
            Material::Ed25519(key) => key.public_der()?,
        };
        let jwk = jwk::public(&key).ok_or_else(not_found)?;
        Ok(PublicKey { id: name.to_owned(), der, jwk })
    }

    async fn encrypt(&self, request: EncryptRequest) -> Result<Encrypted> {
        let key = self.key_for(&request.key, &request.algorithm, "encrypt", "enc").await?;
        key.encrypt(&request).map_err(failed_to("encrypt data"))
    }

    async fn decrypt(&self, request: DecryptRequest) -> Result<Bytes> {
        let key = self.key_for(&request.key, &request.algorithm, "decrypt", "enc").await?;
        key.decrypt(&request).map(Bytes::from).map_err(failed_to("decrypt data"))
    }

    async fn wrap_key(&self, request: EncryptRequest) -> Result<Encrypted> {
        let key = self.key_for(&request.key, &request.algorithm, "wrapKey", "enc").await?;
        key.encrypt(&request).map_err(failed_to("encrypt data"))
    }

    async fn unwrap_key(&self, request: DecryptRequest) -> Result<Bytes> {
        let key = self.key_for(&request.key, &request.algorithm, "unwrapKey", "enc").await?;
        key.decrypt(&request).map(Bytes::from).map_err(failed_to("decrypt data"))
    }

    async fn sign(&self, request: SignRequest) -> Result<Bytes> {
        let key = self.key_for(&request.key, &request.algorithm, "sign", "sig").await?;
        key.sign(&request).map(Bytes::from).map_err(failed_to("sign message"))
    }

    async fn verify(&self, request: SignRequest, signature: Bytes) -> Result<bool> {
        let key = self.key_for(&request.key, &request.algorithm, "verify", "sig").await?;
        key.verify(&request, &signature).map_err(failed_to("validate the signature"))
    }
}

/// The key is not there, or not one of the kind that was asked for.
pub(crate) fn not_found() -> Error {
    Error::new(Kind::NotFound, "key not found")
}

fn failed_to(what: &'static str) -> impl FnOnce(Problem) -> Error {
    move |problem| {
        let error = Error::from(problem);
        Error::new(error.kind(), format!("failed to {what}: {error}"))
    }
}
