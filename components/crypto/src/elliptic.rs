//! Elliptic curves: ECDSA on P-256, P-384 and P-521 (RFC 7518, section 3.4), and Ed25519 (RFC 8037).
use crate::error::Problem;
use aws_lc_rs::digest::{Algorithm as Hash, Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING, ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm,
    EcdsaVerificationAlgorithm, Ed25519KeyPair, KeyPair, ParsedPublicKey, UnparsedPublicKey,
};

type Result<T> = std::result::Result<T, Problem>;

/// A curve for ECDSA, with the hash that JOSE puts beside it.
pub(crate) struct Curve {
    /// Name in a JSON Web Key.
    pub(crate) name: &'static str,
    /// Name of the signature algorithm.
    algorithm: &'static str,
    /// Bytes of a coordinate.
    pub(crate) size: usize,
    hash: &'static Hash,
    signing: &'static EcdsaSigningAlgorithm,
    verification: &'static EcdsaVerificationAlgorithm,
}

/// All curves.
pub(crate) static CURVES: [Curve; 3] = [
    Curve {
        name: "P-256",
        algorithm: "ES256",
        size: 32,
        hash: &SHA256,
        signing: &ECDSA_P256_SHA256_ASN1_SIGNING,
        verification: &ECDSA_P256_SHA256_ASN1,
    },
    Curve {
        name: "P-384",
        algorithm: "ES384",
        size: 48,
        hash: &SHA384,
        signing: &ECDSA_P384_SHA384_ASN1_SIGNING,
        verification: &ECDSA_P384_SHA384_ASN1,
    },
    Curve {
        name: "P-521",
        algorithm: "ES512",
        size: 66,
        hash: &SHA512,
        signing: &ECDSA_P521_SHA512_ASN1_SIGNING,
        verification: &ECDSA_P521_SHA512_ASN1,
    },
];

impl Curve {
    /// Bytes of a point: a mark for "uncompressed", and two coordinates.
    fn point_size(&self) -> usize {
        1 + 2 * self.size
    }
}

/// A key on one of the curves.
pub(crate) struct EcKey {
    pub(crate) curve: &'static Curve,
    /// The public point, uncompressed.
    pub(crate) point: Vec<u8>,
    private: Option<EcdsaKeyPair>,
}

impl EcKey {
    /// A key from PKCS#8 or SEC 1, whichever curve it is on.
    pub(crate) fn from_private_der(der: &[u8]) -> Result<Self> {
        let on = |curve: &'static Curve| {
            let pair = EcdsaKeyPair::from_private_key_der(curve.signing, der).ok()?;
            Some(Self { curve, point: pair.public_key().as_ref().to_vec(), private: Some(pair) })
        };
        CURVES.iter().find_map(on).ok_or(Problem::Rejected)
    }

    /// A key from SubjectPublicKeyInfo, at whose end is the point.
    pub(crate) fn from_public_der(der: &[u8]) -> Result<Self> {
        let on = |curve: &'static Curve| {
            ParsedPublicKey::new(curve.verification, der).ok()?;
            Self::new(curve, behind_head(der, curve.point_size())?.to_vec(), None).ok()
        };
        CURVES.iter().find_map(on).ok_or(Problem::Rejected)
    }

    /// A key from its point and, where it is there, its private number.
    pub(crate) fn new(curve: &'static Curve, point: Vec<u8>, private: Option<&[u8]>) -> Result<Self> {
        ParsedPublicKey::new(curve.verification, &point).map_err(|_| Problem::Rejected)?;
        let pair = private.map(|private| EcdsaKeyPair::from_private_key_and_public_key(curve.signing, private, &point));
        Ok(Self { curve, point, private: pair.transpose().map_err(|_| Problem::Rejected)? })
    }

    /// SubjectPublicKeyInfo.
    pub(crate) fn public_der(&self) -> Result<Vec<u8>> {
        let key = ParsedPublicKey::new(self.curve.verification, &self.point).map_err(|_| Problem::Rejected)?;
        key.as_der().map(|der| der.as_ref().to_vec()).map_err(|_| Problem::Rejected)
    }

    /// Signs a digest; the signature is in ASN.1, as Dapr's are.
    pub(crate) fn sign(&self, algorithm: &str, digest: &[u8]) -> Result<Vec<u8>> {
        let digest = self.imported(algorithm, digest)?;
        let pair = self.private.as_ref().ok_or(Problem::KeyType)?;
        pair.sign_digest(&digest).map(|signature| signature.as_ref().to_vec()).map_err(|_| Problem::Rejected)
    }

    pub(crate) fn verify(&self, algorithm: &str, digest: &[u8], signature: &[u8]) -> Result<bool> {
        let digest = self.imported(algorithm, digest)?;
        let key = UnparsedPublicKey::new(self.curve.verification, &self.point);
        Ok(key.verify_digest(&digest, signature).is_ok())
    }

    fn imported(&self, algorithm: &str, digest: &[u8]) -> Result<Digest> {
        if algorithm != self.curve.algorithm {
            return Err(Problem::KeyType);
        }
        Digest::import_less_safe(digest, self.curve.hash).map_err(|_| Problem::DigestLength)
    }
}

/// Bytes of an Ed25519 key.
const ED25519_SIZE: usize = 32;

/// An Ed25519 key.
pub(crate) struct EdKey {
    pub(crate) public: Vec<u8>,
    private: Option<Ed25519KeyPair>,
}

impl EdKey {
    /// A key from PKCS#8.
    pub(crate) fn from_private_der(der: &[u8]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| Problem::Rejected)?;
        Ok(Self { public: pair.public_key().as_ref().to_vec(), private: Some(pair) })
    }

    /// A key from SubjectPublicKeyInfo, at whose end it is.
    pub(crate) fn from_public_der(der: &[u8]) -> Result<Self> {
        ParsedPublicKey::new(&ED25519, der).map_err(|_| Problem::Rejected)?;
        let public = behind_head(der, ED25519_SIZE).ok_or(Problem::Rejected)?.to_vec();
        Ok(Self { public, private: None })
    }

    /// A key from its public part and, where it is there, its seed.
    pub(crate) fn new(public: Vec<u8>, seed: Option<&[u8]>) -> Result<Self> {
        ParsedPublicKey::new(&ED25519, &public).map_err(|_| Problem::Rejected)?;
        let pair = seed.map(|seed| Ed25519KeyPair::from_seed_and_public_key(seed, &public));
        Ok(Self { public, private: pair.transpose().map_err(|_| Problem::Rejected)? })
    }

    /// SubjectPublicKeyInfo.
    pub(crate) fn public_der(&self) -> Result<Vec<u8>> {
        let key = ParsedPublicKey::new(&ED25519, &self.public).map_err(|_| Problem::Rejected)?;
        key.as_der().map(|der| der.as_ref().to_vec()).map_err(|_| Problem::Rejected)
    }

    /// Signs a message, which the algorithm hashes itself.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let pair = self.private.as_ref().ok_or(Problem::KeyType)?;
        Ok(pair.sign(message).as_ref().to_vec())
    }

    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature).is_ok()
    }
}

/// The key at the end of a SubjectPublicKeyInfo. The library also takes a bare key for one, which has no place in a file.
fn behind_head(der: &[u8], size: usize) -> Option<&[u8]> {
    let head = der.len().checked_sub(size).filter(|head| *head > 0)?;
    der.get(head..)
}
