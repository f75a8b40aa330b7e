//! The answer to a call that has panicked. The process and all other calls go on.
use axum::body::Body;
use axum::response::IntoResponse;
use foundation_drain::Panicked;
use foundation_fault::{Category, Code, Fault};
use http::{Response, StatusCode};
use tonic::{Code as Grpc, Status};

static INTERNAL: Code = Code::new(StatusCode::INTERNAL_SERVER_ERROR, Grpc::Internal, "ERR_INTERNAL", Category::Common);

/// Over HTTP.
pub(crate) fn over_http(panicked: Panicked) -> Response<Body> {
    Fault::new(&INTERNAL, panicked.to_string()).into_response()
}

/// Over gRPC.
pub(crate) fn over_grpc(panicked: Panicked) -> Response<Body> {
    Status::from(Fault::new(&INTERNAL, panicked.to_string())).into_http()
}
