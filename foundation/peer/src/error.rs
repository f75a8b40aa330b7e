//! Why a call to another sidecar failed.
use crate::proto::Malformed;
use foundation_grpc::{FrameError, of_broken};
use tonic::{Code, Status};

/// Why a call to another sidecar failed. The text is the one Dapr's users know.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The app id is empty or has more than one dot.
    #[error("{0}")]
    Target(String),
    /// The name resolver does not know the app, or failed.
    #[error("{0}")]
    Name(#[from] component_api::Error),
    /// No connection to the sidecar.
    #[error("rpc error: code = Unavailable desc = connection error: desc = \"{0}\"")]
    Connect(String),
    /// The sidecar answered with a gRPC error.
    #[error("{}", describe(.0))]
    Status(Box<Status>),
    /// The body of the request broke while it was sent.
    #[error("error sending message: {0}")]
    Body(String),
    /// The sidecar is too old to take a body that cannot be sent again.
    #[error("target app '{0}' is running a version of Dapr that does not support streaming-based service invocation")]
    NoStreaming(String),
    /// The answer of the sidecar has no head.
    #[error("response does not contain the required fields in the leading chunk")]
    NoHead,
}

impl Error {
    /// The gRPC code: Unknown where the trouble is not one of gRPC.
    pub fn code(&self) -> Code {
        match self {
            Self::Connect(_) => Code::Unavailable,
            Self::Status(status) => status.code(),
            _ => Code::Unknown,
        }
    }

    /// Whether the connection, and what the resolver said, are not to be trusted any more.
    pub fn is_stale(&self) -> bool {
        matches!(self.code(), Code::Unavailable | Code::Unauthenticated)
    }
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<h2::Error> for Error {
    fn from(error: h2::Error) -> Self {
        of_broken(&error).into()
    }
}

impl From<foundation_http2::Error> for Error {
    fn from(error: foundation_http2::Error) -> Self {
        match error {
            foundation_http2::Error::Broken(error) => error.into(),
            foundation_http2::Error::Body(error) => Self::Body(error),
        }
    }
}

impl From<FrameError> for Error {
    fn from(error: FrameError) -> Self {
        Status::from(error).into()
    }
}

impl From<Malformed> for Error {
    fn from(error: Malformed) -> Self {
        Status::internal(format!("grpc: error unmarshalling request: {error}")).into()
    }
}

impl From<Error> for Status {
    /// The peer's own status where there is one.
    fn from(error: Error) -> Self {
        match error {
            Error::Status(status) => *status,
            other => Self::new(other.code(), other.to_string()),
        }
    }
}

/// A status as Go prints it, which users and tests know from Dapr's messages. One that comes of a broken connection is followed by what
/// broke it.
pub fn describe(status: &Status) -> String {
    let cause =
        std::error::Error::source(status).map(innermost).filter(|cause| !status.message().contains(cause.as_str()));
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("rpc error: code = {} desc = {}{cause}", code_name(status.code()), status.message())
}

/// The reason behind the layers of a client.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}

/// The name of a code as Go writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}
