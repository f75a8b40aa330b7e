//! Keys in files: JSON Web Keys, PEM, bytes.
use crate::elliptic::{EcKey, EdKey};
use crate::error::Problem;
use crate::jwk;
use crate::key::{Key, Material};
use crate::rsa::RsaKey;
use aws_lc_rs::rsa::KeyPair;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use rustls_pki_types::pem::{SectionKind, from_buf};
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Problem>;

/// How a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Jwk,
    Pem,
    /// To be found out by looking at it.
    Unknown,
}

/// Reads a key.
pub(crate) fn key(text: &[u8], form: Form) -> Result<Key> {
    if text.is_empty() {
        return Err(Problem::Empty);
    }
    match form {
        Form::Jwk => jwk::read(text),
        Form::Pem => pem(text).map(Key::from),
        // A symmetric key may happen to begin like JSON.
        Form::Unknown if text[0] == b'{' && ![16, 24, 32].contains(&text.len()) => jwk::read(text),
        Form::Unknown if text.starts_with(b"-----") => pem(text).map(Key::from),
        Form::Unknown => Ok(Material::Symmetric(symmetric(text)).into()),
    }
}

fn pem(text: &[u8]) -> Result<Material> {
    let (kind, der) = from_buf(&mut &*text).ok().flatten().ok_or(Problem::Format)?;
    let der = Zeroizing::new(der);
    match kind {
        SectionKind::PrivateKey => private(&der),
        SectionKind::RsaPrivateKey => {
            let pair = KeyPair::from_der(&der).map_err(|_| Problem::Rejected)?;
            RsaKey::from_pair(&pair).map(Material::Rsa)
        }
        SectionKind::EcPrivateKey => EcKey::from_private_der(&der).map(Material::Ec),
        SectionKind::PublicKey => public(&der),
        _ => Err(Problem::UnknownKeyType),
    }
}

/// A private key of any type in PKCS#8.
fn private(der: &[u8]) -> Result<Material> {
    if let Ok(pair) = KeyPair::from_pkcs8(der) {
        return RsaKey::from_pair(&pair).map(Material::Rsa);
    }
    let ec = EcKey::from_private_der(der).map(Material::Ec);
    ec.or_else(|_| EdKey::from_private_der(der).map(Material::Ed25519))
}

/// A public key of any type in SubjectPublicKeyInfo.
fn public(der: &[u8]) -> Result<Material> {
    let rsa = RsaKey::from_public_der(der).map(Material::Rsa);
    let ec = rsa.or_else(|_| EcKey::from_public_der(der).map(Material::Ec));
    ec.or_else(|_| EdKey::from_public_der(der).map(Material::Ed25519))
}

/// The bytes of a symmetric key, which may be in Base64 of either alphabet.
fn symmetric(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let end = text.iter().rposition(|byte| !matches!(byte, b'\n' | b'=')).map_or(0, |last| last + 1);
    let decoded = BASE64_STANDARD_NO_PAD.decode(&text[..end]);
    let decoded = decoded.or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(&text[..end]));
    Zeroizing::new(decoded.unwrap_or_else(|_| text.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const MEMBERS: [&str; 12] = ["kty", "kid", "alg", "crv", "k", "n", "e", "d", "p", "q", "x", "y"];
    const VALUES: [&str; 12] = ["RSA", "EC", "OKP", "oct", "P-256", "P-521", "Ed25519", "AQAB", "AAAA", "!", "", "-_"];
    const LABELS: [&str; 6] =
        ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE", "NONSENSE"];

    proptest! {
        #[test]
        fn any_bytes_are_a_key_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            for form in [Form::Jwk, Form::Pem, Form::Unknown] {
                key(&bytes, form).ok();
            }
        }

        #[test]
        fn any_members_are_a_key_or_refused(members in prop::collection::btree_map(select(&MEMBERS[..]), select(&VALUES[..]), 0..8)) {
            let json = serde_json::json!(members).to_string();
            key(json.as_bytes(), Form::Jwk).ok();
            jwk::read_set(format!(r#"{{"keys":[{json}]}}"#).as_bytes()).unwrap();
        }

        #[test]
        fn any_section_is_a_key_or_refused(label in select(&LABELS[..]), body in prop::collection::vec(any::<u8>(), 0..80)) {
            let body = base64::prelude::BASE64_STANDARD.encode(body);
            let pem = format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
            prop_assert!(key(pem.as_bytes(), Form::Unknown).is_err());
        }
    }
}
