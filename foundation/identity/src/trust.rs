//! The roots that certificates must come from.
use crate::svid::expiry_of;
use crate::{Error, SpiffeId, id_of};
use foundation_tls::pem_fault;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

/// Root certificates; what they have signed is trusted.
#[derive(Clone, Debug)]
pub struct Trust {
    pem: Arc<[u8]>,
    /// When the first of the roots ends.
    until: SystemTime,
    roots: Arc<RootCertStore>,
    clients: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    /// Reads root certificates from PEM. Those that have ended are passed over.
    ///
    /// # Errors
    /// A text without certificates, or with one that cannot be used, and one whose certificates have all ended.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let (mut roots, mut have_ended, mut until) = (RootCertStore::empty(), false, None);
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| Error::Pem(pem_fault(&error)))?;
            // The TLS library takes a root for good as long as it is there.
            let end = expiry_of(&certificate)?;
            if end <= SystemTime::now() {
                have_ended = true;
                continue;
            }
            until = Some(until.map_or(end, |until: SystemTime| until.min(end)));
            roots.add(certificate).map_err(|error| Error::Anchors(error.to_string()))?;
        }
        if roots.is_empty() && have_ended {
            return Err(Error::Anchors("all of them have ended; get the present ones from sentry".to_owned()));
        }
        let no_root = || Error::Anchors("there is no certificate in PEM".to_owned());
        let until = until.ok_or_else(no_root)?;
        let (roots, provider) = (Arc::new(roots), Arc::new(default_provider()));
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build();
        let clients = clients.map_err(|error| Error::Anchors(error.to_string()))?;
        Ok(Self { pem: pem.into(), until, roots, clients, provider })
    }

    /// The identity of a server whose chain, leaf first, comes from one of the roots and is valid now.
    ///
    /// # Errors
    /// [`Error::Tls`] for a chain that is not to be trusted, and what [`id_of`] says.
    pub fn server(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Result<SpiffeId, Error> {
        let parsed = ParsedCertificate::try_from(leaf)?;
        let trust = self.now()?;
        let algorithms = trust.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &trust.roots, rest, UnixTime::now(), algorithms)?;
        id_of(leaf)
    }

    /// The identity of a client, as of a server.
    ///
    /// # Errors
    /// As [`Trust::server`].
    pub fn client(&self, leaf: &CertificateDer<'_>, rest: &[CertificateDer<'_>]) -> Result<SpiffeId, Error> {
        self.now()?.clients.verify_client_cert(leaf, rest, UnixTime::now())?;
        id_of(leaf)
    }

    /// Without the roots that have ended meanwhile.
    fn now(&self) -> Result<Cow<'_, Self>, Error> {
        if SystemTime::now() < self.until { Ok(Cow::Borrowed(self)) } else { Self::from_pem(&self.pem).map(Cow::Owned) }
    }

    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }
}
