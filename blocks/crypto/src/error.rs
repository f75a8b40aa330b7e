//! Why a request was not done, and what the caller of the API is told (surface.md 1.2).
use foundation_fault::{Category, Code as Row, Fault};
use http::StatusCode;
use tonic::{Code, Status};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no provider of keys at all.
    #[error("crypto providers not configured")]
    NotConfigured,
    #[error("crypto provider {0} not found")]
    NotFound(String),
    #[error("invalid request: {0}")]
    Invalid(String),
    /// The body did not arrive.
    #[error("failed to read request body: {0}")]
    Body(String),
    #[error("failed deserializing HTTP body: {0}")]
    Malformed(String),
    #[error("failed to retrieve key {key}: {reason}")]
    Key { key: String, reason: String },
    #[error("failed to perform operation: {0}")]
    Operation(String),
    /// The stream broke off after it had begun.
    #[error("failed to perform operation: {0}")]
    Stream(String),
    /// Operations with single keys are not switched on.
    #[error("this API is currently not implemented")]
    Unimplemented,
}

const FAILED: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const INVALID: Code = Code::InvalidArgument;

static NOT_CONFIGURED: Row = Row::new(FAILED, Code::Internal, "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED", Category::Crypto);
static NOT_FOUND: Row = Row::new(BAD_REQUEST, INVALID, "ERR_CRYPTO_PROVIDER_NOT_FOUND", Category::Crypto);
static BAD: Row = Row::new(BAD_REQUEST, INVALID, "ERR_BAD_REQUEST", Category::Common);
static BODY: Row = Row::new(BAD_REQUEST, INVALID, "ERR_BODY_READ", Category::Common);
static MALFORMED: Row = Row::new(BAD_REQUEST, INVALID, "ERR_MALFORMED_REQUEST", Category::Common);
static KEY: Row = Row::new(FAILED, Code::Internal, "ERR_CRYPTO_KEY", Category::Crypto);
static OPERATION: Row = Row::new(FAILED, Code::Internal, "ERR_CRYPTO", Category::Crypto);
/// Dapr does not classify what happens in the middle of a body.
static STREAM: Row = Row::new(FAILED, Code::Internal, "ERROR", Category::Crypto);
static UNIMPLEMENTED: Row =
    Row::new(StatusCode::NOT_IMPLEMENTED, Code::Unimplemented, "ERR_API_UNIMPLEMENTED", Category::Common);

impl Error {
    /// The fixed part of the error.
    pub fn row(&self) -> &'static Row {
        match self {
            Self::NotConfigured => &NOT_CONFIGURED,
            Self::NotFound(_) => &NOT_FOUND,
            Self::Invalid(_) => &BAD,
            Self::Body(_) => &BODY,
            Self::Malformed(_) => &MALFORMED,
            Self::Key { .. } => &KEY,
            Self::Operation(_) => &OPERATION,
            Self::Stream(_) => &STREAM,
            Self::Unimplemented => &UNIMPLEMENTED,
        }
    }
}

impl From<Error> for Fault {
    /// The form over HTTP.
    fn from(error: Error) -> Self {
        let message = match &error {
            Error::Stream(reason) => reason.clone(),
            other => other.to_string(),
        };
        Self::new(error.row(), message)
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Fault::new(error.row(), error.to_string()).into()
    }
}
