//! The sidecar's own methods over gRPC.
use crate::http::wants_force;
use crate::service::Service;
use tonic::{Request, Response};
use wire::runtime::v1;

/// The metadata document.
pub fn get_metadata(service: &Service) -> Response<v1::GetMetadataResponse> {
    Response::new(service.document().into())
}

/// Adds a pair to the metadata document.
pub fn set_metadata(service: &Service, request: Request<v1::SetMetadataRequest>) -> Response<()> {
    let v1::SetMetadataRequest { key, value } = request.into_inner();
    service.set_metadata(key, value);
    Response::new(())
}

/// Ends the process.
pub fn shutdown(service: &Service, request: Request<v1::ShutdownRequest>) -> Response<()> {
    service.shut_down(wants_force(&request.into_parts().0.into_headers()));
    Response::new(())
}
