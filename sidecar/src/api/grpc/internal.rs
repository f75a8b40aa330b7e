//! The internal port, which other sidecars call.
use super::server::Answer;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use block_invoke::{Service as Invoke, internal_routes};
use http::Response;
use std::sync::Arc;
use tower::ServiceExt;

/// What other sidecars may call.
pub struct Internal(Router);

impl Internal {
    pub fn new(invoke: Arc<Invoke>) -> Self {
        Self(internal_routes(invoke))
    }
}

impl Answer for Internal {
    async fn answer(&self, request: Request) -> Response<Body> {
        match self.0.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
