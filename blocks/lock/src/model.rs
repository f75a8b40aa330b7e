//! What is asked of the service.
use foundation_endpoint::proto_json::{int32, or_default};
use serde::Deserialize;
use wire::runtime::v1;

/// A lock to take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TryLock {
    #[serde(alias = "store_name", deserialize_with = "or_default")]
    pub store_name: String,
    #[serde(alias = "resource_id", deserialize_with = "or_default")]
    pub resource_id: String,
    #[serde(alias = "lock_owner", deserialize_with = "or_default")]
    pub lock_owner: String,
    /// How long the lock is held at most.
    #[serde(alias = "expiry_in_seconds", deserialize_with = "int32")]
    pub expiry_in_seconds: i32,
}

/// A lock to let go of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Unlock {
    #[serde(alias = "store_name", deserialize_with = "or_default")]
    pub store_name: String,
    #[serde(alias = "resource_id", deserialize_with = "or_default")]
    pub resource_id: String,
    #[serde(alias = "lock_owner", deserialize_with = "or_default")]
    pub lock_owner: String,
}

impl From<v1::TryLockRequest> for TryLock {
    fn from(request: v1::TryLockRequest) -> Self {
        let v1::TryLockRequest { store_name, resource_id, lock_owner, expiry_in_seconds } = request;
        Self { store_name, resource_id, lock_owner, expiry_in_seconds }
    }
}

impl From<v1::UnlockRequest> for Unlock {
    fn from(request: v1::UnlockRequest) -> Self {
        let v1::UnlockRequest { store_name, resource_id, lock_owner } = request;
        Self { store_name, resource_id, lock_owner }
    }
}
