//! Actors over gRPC.
use crate::error::Error;
use crate::model::{ActorKey, Call, Metadata};
use crate::reminders::{Kept, NewReminder};
use crate::service::Service;
use crate::state::Operation;
use crate::tick::{Kind, Tick, data_of};
use crate::trace;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use component_api::state::Value;
use prost_types::Any;
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
    service.admit(&request.actor_type)?;
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
pub async fn register_actor_reminder(
    service: &Service,
    request: v1::RegisterActorReminderRequest,
) -> Result<(), Status> {
    service.admit(&request.actor_type)?;
    if request.name.is_empty() {
        return Err(Error::NoReminderName.into());
    }
    Ok(service.create_reminder(request.into()).await?)
}

/// Deletes a reminder.
///
/// # Errors
/// Those of [`Service::delete_reminder`].
pub async fn unregister_actor_reminder(
    service: &Service,
    request: v1::UnregisterActorReminderRequest,
) -> Result<(), Status> {
    let actor = ActorKey::new(request.actor_type, request.actor_id);
    Ok(service.delete_reminder(&actor, request.name).await?)
}

/// Deletes all reminders of a type, or of an actor.
///
/// # Errors
/// Those of [`Service::delete_reminders`].
pub async fn unregister_actor_reminders_by_type(
    service: &Service,
    request: v1::UnregisterActorRemindersByTypeRequest,
) -> Result<v1::UnregisterActorRemindersByTypeResponse, Status> {
    service.delete_reminders(request.actor_type, request.actor_id).await?;
    Ok(v1::UnregisterActorRemindersByTypeResponse {})
}

/// Lists the reminders of a type, or of an actor.
///
/// # Errors
/// Those of [`Service::list_reminders`].
pub async fn list_actor_reminders(
    service: &Service,
    request: v1::ListActorRemindersRequest,
) -> Result<v1::ListActorRemindersResponse, Status> {
    let reminders = service.list_reminders(request.actor_type, request.actor_id).await?;
    Ok(v1::ListActorRemindersResponse { reminders: reminders.into_iter().map(named).collect() })
}

/// Reads a reminder.
///
/// # Errors
/// Those of [`Service::reminder`].
pub async fn get_actor_reminder(
    service: &Service,
    request: v1::GetActorReminderRequest,
) -> Result<v1::GetActorReminderResponse, Status> {
    let kept = service.reminder(ActorKey::new(request.actor_type, request.actor_id), request.name).await?;
    Ok(v1::GetActorReminderResponse {
        actor_type: kept.actor.actor_type,
        actor_id: kept.actor.id,
        due_time: kept.due_time,
        period: kept.period,
        data: kept.data,
        ttl: kept.ttl,
    })
}

fn named(kept: Kept) -> v1::NamedActorReminder {
    let reminder = v1::ActorReminder {
        actor_type: kept.actor.actor_type,
        actor_id: kept.actor.id,
        due_time: kept.due_time,
        period: kept.period,
        data: kept.data,
        ttl: kept.ttl,
    };
    v1::NamedActorReminder { name: kept.name, reminder: Some(reminder) }
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

/// The app gets the data as JSON, which for bytes is base64.
fn data(bytes: Bytes) -> Option<Any> {
    let bytes = Some(bytes).filter(|bytes| !bytes.is_empty())?;
    Some(data_of(format!("\"{}\"", BASE64_STANDARD.encode(bytes)).into_bytes()))
}

impl From<v1::RegisterActorReminderRequest> for NewReminder {
    fn from(request: v1::RegisterActorReminderRequest) -> Self {
        let misfire_policy = request.misfire_policy();
        Self {
            actor: ActorKey::new(request.actor_type, request.actor_id),
            name: request.name,
            due_time: request.due_time,
            period: request.period,
            ttl: request.ttl,
            data: data(request.data),
            overwrite: request.overwrite,
            failure_policy: request.failure_policy,
            misfire_policy,
        }
    }
}

impl From<v1::RegisterActorTimerRequest> for Tick {
    fn from(request: v1::RegisterActorTimerRequest) -> Self {
        Self {
            kind: Kind::Timer,
            actor: ActorKey::new(request.actor_type, request.actor_id),
            name: request.name,
            due_time: request.due_time,
            period: request.period,
            callback: request.callback,
            data: data(request.data),
        }
    }
}
