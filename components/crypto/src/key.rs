//! A key of any type, and what it may be used for (RFC 7517, section 4).
use crate::elliptic::{EcKey, EdKey};
use crate::error::Problem;
use crate::rsa::{self, RsaKey};
use crate::symmetric;
use component_api::crypto::{DecryptRequest, EncryptRequest, Encrypted, SignRequest};
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Problem>;

/// A key with the limits of its use.
pub(crate) struct Key {
    pub(crate) material: Material,
    pub(crate) limits: Limits,
}

/// The key itself.
pub(crate) enum Material {
    Symmetric(Zeroizing<Vec<u8>>),
    Rsa(RsaKey),
    Ec(EcKey),
    Ed25519(EdKey),
}

/// What a JSON Web Key says of its use; empty where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) id: String,
    pub(crate) algorithm: String,
    pub(crate) usage: String,
    pub(crate) operations: Vec<String>,
}

impl Limits {
    /// Whether an operation of `key_ops` is allowed, whose `use` is that.
    pub(crate) fn allow(&self, operation: &str, usage: &str) -> bool {
        let listed = self.operations.is_empty() || self.operations.iter().any(|listed| listed == operation);
        listed && (self.usage.is_empty() || self.usage == usage)
    }

    /// Whether the algorithm may be used.
    pub(crate) fn allow_algorithm(&self, algorithm: &str) -> bool {
        self.algorithm.is_empty() || self.algorithm == algorithm
    }
}

impl From<Material> for Key {
    fn from(material: Material) -> Self {
        Self { material, limits: Limits::default() }
    }
}

impl Key {
    /// Encrypts with an algorithm that fits the type of the key.
    pub(crate) fn encrypt(&self, request: &EncryptRequest) -> Result<Encrypted> {
        let EncryptRequest { algorithm, plaintext, associated_data, .. } = request;
        match (&self.material, is_rsa(algorithm)?) {
            (Material::Symmetric(key), false) => symmetric::encrypt(key, request),
            (Material::Rsa(key), true) => {
                let ciphertext = key.encrypt(algorithm, plaintext, associated_data)?;
                Ok(Encrypted { ciphertext: ciphertext.into(), ..Encrypted::default() })
            }
            _ => Err(Problem::KeyType),
        }
    }

    /// Decrypts what was encrypted with this key or its public part.
    pub(crate) fn decrypt(&self, request: &DecryptRequest) -> Result<Vec<u8>> {
        let DecryptRequest { algorithm, ciphertext, associated_data, .. } = request;
        match (&self.material, is_rsa(algorithm)?) {
            (Material::Symmetric(key), false) => symmetric::decrypt(key, request),
            (Material::Rsa(key), true) => key.decrypt(algorithm, ciphertext, associated_data),
            _ => Err(Problem::KeyType),
        }
    }

    /// Signs with the private part.
    pub(crate) fn sign(&self, request: &SignRequest) -> Result<Vec<u8>> {
        let SignRequest { algorithm, digest, .. } = request;
        match (&self.material, Signature::of(algorithm)?) {
            (Material::Rsa(key), Signature::Rsa) => key.sign(algorithm, digest),
            (Material::Ec(key), Signature::Ec) => key.sign(algorithm, digest),
            (Material::Ed25519(key), Signature::Ed) => key.sign(digest),
            _ => Err(Problem::KeyType),
        }
    }

    /// Whether a signature was made with the private part.
    pub(crate) fn verify(&self, request: &SignRequest, signature: &[u8]) -> Result<bool> {
        let SignRequest { algorithm, digest, .. } = request;
        match (&self.material, Signature::of(algorithm)?) {
            (Material::Rsa(key), Signature::Rsa) => key.verify(algorithm, digest, signature),
            (Material::Ec(key), Signature::Ec) => key.verify(algorithm, digest, signature),
            (Material::Ed25519(key), Signature::Ed) => Ok(key.verify(digest, signature)),
            _ => Err(Problem::KeyType),
        }
    }
}

/// Whether an encryption algorithm is one of RSA.
fn is_rsa(algorithm: &str) -> Result<bool> {
    if rsa::ENCRYPTIONS.contains(&algorithm) {
        return Ok(true);
    }
    if symmetric::NAMES.contains(&algorithm) { Ok(false) } else { Err(Problem::Algorithm) }
}

/// The kind of a signature algorithm.
enum Signature {
    Rsa,
    Ec,
    Ed,
}

impl Signature {
    fn of(algorithm: &str) -> Result<Self> {
        Ok(match algorithm {
            "RS256" | "RS384" | "RS512" | "PS256" | "PS384" | "PS512" => Self::Rsa,
            "ES256" | "ES384" | "ES512" => Self::Ec,
            "EdDSA" => Self::Ed,
            _ => return Err(Problem::Algorithm),
        })
    }
}
