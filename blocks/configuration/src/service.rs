//! Reading and following of configuration.
use crate::app::AppNotifier;
use crate::error::Error;
use crate::model::Query;
use crate::subscriptions::Subscriptions;
use crate::updates::Updates;
use component_api::configuration::{Items, Notify, Store};
use component_api::{Instance, Live};
use foundation_app::Channel;
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// A configuration store as it was configured.
pub type ConfigurationStore = Instance<dyn Store>;

/// Reads configuration, and keeps the subscriptions of the app.
pub struct Service {
    stores: Live<dyn Store>,
    app: Option<Arc<dyn Channel>>,
    subscriptions: Arc<Subscriptions>,
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// `app` takes what subscriptions over HTTP tell.
    pub fn new(stores: Live<dyn Store>, app: Option<Arc<dyn Channel>>) -> Self {
        Self {
            stores,
            app,
            subscriptions: Arc::default(),
            resiliency: Resiliency::default(),
            metrics: Metrics::disabled(),
        }
    }

    /// The same, with policies for calls of stores and of the app.
    #[must_use]
    pub fn with_resiliency(self, resiliency: Resiliency) -> Self {
        Self { resiliency, ..self }
    }

    /// The same, which counts what it does.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { subscriptions: Arc::new(Subscriptions::new(metrics.clone())), metrics, ..self }
    }

    /// The store of that name.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] when there is no store at all, else [`Error::NotFound`].
    pub fn store(&self, name: &str) -> Result<Arc<ConfigurationStore>, Error> {
        let missing = || if self.stores.is_empty() { Error::NotConfigured } else { Error::NotFound(name.to_owned()) };
        self.stores.get(name).ok_or_else(missing)
    }

    /// The items of these keys; unknown keys are left out.
    ///
    /// # Errors
    /// [`Error::Get`].
    pub async fn get(&self, store: &ConfigurationStore, query: Query) -> Result<Items, Error> {
        let attempt = || async { store.component.get(&query.keys, &query.metadata).await };
        let got = self.call(store, "get", attempt).await;
        got.map_err(|reason| Error::Get { keys: query.keys.clone(), store: store.name.clone(), reason })
    }

    /// Has the app called for every change from now on. Returns the id of the subscription.
    ///
    /// # Errors
    /// [`Error::NoApp`] without an app, and [`Error::Subscribe`].
    pub async fn subscribe_app(&self, store: &ConfigurationStore, query: Query) -> Result<String, Error> {
        let app = self.app.clone().ok_or(Error::NoApp)?;
        let id = Uuid::new_v4().to_string();
        let resiliency = self.resiliency.clone();
        let notifier = AppNotifier { app, store: store.name.clone(), id: id.clone(), resiliency };
        self.subscribe(store, &id, query, Arc::new(notifier)).await?;
        Ok(id)
    }

    /// A stream of changes from now on; the id of the subscription comes first.
    ///
    /// # Errors
    /// [`Error::Subscribe`].
    pub async fn follow(&self, store: &ConfigurationStore, mut query: Query) -> Result<Updates, Error> {
        query.keys.sort();
        let id = Uuid::new_v4().to_string();
        let (feed, updates) = Updates::new(id.clone(), Arc::clone(&self.subscriptions));
        self.subscribe(store, &id, query, Arc::new(feed)).await?;
        Ok(updates)
    }

    /// Ends a subscription, given its store unless any will do.
    ///
    /// # Errors
    /// [`Error::Unsubscribe`] when there is none of that id.
    pub fn unsubscribe(&self, store: Option<&str>, id: &str) -> Result<(), Error> {
        if self.subscriptions.remove(id, store) {
            return Ok(());
        }
        if let Some(store) = store {
            self.metrics.configuration(store, "unsubscribe", false, Duration::ZERO);
        }
        Err(Error::Unsubscribe { id: id.to_owned(), reason: "subscription does not exist".to_owned() })
    }

    /// Ends all subscriptions, and with them their streams.
    pub fn end(&self) {
        self.subscriptions.end();
    }

    async fn subscribe(
        &self,
        store: &ConfigurationStore,
        id: &str,
        query: Query,
        notify: Arc<dyn Notify>,
    ) -> Result<(), Error> {
        let Query { keys, metadata } = query;
        let attempt = || store.component.subscribe(keys.clone(), metadata.clone(), Arc::clone(&notify));
        let subscribed = self.call(store, "subscribe", attempt).await;
        let failed = |reason| Error::Subscribe { keys: keys.clone(), store: store.name.clone(), reason };
        self.subscriptions.add(id, &store.name, subscribed.map_err(failed)?);
        Ok(())
    }

    /// The one way to a store; the span of an operation belongs here.
    async fn call<T, F, Fut>(
        &self,
        store: &ConfigurationStore,
        operation: &'static str,
        attempt: F,
    ) -> Result<T, String>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = component_api::Result<T>>,
    {
        let start = Instant::now();
        let policy = self.resiliency.outbound(&store.name, ComponentKind::Configuration);
        let done = policy.run(attempt).await;
        self.metrics.configuration(&store.name, operation, done.is_ok(), start.elapsed());
        done.map_err(|error| error.to_string())
    }
}
