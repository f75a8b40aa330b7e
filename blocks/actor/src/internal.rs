//! Calls of other sidecars that take this one for the host of an actor (protocols.md 2.6).
use crate::error::{Error, Failure};
use crate::model::Call;
use crate::service::Service;
use crate::tick::Tick;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use foundation_grpc::{answer_message, receive, refusal};
use std::sync::Arc;
use tonic::Status;
use wire::internals::v1::{InternalInvokeRequest, InternalInvokeResponse, Reminder};

const SERVICE: &str = "/dapr.proto.internals.v1.ServiceInvocation";

#[derive(Clone)]
struct Shared {
    service: Arc<Service>,
    max_message_size: usize,
}

/// Routes of the internal port.
pub fn internal_routes(service: Arc<Service>, max_message_size: usize) -> Router {
    Router::new()
        .route(&format!("{SERVICE}/CallActor"), post(serve_call))
        .route(&format!("{SERVICE}/CallActorReminder"), post(serve_reminder))
        .with_state(Shared { service, max_message_size })
}

/// Answers a call of another sidecar.
///
/// # Errors
/// What the other sidecar is told.
pub async fn call_actor(service: &Service, request: InternalInvokeRequest) -> Result<InternalInvokeResponse, Status> {
    Ok(service.invoke_for_peer(Call::from(request)).await?.into())
}

/// Takes word of a timer or a reminder from another sidecar.
///
/// # Errors
/// What the other sidecar is told.
pub async fn call_actor_reminder(service: &Service, reminder: Reminder) -> Result<(), Status> {
    service.tick_for_peer(&Tick::from(reminder)).await.map_err(of_tick)
}

async fn serve_call(State(shared): State<Shared>, request: Request) -> Response {
    let answered = match receive(request.into_body(), shared.max_message_size).await {
        Ok(request) => call_actor(&shared.service, request).await,
        Err(status) => Err(status),
    };
    answered.map_or_else(refusal, |response| answer_message(&response))
}

async fn serve_reminder(State(shared): State<Shared>, request: Request) -> Response {
    let answered = match receive(request.into_body(), shared.max_message_size).await {
        Ok(reminder) => call_actor_reminder(&shared.service, reminder).await,
        Err(status) => Err(status),
    };
    answered.map_or_else(refusal, |()| answer_message(&()))
}

/// What the app says of a tick goes out in its own words, by which Go's sidecars know them.
fn of_tick(error: Error) -> Status {
    match error {
        Error::Invoke(Failure::Said(text)) => Status::unknown(text),
        error => error.into(),
    }
}
