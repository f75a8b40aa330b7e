//! The proof by a signed token that we are the client (RFC 7523, section 2.2).
use crate::metadata::SecurityMetadata;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use component_api::{Error, Result};
use form_urlencoded::Serializer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use uuid::Uuid;

/// What the assertion is, to the issuer.
const KIND: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion is good.
const LIFETIME: u64 = 60;

/// Signs assertions.
pub(super) struct Assertion {
    key: RsaKeyPair,
    key_id: String,
    client_id: String,
    /// Whom the assertion is for.
    for_whom: String,
    /// As it was given, for the request.
    audience: String,
    resource: String,
}

impl Assertion {
    /// # Errors
    /// The key is none of RSA.
    pub(super) fn new(metadata: &SecurityMetadata) -> Result<Self> {
        let audience = metadata.oidc_audience.clone();
        let for_whom = if audience.is_empty() { metadata.oidc_token_endpoint.clone() } else { audience.clone() };
        Ok(Self {
            key: key(metadata.oidc_client_assertion_key.expose())?,
            key_id: metadata.oidc_kid.clone(),
            client_id: metadata.oidc_client_id.clone(),
            for_whom,
            audience,
            resource: metadata.oidc_resource.clone(),
        })
    }

    /// Adds a new assertion to a request.
    pub(super) fn add_to(&self, form: &mut Serializer<'_, String>) -> Result<()> {
        form.append_pair("client_id", &self.client_id);
        form.append_pair("client_assertion_type", KIND).append_pair("client_assertion", &self.signed()?);
        for (name, value) in [("audience", &self.audience), ("resource", &self.resource)] {
            if !value.is_empty() {
                form.append_pair(name, value);
            }
        }
        Ok(())
    }

    fn signed(&self) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut header = json!({"alg": "RS256", "typ": "JWT"});
        if !self.key_id.is_empty() {
            header["kid"] = json!(self.key_id);
        }
        let claims = json!({
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.for_whom,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME,
            "jti": Uuid::new_v4().to_string(),
        });
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let mut signature = vec![0; self.key.public_modulus_len()];
        let done = self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature);
        done.map_err(|_| Error::other("kafka: error signing client assertion"))?;
        Ok(format!("{signed}.{}", encoded(signature)))
    }
}

fn key(pem: &str) -> Result<RsaKeyPair> {
    let unusable = || Error::invalid("kafka: oidcClientAssertionKey has to be a private key of RSA as PEM");
    let pair = match PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| unusable())? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return Err(unusable()),
    };
    pair.map_err(|_| unusable())
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
