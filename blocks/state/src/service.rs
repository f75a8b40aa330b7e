//! Reading and writing of entries: store, keys, options, policy, answer.
use crate::error::Error;
use crate::failure::Failure;
use crate::keys::{self, KeyPrefix};
use crate::model::{BulkGet, BulkItem, Delete, Get, Operation, Save, Transaction};
use crate::pending::Pending;
use component_api::state::{self, DeleteRequest, GetRequest, Item, QueryResult, SetRequest, Store};
use component_api::{Instance, Live, Metadata};
use foundation_resiliency::{ComponentKind, Resiliency};
use foundation_telemetry::Metrics;
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
    resiliency: Resiliency,
    metrics: Metrics,
}

impl Service {
    /// `namespace` is the one of the app, for stores whose keys start with it; empty when there is none.
    pub fn new(app_id: impl Into<String>, namespace: impl Into<String>, stores: Live<dyn Store>) -> Self {
        let (resiliency, metrics) = (Resiliency::default(), Metrics::disabled());
        Self { app_id: app_id.into(), namespace: namespace.into(), stores, resiliency, metrics }
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
        let stored = self.stored_key(store, self.prefix(store).as_deref(), &key)?;
        let request = GetRequest { key: stored, consistency, metadata };
        let got = self.call(store, "get", || async { Ok(store.component.get(request.clone()).await?) }).await;
        got.map_err(|failure| Error::Get { store: store.name.clone(), key, failure })
    }

    /// Reads several entries; the answers are in the order of the keys.
    ///
    /// # Errors
    /// [`Error::IllegalKey`], and [`Error::BulkGet`] when the store cannot be reached.
    pub async fn bulk_get(&self, store: &StateStore, request: BulkGet) -> Result<Vec<BulkItem>, Error> {
        let BulkGet { keys, metadata } = request;
        let prefix = self.prefix(store);
        let request = |key: &String| {
            let key = self.stored_key(store, prefix.as_deref(), key)?;
            Ok(GetRequest { key, metadata: metadata.clone(), ..GetRequest::default() })
        };
        let requests = keys.iter().map(request).collect::<Result<Vec<_>, Error>>()?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let got = self.call(store, "bulk_get", || async { reached(store.component.bulk_get(requests.clone()).await) });
        let answers = keys.into_iter().zip(got.await.map_err(Error::BulkGet)?);
        Ok(answers.map(|(key, found)| BulkItem { key, found: found.map_err(|error| error.to_string()) }).collect())
    }

