//! Keys of certificates.
use aws_lc_rs::signature::Ed25519KeyPair;
use rcgen::{Error, KeyPair};

/// A new Ed25519 key. It is kept in the first version of PKCS#8, which every program reads: OpenSSL 3.0 knows no second one (RFC 5958).
///
/// # Errors
/// What the library says, such as without randomness.
pub fn new_key() -> Result<KeyPair, Error> {
    let encoded = Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1());
    encoded.map_err(|_| Error::RingUnspecified)?.as_ref().try_into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_in_the_first_version_of_its_format() {
        let key = new_key().unwrap().serialize_der();
        // PrivateKeyInfo, RFC 5208: version 0, the algorithm, the seed, and no public key behind it.
        let head = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
        assert_eq!((key.len(), &key[..16]), (48, &head[..]));
        assert_ne!(key, new_key().unwrap().serialize_der());
    }
}
