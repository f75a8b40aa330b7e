//! Why there is no identity, or no trust in another one.
use crate::InvalidSpiffeId;

/// Why a certificate is not to be had, or not to be trusted. No text shows any of a key or a token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the certificate cannot be read: {0}")]
    Certificate(String),
    #[error("the certificate has {0} URI names; an identity has exactly one")]
    Names(usize),
    #[error(transparent)]
    Id(#[from] InvalidSpiffeId),
    #[error("there is no certificate in the PEM text")]
    Empty,
    #[error("the PEM text cannot be read: {0}")]
    Pem(String),
    #[error("the private key cannot be used: {0}")]
    Key(String),
    #[error("the certificates to trust cannot be used: {0}")]
    Anchors(String),
    #[error("cannot read the certificates to trust from {path}: {reason}")]
    File { path: String, reason: std::io::Error },
    #[error("cannot read the token for sentry from {path}: {reason}")]
    TokenFile { path: String, reason: std::io::Error },
    #[error("cannot write copies of the identity to {path}: {reason}; check --identity-directory-write")]
    Copies { path: String, reason: std::io::Error },
    #[error("the certificate of {found} is not that of {expected}")]
    Stranger { found: String, expected: String },
    #[error("`{0}` is no address of sentry; check --sentry-address, and give host and port, as in localhost:50001")]
    Address(String),
    #[error("cannot reach sentry at {address}: {reason}; check --sentry-address")]
    Unreachable { address: String, reason: String },
    #[error("sentry at {address} is not trusted: {reason}")]
    Distrusted { address: String, reason: String },
    #[error("sentry at {0} did not answer in time; check --sentry-address, and whether a firewall is between")]
    Late(String),
    #[error("sentry refused to sign: {0}")]
    Refused(String),
    #[error(transparent)]
    Tls(#[from] rustls::Error),
}

impl Error {
    /// Whether a certificate is as it should be, but has ended.
    pub(crate) fn is_ended(&self) -> bool {
        use rustls::CertificateError::{Expired, ExpiredContext};
        matches!(self, Self::Tls(rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. })))
    }

    /// Why there is no certificate, as Dapr's metric has it (surface.md 5.1).
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Distrusted { .. } | Self::Late(_) => "sentry_conn",
            Self::TokenFile { .. } => "sentry_token",
            _ => "sign",
        }
    }
}
