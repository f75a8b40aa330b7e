//! Why there are no credentials.
use std::io;

/// Why credentials cannot be used, written or replaced. No text shows any of a key.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {path}: {reason}; check --issuer-credentials")]
    Read { path: String, reason: io::Error },
    #[error("cannot write {path}: {reason}; check --issuer-credentials")]
    Write { path: String, reason: io::Error },
    #[error("another process holds {0}; look for one that hangs")]
    Locked(String),
    #[error("{0} is missing beside the other credentials; restore it, or remove the others to get new ones")]
    Incomplete(String),
    #[error("{path}: {error}")]
    InFile { path: String, error: Box<Self> },
    #[error("there is no certificate in {0}")]
    Empty(&'static str),
    #[error("{what} cannot be read: {reason}")]
    Unreadable { what: &'static str, reason: String },
    #[error("{path} cannot be read: {reason}; remove it if nobody is replacing the root just now")]
    Journal { path: String, reason: serde_json::Error },
    #[error("the issuer is no certificate authority (CA:TRUE, and keyCertSign if uses of its key are named)")]
    NoAuthority,
    #[error("the issuer's key and certificate do not lead to one of the roots: {0}")]
    Untrusted(foundation_identity::Error),
    #[error("the issuer's certificate has ended; get new credentials with `dapr mtls renew-certificate`")]
    Ended,
    #[error("the root ended {0} and was not made here; get new credentials with `dapr mtls renew-certificate`")]
    Expired(String),
    #[error("the issuer's certificate ended {0}; get new credentials with `dapr mtls renew-certificate`")]
    IssuerEnded(String),
    #[error(
        "the next root is announced already; it signs as soon as everybody knows it, and can be followed by another one then"
    )]
    Underway,
    #[error("cannot sign: {0}")]
    Sign(#[from] rcgen::Error),
    #[error(transparent)]
    Id(#[from] foundation_identity::InvalidSpiffeId),
    #[error(transparent)]
    Identity(#[from] foundation_identity::Error),
}

pub(crate) fn unreadable(what: &'static str, error: impl std::fmt::Display) -> Error {
    Error::Unreadable { what, reason: error.to_string() }
}
