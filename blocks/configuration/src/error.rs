//! Why a request was not done, and what the caller of the API is told (surface.md 1.2).
use foundation_fault::{Category, Code as Row, Detail, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no configuration store at all.
    #[error("configuration stores not configured")]
    NotConfigured,
    #[error("configuration store {0} not found")]
    NotFound(String),
    #[error("failed to get [{}] from Configuration store {store}: {reason}", .keys.join(" "))]
    Get { keys: Vec<String>, store: String, reason: String },
    #[error("failed to subscribe [{}] from Configuration store {store}: {reason}", .keys.join(" "))]
    Subscribe { keys: Vec<String>, store: String, reason: String },
    /// Nobody would take what a subscription over HTTP tells.
    #[error("app channel is not initialized. cannot subscribe to configuration updates")]
    NoApp,
    #[error("failed to unsubscribe to configuration request {id}: {reason}")]
    Unsubscribe { id: String, reason: String },
}

const fn row(http: StatusCode, grpc: Code, tag: &'static str) -> Row {
    Row::new(http, grpc, tag, Category::Configuration)
}

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
static NOT_CONFIGURED: Row = row(FAILED, Code::FailedPrecondition, "ERR_CONFIGURATION_STORE_NOT_CONFIGURED");
static NOT_FOUND: Row = row(StatusCode::BAD_REQUEST, Code::InvalidArgument, "ERR_CONFIGURATION_STORE_NOT_FOUND");
static GET: Row = row(FAILED, Code::Internal, "ERR_CONFIGURATION_GET");
static SUBSCRIBE: Row = row(FAILED, Code::InvalidArgument, "ERR_CONFIGURATION_SUBSCRIBE");
static NO_APP: Row = Row::new(FAILED, Code::Internal, "ERR_APP_CHANNEL_NIL", Category::Common);
static UNSUBSCRIBE: Row = row(FAILED, Code::Internal, "ERR_CONFIGURATION_UNSUBSCRIBE");

impl Error {
    /// The fixed part of the error.
    pub fn row(&self) -> &'static Row {
        match self {
            Self::NotConfigured => &NOT_CONFIGURED,
            Self::NotFound(_) => &NOT_FOUND,
            Self::Get { .. } => &GET,
            Self::Subscribe { .. } => &SUBSCRIBE,
            Self::NoApp => &NO_APP,
            Self::Unsubscribe { .. } => &UNSUBSCRIBE,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(error.row(), error.to_string())
    }
}

impl From<Error> for Status {
    /// Over gRPC the tag is the reason of an ErrorInfo.
    fn from(error: Error) -> Self {
        let reason = error.row().tag.to_owned();
        let info = Detail::ErrorInfo { reason, metadata: Vec::new(), http_only_metadata: Vec::new() };
        Fault::from(error).with(info).into()
    }
}
