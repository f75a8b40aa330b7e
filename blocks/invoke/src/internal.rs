//! The internal gRPC server: calls of other sidecars for the own app (protocols.md 6.2).
//!
//! The two calls are served from the frames up: a proxied or invoked request passes through two sidecars, and the message
//! layer between would cost more than the rest. Actor calls come with the actors.
use crate::access::{Call, caller, name_caller};
use crate::answer::{first_data, rejoined};
use crate::app::deliver;
use crate::error::Error;
use crate::http::wants_events;
use crate::proxy::proxy;
use crate::service::Service;
use crate::trace;
use crate::upgrade::is_marked;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use foundation_grpc::refusal;
use foundation_peer::headers::CALLER_ID;
use foundation_peer::method::normalise;
use foundation_peer::receive::{answer_stream, answer_whole, receive_stream, receive_whole};
use foundation_peer::{Answer, Head, Outcome};
use http::header::CONTENT_LENGTH;
use http::{Extensions, Method};
use std::sync::Arc;
use tonic::{Code, Status};

const SERVICE: &str = "/dapr.proto.internals.v1.ServiceInvocation";

/// Routes of the internal port. What none of them matches is a gRPC call for the app and is passed on unread.
pub fn internal_routes(service: Arc<Service>) -> Router {
    Router::new()
        .route(&format!("{SERVICE}/CallLocalStream"), post(call_local_stream))
        .route(&format!("{SERVICE}/CallLocal"), post(call_local))
        .route(&format!("{SERVICE}/{{method}}"), post(unknown))
        .fallback(proxied)
        .with_state(service)
}

async fn call_local_stream(State(service): State<Arc<Service>>, request: Request) -> Response {
    match stream(&service, request).await {
        Ok(answer) => answer_stream(answer),
        Err(status) => refusal(status),
    }
}

async fn stream(service: &Service, request: Request) -> Result<Answer, Status> {
    let (parts, body) = request.into_parts();
    let (mut head, body) = receive_stream(body, service.max_message_size()).await?;
    let body = if is_marked(&head.headers) { body } else { settled(&mut head, body).await };
    serve(service, &parts.extensions, head, body).await
}

async fn call_local(State(service): State<Arc<Service>>, request: Request) -> Response {
    match whole(&service, request).await {
        Ok(answer) => answer_whole(answer).await,
        Err(status) => refusal(status),
    }
}

async fn whole(service: &Service, request: Request) -> Result<Answer, Status> {
    let (parts, body) = request.into_parts();
    let (head, data) = receive_whole(body, service.max_message_size()).await?;
    serve(service, &parts.extensions, head, Body::from(data)).await
}

async fn unknown() -> Response {
    refusal(Status::unimplemented("this sidecar does not host actors"))
}

async fn proxied(State(service): State<Arc<Service>>, request: Request) -> Response {
    proxy(&service, request).await
}

/// Hands a call of another sidecar to the app, if that one may make it.
async fn serve(service: &Service, extensions: &Extensions, mut head: Head, body: Body) -> Result<Answer, Status> {
    let app = service.app().ok_or_else(|| Status::internal("app channel is not initialized"))?;
    head.method =
        normalise(&head.method).map_err(|error| Status::invalid_argument(format!("invalid method: {error}")))?;
    let (caller, span) = (caller(extensions), extensions.get());
    service.access().check(Call { caller, operation: &head.method, verb: head.verb.as_ref() })?;
    name_caller(extensions, &mut head.headers);
    head.deadline = extensions.get().copied();
    trace::received(span, &service.peers().own().app_id, &mut head);
    let events = wants_events(&head.headers);
    let from = caller_id(&head);
    let answer = counted(service, &from, deliver(app, head, body)).await.map_err(|error| failed(&error))?;
    match answer.outcome {
        Outcome::Http(status) if events && !status.is_success() => Err(no_events()),
        _ => Ok(answer),
    }
}

async fn counted(
    service: &Service,
    caller: &str,
    delivery: impl Future<Output = Result<Answer, Error>>,
) -> Result<Answer, Error> {
    service.metrics().invocation_request_received(caller);
    let delivered = delivery.await;
    let status = delivered.as_ref().map_or(Code::Internal as i32, |answer| answer.outcome.number());
    service.metrics().invocation_response_sent(caller, status);
    delivered
}

/// The app that says it calls.
fn caller_id(head: &Head) -> String {
    let id = head.headers.get(CALLER_ID).and_then(|id| id.to_str().ok());
    id.unwrap_or("unknown").to_owned()
}

fn failed(error: &Error) -> Status {
    Status::internal(format!("error invoking app channel: {error}"))
}

fn no_events() -> Status {
    Status::internal("error invoking app channel: no response received from stream")
}

/// A stream does not tell whether it is empty. With verbs that mostly have no body that is waited for, as an app shall not
/// see an empty chunked body there; with the others it does (surface.md 0.40).
async fn settled(head: &mut Head, mut body: Body) -> Body {
    if matches!(head.verb, Some(Method::POST | Method::PUT | Method::PATCH)) {
        if head.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0") {
            head.headers.remove(CONTENT_LENGTH);
        }
        return body;
    }
    if head.headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return body;
    }
    let first = first_data(&mut body).await;
    rejoined(first, body)
}
