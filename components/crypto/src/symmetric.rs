//! Encryption with symmetric keys (RFC 7518, section 5, and what Dapr adds to it).
use crate::error::Problem;
use crate::{cbc, chacha, key_wrap};
use aws_lc_rs::aead::{AES_128_GCM, AES_192_GCM, AES_256_GCM, CHACHA20_POLY1305};
use aws_lc_rs::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{cipher, hmac};
use component_api::crypto::{DecryptRequest, EncryptRequest, Encrypted};

type Result<T> = std::result::Result<T, Problem>;

/// Names of the algorithms.
pub(crate) const NAMES: &[&str] = &[
    "A128CBC",
    "A192CBC",
    "A256CBC",
    "A128CBC-NOPAD",
    "A192CBC-NOPAD",
    "A256CBC-NOPAD",
    "A128GCM",
    "A192GCM",
    "A256GCM",
    "A128CBC-HS256",
    "A192CBC-HS384",
    "A256CBC-HS512",
    "A128KW",
    "A192KW",
    "A256KW",
    "C20P",
    "C20PKW",
    "XC20P",
    "XC20PKW",
];

/// A symmetric algorithm.
enum Method {
    /// AES in CBC mode, with PKCS#7 padding or without any.
    Cbc { size: usize, padded: bool },
    /// The same with a message authentication code.
    CbcHmac(cbc::Authenticated),
    /// AES-GCM or ChaCha20-Poly1305.
    Aead(&'static Algorithm),
    /// ChaCha20-Poly1305 with nonces of 24 bytes.
    XChaCha,
    /// AES key wrap; the length of the key tells which.
    KeyWrap { size: usize },
}

impl Method {
    fn of(algorithm: &str) -> Result<Self> {
        Ok(match algorithm {
            "A128CBC" => Self::Cbc { size: cipher::AES_128_KEY_LEN, padded: true },
            "A192CBC" => Self::Cbc { size: cipher::AES_192_KEY_LEN, padded: true },
            "A256CBC" => Self::Cbc { size: cipher::AES_256_KEY_LEN, padded: true },
            "A128CBC-NOPAD" => Self::Cbc { size: cipher::AES_128_KEY_LEN, padded: false },
            "A192CBC-NOPAD" => Self::Cbc { size: cipher::AES_192_KEY_LEN, padded: false },
            "A256CBC-NOPAD" => Self::Cbc { size: cipher::AES_256_KEY_LEN, padded: false },
            "A128CBC-HS256" => Self::CbcHmac(cbc::Authenticated { half: 16, code: hmac::HMAC_SHA256 }),
            "A192CBC-HS384" => Self::CbcHmac(cbc::Authenticated { half: 24, code: hmac::HMAC_SHA384 }),
            "A256CBC-HS512" => Self::CbcHmac(cbc::Authenticated { half: 32, code: hmac::HMAC_SHA512 }),
            "A128GCM" => Self::Aead(&AES_128_GCM),
            "A192GCM" => Self::Aead(&AES_192_GCM),
            "A256GCM" => Self::Aead(&AES_256_GCM),
            "C20P" | "C20PKW" => Self::Aead(&CHACHA20_POLY1305),
            "XC20P" | "XC20PKW" => Self::XChaCha,
            "A128KW" => Self::KeyWrap { size: cipher::AES_128_KEY_LEN },
            "A192KW" => Self::KeyWrap { size: cipher::AES_192_KEY_LEN },
            "A256KW" => Self::KeyWrap { size: cipher::AES_256_KEY_LEN },
            _ => return Err(Problem::Algorithm),
        })
    }
}

/// Encrypts a message.
pub(crate) fn encrypt(key: &[u8], request: &EncryptRequest) -> Result<Encrypted> {
    let EncryptRequest { plaintext, nonce, .. } = request;
    match Method::of(&request.algorithm)? {
        Method::Cbc { size, padded } => Ok(untagged(cbc::encrypt(sized(key, size)?, nonce, plaintext, padded)?)),
        Method::KeyWrap { size } => Ok(untagged(key_wrap::wrap(sized(key, size)?, plaintext)?)),
        Method::CbcHmac(method) => method.encrypt(key, request),
        Method::Aead(algorithm) => seal(algorithm, key, nonce, request),
        Method::XChaCha => {
            let (key, nonce) = chacha::derive(key, nonce)?;
            seal(&CHACHA20_POLY1305, &*key, &nonce, request)
        }
    }
}

/// Decrypts a message.
pub(crate) fn decrypt(key: &[u8], request: &DecryptRequest) -> Result<Vec<u8>> {
    let DecryptRequest { ciphertext, nonce, .. } = request;
    match Method::of(&request.algorithm)? {
        Method::Cbc { size, padded } => cbc::decrypt(sized(key, size)?, nonce, ciphertext, padded),
        Method::KeyWrap { size } => key_wrap::unwrap(sized(key, size)?, ciphertext),
        Method::CbcHmac(method) => method.decrypt(key, request),
        Method::Aead(algorithm) => open(algorithm, key, nonce, request),
        Method::XChaCha => {
            let (key, nonce) = chacha::derive(key, nonce)?;
            open(&CHACHA20_POLY1305, &*key, &nonce, request)
        }
    }
}

fn untagged(ciphertext: Vec<u8>) -> Encrypted {
    Encrypted { ciphertext: ciphertext.into(), ..Encrypted::default() }
}

fn sized(key: &[u8], size: usize) -> Result<&[u8]> {
    if key.len() == size { Ok(key) } else { Err(Problem::KeyType) }
}

fn seal(algorithm: &'static Algorithm, key: &[u8], nonce: &[u8], request: &EncryptRequest) -> Result<Encrypted> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| Problem::KeyType)?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Problem::Nonce)?;
    let mut data = request.plaintext.to_vec();
    let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(&request.associated_data), &mut data);
    let tag = sealed.map_err(|_| Problem::PlaintextLength)?;
    Ok(Encrypted { ciphertext: data.into(), tag: tag.as_ref().to_vec().into() })
}

fn open(algorithm: &'static Algorithm, key: &[u8], nonce: &[u8], request: &DecryptRequest) -> Result<Vec<u8>> {
    let key = LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| Problem::KeyType)?);
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Problem::Nonce)?;
    let DecryptRequest { ciphertext, tag, associated_data, .. } = request;
    if tag.len() != algorithm.tag_len() {
        return Err(Problem::Tag);
    }
    let mut plaintext = vec![0; ciphertext.len()];
    let opened = key.open_separate_gather(nonce, Aad::from(associated_data), ciphertext, tag, &mut plaintext);
    opened.map_err(|_| Problem::Authentication)?;
    Ok(plaintext)
}

#[cfg(test)]
mod tests;
