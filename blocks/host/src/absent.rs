//! What the API answers for the building block that is not there: workflows. It becomes a crate of its own and then leaves here.
//! Contract: surface.md 0.26 and 1.2.
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use foundation_endpoint::Endpoints;
use foundation_fault::{Category, Code, Fault};
use tonic::{Code as Grpc, Status};

const VERSIONS: [&str; 3] = ["v1.0-alpha1", "v1.0-beta1", "v1.0"];
const POSTED: [&str; 6] = [
    "workflows/{component}/{id}/start",
    "workflows/{component}/{id}/pause",
    "workflows/{component}/{id}/resume",
    "workflows/{component}/{id}/terminate",
    "workflows/{component}/{id}/purge",
    "workflows/{component}/{id}/raiseEvent/{event}",
];
static NO_PLACEMENT: Code =
    Code::new(StatusCode::BAD_REQUEST, Grpc::Unavailable, "ERR_ACTOR_NO_PLACEMENT", Category::Actor);

/// The endpoints of workflows.
pub fn endpoints() -> Endpoints {
    VERSIONS.into_iter().fold(Endpoints::new(), |endpoints, version| {
        let add =
            |endpoints: Endpoints, path, handler: MethodRouter| endpoints.add(version, "workflows", path, handler);
        let endpoints = add(endpoints, "workflows/{component}/{id}", get(refuse));
        POSTED.into_iter().fold(endpoints, |endpoints, path| add(endpoints, path, post(refuse)))
    })
}

/// Workflows over gRPC.
pub fn no_placement() -> Status {
    fault().into()
}

async fn refuse() -> Response {
    fault().into_response()
}

fn fault() -> Fault {
    Fault::new(&NO_PLACEMENT, "placement service is not configured")
}
