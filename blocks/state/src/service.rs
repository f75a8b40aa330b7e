//! Reading and writing of entries: store, keys, options, policy, answer.
use crate::error::Error;
use crate::failure::Failure;
use crate::keys;
use crate::layout::Layout;
use crate::model::{BulkGet, BulkItem, Delete, Get, Save, Transaction};
use crate::outbox::{self, Outbox};
use crate::pending::Pending;
use component_api::state::{DeleteRequest, GetRequest, Item, Operation, QueryResult, SetRequest, Store};
use component_api::{Instance, Live, Metadata};
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::{Metrics, SpanContext};
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

/// A state store as it was configured.
pub type StateStore = Instance<dyn Store>;

/// Reads and writes the entries of the app.
pub struct Service {
    app_id: String,
    namespace: String,
    stores: Live<dyn Store>,
    outbox: Option<Arc<Outbox>>,
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// `namespace` is the one of the app, for stores whose keys start with it; empty when there is none.
    pub fn new(app_id: impl Into<String>, namespace: impl Into<String>, stores: Live<dyn Store>) -> Self {
        let (resiliency, metrics) = (Resiliency::default(), Metrics::disabled());
        Self { app_id: app_id.into(), namespace: namespace.into(), stores, outbox: None, resiliency, metrics }
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

    /// The same, which also publishes the transactions of those stores that have an outbox.
    #[must_use]
    pub fn with_outbox(self, outbox: Arc<Outbox>) -> Self {
        Self { outbox: Some(outbox), ..self }
    }

    /// The store of that name.
    ///
    /// # Errors
    /// [`Error::NotConfigured`] when there is no store at all, else [`Error::NotFound`].
    pub fn store(&self, name: &str) -> Result<Arc<StateStore>, Error> {
        self.stores.get(name).ok_or_else(|| self.missing(name, Some(self.app_id.clone())))
    }

    /// The store of that name, which has transactions.
    ///
    /// # Errors
    /// Those of [`Self::store`], and [`Error::NoTransactions`].
    pub fn transactional_store(&self, name: &str) -> Result<Arc<StateStore>, Error> {
        let store = self.store(name)?;
        if store.component.features().transactional {
            return Ok(store);
        }
        Err(Error::NoTransactions { store: name.to_owned() })
    }

    /// Reads an entry; nothing when there is none.
    ///
    /// # Errors
    /// [`Error::IllegalKey`] and [`Error::Get`].
    pub async fn get(&self, store: &StateStore, request: Get) -> Result<Option<Item>, Error> {
        let Get { key, consistency, metadata } = request;
        let layout = self.layout(store);
        let request = GetRequest { key: layout.key(&key)?, consistency, metadata };
        let got = self.call(store, "get", || async { Ok(store.component.get(request.clone()).await?) }).await;
        let opened = got.and_then(|found| found.map(|item| layout.opened(item)).transpose().map_err(Failure::other));
        opened.map_err(|failure| Error::Get { store: store.name.clone(), key, failure })
    }

    /// Reads several entries; the answers are in the order of the keys.
    ///
    /// # Errors
    /// [`Error::IllegalKey`], and [`Error::BulkGet`] when the store cannot be reached.
    pub async fn bulk_get(&self, store: &StateStore, request: BulkGet) -> Result<Vec<BulkItem>, Error> {
        let BulkGet { keys, metadata } = request;
        let layout = self.layout(store);
        let request = |key: &String| {
            let key = layout.key(key)?;
            Ok(GetRequest { key, metadata: metadata.clone(), ..GetRequest::default() })
        };
        let requests = keys.iter().map(request).collect::<Result<Vec<_>, Error>>()?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let got = self.call(store, "bulk_get", || async { reached(store.component.bulk_get(requests.clone()).await) });
        let opened = |found: Found| {
            let found = found.map_err(|error| error.to_string())?;
            found.map(|item| layout.opened(item)).transpose()
        };
        let answers = keys.into_iter().zip(got.await.map_err(Error::BulkGet)?);
        Ok(answers.map(|(key, found)| BulkItem { key, found: opened(found) }).collect())
    }

    /// Writes entries, each by itself. What fails for another reason than its ETag is tried again as the policy says.
    ///
    /// # Errors
    /// [`Error::IllegalKey`] and [`Error::Save`].
    pub async fn save(&self, store: &StateStore, entries: Vec<Save>) -> Result<(), Error> {
        let layout = self.layout(store);
        let failed = |failure| Error::Save { store: store.name.clone(), failure };
        let request = |entry| layout.set(entry)?.map_err(failed);
        let requests = entries.into_iter().map(request).collect::<Result<Vec<_>, Error>>()?;
        if requests.is_empty() {
            return Ok(());
        }
        let pending = Pending::new(requests);
        let attempt = || async { pending.note(set(&*store.component, pending.requests()).await) };
        self.call(store, "set", attempt).await.map_err(failed)
    }

    /// Deletes an entry; a missing one is no error unless an ETag was given.
    ///
    /// # Errors
    /// [`Error::IllegalKey`] and [`Error::Delete`].
    pub async fn delete(&self, store: &StateStore, entry: Delete) -> Result<(), Error> {
        let key = entry.key.clone();
        let failed = |failure| Error::Delete { key, failure };
        let request = match self.layout(store).delete(entry)? {
            Ok(request) => request,
            Err(failure) => return Err(failed(failure)),
        };
        let attempt = || async { Ok(store.component.delete(request.clone()).await?) };
        self.call(store, "delete", attempt).await.map_err(failed)
    }

    /// Deletes entries, each by itself.
    ///
    /// # Errors
    /// [`Error::IllegalKey`] and [`Error::BulkDelete`].
    pub async fn bulk_delete(&self, store: &StateStore, entries: Vec<Delete>) -> Result<(), Error> {
        let layout = self.layout(store);
        let failed = |failure| Error::BulkDelete { store: store.name.clone(), failure };
        let request = |entry| layout.delete(entry)?.map_err(failed);
        let requests = entries.into_iter().map(request).collect::<Result<Vec<_>, Error>>()?;
        let pending = Pending::new(requests);
        let attempt = || async { pending.note(delete(&*store.component, pending.requests()).await) };
        self.call(store, "bulk_delete", attempt).await.map_err(failed)
    }

    /// Does all operations in order, or none of them. The store is one of [`Self::transactional_store`].
    ///
    /// # Errors
    /// [`Error::IllegalKey`], [`Error::UnknownOperation`], [`Error::TooManyOperations`], [`Error::Outbox`] and
    /// [`Error::Transaction`].
    pub async fn transact(&self, store: &StateStore, transaction: Transaction) -> Result<(), Error> {
        let Transaction { operations, metadata, trace } = transaction;
        let layout = self.layout(store);
        let operations = operations.into_iter().map(|operation| layout.operation(operation));
        let operations = operations.collect::<Result<Vec<_>, Error>>()?;
        check_limit(store, operations.len()).await?;
        if operations.is_empty() {
            return Ok(());
        }
        let operations = self.published(store, operations, &trace).await?;
        let attempt = || async { Ok(store.component.transact(operations.clone(), metadata.clone()).await?) };
        let done = self.call(store, "transaction", attempt).await;
        if let (Err(failure), Some(outbox)) = (&done, &self.outbox)
            && failure.is_permanent()
        {
            outbox.refused(&operations);
        }
        done.map_err(Error::Transaction)
    }

    /// Runs a query document over the values of a store; the keys of the answer are those of the app.
    ///
    /// # Errors
    /// Those of [`Self::store`], [`Error::NoQueries`] and [`Error::Query`].
    pub async fn query(&self, name: &str, query: &[u8], metadata: Metadata) -> Result<QueryResult, Error> {
        let store = self.stores.get(name).ok_or_else(|| self.missing(name, None))?;
        if !store.component.features().query {
            return Err(Error::NoQueries { store: name.to_owned() });
        }
        let failed = |failure| Error::Query { store: name.to_owned(), failure };
        if self.is_encrypted(&store) {
            return Err(failed(Failure::other("cannot query encrypted store")));
        }
        let query: serde_json::Value = serde_json::from_slice(query)
            .map_err(|error| failed(Failure::other(format!("failed to parse JSON query body: {error}"))))?;
        let attempt = || async { Ok(store.component.query(query.clone(), metadata.clone()).await?) };
        let mut found = self.call(&store, "query", attempt).await.map_err(failed)?;
        for (key, _) in &mut found.items {
            *key = keys::original(key).to_owned();
        }
        Ok(found)
    }

    /// Whether the store gets values encrypted only.
    pub(crate) fn is_encrypted(&self, store: &StateStore) -> bool {
        self.layout(store).is_encrypted()
    }

    /// The one way to a store: by the policy of its resource, and counted.
    async fn call<T, F, Fut>(&self, store: &StateStore, operation: &'static str, attempt: F) -> Result<T, Failure>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        let start = Instant::now();
        let policy = self.resiliency.outbound(&store.name, ComponentKind::StateStore);
        let done = policy.run(attempt).await;
        self.metrics.state(&store.name, operation, done.is_ok(), start.elapsed());
        done.map_err(|error| error.failure_or_else(Failure::other))
    }

    /// What the store is to do, when its outbox has the events of the transaction.
    async fn published(
        &self,
        store: &StateStore,
        operations: Vec<Operation>,
        trace: &SpanContext,
    ) -> Result<Vec<Operation>, Error> {
        let outbox = self.outbox.as_ref().zip(outbox::Settings::of(&store.properties));
        let Some((outbox, settings)) = outbox else { return Ok(operations) };
        let published = outbox.publish(&settings, operations, trace).await;
        published.map_err(|reason| Error::Outbox { app_id: self.app_id.clone(), reason })
    }

    fn missing(&self, name: &str, app_id: Option<String>) -> Error {
        let store = name.to_owned();
        if self.stores.is_empty() { Error::NotConfigured { store, app_id } } else { Error::NotFound { store, app_id } }
    }

    fn layout<'a>(&self, store: &'a StateStore) -> Layout<'a> {
        Layout::new(&store.name, &store.properties, &self.app_id, &self.namespace)
    }
}

