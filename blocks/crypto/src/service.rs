//! Encryption of documents: the provider, the key of the document, its stream of segments.
use crate::error::Error;
use crate::model::{DecryptOptions, EncryptOptions};
use crate::scheme::{self, Cipher, FileKey, Header, KEY, KeyAlgorithm, Manifest, Pieces, Problem};
use bytes::Bytes;
use component_api::crypto::{DecryptRequest, EncryptRequest, Keys};
use component_api::{Instance, Live};
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

/// A provider of keys as it was configured.
pub type Provider = Instance<dyn Keys>;

/// A document as it comes in; an error says why it broke off.
pub type Input = BoxStream<'static, Result<Bytes, String>>;

/// A document as it goes out.
pub type Output = BoxStream<'static, Result<Bytes, Error>>;

/// Encrypts and decrypts with the keys of the configured providers.
pub struct Service {
    providers: Live<dyn Keys>,
    /// Operations with single keys are switched on.
    subtle: bool,
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// With the keys of these providers.
    pub fn new(providers: Live<dyn Keys>) -> Self {
        Self { providers, subtle: false, resiliency: Resiliency::default(), metrics: Metrics::disabled() }
    }

    /// The same, with policies for calls of providers.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which counts what it does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same, with operations on single keys, which Dapr's stable builds refuse.
    #[must_use]
    pub fn with_subtle(self, subtle: bool) -> Self {
        Self { subtle, ..self }
    }

    pub(crate) fn has_subtle(&self) -> bool {
        self.subtle
    }

    /// The provider of that name.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] when there is none at all, else [`Error::Invalid`] or [`Error::NotFound`].
    pub fn provider(&self, name: &str) -> Result<Arc<Provider>, Error> {
        if self.providers.is_empty() {
            return Err(Error::NotConfigured);
        }
        if name.is_empty() {
            return Err(Error::Invalid("missing component name".to_owned()));
        }
        self.providers.get(name).ok_or_else(|| Error::NotFound(name.to_owned()))
    }

    /// Encrypts a document as it comes in.
    ///
    /// # Errors
    /// [`Error::Operation`] when it cannot begin; [`Error::Stream`] in the stream when it cannot go on.
    pub async fn encrypt(&self, provider: &Provider, options: EncryptOptions, input: Input) -> Result<Output, Error> {
        let algorithm = KeyAlgorithm::of_name(&options.algorithm.to_uppercase()).ok_or_else(|| {
            not_valid("Algorithm", &format!("algorithm {} is not supported", options.algorithm.to_uppercase()))
        })?;
        let cipher = cipher(&options.cipher.to_uppercase())?;
        let key = FileKey::generate(cipher).map_err(failed)?;
        let wrapped_key = self.wrap(provider, &options.key, algorithm, &key).await?;
        let key_name = match (options.omit_decryption_key, options.decryption_key.is_empty()) {
            (true, _) => String::new(),
            (false, true) => options.key,
            (false, false) => options.decryption_key,
        };
        let manifest = Manifest { key_name, algorithm, wrapped_key, cipher, nonce_prefix: key.nonce_prefix() };
        let header = Header::write(&manifest, &key).map_err(failed)?;
        Ok(output(stream::once(async { Ok(header) }).chain(scheme::encrypted(input, key)).boxed()))
    }

    /// Decrypts a document as it comes in. What goes out is authentic, though its end may not have come yet.
    ///
    /// # Errors
    /// [`Error::Operation`] when it cannot begin; [`Error::Stream`] in the stream when it cannot go on.
    pub async fn decrypt(
        &self,
        provider: &Provider,
        options: DecryptOptions,
        mut input: Input,
    ) -> Result<Output, Error> {
        let (header, first) = scheme::read(&mut input).await.map_err(failed)?;
        let named = [options.key, header.manifest.key_name.clone()].into_iter().find(|name| !name.is_empty());
        let name = named.ok_or_else(|| failed(Problem::NoKeyName))?;
        let key = self.unwrap(provider, &name, &header.manifest).await;
        // A key that cannot be unwrapped is told as a wrong signature, so that nothing is learned of the keys there are.
        let key = FileKey::import(key.unwrap_or_default(), header.manifest.nonce_prefix, header.manifest.cipher);
        let key = key.map_err(failed)?;
        header.verify(&key).map_err(failed)?;
        Ok(output(scheme::decrypted(input, first, key)))
    }

    /// The one way to a provider: by the policy of its resource, and counted.
    pub(crate) async fn call<T, F, Fut>(
        &self,
        provider: &Provider,
        operation: &'static str,
        attempt: F,
    ) -> component_api::Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = component_api::Result<T>>,
    {
        let start = Instant::now();
        let done = self.resiliency.outbound(&provider.name, ComponentKind::Crypto).run(attempt).await;
        self.metrics.crypto(&provider.name, operation, done.is_ok(), start.elapsed());
        Ok(done?)
    }

    async fn wrap(
        &self,
        provider: &Provider,
        key: &str,
        algorithm: KeyAlgorithm,
        file_key: &FileKey,
    ) -> Result<Vec<u8>, Error> {
        let request = EncryptRequest {
            key: key.to_owned(),
            algorithm: algorithm.name().to_owned(),
            plaintext: Bytes::copy_from_slice(file_key.bytes()),
            ..EncryptRequest::default()
        };
        let wrapped = self.call(provider, "crypto_op", || provider.component.wrap_key(request.clone())).await;
        let wrapped = wrapped.map_err(|error| Error::Operation(format!("failed to wrap the file key: {error}")))?;
        Ok(wrapped.ciphertext.to_vec())
    }

    async fn unwrap(&self, provider: &Provider, key: &str, manifest: &Manifest) -> Option<[u8; KEY]> {
        let request = DecryptRequest {
            key: key.to_owned(),
            algorithm: manifest.algorithm.name().to_owned(),
            ciphertext: manifest.wrapped_key.clone().into(),
            ..DecryptRequest::default()
        };
        let key = self.call(provider, "crypto_op", || provider.component.unwrap_key(request.clone())).await;
        let logged = |error: &component_api::Error| tracing::debug!("failed to unwrap the file key: {error}");
        key.inspect_err(logged).ok()?.as_ref().try_into().ok()
    }
}

fn cipher(name: &str) -> Result<Cipher, Error> {
    if name.is_empty() {
        return Ok(Cipher::default());
    }
    Cipher::of_name(name).ok_or_else(|| not_valid("Cipher", &format!("cipher {name} is not supported")))
}

fn not_valid(option: &str, reason: &str) -> Error {
    Error::Operation(format!("option {option} is not valid: {reason}"))
}

fn failed(problem: Problem) -> Error {
    Error::Operation(problem.to_string())
}

fn output(pieces: Pieces) -> Output {
    pieces.map_err(Error::Stream).boxed()
}
