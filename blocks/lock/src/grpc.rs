//! Locks over gRPC.
use crate::service::Service;
use component_api::lock::Unlocked;
use tonic::Status;
use wire::runtime::v1;
use wire::runtime::v1::unlock_response::Status as Outcome;

/// Takes a lock.
///
/// # Errors
/// Those of [`Service::try_lock`].
pub async fn try_lock(service: &Service, request: v1::TryLockRequest) -> Result<v1::TryLockResponse, Status> {
    Ok(v1::TryLockResponse { success: service.try_lock(&request.into()).await? })
}

/// Lets go of a lock.
///
/// # Errors
/// Those of [`Service::unlock`].
pub async fn unlock(service: &Service, request: v1::UnlockRequest) -> Result<v1::UnlockResponse, Status> {
    let status = status(service.unlock(&request.into()).await?);
    Ok(v1::UnlockResponse { status: status.into() })
}

/// What became of an unlock, as both transports number it.
pub(crate) fn status(unlocked: Unlocked) -> Outcome {
    match unlocked {
        Unlocked::Success => Outcome::Success,
        Unlocked::NoLock => Outcome::LockDoesNotExist,
        Unlocked::OtherOwner => Outcome::LockBelongsToOthers,
    }
}