async fn check_limit(store: &StateStore, count: usize) -> Result<(), Error> {
    match store.component.transaction_limit().await {
        Some(limit) if count > limit => Err(Error::TooManyOperations { store: store.name.clone(), count, limit }),
        _ => Ok(()),
    }
}

async fn set(store: &dyn Store, mut requests: Vec<SetRequest>) -> Vec<component_api::Result<()>> {
    match (requests.pop(), requests.is_empty()) {
        (Some(only), true) => vec![store.set(only).await],
        (last, _) => {
            requests.extend(last);
            store.bulk_set(requests).await
        }
    }
}

async fn delete(store: &dyn Store, mut requests: Vec<DeleteRequest>) -> Vec<component_api::Result<()>> {
    match (requests.pop(), requests.is_empty()) {
        (Some(only), true) => vec![store.delete(only).await],
        (last, _) => {
            requests.extend(last);
            store.bulk_delete(requests).await
        }
    }
}

type Found = component_api::Result<Option<Item>>;

/// Single entries may fail, but when all do because the store is out of reach, trying again may help. A store that words
/// its answer itself speaks of the whole request.
fn reached(answers: Vec<Found>) -> Result<Vec<Found>, Failure> {
    let is_of_all = |error: &component_api::Error| error.is_temporary() || error.answer().is_some();
    let away = |answer: &Found| answer.as_ref().is_err_and(is_of_all);
    if !answers.iter().all(away) {
        return Ok(answers);
    }
    let first = answers.into_iter().find_map(Result::err);
    Err(first.map_or_else(|| Failure::other("the store gave no answer"), Failure::from))
}
