//! Calls of other sidecars that take this one for the host of an actor (protocols.md 2.6).
use crate::error::{Error, Failure};
use crate::model::Call;
use crate::service::Service;
use crate::tick::Tick;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use foundation_peer::receive::{answer_message, receive_message, refusal};
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
        .route(&format!("{SERVICE}/CallActor"), post(call_actor))
        .route(&format!("{SERVICE}/CallActorReminder"), post(call_actor_reminder))
        .with_state(Shared { service, max_message_size })
}

async fn call_actor(State(shared): State<Shared>, request: Request) -> Response {
    match call(&shared, request.into_body()).await {
        Ok(response) => answer_message(&response),
        Err(status) => refusal(status),
    }
}

async fn call(shared: &Shared, body: Body) -> Result<InternalInvokeResponse, Status> {
    let request: InternalInvokeRequest = receive_message(body, shared.max_message_size).await?;
    Ok(shared.service.invoke_for_peer(Call::from(request)).await?.into())
}

async fn call_actor_reminder(State(shared): State<Shared>, request: Request) -> Response {
    match tick(&shared, request.into_body()).await {
        Ok(()) => answer_message(&()),
        Err(status) => refusal(status),
    }
}

async fn tick(shared: &Shared, body: Body) -> Result<(), Status> {
    let reminder: Reminder = receive_message(body, shared.max_message_size).await?;
    shared.service.tick_for_peer(&Tick::from(reminder)).await.map_err(of_tick)
}

/// What the app says of a tick goes out in its own words, by which Go's sidecars know them.
fn of_tick(error: Error) -> Status {
    match error {
        Error::Invoke(Failure::Said(text)) => Status::unknown(text),
        error => error.into(),
    }
}
