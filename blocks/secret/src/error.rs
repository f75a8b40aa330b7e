//! What a caller can see go wrong (surface.md 1.2). The text of a store's error never holds a secret.
use axum::http::StatusCode;
use foundation_fault::{Category, Code, Fault};
use tonic::Code as Grpc;

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("secret store is not configured")]
    NotConfigured,
    #[error("failed finding secret store with key {0}")]
    UnknownStore(String),
    #[error("access denied by policy to get {key:?} from {store:?}")]
    Denied { store: String, key: String },
    #[error("failed getting secret with key {key} from secret store {store}: {source}")]
    Get { store: String, key: String, source: component_api::Error },
    #[error("failed getting secrets from secret store {store}: {source}")]
    BulkGet { store: String, source: component_api::Error },
}

static NOT_CONFIGURED: Code = Code::new(
    StatusCode::INTERNAL_SERVER_ERROR,
    Grpc::FailedPrecondition,
    "ERR_SECRET_STORES_NOT_CONFIGURED",
    Category::Secret,
);
static UNKNOWN_STORE: Code =
    Code::new(StatusCode::UNAUTHORIZED, Grpc::InvalidArgument, "ERR_SECRET_STORE_NOT_FOUND", Category::Secret);
static DENIED: Code =
    Code::new(StatusCode::FORBIDDEN, Grpc::PermissionDenied, "ERR_PERMISSION_DENIED", Category::Secret);
static GET: Code = Code::new(StatusCode::INTERNAL_SERVER_ERROR, Grpc::Internal, "ERR_SECRET_GET", Category::Secret);

impl Error {
    fn code(&self) -> &'static Code {
        match self {
            Self::NotConfigured => &NOT_CONFIGURED,
            Self::UnknownStore(_) => &UNKNOWN_STORE,
            Self::Denied { .. } => &DENIED,
            Self::Get { .. } | Self::BulkGet { .. } => &GET,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Error> for tonic::Status {
    fn from(error: Error) -> Self {
        Fault::from(error).into()
    }
}
