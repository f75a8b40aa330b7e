//! Why a call failed, and what the caller of the API is told (surface.md 1.2, 0.14, 0.32, 0.36).
use crate::attempt::Stop;
use crate::url::InvalidUrl;
use axum::http::StatusCode;
use foundation_fault::{Category, Code as Row, Fault};
use foundation_peer::describe;
use foundation_peer::method::InvalidMethod;
use tonic::{Code, Status};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request names no app.
    #[error("failed getting app id either from the URL path or the header dapr-app-id")]
    NoAppId,
    #[error("{}", describe(&Status::invalid_argument(format!("invalid method: {}", .0))))]
    Method(#[from] InvalidMethod),
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The body of the caller could not be read.
    #[error("{0}")]
    Body(String),
    /// There is no app behind this sidecar.
    #[error("cannot invoke local endpoint: app channel not initialized")]
    NoApp,
    /// The message of a gRPC caller is missing.
    #[error("{}", describe(&Status::invalid_argument("parsing InternalInvokeRequest error: request does not contain the required fields in the leading chunk")))]
    NoMessage,
    /// The own app could not be called.
    #[error("{}", of_app(.0))]
    App(#[from] foundation_app::Error),
    /// Another sidecar could not be called, or refused.
    #[error(transparent)]
    Peer(#[from] foundation_peer::Error),
    /// An endpoint that is no app could not be called.
    #[error("{0}")]
    External(String),
    /// The built-in tries are used up.
    #[error("failed to invoke target {app_id} after {tries} retries. Error: {source}")]
    TriedEnough { app_id: String, tries: u32, source: foundation_peer::Error },
    /// A policy stopped the call.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

static FAILED: Row =
    Row::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Internal, "ERR_DIRECT_INVOKE", Category::ServiceInvocation);
static DENIED: Row = Row::new(StatusCode::FORBIDDEN, Code::Internal, "ERR_DIRECT_INVOKE", Category::ServiceInvocation);
static NO_APP_ID: Row =
    Row::new(StatusCode::NOT_FOUND, Code::NotFound, "ERR_DIRECT_INVOKE", Category::ServiceInvocation);

impl Error {
    /// The gRPC code that tells what went wrong; Unknown for what is not gRPC's.
    pub fn code(&self) -> Code {
        match self {
            Self::Method(_) | Self::NoMessage => Code::InvalidArgument,
            Self::Peer(error) | Self::TriedEnough { source: error, .. } => error.code(),
            _ => Code::Unknown,
        }
    }

    /// The error of the API for a call to this target.
    pub fn into_fault(self, target: &str) -> Fault {
        let row = match &self {
            Self::NoAppId => return Fault::new(&NO_APP_ID, self.to_string()),
            error if error.code() == Code::PermissionDenied => &DENIED,
            _ => &FAILED,
        };
        Fault::new(row, format!("failed to invoke, id: {target}, err: {self}"))
    }

    /// The status for a caller of InvokeService: what a policy says goes out as it is.
    pub fn into_status(self, target: &str) -> Status {
        match self {
            Self::Stopped(stop) => stop.into(),
            error => error.into_fault(target).into(),
        }
    }
}

/// What Dapr's channel to the app says with a status is printed with it.
fn of_app(error: &foundation_app::Error) -> String {
    match error {
        foundation_app::Error::Unhealthy | foundation_app::Error::Verb => describe(&Status::from(error.clone())),
        other => other.to_string(),
    }
}
