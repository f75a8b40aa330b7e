//! Counts requests and what becomes of them, in front of the service: also those whose message is refused unread.
use crate::metrics::Metrics;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use std::sync::Arc;
use tonic::service::Routes;
use tonic::{Code, Status};

/// The routes of the service, counted.
pub(crate) fn counted(routes: Routes, metrics: Arc<Metrics>) -> Routes {
    routes.into_axum_router().route_layer(from_fn_with_state(metrics, count)).into()
}

async fn count(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    metrics.received();
    let response = next.run(request).await;
    // A refusal is all head; the status of an answer comes after it.
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => metrics.refused(),
        _ => metrics.signed(),
    }
    response
}
