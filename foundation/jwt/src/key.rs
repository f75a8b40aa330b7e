//! One key of a set: which algorithms it is for, and whether it made a signature.
use crate::error::Error;
use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

const ES512: &str = "ES512";
/// Bytes of a coordinate of the curve P-521.
const P521_SIZE: usize = 66;

/// A public key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    jwk: Jwk,
    /// The only algorithm of the key, if it says so.
    algorithm: Option<String>,
}

impl Key {
    /// None for a key that is not for signatures or not understood.
    pub(crate) fn read(value: Value) -> Option<Self> {
        let algorithm = value.get("alg").and_then(Value::as_str).map(str::to_owned);
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let signs = !matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption));
        (signs && !matches!(jwk.algorithm, AlgorithmParameters::Other(_))).then_some(Self { jwk, algorithm })
    }

    pub(crate) fn id(&self) -> Option<&str> {
        self.jwk.common.key_id.as_deref()
    }

    /// Whether the key signed the message with the algorithm. The key decides on the algorithm, never the token alone.
    pub(crate) fn verify(&self, algorithm: &str, message: &[u8], signature: &str) -> Result<(), Error> {
        let named = self.algorithm.as_deref().is_none_or(|own| own == algorithm);
        if !named || !self.algorithms().contains(&algorithm) {
            return Err(Error::Algorithm);
        }
        if let (ES512, AlgorithmParameters::EllipticCurve(key)) = (algorithm, &self.jwk.algorithm) {
            return verify_es512(key, message, signature);
        }
        let algorithm: Algorithm = algorithm.parse().map_err(|_| Error::Algorithm)?;
        let key = DecodingKey::from_jwk(&self.jwk).map_err(|_| Error::Signature)?;
        let good = jsonwebtoken::crypto::verify(signature, message, &key, algorithm);
        if good.unwrap_or(false) { Ok(()) } else { Err(Error::Signature) }
    }

    fn algorithms(&self) -> &'static [&'static str] {
        match &self.jwk.algorithm {
            AlgorithmParameters::RSA(_) => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => &["ES256"],
                EllipticCurve::P384 => &["ES384"],
                EllipticCurve::P521 => &[ES512],
                _ => &[],
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &["EdDSA"],
            AlgorithmParameters::OctetKey(_) => &["HS256", "HS384", "HS512"],
            _ => &[],
        }
    }
}

/// The library for tokens lacks this algorithm.
fn verify_es512(key: &EllipticCurveKeyParameters, message: &[u8], signature: &str) -> Result<(), Error> {
    let mut point = vec![4];
    for coordinate in [&key.x, &key.y] {
        let bytes = URL_SAFE_NO_PAD.decode(coordinate).map_err(|_| Error::Signature)?;
        let zeros = P521_SIZE.checked_sub(bytes.len()).ok_or(Error::Signature)?;
        point.extend(std::iter::repeat_n(0, zeros).chain(bytes));
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Error::Signature)?;
    let key = UnparsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, point);
    key.verify(message, &signature).map_err(|_| Error::Signature)
}
