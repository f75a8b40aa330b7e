//! What a caller of the sidecar's own endpoints is told (surface.md 1.2).
use axum::http::StatusCode;
use foundation_fault::{Category, Code, Fault};
use tonic::Code as Grpc;

/// Why an endpoint of the sidecar itself refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("dapr is not ready: [{}]", .0.join(" "))]
    NotReady(Vec<&'static str>),
    #[error("dapr app-id does not match")]
    OtherApp,
    #[error("dapr outbound is not ready")]
    OutboundNotReady,
    #[error("failed to read request body: {0}")]
    Body(String),
}

const INTERNAL: StatusCode = StatusCode::INTERNAL_SERVER_ERROR;
static NOT_READY: Code = Code::new(INTERNAL, Grpc::Internal, "ERR_HEALTH_NOT_READY", Category::Health);
static OTHER_APP: Code = Code::new(INTERNAL, Grpc::Internal, "ERR_HEALTH_APPID_NOT_MATCH", Category::Health);
static OUTBOUND: Code = Code::new(INTERNAL, Grpc::Internal, "ERR_OUTBOUND_HEALTH_NOT_READY", Category::Health);
static BODY: Code = Code::new(StatusCode::BAD_REQUEST, Grpc::InvalidArgument, "ERR_BODY_READ", Category::Common);

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NotReady(_) => &NOT_READY,
            Error::OtherApp => &OTHER_APP,
            Error::OutboundNotReady => &OUTBOUND,
            Error::Body(_) => &BODY,
        };
        Self::new(code, error.to_string())
    }
}
