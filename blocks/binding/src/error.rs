//! What a caller can see go wrong (surface.md 1.2).
use axum::http::StatusCode;
use foundation_fault::{Category, Code, Detail, Fault};
use tonic::Code as Grpc;

/// Why an operation was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed deserializing HTTP body: {0}")]
    Malformed(String),
    #[error("error invoking output binding {name}: {reason}")]
    Invoke { name: String, reason: Reason },
}

/// What is wrong with a call of an output binding.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("operation field is missing from request")]
    NoOperation,
    #[error("couldn't find output binding {0}")]
    Unknown(String),
    #[error("binding {name} does not support operation {operation}. supported operations:{}", .supported.join(" "))]
    Unsupported { name: String, operation: String, supported: Vec<String> },
    #[error("{0}")]
    Component(#[from] component_api::Error),
}

static MALFORMED: Code =
    Code::new(StatusCode::BAD_REQUEST, Grpc::InvalidArgument, "ERR_MALFORMED_REQUEST", Category::Common);
static INVOKE: Code =
    Code::new(StatusCode::INTERNAL_SERVER_ERROR, Grpc::Internal, "ERR_INVOKE_OUTPUT_BINDING", Category::Binding);

impl Error {
    fn code(&self) -> &'static Code {
        match self {
            Self::Malformed(_) => &MALFORMED,
            Self::Invoke { .. } => &INVOKE,
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Error> for tonic::Status {
    /// Over gRPC alone the tag is also the reason of an ErrorInfo.
    fn from(error: Error) -> Self {
        let reason = error.code().tag.to_owned();
        let info = Detail::ErrorInfo { reason, metadata: Vec::new(), http_only_metadata: Vec::new() };
        Fault::from(error).with(info).into()
    }
}
