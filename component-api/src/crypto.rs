//! Cryptographic keys and the operations with them.
use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;

/// The public part of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKey {
    /// Id that the key carries itself, such as a version in a vault; the name it was asked by where there is none.
    pub id: String,
    /// SubjectPublicKeyInfo (RFC 5280) in DER.
    pub der: Vec<u8>,
    /// The same as a JSON Web Key (RFC 7517).
    pub jwk: serde_json::Value,
}

/// Something to encrypt.
#[derive(Clone, Debug, Default)]
pub struct EncryptRequest {
    /// Name of the key, or name and version.
    pub key: String,
    /// Name of the algorithm (RFC 7518, or one that Dapr adds such as `A256CBC` or `XC20P`).
    pub algorithm: String,
    pub plaintext: Bytes,
    /// Initialization vector; not looked at by algorithms that have none.
    pub nonce: Bytes,
    /// What an authenticated algorithm protects without encrypting it.
    pub associated_data: Bytes,
}

/// What was encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encrypted {
    pub ciphertext: Bytes,
    /// Authentication tag; empty for algorithms that have none.
    pub tag: Bytes,
}

/// Something to decrypt.
#[derive(Clone, Debug, Default)]
pub struct DecryptRequest {
    pub key: String,
    pub algorithm: String,
    pub ciphertext: Bytes,
    pub nonce: Bytes,
    pub tag: Bytes,
    pub associated_data: Bytes,
}

/// Something to sign, or to verify a signature of.
#[derive(Clone, Debug, Default)]
pub struct SignRequest {
    pub key: String,
    pub algorithm: String,
    /// Digest of the message; for EdDSA the message itself.
    pub digest: Bytes,
}

/// A provider of keys that encrypts, wraps and signs with them.
///
/// Errors of encryption and decryption are for the log: a block does not show them to callers of single operations,
/// since details could serve as an oracle.
#[async_trait]
pub trait Keys: Send + Sync {
    /// The public part of an asymmetric key; a symmetric one is [`crate::Kind::NotFound`].
    async fn public_key(&self, name: &str) -> Result<PublicKey>;

    /// Encrypts a short message.
    async fn encrypt(&self, request: EncryptRequest) -> Result<Encrypted>;

    /// Decrypts a short message.
    async fn decrypt(&self, request: DecryptRequest) -> Result<Bytes>;

    /// Encrypts a key, the plaintext being its bytes: those of a symmetric key, or PKCS#8 or SubjectPublicKeyInfo.
    async fn wrap_key(&self, request: EncryptRequest) -> Result<Encrypted>;

    /// Decrypts a key.
    async fn unwrap_key(&self, request: DecryptRequest) -> Result<Bytes>;

    /// Signs a digest with a private key.
    async fn sign(&self, request: SignRequest) -> Result<Bytes>;

    /// Whether the signature is one of this digest; one that is not is no error.
    async fn verify(&self, request: SignRequest, signature: Bytes) -> Result<bool>;

    /// Ends background work and connections.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
