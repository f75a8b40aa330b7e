//! State of actors, in the one store that is marked for it (protocols.md 2.2).
use crate::error::Error;
use crate::hosts::Hosts;
use crate::model::ActorKey;
use component_api::state::{Concurrency, Consistency, DeleteRequest, Etag, GetRequest, Item, SetRequest, Store, Value};
use component_api::{Instance, Live, Metadata, state};
use foundation_resiliency::{ComponentKind, Policy, Resiliency};
use foundation_telemetry::Metrics;
use std::sync::Arc;
use std::time::Instant;

const MARK: &str = "actorStateStore";
const PARTITION: &str = "partitionKey";
const TTL: &str = "ttlInSeconds";
const UNFIT: &str = "actors: state store does not exist or incorrectly configured. Have you set the property '{\"name\": \"actorStateStore\", \"value\": \"true\"}' in your state store component file?";

type StateStore = Instance<dyn Store>;

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    Upsert {
        key: String,
        value: Value,
        etag: Option<Etag>,
        metadata: Metadata,
    },
    Delete {
        key: String,
        etag: Option<Etag>,
    },
    /// What the caller wrote is no operation, for this reason.
    Invalid(String),
}

/// Reads and writes the state of actors.
pub(crate) struct ActorState {
    pub(crate) app_id: String,
    pub(crate) stores: Live<dyn Store>,
    /// Whether keys may live for a while only: a preview feature.
    pub(crate) allows_ttl: bool,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) resiliency: Resiliency,
    pub(crate) metrics: Metrics,
}

impl ActorState {
    /// The store, if there is one. It is looked for each time, as it may change.
    pub(crate) fn marked(&self) -> Option<Arc<StateStore>> {
        let marked = |store: &&Arc<StateStore>| store.properties.get(MARK).is_some_and(is_truthy);
        self.stores.all().values().find(marked).cloned()
    }

    /// Reads a key of an actor; nothing when there is none.
    ///
    /// # Errors
    /// [`Error::NoStateStore`] and [`Error::GetState`].
    pub(crate) async fn get(&self, actor: &ActorKey, key: &str) -> Result<Option<Item>, Error> {
        let store = self.store(Error::GetState)?;
        let prefix = self.prefix(actor);
        let request = GetRequest {
            key: format!("{prefix}||{key}"),
            metadata: Metadata::from([(PARTITION.to_owned(), prefix)]),
            ..GetRequest::default()
        };
        let policy = self.policy(&store);
        let start = Instant::now();
        let got = policy.run(|| store.component.get(request.clone())).await;
        self.metrics.state(&store.name, "get", got.is_ok(), start.elapsed());
        if let (Ok(item), Some(actor)) = (&got, self.hosts.active(actor)) {
            actor.sizes.note(key, item.as_ref().map(|item| item.data.len()));
        }
        got.map_err(|error| Error::GetState(error.to_string()))
    }

    /// Does all operations in order, or none of them. The actor must be active here.
    ///
    /// # Errors
    /// [`Error::InstanceMissing`], [`Error::NoStateStore`] and [`Error::SaveState`].
    pub(crate) async fn transact(&self, actor: &ActorKey, operations: Vec<Operation>) -> Result<(), Error> {
        let active = self.hosts.active(actor).ok_or(Error::InstanceMissing)?;
        let sizes: Vec<_> = operations.iter().filter_map(size).collect();
        let prefix = self.prefix(actor);
        let step = |operation| self.step(&prefix, operation);
        let steps = operations.into_iter().map(step).collect::<Result<Vec<_>, Error>>()?;
        let store = self.store(Error::SaveState)?;
        if store.component.transaction_limit().await.is_some_and(|limit| steps.len() > limit) {
            let text = "the transaction contains more operations than supported by the state store";
            return Err(Error::SaveState(text.to_owned()));
        }
        let metadata = Metadata::from([(PARTITION.to_owned(), prefix)]);
        let policy = self.policy(&store);
        let start = Instant::now();
        let done = policy.run(|| store.component.transact(steps.clone(), metadata.clone())).await;
        self.metrics.state(&store.name, "transaction", done.is_ok(), start.elapsed());
        done.map_err(|error| Error::SaveState(error.to_string()))?;
        sizes.into_iter().for_each(|(key, bytes)| active.sizes.note(&key, bytes));
        Ok(())
    }

    fn step(&self, prefix: &str, operation: Operation) -> Result<state::Operation, Error> {
        let stored = |key: String| match key.is_empty() {
            true => Err(Error::SaveState("missing key".to_owned())),
            false => Ok(format!("{prefix}||{key}")),
        };
        let (concurrency, consistency) = (Concurrency::Unspecified, Consistency::Unspecified);
        let partition = (PARTITION.to_owned(), prefix.to_owned());
        match operation {
            Operation::Upsert { key, value, etag, mut metadata } => {
                let key = stored(key)?;
                if metadata.contains_key(TTL) && !self.allows_ttl {
                    let text = format!("{TTL} is not supported without the \"ActorStateTTL\" feature enabled");
                    return Err(Error::SaveState(text));
                }
                metadata.extend([partition]);
                Ok(state::Operation::Set(SetRequest { key, value, etag, concurrency, consistency, metadata }))
            }
            Operation::Delete { key, etag } => {
                let (key, metadata) = (stored(key)?, Metadata::from([partition]));
                Ok(state::Operation::Delete(DeleteRequest { key, etag, concurrency, consistency, metadata }))
            }
            Operation::Invalid(reason) => Err(Error::SaveState(reason)),
        }
    }

    /// How calls of the store are made.
    pub(crate) fn policy(&self, store: &StateStore) -> Policy {
        self.resiliency.outbound(&store.name, ComponentKind::StateStore)
    }

    pub(crate) fn store(&self, unfit: fn(String) -> Error) -> Result<Arc<StateStore>, Error> {
        let store = self.marked().ok_or(Error::NoStateStore)?;
        let features = store.component.features();
        if features.etag && features.transactional { Ok(store) } else { Err(unfit(UNFIT.to_owned())) }
    }

    /// Tells the store that all keys of an actor belong together.
    pub(crate) fn partition(&self, actor_type: &str, id: &str) -> (String, String) {
        (PARTITION.to_owned(), self.prefix(&ActorKey::new(actor_type, id)))
    }

    /// What the keys of an actor begin with; also its partition.
    fn prefix(&self, actor: &ActorKey) -> String {
        format!("{}||{actor}", self.app_id)
    }
}

/// The key that an operation changes, with the bytes of its new value.
fn size(operation: &Operation) -> Option<(String, Option<usize>)> {
    match operation {
        Operation::Upsert { key, value, .. } => Some((key.clone(), Some(value.bytes().len()))),
        Operation::Delete { key, .. } => Some((key.clone(), None)),
        Operation::Invalid(_) => None,
    }
}

fn is_truthy(text: &str) -> bool {
    matches!(text.trim().to_ascii_lowercase().as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
}
