//! Private keys in PEM.
use crate::error::{Error, unreadable};
use foundation_tls::pem_fault;
use rcgen::KeyPair;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

pub(crate) const OF_ISSUER: &str = "the issuer's key";

/// The first key of a text; parameters of its curve may stand before it, as OpenSSL writes them.
pub(crate) fn private_key(text: &str, what: &'static str) -> Result<KeyPair, Error> {
    if text.contains("ENCRYPTED") {
        return Err(unreadable(what, "it is encrypted; store it without a passphrase (`openssl pkey`)"));
    }
    let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| unreadable(what, pem_fault(&error)))?;
    let kinds = "it must be Ed25519, ECDSA (P-256, P-384) or RSA";
    KeyPair::try_from(&der).map_err(|error| unreadable(what, format!("{error}; {kinds}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_stand_behind_its_parameters_but_not_behind_a_passphrase() {
        let key = KeyPair::generate().unwrap();
        let parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let read = private_key(&format!("{parameters}{}", key.serialize_pem()), OF_ISSUER).unwrap();
        assert_eq!(read.public_key_raw(), key.public_key_raw());
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let error = private_key(locked, OF_ISSUER).unwrap_err().to_string();
        assert!(error.starts_with("the issuer's key cannot be read: it is encrypted"), "{error}");
    }
}
