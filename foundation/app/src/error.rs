//! Why a call of the app brought no answer, or not the one hoped for.
use http::StatusCode;
use tonic::Status;

/// An error of a call to the app.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Health checks failed, or none has succeeded yet.
    #[error("app is not in a healthy state")]
    Unhealthy,
    #[error("cannot set up TLS for the app: {0}")]
    Tls(String),
    /// No connection, or it broke off before an answer.
    #[error("cannot call the app at {address}: {message}")]
    Unreachable { address: String, message: String },
    /// A request without a verb, or one that HTTP apps do not get.
    #[error("invalid HTTP verb")]
    Verb,
    /// The body of the request could not be read.
    #[error("cannot read the request for the app: {0}")]
    Body(String),
    /// An HTTP app answered a callback with an error.
    #[error("{message}")]
    Rejected { status: StatusCode, message: String },
    /// A gRPC app answered a callback with an error.
    #[error("rpc error: code = {:?} desc = {}", .0.code(), .0.message())]
    Status(Box<Status>),
    /// The app's answer is not what the callback asks for.
    #[error("{0}")]
    Malformed(String),
}

impl Error {
    /// The app's own status, for retry policies that look at it: an HTTP status from 100 on, else a gRPC code.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Rejected { status, .. } => Some(i32::from(status.as_u16())),
            Self::Status(status) => Some(status.code() as i32),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without any change.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unhealthy | Self::Unreachable { .. } | Self::Rejected { .. } | Self::Status(_))
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Status(status) => *status,
            Error::Unhealthy => Self::internal(message),
            Error::Verb => Self::invalid_argument(message),
            Error::Unreachable { .. } => Self::unavailable(message),
            Error::Rejected { status, .. } => Self::new(crate::code_of(status), message),
            Error::Tls(_) | Error::Body(_) | Error::Malformed(_) => Self::unknown(message),
        }
    }
}
