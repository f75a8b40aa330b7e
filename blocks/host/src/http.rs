//! The sidecar's own endpoints over HTTP.
use crate::error::Error;
use crate::service::Service;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use foundation_endpoint::{Endpoints, query_value, read_body};
use foundation_fault::Fault;
use std::sync::Arc;

const FORCE: &str = "dapr-force-shutdown";
const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

/// The endpoints of the API port.
pub fn endpoints(service: Arc<Service>) -> Endpoints {
    public_endpoints(Arc::clone(&service))
        .add("v1.0", "metadata", "metadata/{key}", put(set_metadata).with_state(Arc::clone(&service)))
        .add("v1.0", "shutdown", "shutdown", post(shut_down).with_state(service))
}

/// The endpoints that the public port has too.
pub fn public_endpoints(service: Arc<Service>) -> Endpoints {
    Endpoints::new()
        .add("v1.0", "healthz", "healthz", get(health).with_state(Arc::clone(&service)))
        .add("v1.0", "healthz", "healthz/outbound", get(outbound_health).with_state(Arc::clone(&service)))
        .add("v1.0", "metadata", "metadata", get(metadata).with_state(service))
}

/// What the public port answers where it has no endpoint, and the API port where invocation is not allowed either.
pub fn not_found(router: Router) -> Router {
    router.fallback(page_not_found).method_not_allowed_fallback(page_not_found)
}

async fn page_not_found() -> Response {
    let headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")];
    (StatusCode::NOT_FOUND, headers, "404 page not found\n").into_response()
}

async fn health(State(service): State<Arc<Service>>, uri: Uri) -> Result<StatusCode, Fault> {
    service.check_health(query_value(&uri, "appid").as_deref())?;
    Ok(NO_CONTENT)
}

async fn outbound_health(State(service): State<Arc<Service>>) -> Result<StatusCode, Fault> {
    service.check_outbound_health()?;
    Ok(NO_CONTENT)
}

async fn metadata(State(service): State<Arc<Service>>) -> Response {
    Json(service.document()).into_response()
}

async fn set_metadata(
    State(service): State<Arc<Service>>,
    Path(key): Path<String>,
    body: Body,
) -> Result<StatusCode, Fault> {
    let value = read_body(body).await.map_err(|error| Error::Body(error.to_string()))?;
    service.set_metadata(key, String::from_utf8_lossy(&value).into_owned());
    Ok(NO_CONTENT)
}

async fn shut_down(State(service): State<Arc<Service>>, headers: HeaderMap) -> StatusCode {
    service.shut_down(wants_force(&headers));
    NO_CONTENT
}

/// Whether a header or metadata asks to end at once.
pub(crate) fn wants_force(headers: &HeaderMap) -> bool {
    headers.get_all(FORCE).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"true"))
}
