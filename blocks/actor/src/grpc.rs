//! Actors over gRPC.
use crate::error::Error;
use crate::model::{ActorKey, Call, Metadata};
use crate::service::Service;
use crate::state::Operation;
use crate::tick::{Kind, Tick, data_of};
use crate::trace;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use component_api::state::Value;
use tonic::{Request, Status};
use wire::runtime::v1;

/// Calls a method of an actor.
///
/// # Errors
/// Those of [`Service::invoke`].
pub async fn invoke_actor(
    service: &Service,
    request: Request<v1::InvokeActorRequest>,
) -> Result<v1::InvokeActorResponse, Status> {
    let (headers, _, request) = request.into_parts();
    let answer = service.invoke(request.into(), &trace::of(&headers.into_headers())).await?;
    Ok(v1::InvokeActorResponse { data: answer.data })
}

/// Reads a key of an actor.
///
/// # Errors
/// Those of [`Service::get_state`].
pub async fn get_actor_state(
    service: &Service,
    request: v1::GetActorStateRequest,
) -> Result<v1::GetActorStateResponse, Status> {
    let actor = ActorKey::new(request.actor_type, request.actor_id);
    let item = service.get_state(&actor, &request.key).await?.unwrap_or_default();
    Ok(v1::GetActorStateResponse { data: item.data, metadata: item.metadata.into_iter().collect() })
}

/// Does several operations on the state of an actor at once.
///
/// # Errors
/// Those of [`Service::transact`], and [`Error::Operation`].
pub async fn execute_actor_state_transaction(
    service: &Service,
    request: v1::ExecuteActorStateTransactionRequest,
) -> Result<(), Status> {
    let operations = request.operations.into_iter().map(operation).collect::<Result<_, Error>>()?;
    Ok(service.transact(&ActorKey::new(request.actor_type, request.actor_id), operations).await?)
}

/// Starts a timer.
///
/// # Errors
/// Those of [`Service::create_timer`].
pub fn register_actor_timer(service: &Service, mut request: v1::RegisterActorTimerRequest) -> Result<(), Status> {
    let ttl = std::mem::take(&mut request.ttl);
    Ok(service.create_timer(request.into(), &ttl)?)
}

/// Ends a timer.
///
/// # Errors
/// Those of [`Service::delete_timer`].
pub fn unregister_actor_timer(service: &Service, request: v1::UnregisterActorTimerRequest) -> Result<(), Status> {
    Ok(service.delete_timer(ActorKey::new(request.actor_type, request.actor_id), request.name)?)
}

/// Makes a reminder.
///
/// # Errors
/// Those of [`Service::create_reminder`], and [`Error::NoReminderName`].
pub fn register_actor_reminder(service: &Service, request: v1::RegisterActorReminderRequest) -> Result<(), Status> {
    let actor = ActorKey::new(request.actor_type, request.actor_id);
    if request.name.is_empty() {
        return Err(Error::NoReminderName.into());
    }
    Ok(service.create_reminder(&actor, &request.name)?)
}

/// Deletes a reminder.
///
/// # Errors
/// Those of [`Service::manage_reminders`].
pub fn unregister_actor_reminder(
    service: &Service,
    request: &v1::UnregisterActorReminderRequest,
) -> Result<(), Status> {
    Ok(service.manage_reminders(&request.actor_type, Error::DeleteReminder)?)
}

/// Deletes all reminders of a type, or of an actor.
///
/// # Errors
/// Those of [`Service::manage_reminders`].
pub fn unregister_actor_reminders_by_type(
    service: &Service,
    request: &v1::UnregisterActorRemindersByTypeRequest,
) -> Result<v1::UnregisterActorRemindersByTypeResponse, Status> {
    Ok(service.manage_reminders(&request.actor_type, Error::DeleteReminder)?)
}

/// Lists the reminders of a type, or of an actor.
///
/// # Errors
/// Those of [`Service::manage_reminders`].
pub fn list_actor_reminders(
    service: &Service,
    request: &v1::ListActorRemindersRequest,
) -> Result<v1::ListActorRemindersResponse, Status> {
    Ok(service.manage_reminders(&request.actor_type, Error::GetReminder)?)
}

/// Reads a reminder.
///
/// # Errors
/// Those of [`Service::manage_reminders`].
pub fn get_actor_reminder(
    service: &Service,
    request: &v1::GetActorReminderRequest,
) -> Result<v1::GetActorReminderResponse, Status> {
    Ok(service.manage_reminders(&request.actor_type, Error::GetReminder)?)
}

/// The value is stored as it is.
fn operation(operation: v1::TransactionalActorStateOperation) -> Result<Operation, Error> {
    let v1::TransactionalActorStateOperation { operation_type, key, value, metadata } = operation;
    match operation_type.as_str() {
        "upsert" => {
            let value = Value::Binary(value.unwrap_or_default().value.into());
            Ok(Operation::Upsert { key, value, etag: None, metadata: metadata.into_iter().collect() })
        }
        "delete" => Ok(Operation::Delete { key, etag: None }),
        _ => Err(Error::Operation(operation_type)),
    }
}

impl From<v1::InvokeActorRequest> for Call {
    fn from(request: v1::InvokeActorRequest) -> Self {
        let metadata = request.metadata.into_iter().map(|(name, value)| (name, vec![value])).collect();
        Self {
            actor: ActorKey::new(request.actor_type, request.actor_id),
            method: request.method,
            http: None,
            metadata: Metadata(metadata),
            content_type: String::new(),
            data: request.data,
        }
    }
}

impl From<v1::RegisterActorTimerRequest> for Tick {
    /// The app gets the data as JSON, which for bytes is base64.
    fn from(request: v1::RegisterActorTimerRequest) -> Self {
        let data = Some(request.data).filter(|data| !data.is_empty());
        Self {
            kind: Kind::Timer,
            actor: ActorKey::new(request.actor_type, request.actor_id),
            name: request.name,
            due_time: request.due_time,
            period: request.period,
            callback: request.callback,
            data: data.map(|data| data_of(format!("\"{}\"", BASE64_STANDARD.encode(data)).into_bytes())),
        }
    }
}
