//! gRPC calls of any service, passed on unread: to the own app, or to the sidecar of another (protocols.md 6.4).
use crate::path::normalise;
use crate::service::Service;
use axum::extract::Request;
use axum::response::Response;
use foundation_peer::Target;
use foundation_peer::headers::{APP_ID, CALLEE_ID, CALLER_ID};
use foundation_peer::receive::{refusal, without_length};
use http::{HeaderMap, HeaderValue};
use tonic::Status;

const TRACEPARENT: &str = "traceparent";
const NO_TRACE: HeaderValue = HeaderValue::from_static("00-00000000000000000000000000000000-0000000000000000-00");
const API_TOKEN: &str = "dapr-api-token";
/// Services of the sidecar itself; a call of a method that they lack gets another text.
const OWN_SERVICES: [&str; 3] = ["/dapr.proto.internals.", "/dapr.proto.runtime.", "/TaskHubSidecarService/"];

/// Passes a gRPC call on to the app that its metadata names. Errors are answers with a gRPC status.
pub async fn proxy(service: &Service, request: Request) -> Response {
    forward(service, request).await.map_or_else(refusal, without_length)
}

async fn forward(service: &Service, mut request: Request) -> Result<Response, Status> {
    let app_id = app_id(request.headers()).ok_or_else(|| no_app_id(request.uri().path()))?;
    let own = service.peers().own();
    let target = Target::parse(&app_id, &own.namespace)?;
    let headers = request.headers_mut();
    headers.remove(APP_ID);
    headers.remove(API_TOKEN);
    if target.app_id == own.app_id {
        return to_own_app(service, request).await;
    }
    add_trace(headers);
    headers.insert(CALLER_ID, header(&own.app_id)?);
    headers.insert(CALLEE_ID, header(&target.app_id)?);
    Ok(service.peers().proxy(&target, request).await?)
}

/// Where nothing is traced, the app of another sidecar still gets a trace, of zeros (surface.md 0.35).
pub(crate) fn add_trace(headers: &mut HeaderMap) {
    if !headers.contains_key(TRACEPARENT) {
        headers.insert(TRACEPARENT, NO_TRACE);
    }
}

/// The callee's name wins if both are given (surface.md 0.43).
fn app_id(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CALLEE_ID).or_else(|| headers.get(APP_ID))?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn no_app_id(path: &str) -> Status {
    if OWN_SERVICES.iter().any(|own| path.starts_with(own)) {
        return Status::unknown(
            "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found",
        );
    }
    Status::unknown("cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata")
}

fn header(text: &str) -> Result<HeaderValue, Status> {
    HeaderValue::from_str(text).map_err(|_| Status::invalid_argument("the app id cannot be sent as metadata"))
}

async fn to_own_app(service: &Service, request: Request) -> Result<Response, Status> {
    let path = request.uri().path();
    normalise(path).map_err(|error| Status::invalid_argument(format!("invalid method: {error}")))?;
    let app = service.app().ok_or_else(|| Status::unavailable("app channel is not initialized"))?;
    app.grpc().forward(request).await
}
