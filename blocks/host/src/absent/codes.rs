//! Errors of absent blocks (surface.md 1.2).
use axum::http::StatusCode;
use foundation_fault::{Category, Code, Fault};
use tonic::Code as Grpc;

const BAD: StatusCode = StatusCode::BAD_REQUEST;

static UNREAD: Code = Code::new(BAD, Grpc::InvalidArgument, "ERR_BODY_READ", Category::Common);
static MALFORMED: Code = Code::new(BAD, Grpc::InvalidArgument, "ERR_MALFORMED_REQUEST", Category::Common);
static UNIMPLEMENTED: Code =
    Code::new(StatusCode::NOT_IMPLEMENTED, Grpc::Unimplemented, "ERR_API_UNIMPLEMENTED", Category::Common);
static PLACEMENT: Code = Code::new(BAD, Grpc::Unavailable, "ERR_ACTOR_NO_PLACEMENT", Category::Actor);

pub(crate) fn unread(reason: &str) -> Fault {
    Fault::new(&UNREAD, format!("failed to read request body: {reason}"))
}

pub(crate) fn malformed(reason: &str) -> Fault {
    Fault::new(&MALFORMED, format!("failed deserializing HTTP body: {reason}"))
}

pub(crate) fn unimplemented() -> Fault {
    Fault::new(&UNIMPLEMENTED, "this API is currently not implemented")
}

pub(crate) fn no_placement() -> Fault {
    Fault::new(&PLACEMENT, "placement service is not configured")
}
