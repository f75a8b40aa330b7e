//! The internal port, which other sidecars call.
use super::deadline::in_time;
use super::server::Answer;
use crate::api::observe::{Counted, Observer};
use crate::api::panicked;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use foundation_drain::isolated;
use http::Response;
use tower::ServiceExt;

/// Path of the service between sidecars, with the slash before a method.
const SERVICE: &str = "/dapr.proto.internals.v1.ServiceInvocation/";

/// What other sidecars may call.
pub struct Internal {
    router: Router,
    observer: Observer,
}

impl Internal {
    /// `router` has the routes of all blocks that other sidecars call.
    pub fn new(router: Router, observer: Observer) -> Self {
        Self { router, observer }
    }

    async fn route(&self, request: Request) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

impl Answer for Internal {
    async fn answer(&self, request: Request) -> Response<Body> {
        let (call, request) = match self.observer.begin_grpc(counted(request.uri().path()), request) {
            Ok(begun) => begun,
            Err(refused) => return *refused,
        };
        let response = isolated(in_time(request, |request| self.route(request))).await;
        call.answered(response.unwrap_or_else(panicked::over_grpc))
    }
}

fn counted(path: &str) -> Counted {
    match path.strip_prefix(SERVICE) {
        Some("CallLocal" | "CallActor") => Counted::InternalUnary,
        Some(_) => Counted::InternalStream,
        None => Counted::ProxiedToApp,
    }
}
