//! The internal port, which other sidecars call.
use super::server::Answer;
use crate::api::observe::{Counted, Observer};
use crate::api::panicked;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use block_invoke::{Service as Invoke, internal_routes};
use foundation_drain::isolated;
use http::Response;
use std::sync::Arc;
use tower::ServiceExt;

/// Path of the service between sidecars, with the slash before a method.
const SERVICE: &str = "/dapr.proto.internals.v1.ServiceInvocation/";

/// What other sidecars may call.
pub struct Internal {
    router: Router,
    observer: Observer,
}

impl Internal {
    pub fn new(invoke: Arc<Invoke>, observer: Observer) -> Self {
        Self { router: internal_routes(invoke), observer }
    }
}

impl Answer for Internal {
    async fn answer(&self, request: Request) -> Response<Body> {
        let (call, request) = match self.observer.begin_grpc(counted(request.uri().path()), request) {
            Ok(begun) => begun,
            Err(refused) => return *refused,
        };
        let response = match isolated(self.router.clone().oneshot(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(panicked) => panicked::over_grpc(panicked),
        };
        call.answered(response)
    }
}

fn counted(path: &str) -> Counted {
    match path.strip_prefix(SERVICE) {
        Some("CallLocal" | "CallActor") => Counted::InternalUnary,
        Some(_) => Counted::InternalStream,
        None => Counted::ProxiedToApp,
    }
}
