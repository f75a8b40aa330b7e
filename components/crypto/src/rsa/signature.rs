//! Signatures with RSA (RFC 7518, sections 3.3 and 3.5).
use super::{Result, RsaKey};
use crate::error::Problem;
use aws_lc_rs::digest::{Algorithm as Hash, Digest, SHA256, SHA384, SHA512};
use aws_lc_rs::rsa::{KeyPair, RsaParameters};
use aws_lc_rs::signature::{self, RsaPssSaltLength, RsaSignatureEncoding};

impl RsaKey {
    pub(crate) fn sign(&self, algorithm: &str, digest: &[u8]) -> Result<Vec<u8>> {
        let method = Method::of(algorithm)?;
        let digest = method.imported(digest)?;
        let pair = KeyPair::from_pkcs8(self.private()?).map_err(|_| Problem::Rejected)?;
        let mut out = vec![0; pair.public_modulus_len()];
        pair.sign_digest(method.encoding, &digest, &mut out).map_err(|_| Problem::Rejected)?;
        Ok(out)
    }

    pub(crate) fn verify(&self, algorithm: &str, digest: &[u8], signature: &[u8]) -> Result<bool> {
        let method = Method::of(algorithm)?;
        let digest = method.imported(digest)?;
        for parameters in method.accepted {
            let key = self.public.to_parsed_public_key(parameters).map_err(|_| Problem::Rejected)?;
            if key.verify_digest_sig(&digest, signature).is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A signature algorithm.
struct Method {
    hash: &'static Hash,
    encoding: &'static RsaSignatureEncoding,
    accepted: &'static [RsaParameters],
}

impl Method {
    fn of(algorithm: &str) -> Result<&'static Self> {
        Ok(match algorithm {
            "RS256" => &RS256,
            "RS384" => &RS384,
            "RS512" => &RS512,
            "PS256" => &PS256,
            "PS384" => &PS384,
            "PS512" => &PS512,
            _ => return Err(Problem::Algorithm),
        })
    }

    fn imported(&self, digest: &[u8]) -> Result<Digest> {
        Digest::import_less_safe(digest, self.hash).map_err(|_| Problem::DigestLength)
    }
}

static RS256: Method = Method {
    hash: &SHA256,
    encoding: &signature::RSA_PKCS1_SHA256,
    accepted: &[signature::RSA_PKCS1_2048_8192_SHA256],
};
static RS384: Method = Method {
    hash: &SHA384,
    encoding: &signature::RSA_PKCS1_SHA384,
    accepted: &[signature::RSA_PKCS1_2048_8192_SHA384],
};
static RS512: Method = Method {
    hash: &SHA512,
    encoding: &signature::RSA_PKCS1_SHA512,
    accepted: &[signature::RSA_PKCS1_2048_8192_SHA512],
};
static PS256: Method = Method {
    hash: &SHA256,
    encoding: &signature::RSA_PSS_SHA256,
    accepted: &salts(signature::RSA_PSS_2048_8192_SHA256, signature::RSA_PSS_2048_8192_SHA256),
};
static PS384: Method = Method {
    hash: &SHA384,
    encoding: &signature::RSA_PSS_SHA384,
    accepted: &salts(signature::RSA_PSS_2048_8192_SHA384, signature::RSA_PSS_2048_8192_SHA384),
};
static PS512: Method = Method {
    hash: &SHA512,
    encoding: &signature::RSA_PSS_SHA512,
    accepted: &salts(signature::RSA_PSS_2048_8192_SHA512, signature::RSA_PSS_2048_8192_SHA512),
};

/// JOSE wants a salt as long as the digest; Dapr signs with the longest that there is room for.
const fn salts(own: RsaParameters, of_dapr: RsaParameters) -> [RsaParameters; 2] {
    [own, of_dapr.with_pss_salt_length(RsaPssSaltLength::Max)]
}
