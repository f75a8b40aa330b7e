//! A private key that signs tokens, and what is published of it (RFC 7515, 7517, 7518; thumbprints by RFC 7638).
use crate::Error;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Value, json};

/// Signs tokens with one algorithm.
pub struct SigningKey {
    pair: Pair,
    algorithm: String,
    id: String,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Elliptic(Box<EcdsaKeyPair>, &'static str),
    Edwards(Ed25519KeyPair),
}

impl SigningKey {
    /// From a private key in DER (PKCS #8, or the older forms of RSA and elliptic curves). Without an id its thumbprint
    /// is it.
    ///
    /// # Errors
    /// An unknown algorithm, or a key that is not for it.
    pub fn from_der(der: &[u8], algorithm: &str, id: Option<&str>) -> Result<Self, Error> {
        let pair = pair(der, algorithm)?;
        let id = id.map_or_else(|| pair.thumbprint(), str::to_owned);
        Ok(Self { pair, algorithm: algorithm.to_owned(), id })
    }

    /// What names the key in tokens.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The algorithm of the tokens.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// A token with these claims in compact form.
    ///
    /// # Errors
    /// Claims that are no JSON, and a key that does not work.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, Error> {
        let claims = serde_json::to_vec(claims).map_err(|_| Error::Claims)?;
        let header = json!({ "alg": self.algorithm, "kid": self.id, "typ": "JWT" }).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.pair.sign(message.as_bytes())?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The public key as a member of a set.
    pub fn public(&self) -> Value {
        let mut key = self.pair.public();
        key["kid"] = json!(self.id);
        key["alg"] = json!(self.algorithm);
        key["use"] = json!("sig");
        key
    }

    /// Whether a member of a set has the same public key.
    pub fn is_public_key(&self, member: &Value) -> bool {
        let Value::Object(own) = self.pair.public() else { return false };
        own.iter().all(|(name, value)| member.get(name) == Some(value))
    }
}

/// A new RSA key of 2048 bits in PKCS #8.
///
/// # Errors
/// [`Error::Algorithm`] when the library cannot make one.
pub fn generate_rsa() -> Result<Vec<u8>, Error> {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| Error::Algorithm)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| Error::Algorithm)?;
    Ok(der.as_ref().to_vec())
}

fn pair(der: &[u8], algorithm: &str) -> Result<Pair, Error> {
    let rsa = |encoding| {
        let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        pair.map(|pair| Pair::Rsa(Box::new(pair), encoding)).map_err(|_| Error::Algorithm)
    };
    let elliptic = |algorithm: &'static EcdsaSigningAlgorithm, curve| {
        let pair =
            EcdsaKeyPair::from_pkcs8(algorithm, der).or_else(|_| EcdsaKeyPair::from_private_key_der(algorithm, der));
        pair.map(|pair| Pair::Elliptic(Box::new(pair), curve)).map_err(|_| Error::Algorithm)
    };
    match algorithm {
        "RS256" => rsa(&RSA_PKCS1_SHA256),
        "RS384" => rsa(&RSA_PKCS1_SHA384),
        "RS512" => rsa(&RSA_PKCS1_SHA512),
        "PS256" => rsa(&RSA_PSS_SHA256),
        "PS384" => rsa(&RSA_PSS_SHA384),
        "PS512" => rsa(&RSA_PSS_SHA512),
        "ES256" => elliptic(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
        "ES384" => elliptic(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
        "ES512" => elliptic(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
        "EdDSA" => Ed25519KeyPair::from_pkcs8(der).map(Pair::Edwards).map_err(|_| Error::Algorithm),
        _ => Err(Error::Algorithm),
    }
}

impl Pair {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(*encoding, &SystemRandom::new(), message, &mut signature);
                signed.map(|()| signature).map_err(|_| Error::Signature)
            }
            Self::Elliptic(pair, _) => {
                let signed = pair.sign(&SystemRandom::new(), message);
                signed.map(|signature| signature.as_ref().to_vec()).map_err(|_| Error::Signature)
            }
            Self::Edwards(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// The members that make the key, which are those of its thumbprint too.
    fn public(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair, _) => {
                let parts = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({ "kty": "RSA", "n": text(&parts.n), "e": text(&parts.e) })
            }
            Self::Elliptic(pair, curve) => {
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
            }
            Self::Edwards(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) }),
        }
    }

    /// As Dapr writes it: standard base64, padded. Members are sorted, as objects are here.
    fn thumbprint(&self) -> String {
        STANDARD.encode(digest(&SHA256, self.public().to_string().as_bytes()))
    }
}
