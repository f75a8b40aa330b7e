//! A certificate that proves an identity, with its key (SPIFFE X509-SVID, sections 2 and 4).
use crate::{Error, SpiffeId};
use foundation_tls::pem_fault;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A chain of certificates whose leaf names its owner, and the private key of the leaf.
#[derive(Clone, Debug)]
pub struct Svid {
    id: SpiffeId,
    expires: SystemTime,
    certified: Arc<CertifiedKey>,
}

impl Svid {
    /// From a chain, leaf first, and the key of the leaf.
    ///
    /// # Errors
    /// A leaf without an identity, or a key that is of no use or of another certificate.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: &PrivateKeyDer<'_>) -> Result<Self, Error> {
        let leaf = chain.first().ok_or(Error::Empty)?;
        let (id, expires) = (id_of(leaf)?, expiry_of(leaf)?);
        let key = any_supported_type(key).map_err(|error| Error::Key(error.to_string()))?;
        let certified = CertifiedKey::new(chain, key);
        certified.keys_match().map_err(|error| Error::Key(error.to_string()))?;
        Ok(Self { id, expires, certified: Arc::new(certified) })
    }

    /// From a chain in PEM, leaf first, and the key of the leaf.
    ///
    /// # Errors
    /// As [`Svid::new`], and a text that is no PEM.
    pub fn from_pem(chain: &[u8], key: &PrivateKeyDer<'_>) -> Result<Self, Error> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
        Self::new(chain.map_err(|error| Error::Pem(pem_fault(&error)))?, key)
    }

    /// Whose certificate it is.
    pub fn id(&self) -> &SpiffeId {
        &self.id
    }

    /// When it ends.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// The chain, leaf first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

/// The identity that a certificate names.
///
/// # Errors
/// A certificate with none or several names that are URIs, or with one that is no identity.
pub fn id_of(certificate: &CertificateDer<'_>) -> Result<SpiffeId, Error> {
    let certificate = parse(certificate)?;
    let names = certificate.subject_alternative_name().map_err(|error| Error::Certificate(error.to_string()))?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let uri = |name: &GeneralName<'_>| if let GeneralName::URI(uri) = name { Some((*uri).to_owned()) } else { None };
    let uris: Vec<String> = names.iter().filter_map(uri).collect();
    match uris.as_slice() {
        [uri] => Ok(uri.parse()?),
        others => Err(Error::Names(others.len())),
    }
}

pub(crate) fn expiry_of(certificate: &CertificateDer<'_>) -> Result<SystemTime, Error> {
    let seconds = parse(certificate)?.validity().not_after.timestamp();
    Ok(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()))
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (rest, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| Error::Certificate(error.to_string()))?;
    if rest.is_empty() { Ok(parsed) } else { Err(Error::Certificate("there is more behind it".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, SanType};

    proptest! {
        #[test]
        fn any_bytes_are_a_certificate_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let key = PrivateKeyDer::Pkcs8(bytes.clone().into());
            prop_assert!(id_of(&bytes.clone().into()).is_err());
            prop_assert!(Svid::new(vec![bytes.clone().into()], &key).is_err());
            prop_assert!(Svid::from_pem(&bytes, &key).is_err());
        }

        #[test]
        fn a_broken_certificate_has_no_other_identity(at in 0..400_usize, bit in 0..8_u8) {
            let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
            let mut params = CertificateParams::default();
            params.subject_alt_names = vec![SanType::URI("spiffe://a/ns/b/c".try_into().unwrap())];
            let mut der = params.self_signed(&pair).unwrap().der().to_vec();
            let at = at % der.len();
            der[at] ^= 1 << bit;
            expiry_of(&der.clone().into()).ok();
            id_of(&der.into()).ok();
        }
    }
}
