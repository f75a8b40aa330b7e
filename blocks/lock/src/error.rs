//! Why a request was not done, and what the caller of the API is told (surface.md 1.2).
use foundation_fault::{Category, Code as Row, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no lock store at all.
    #[error("lock store is not configured")]
    NotConfigured,
    #[error("lock store {0} not found")]
    NotFound(String),
    #[error("ResourceId is empty in lock store {0}")]
    NoResource(String),
    #[error("LockOwner is empty in lock store {0}")]
    NoOwner(String),
    #[error("ExpiryInSeconds is not positive in lock store {0}")]
    NoExpiry(String),
    #[error("failed to try acquiring lock: {0}")]
    TryLock(String),
    #[error("failed to release lock: {0}")]
    Unlock(String),
    /// The body did not arrive.
    #[error("failed to read request body: {0}")]
    Body(String),
    /// The body is not what it should be.
    #[error("failed deserializing HTTP body: {0}")]
    Malformed(String),
}

const fn row(http: StatusCode, grpc: Code, tag: &'static str) -> Row {
    Row::new(http, grpc, tag, Category::Lock)
}

const fn common(tag: &'static str) -> Row {
    Row::new(BAD_REQUEST, Code::InvalidArgument, tag, Category::Common)
}

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
static NOT_CONFIGURED: Row = row(FAILED, Code::FailedPrecondition, "ERR_LOCK_STORE_NOT_CONFIGURED");
static NOT_FOUND: Row = row(BAD_REQUEST, Code::InvalidArgument, "ERR_LOCK_STORE_NOT_FOUND");
static TRY_LOCK: Row = row(FAILED, Code::Internal, "ERR_TRY_LOCK");
static UNLOCK: Row = row(FAILED, Code::Internal, "ERR_UNLOCK");
static MALFORMED: Row = common("ERR_MALFORMED_REQUEST");
static BODY: Row = common("ERR_BODY_READ");

impl Error {
    /// The fixed part of the error.
    pub fn row(&self) -> &'static Row {
        match self {
            Self::NotConfigured => &NOT_CONFIGURED,
            Self::NotFound(_) => &NOT_FOUND,
            Self::NoResource(_) | Self::NoOwner(_) | Self::NoExpiry(_) | Self::Malformed(_) => &MALFORMED,
            Self::TryLock(_) => &TRY_LOCK,
            Self::Unlock(_) => &UNLOCK,
            Self::Body(_) => &BODY,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(error.row(), error.to_string())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}
