//! All behaviour of the block.
use crate::error::Error;
use crate::model::Secrets;
use crate::scopes::Scopes;
use component_api::secret::{Secret, Store};
use component_api::{Instance, Live, Metadata};
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

/// Secrets of all stores.
pub struct Service {
    stores: Live<dyn Store>,
    scopes: Scopes,
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// Over the stores that run. Rules for a store that is not there are reported, as they may be a typing error.
    pub fn new(stores: Live<dyn Store>, scopes: Scopes) -> Self {
        for store in scopes.stores().filter(|store| stores.get(store).is_none()) {
            tracing::warn!(
                target: "dapr.runtime.compstore",
                "Secrets configuration added for '{store}', but no matching secret store was found"
            );
        }
        Self { stores, scopes, resiliency: Resiliency::default(), metrics: Metrics::disabled() }
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

    /// One secret by its name.
    ///
    /// # Errors
    /// [`Error`]; whether the app may read the secret is looked at before the store is asked.
    pub async fn get(&self, store: &str, key: &str, metadata: &Metadata) -> Result<Secret, Error> {
        let instance = self.store(store)?;
        if !self.scopes.allows(store, key) {
            return Err(Error::Denied { store: store.to_owned(), key: key.to_owned() });
        }
        let failed = |source| Error::Get { store: store.to_owned(), key: key.to_owned(), source };
        self.call(&instance, "get", || instance.component.get(key, metadata)).await.map_err(failed)
    }

    /// All secrets that the app may read.
    ///
    /// # Errors
    /// [`Error`], but never [`Error::Denied`].
    pub async fn bulk_get(&self, store: &str, metadata: &Metadata) -> Result<Secrets, Error> {
        let instance = self.store(store)?;
        let failed = |source| Error::BulkGet { store: store.to_owned(), source };
        let got = self.call(&instance, "bulk_get", || instance.component.bulk_get(metadata)).await;
        let mut secrets = got.map_err(failed)?;
        secrets.retain(|key, _| self.scopes.allows(store, key));
        Ok(secrets)
    }

    /// The one way to a store: by the policy of its resource, and counted.
    async fn call<T, F, Fut>(
        &self,
        store: &Instance<dyn Store>,
        operation: &'static str,
        attempt: F,
    ) -> component_api::Result<T>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = component_api::Result<T>>,
    {
        let start = Instant::now();
        let done = self.resiliency.outbound(&store.name, ComponentKind::SecretStore).run(attempt).await;
        self.metrics.secret(&store.name, operation, done.is_ok(), start.elapsed());
        Ok(done?)
    }

    fn store(&self, name: &str) -> Result<Arc<Instance<dyn Store>>, Error> {
        if self.stores.is_empty() {
            return Err(Error::NotConfigured);
        }
        self.stores.get(name).ok_or_else(|| Error::UnknownStore(name.to_owned()))
    }
}
