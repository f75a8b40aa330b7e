//! What every provider of keys must show (components.md 4.7).
#![allow(clippy::expect_used)] // A trial that fails ends its test.
use crate::trial::trial;
use bytes::Bytes;
use component_api::Kind;
use component_api::crypto::{DecryptRequest, EncryptRequest, Encrypted, Keys, SignRequest};

const TEXT: &[u8] = b"Quel ramo del lago di Como";

/// A key of the provider, and what it is to be tried with.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    pub key: &'static str,
    pub algorithms: &'static [&'static str],
}

/// The keys of the provider.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject {
    /// Symmetric keys.
    pub symmetric: &'static [Tried],
    /// Asymmetric keys that are whole, with encryption algorithms.
    pub decrypting: &'static [Tried],
    /// Asymmetric keys that are whole, with signature algorithms.
    pub signing: &'static [Tried],
    /// Public keys, with encryption algorithms if any.
    pub public: &'static [Tried],
}

/// Runs all trials, and prints their names.
///
/// # Panics
/// When the provider fails a trial; the last name printed is that trial's.
pub async fn run(keys: &dyn Keys, subject: Subject) {
    trial("crypto: public keys", public_keys(keys, subject)).await;
    trial("crypto: keys that are not there", unknown_keys(keys)).await;
    for (key, algorithm) in pairs(subject.symmetric).chain(pairs(subject.decrypting)) {
        trial(&format!("crypto: {algorithm} with {key}"), round_trip(keys, key, algorithm)).await;
        if !algorithm.ends_with("CBC-NOPAD") {
            trial(&format!("crypto: wrapping by {algorithm} with {key}"), wrapping(keys, key, algorithm)).await;
        }
    }
    for (key, algorithm) in pairs(subject.public) {
        trial(&format!("crypto: {algorithm} with {key}"), encrypts_only(keys, key, algorithm)).await;
    }
    for (key, algorithm) in pairs(subject.signing) {
        trial(&format!("crypto: {algorithm} with {key}"), signing(keys, key, algorithm)).await;
    }
}

fn pairs(tried: &'static [Tried]) -> impl Iterator<Item = (&'static str, &'static str)> {
    tried.iter().flat_map(|tried| tried.algorithms.iter().map(|algorithm| (tried.key, *algorithm)))
}

async fn public_keys(keys: &dyn Keys, subject: Subject) {
    for tried in subject.decrypting.iter().chain(subject.signing).chain(subject.public) {
        let key = keys.public_key(tried.key).await.expect("a public key");
        assert!(!key.der.is_empty() && !key.id.is_empty());
        let members = key.jwk.as_object().expect("a JSON Web Key");
        assert!(members.contains_key("kty"));
        assert!(["d", "p", "q", "k"].iter().all(|secret| !members.contains_key(*secret)), "the private part is shown");
    }
    for tried in subject.symmetric {
        let error = keys.public_key(tried.key).await.expect_err("a symmetric key has no public part");
        assert_eq!(error.kind(), Kind::NotFound);
    }
}

async fn unknown_keys(keys: &dyn Keys) {
    keys.public_key("no-such-key").await.expect_err("there is no such key");
    let request = EncryptRequest { key: "no-such-key".to_owned(), ..encryption("A256GCM", TEXT) };
    keys.encrypt(request).await.expect_err("there is no such key");
}

async fn round_trip(keys: &dyn Keys, key: &str, algorithm: &str) {
    // Without padding, and in key wraps, the text must have whole blocks.
    let text = if algorithm.contains("NOPAD") || is_key_wrap(algorithm) { &TEXT[..16] } else { TEXT };
    let request = EncryptRequest { key: key.to_owned(), ..encryption(algorithm, text) };
    let encrypted = keys.encrypt(request.clone()).await.expect("encryption");
    assert_ne!(encrypted.ciphertext, text);
    assert_eq!(encrypted.tag.is_empty(), !is_authenticated(algorithm));
    let back = decryption(&request, &encrypted);
    assert_eq!(keys.decrypt(back.clone()).await.expect("decryption"), text);
    if is_authenticated(algorithm) {
        let tag = Bytes::from(encrypted.tag.iter().map(|byte| !byte).collect::<Vec<_>>());
        keys.decrypt(DecryptRequest { tag, ..back.clone() }).await.expect_err("the tag is wrong");
        keys.decrypt(DecryptRequest { associated_data: Bytes::new(), ..back }).await.expect_err("other data");
    }
}

async fn wrapping(keys: &dyn Keys, key: &str, algorithm: &str) {
    let plain = [0x2a; 32];
    let request = EncryptRequest { key: key.to_owned(), ..encryption(algorithm, &plain) };
    let wrapped = keys.wrap_key(request.clone()).await.expect("wrapping");
    assert_eq!(keys.unwrap_key(decryption(&request, &wrapped)).await.expect("unwrapping"), &plain[..]);
}

async fn encrypts_only(keys: &dyn Keys, key: &str, algorithm: &str) {
    let request = EncryptRequest { key: key.to_owned(), ..encryption(algorithm, TEXT) };
    let encrypted = keys.encrypt(request.clone()).await.expect("encryption with a public key");
    keys.decrypt(decryption(&request, &encrypted)).await.expect_err("a public key cannot decrypt");
}

async fn signing(keys: &dyn Keys, key: &str, algorithm: &str) {
    let length = match algorithm {
        "EdDSA" => TEXT.len(),
        _ if algorithm.ends_with("256") => 32,
        _ if algorithm.ends_with("384") => 48,
        _ => 64,
    };
    let request = |filling: u8| SignRequest {
        key: key.to_owned(),
        algorithm: algorithm.to_owned(),
        digest: Bytes::from(vec![filling; length]),
    };
    let signature = keys.sign(request(1)).await.expect("a signature");
    assert!(keys.verify(request(1), signature.clone()).await.expect("verification"));
    assert!(!keys.verify(request(2), signature).await.expect("verification of another digest"));
}

fn encryption(algorithm: &str, plaintext: &[u8]) -> EncryptRequest {
    let nonce = match algorithm {
        "XC20P" | "XC20PKW" => 24,
        _ if algorithm.contains("CBC") => 16,
        _ if algorithm.contains("GCM") || algorithm.starts_with("C20P") => 12,
        _ => 0,
    };
    EncryptRequest {
        key: String::new(),
        algorithm: algorithm.to_owned(),
        plaintext: Bytes::copy_from_slice(plaintext),
        nonce: vec![7; nonce].into(),
        associated_data: Bytes::from_static(b"associated"),
    }
}

fn decryption(request: &EncryptRequest, encrypted: &Encrypted) -> DecryptRequest {
    let EncryptRequest { key, algorithm, nonce, associated_data, .. } = request.clone();
    let Encrypted { ciphertext, tag } = encrypted.clone();
    DecryptRequest { key, algorithm, ciphertext, nonce, tag, associated_data }
}

fn is_key_wrap(algorithm: &str) -> bool {
    matches!(algorithm, "A128KW" | "A192KW" | "A256KW")
}

fn is_authenticated(algorithm: &str) -> bool {
    algorithm.contains("GCM") || algorithm.contains("C20P") || algorithm.contains("CBC-HS")
}
