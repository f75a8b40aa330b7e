//! Why a handshake failed, in words, and what to check.
use rustls::{CertificateError, Error as Tls, OtherError};
use std::io;

const ANCHORS: &str = "the trust anchors";
const CLOCKS: &str = "the clocks of both, and `dapr mtls expiry`";
const IDENTITY: &str = "namespace and trust domain";

/// What is wrong with the other end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    #[error("invalid peer certificate: {reason}; check {check}")]
    Certificate { reason: String, check: &'static str },
    #[error("the other end does not speak TLS; check that both have mTLS on")]
    NoTls,
}

impl Doubt {
    /// The error of a handshake with the doubt in it, if there is one.
    pub(crate) fn worded(error: io::Error) -> io::Error {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
        match inner.and_then(Self::of) {
            Some(doubt) => io::Error::new(error.kind(), doubt),
            None => error,
        }
    }

    /// The doubt somewhere behind an error.
    pub(crate) fn behind<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Self> {
        std::iter::successors(Some(error), |error| error.source())
            .find_map(|error| error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref())
    }

    fn of(error: &Tls) -> Option<Self> {
        match error {
            Tls::InvalidMessage(_) => Some(Self::NoTls),
            Tls::InvalidCertificate(error) => Some(Self::of_certificate(error)),
            _ => None,
        }
    }

    fn of_certificate(error: &CertificateError) -> Self {
        let (reason, check) = match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                ("it comes from none of the roots that are trusted here".to_owned(), ANCHORS)
            }
            CertificateError::Other(OtherError(stranger)) => (stranger.to_string(), IDENTITY),
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => (error.to_string(), CLOCKS),
            _ => (error.to_string(), ANCHORS),
        };
        Self::Certificate { reason, check }
    }
}