    /// Writes entries, each by itself. What fails for another reason than its ETag is tried again as the policy says.
    ///
    /// # Errors
    /// [`Error::IllegalKey`] and [`Error::Save`].
    pub async fn save(&self, store: &StateStore, entries: Vec<Save>) -> Result<(), Error> {
        let prefix = self.prefix(store);
        let failed = |failure| Error::Save { store: store.name.clone(), failure };
        let request = |entry| self.set_request(store, prefix.as_deref(), entry)?.map_err(failed);
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
        let request = match self.delete_request(store, self.prefix(store).as_deref(), entry)? {
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
        let prefix = self.prefix(store);
        let failed = |failure| Error::BulkDelete { store: store.name.clone(), failure };
        let request = |entry| self.delete_request(store, prefix.as_deref(), entry)?.map_err(failed);
        let requests = entries.into_iter().map(request).collect::<Result<Vec<_>, Error>>()?;
        let pending = Pending::new(requests);
        let attempt = || async { pending.note(delete(&*store.component, pending.requests()).await) };
        self.call(store, "bulk_delete", attempt).await.map_err(failed)
    }

    /// Does all operations in order, or none of them. The store is one of [`Self::transactional_store`].
    ///
    /// # Errors
    /// [`Error::IllegalKey`], [`Error::UnknownOperation`], [`Error::TooManyOperations`] and [`Error::Transaction`].
    pub async fn transact(&self, store: &StateStore, transaction: Transaction) -> Result<(), Error> {
        let Transaction { operations, metadata } = transaction;
        let prefix = self.prefix(store);
        let operation = |operation| self.operation(store, prefix.as_deref(), operation);
        let operations = operations.into_iter().map(operation).collect::<Result<Vec<_>, Error>>()?;
        check_limit(store, operations.len())?;
        if operations.is_empty() {
            return Ok(());
        }
        let attempt = || async { Ok(store.component.transact(operations.clone(), metadata.clone()).await?) };
        self.call(store, "transaction", attempt).await.map_err(Error::Transaction)
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
        let failed = |reason| Error::Query { store: name.to_owned(), reason };
        let query: serde_json::Value = serde_json::from_slice(query)
            .map_err(|error| failed(format!("failed to parse JSON query body: {error}")))?;
        let attempt = || async { Ok(store.component.query(query.clone(), metadata.clone()).await?) };
        let mut found = self.call(&store, "query", attempt).await.map_err(|failure| failed(failure.message))?;
        for (key, _) in &mut found.items {
            *key = keys::original(key).to_owned();
        }
        Ok(found)
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

    fn missing(&self, name: &str, app_id: Option<String>) -> Error {
        let store = name.to_owned();
        if self.stores.is_empty() { Error::NotConfigured { store, app_id } } else { Error::NotFound { store, app_id } }
    }

    /// What the keys of the store start with. A store with an illegal prefix is not loaded in the first place.
    fn prefix(&self, store: &StateStore) -> Option<String> {
        let prefix = KeyPrefix::of(&store.properties).unwrap_or_default();
        prefix.text(&store.name, &self.app_id, &self.namespace)
    }

    fn stored_key(&self, store: &StateStore, prefix: Option<&str>, key: &str) -> Result<String, Error> {
        if keys::is_illegal(key) {
            let (key, field) = (key.to_owned(), key.to_owned());
            return Err(Error::IllegalKey { store: store.name.clone(), key, field });
        }
        Ok(keys::stored(prefix, key))
    }

    fn set_request(
        &self,
        store: &StateStore,
        prefix: Option<&str>,
        entry: Save,
    ) -> Result<Result<SetRequest, Failure>, Error> {
        let Save { key, value, etag, options, metadata } = entry;
        let key = self.stored_key(store, prefix, &key)?;
        let request = |(concurrency, consistency)| SetRequest { key, value, etag, concurrency, consistency, metadata };
        Ok(options.read().map(request).map_err(Failure::other))
    }

    fn delete_request(
        &self,
        store: &StateStore,
        prefix: Option<&str>,
        entry: Delete,
    ) -> Result<Result<DeleteRequest, Failure>, Error> {
        let Delete { key, etag, options, metadata } = entry;
        let key = self.stored_key(store, prefix, &key)?;
        let request = |(concurrency, consistency)| DeleteRequest { key, etag, concurrency, consistency, metadata };
        Ok(options.read().map(request).map_err(Failure::other))
    }

    fn operation(
        &self,
        store: &StateStore,
        prefix: Option<&str>,
        operation: Operation,
    ) -> Result<state::Operation, Error> {
        match operation {
            Operation::Upsert(entry) => {
                let request = self.set_request(store, prefix, entry)?.map_err(Error::Transaction)?;
                Ok(state::Operation::Set(request))
            }
            Operation::Delete(entry) => {
                let request = self.delete_request(store, prefix, entry)?.map_err(Error::Transaction)?;
                Ok(state::Operation::Delete(request))
            }
            Operation::Unknown { name, key } => {
                self.stored_key(store, prefix, &key)?;
                Err(Error::UnknownOperation(name))
            }
        }
    }
}

fn check_limit(store: &StateStore, count: usize) -> Result<(), Error> {
    match store.component.features().transaction_limit {
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

/// Single entries may fail, but when all do because the store is out of reach, trying again may help.
fn reached(answers: Vec<Found>) -> Result<Vec<Found>, Failure> {
    let away = |answer: &Found| answer.as_ref().is_err_and(component_api::Error::is_temporary);
    if !answers.iter().all(away) {
        return Ok(answers);
    }
    let first = answers.into_iter().find_map(Result::err);
    Err(first.map_or_else(|| Failure::other("the store gave no answer"), Failure::from))
}
