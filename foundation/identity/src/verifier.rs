//! Whom a handshake accepts: trust as it is at that moment, and the identity that was expected.
use crate::{Error, SpiffeId, Trust};
use arc_swap::ArcSwap;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::sync::Arc;

/// Who must be at the other end (protocols.md 5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly this identity, as services of the control plane have.
    Id(SpiffeId),
    /// An app, whatever its trust domain.
    App { namespace: String, app_id: String },
}

impl Expected {
    fn check(&self, id: &SpiffeId) -> Result<(), Error> {
        let (fits, expected) = match self {
            Self::Id(expected) => (expected == id, expected.to_string()),
            Self::App { namespace, app_id } => {
                (id.namespace() == namespace && id.app_id() == app_id, format!("/ns/{namespace}/{app_id}"))
            }
        };
        if fits { Ok(()) } else { Err(Error::Stranger { found: id.to_string(), expected }) }
    }
}

/// Verifies servers, when it knows whom to expect, and clients.
#[derive(Debug)]
pub(crate) struct Verifier {
    trust: Arc<ArcSwap<Trust>>,
    expected: Option<Expected>,
}

impl Verifier {
    pub(crate) fn of_server(trust: Arc<ArcSwap<Trust>>, expected: Expected) -> Self {
        Self { trust, expected: Some(expected) }
    }

    pub(crate) fn of_clients(trust: Arc<ArcSwap<Trust>>) -> Self {
        Self { trust, expected: None }
    }

    fn tls12(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = self.trust.load().provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, &algorithms)
    }

    fn tls13(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = self.trust.load().provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, &algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.trust.load().provider().signature_verification_algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _stapled: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let id = self.trust.load().server(leaf, rest).map_err(refused)?;
        self.expected.as_ref().map_or(Ok(()), |expected| expected.check(&id)).map_err(refused)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.trust.load().client(leaf, rest).map_err(refused)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.tls12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.tls13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

fn refused(error: Error) -> rustls::Error {
    match error {
        Error::Tls(error) => error,
        other => CertificateError::Other(OtherError(Arc::new(other))).into(),
    }
}
