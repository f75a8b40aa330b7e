//! gRPC calls of any service, passed on unread: to the own app, or to the sidecar of another (protocols.md 6.4).
use crate::access::{Call, caller, name_caller};
use crate::attempt::{Failure, last};
use crate::counted::Counted;
use crate::deadline::within_grpc;
use crate::replay::Replay;
use crate::service::Service;
use crate::settle::settle;
use crate::trace::add_zeros;
use axum::extract::Request;
use axum::response::Response;
use foundation_grpc::{refusal, without_length};
use foundation_metadata::is_truthy;
use foundation_peer::Target;
use foundation_peer::headers::{APP_ID, CALLEE_ID, CALLER_ID};
use foundation_peer::method::normalise;
use foundation_resiliency::Policy;
use foundation_telemetry::InvocationKind;
use http::header::CONTENT_TYPE;
use http::uri::InvalidUri;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;
use tonic::{Code, Status};

const API_TOKEN: &str = "dapr-api-token";
const GRPC: &[u8] = b"application/grpc";
const STREAM: &str = "dapr-stream";
/// Services of the sidecar itself; a call of a method that they lack gets another text.
const OWN_SERVICES: [&str; 3] = ["/dapr.proto.internals.", "/dapr.proto.runtime.", "/TaskHubSidecarService/"];

/// Services of an app that its sidecar calls.
const CALLBACKS: &str = "/dapr.proto.runtime.v1.AppCallback";

type Failed = Failure<Response, foundation_peer::Error>;

/// Passes a gRPC call on to the app that its metadata names. Errors are answers with a gRPC status.
pub async fn proxy(service: &Service, request: Request) -> Response {
    forward(service, request).await.map_or_else(refusal, without_length)
}

async fn forward(service: &Service, mut request: Request) -> Result<Response, Status> {
    let app_id = app_id(request.headers()).ok_or_else(|| no_app_id(request.uri().path()))?;
    if !is_grpc(request.headers()) {
        return Err(Status::invalid_argument("only gRPC is passed on; check the content-type"));
    }
    if request.uri().query().is_some() {
        return Err(Status::invalid_argument("invalid method: gRPC has no query"));
    }
    let is_stream = is_stream(request.headers());
    let own = service.peers().own();
    let target = Target::parse(&app_id, &own.namespace)?;
    let headers = request.headers_mut();
    // What comes from another sidecar names no app: only the first sidecar counts the call.
    let is_counted = headers.remove(APP_ID).is_some();
    headers.remove(API_TOKEN);
    if target.app_id == own.app_id {
        let counted = is_counted.then(|| sent(service, &app_id, is_stream));
        let response = to_own_app(service, request).await;
        return answered(counted, response, Status::code);
    }
    if caller(request.extensions()).is_some() {
        return Err(detour(&app_id));
    }
    let headers = request.headers_mut();
    add_zeros(headers);
    headers.insert(CALLER_ID, header(&own.app_id)?);
    headers.insert(CALLEE_ID, header(&target.app_id)?);
    let policy = service.resiliency().app(&app_id, format_args!("{app_id}:{}", request.uri().path()));
    if is_stream || policy.is_empty() {
        reach(service, &target, &policy).await?;
        let counted = sent(service, &app_id, is_stream);
        let response = service.peers().proxy(&target, request).await;
        return Ok(answered(Some(counted), response, foundation_peer::Error::code)?);
    }
    by_policy(service, (&app_id, &target), &policy, request).await
}

/// A call that its caller says is a stream may last: the policy is for its begin only.
async fn reach(service: &Service, target: &Target, policy: &Policy) -> Result<(), Status> {
    if policy.is_empty() {
        return Ok(());
    }
    let attempt = || async { Ok::<_, Failure<(), _>>(service.peers().reach(target).await?) };
    Ok(last(policy.run(attempt).await)??)
}

/// Sends a call as often as the policy wants, as long as all that was sent of it is still known.
async fn by_policy(
    service: &Service,
    (app_id, target): (&str, &Target),
    policy: &Policy,
    request: Request,
) -> Result<Response, Status> {
    let (head, body) = request.into_parts();
    let replay = Replay::new(body, if policy.retries() { service.max_message_size() } else { 0 });
    let mut start = Instant::now();
    let attempt = || {
        start = Instant::now();
        let sent = service.peers().proxy(target, Request::from_parts(head.clone(), replay.body()));
        let counted = Counted::sent(service.metrics(), app_id, InvocationKind::Unary);
        let settled = async { settle(answered(Some(counted), sent.await, foundation_peer::Error::code)?).await };
        let replay = &replay;
        async move { settled.await.map_err(|failure: Failed| Failure { is_permanent: replay.is_spent(), ..failure }) }
    };
    let response = last(policy.run(attempt).await)??;
    Ok(response.map(|body| within_grpc(policy, start, body)))
}

fn sent(service: &Service, app_id: &str, is_stream: bool) -> Counted {
    let kind = if is_stream { InvocationKind::Streaming } else { InvocationKind::Unary };
    Counted::sent(service.metrics(), app_id, kind)
}

/// Counts what became of a call.
fn answered<E>(
    counted: Option<Counted>,
    response: Result<Response, E>,
    code: impl FnOnce(&E) -> Code,
) -> Result<Response, E> {
    match (counted, response) {
        (Some(counted), Ok(response)) => Ok(counted.watching(response)),
        (Some(counted), Err(error)) => {
            counted.answered(code(&error) as i32);
            Err(error)
        }
        (None, response) => response,
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(GRPC))
}

/// `dapr-stream` with a word for yes.
fn is_stream(headers: &HeaderMap) -> bool {
    headers.get(STREAM).and_then(|value| value.to_str().ok()).is_some_and(is_truthy)
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

/// Another sidecar calls apps by their own sidecars: by this one it would come there with an identity that is not its own.
fn detour(app_id: &str) -> Status {
    Status::permission_denied(format!("another sidecar cannot call {app_id} through this one"))
}

fn header(text: &str) -> Result<HeaderValue, Status> {
    HeaderValue::from_str(text).map_err(|_| Status::invalid_argument("the app id cannot be sent as metadata"))
}

/// What is authorised is what the app gets: the method without detours. Where there are rules, what only its own sidecar asks of an app is
/// asked by nobody else: no rule would see the method inside.
async fn to_own_app(service: &Service, mut request: Request) -> Result<Response, Status> {
    let invalid = |error: String| Status::invalid_argument(format!("invalid method: {error}"));
    let path = normalise(request.uri().path()).map_err(|error| invalid(error.to_string()))?;
    if path.starts_with(CALLBACKS) && !service.access().is_open() {
        return Err(Status::permission_denied(format!("{path} of an app is for its own sidecar alone")));
    }
    let (extensions, headers) = (request.extensions().clone(), request.headers_mut());
    name_caller(&extensions, headers);
    service.access().check(Call { caller: caller(&extensions), operation: &path, verb: None })?;
    if path != request.uri().path() {
        *request.uri_mut() = path.parse().map_err(|error: InvalidUri| invalid(error.to_string()))?;
    }
    let app = service.app().ok_or_else(|| Status::unavailable("app channel is not initialized"))?;
    app.grpc().forward(request).await
}
