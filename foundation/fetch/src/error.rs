//! Why there is no answer. Neither the request nor the answer is told: both may hold secrets.
use component_api::Kind;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot set up TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("{host} did not answer within {patience:?}")]
    Late { host: String, patience: Duration },
    #[error("cannot reach {host}: {reason}")]
    Unreached { host: String, reason: String },
    #[error("cannot read the answer of {host}: {reason}")]
    Broken { host: String, reason: String },
    #[error("{host} answered with status {status}")]
    Status { host: String, status: u16 },
}

impl From<Error> for component_api::Error {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Tls(_) | Error::Status { .. } => Kind::Other,
            Error::Late { .. } => Kind::Timeout,
            Error::Unreached { .. } | Error::Broken { .. } => Kind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}

/// What the layers of a client only wrap, such as that a certificate is not trusted.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}
