//! Taking and letting go of locks: checks, store, key, policy, answer.
use crate::error::Error;
use crate::keys::KeyPrefix;
use crate::model::{TryLock, Unlock};
use component_api::lock::{Store, Unlocked};
use component_api::{Instance, Live};
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A lock store as it was configured.
pub type LockStore = Instance<dyn Store>;

/// Takes locks for the owners that the app names.
pub struct Service {
    app_id: String,
    stores: Live<dyn Store>,
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// `app_id` is part of the keys unless a store's metadata says otherwise.
    pub fn new(app_id: impl Into<String>, stores: Live<dyn Store>) -> Self {
        Self { app_id: app_id.into(), stores, resiliency: Resiliency::default(), metrics: Metrics::disabled() }
    }

    /// The same, with policies for calls of stores.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which counts what it does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// Takes a lock; false when somebody holds it, be it the same owner.
    ///
    /// # Errors
    /// Any but [`Error::Unlock`]. The time is looked at before there need be a store at all.
    pub async fn try_lock(&self, request: &TryLock) -> Result<bool, Error> {
        let TryLock { store_name, resource_id, lock_owner, expiry_in_seconds } = request;
        let seconds = u64::try_from(*expiry_in_seconds).ok().filter(|seconds| *seconds > 0);
        let seconds = seconds.ok_or_else(|| Error::NoExpiry(store_name.clone()))?;
        let store = self.store(store_name, resource_id, lock_owner)?;
        let key = self.key(&store, resource_id).map_err(Error::TryLock)?;
        let expiry = Duration::from_secs(seconds);
        let attempt = || store.component.try_lock(&key, lock_owner, expiry);
        self.call(&store, "try_lock", attempt).await.map_err(Error::TryLock)
    }

    /// Lets go of a lock.
    ///
    /// # Errors
    /// Any but [`Error::TryLock`]. That the lock is not the owner's is an answer and no error.
    pub async fn unlock(&self, request: &Unlock) -> Result<Unlocked, Error> {
        let Unlock { store_name, resource_id, lock_owner } = request;
        let store = self.store(store_name, resource_id, lock_owner)?;
        let key = self.key(&store, resource_id).map_err(Error::Unlock)?;
        self.call(&store, "unlock", || store.component.unlock(&key, lock_owner)).await.map_err(Error::Unlock)
    }

    fn store(&self, name: &str, resource: &str, owner: &str) -> Result<Arc<LockStore>, Error> {
        if self.stores.is_empty() {
            return Err(Error::NotConfigured);
        }
        if resource.is_empty() {
            return Err(Error::NoResource(name.to_owned()));
        }
        if owner.is_empty() {
            return Err(Error::NoOwner(name.to_owned()));
        }
        self.stores.get(name).ok_or_else(|| Error::NotFound(name.to_owned()))
    }

    /// A store with an illegal prefix is not loaded in the first place.
    fn key(&self, store: &LockStore, resource: &str) -> Result<String, String> {
        let prefix = KeyPrefix::of(&store.properties).unwrap_or_default();
        prefix.key(&store.name, &self.app_id, resource).map_err(|error| error.to_string())
    }

    /// The one way to a store; the span of an operation belongs here.
    async fn call<T, F, Fut>(&self, store: &LockStore, operation: &str, attempt: F) -> Result<T, String>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = component_api::Result<T>>,
    {
        let start = Instant::now();
        let policy = self.resiliency.outbound(&store.name, ComponentKind::Lock);
        let done = policy.run(attempt).await;
        self.metrics.lock(&store.name, operation, done.is_ok(), start.elapsed());
        done.map_err(|error| error.to_string())
    }
}
