//! RSA (RFC 8017): keys, and encryption with them.
mod signature;

use crate::error::Problem;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{
    KeyPair, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
    OaepPrivateDecryptingKey, OaepPublicEncryptingKey, Pkcs1PrivateDecryptingKey, Pkcs1PublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey, PublicKeyComponents,
};
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Problem>;

/// Names of the encryption algorithms.
pub(crate) const ENCRYPTIONS: &[&str] = &["RSA1_5", "RSA-OAEP", "RSA-OAEP-256", "RSA-OAEP-384", "RSA-OAEP-512"];

/// An RSA key.
pub(crate) struct RsaKey {
    pub(crate) public: PublicKeyComponents<Vec<u8>>,
    /// The whole key as PKCS#8.
    private: Option<Zeroizing<Vec<u8>>>,
}

impl RsaKey {
    /// A public key from SubjectPublicKeyInfo or PKCS#1.
    pub(crate) fn from_public_der(der: &[u8]) -> Result<Self> {
        let key = aws_lc_rs::rsa::PublicKey::from_der(der).map_err(|_| Problem::Rejected)?;
        Ok(Self { public: PublicKeyComponents::from(&key), private: None })
    }

    /// A public key from its numbers.
    pub(crate) fn from_public(public: PublicKeyComponents<Vec<u8>>) -> Self {
        Self { public, private: None }
    }

    /// A key with its private part.
    pub(crate) fn from_pair(pair: &KeyPair) -> Result<Self> {
        use aws_lc_rs::signature::KeyPair as _;
        let private = pair.as_der().map_err(|_| Problem::Rejected)?;
        let private = Zeroizing::new(private.as_ref().to_vec());
        Ok(Self { public: PublicKeyComponents::from(pair.public_key()), private: Some(private) })
    }

    /// SubjectPublicKeyInfo.
    pub(crate) fn public_der(&self) -> Result<Vec<u8>> {
        self.public.as_der().map(|der| der.as_ref().to_vec()).map_err(|_| Problem::Rejected)
    }

    pub(crate) fn encrypt(&self, algorithm: &str, plaintext: &[u8], label: &[u8]) -> Result<Vec<u8>> {
        let padding = Padding::of(algorithm)?;
        let key: PublicEncryptingKey = self.public.clone().try_into().map_err(|_| Problem::Rejected)?;
        let mut out = vec![0; key.key_size_bytes()];
        let length = match padding {
            Padding::Pkcs1 => {
                Pkcs1PublicEncryptingKey::new(key).and_then(|key| Ok(key.encrypt(plaintext, &mut out)?.len()))
            }
            Padding::Oaep(oaep) => OaepPublicEncryptingKey::new(key)
                .and_then(|key| Ok(key.encrypt(oaep, plaintext, &mut out, Some(label))?.len())),
        };
        out.truncate(length.map_err(|_| Problem::PlaintextLength)?);
        Ok(out)
    }

    pub(crate) fn decrypt(&self, algorithm: &str, ciphertext: &[u8], label: &[u8]) -> Result<Vec<u8>> {
        let padding = Padding::of(algorithm)?;
        let key = PrivateDecryptingKey::from_pkcs8(self.private()?).map_err(|_| Problem::Rejected)?;
        let mut out = vec![0; key.key_size_bytes()];
        let length = match padding {
            Padding::Pkcs1 => {
                Pkcs1PrivateDecryptingKey::new(key).and_then(|key| Ok(key.decrypt(ciphertext, &mut out)?.len()))
            }
            Padding::Oaep(oaep) => OaepPrivateDecryptingKey::new(key)
                .and_then(|key| Ok(key.decrypt(oaep, ciphertext, &mut out, Some(label))?.len())),
        };
        out.truncate(length.map_err(|_| Problem::Authentication)?);
        Ok(out)
    }

    /// The whole key, where it is there.
    fn private(&self) -> Result<&[u8]> {
        self.private.as_deref().map(Vec::as_slice).ok_or(Problem::KeyType)
    }
}

enum Padding {
    Pkcs1,
    Oaep(&'static OaepAlgorithm),
}

impl Padding {
    fn of(algorithm: &str) -> Result<Self> {
        Ok(match algorithm {
            "RSA1_5" => Self::Pkcs1,
            "RSA-OAEP" => Self::Oaep(&OAEP_SHA1_MGF1SHA1),
            "RSA-OAEP-256" => Self::Oaep(&OAEP_SHA256_MGF1SHA256),
            "RSA-OAEP-384" => Self::Oaep(&OAEP_SHA384_MGF1SHA384),
            "RSA-OAEP-512" => Self::Oaep(&OAEP_SHA512_MGF1SHA512),
            _ => return Err(Problem::Algorithm),
        })
    }
}
