//! `state.redis`: entries as hashes that Dapr's own component reads and writes too (components.md 1.1).
//!
//! A hash has `data`, `version` (the ETag, counted up by every write), and `first-write` once a first writer wrote it. Where the
//! server has RedisJSON, JSON that is written as such is a document with the same members, which queries find.
mod document;
mod documents;
mod index;
mod json;
mod metadata;
mod pattern;
mod read;
mod script;
mod search;
mod slots;

pub use metadata::Metadata;

use crate::connection::Connections;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::state::{
    Concurrency, Consistency, DeleteRequest, Etag, Features, GetRequest, Item, KeysPage, Operation, Query, QueryResult,
    SetRequest, Store, Value, time_to_live,
};
use component_api::{Descriptor, Error, Kind, Metadata as Pairs, Registry, Result, Status, metadata_value};
use documents::Documents;
use redis::Script;
use script::{Form, Step};
use std::sync::Arc;

/// How long a write waits for replicas, in milliseconds.
const REPLICATION_PATIENCE: u32 = 1000;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["redis"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "State in Redis: one server, a cluster, or a master behind sentinels.",
        schema: Metadata::schema,
    };
    registry.state.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(RedisStore::new(Metadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct RedisStore {
    connections: Connections,
    script: Script,
    is_cluster: bool,
    time_to_live: Option<u32>,
    documents: Documents,
}

impl RedisStore {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: Metadata) -> Result<Self> {
        Ok(Self {
            connections: Connections::new(&metadata.connection)?,
            script: Script::new(script::APPLY),
            is_cluster: metadata.connection.is_cluster(),
            time_to_live: metadata.own.ttl_in_seconds,
            documents: Documents::new(index::read(&metadata.own.query_indexes)?),
        })
    }

    /// Applies all steps or none, in their order.
    async fn apply(&self, steps: &[Step]) -> Result<()> {
        let mut call = self.script.prepare_invoke();
        steps.iter().for_each(|step| step.add_to(&mut call));
        // A guarded write that is done twice would be refused the second time, though it was done.
        let applied = if steps.iter().all(Step::may_be_repeated) {
            self.connections.run::<i64>(&call).await?
        } else {
            self.connections.run_once::<i64>(&call).await?
        };
        match applied {
            0 => Ok(()),
            _ => {
                Err(Error::new(Kind::EtagMismatch, "the entry has another etag, or was written first by somebody else"))
            }
        }
    }

    /// `all_json` says that a whole transaction is JSON.
    async fn set_step(&self, request: SetRequest, all_json: bool) -> Result<Step> {
        let is_json =
            matches!(request.value, Value::Json(_)) && (all_json || document::is_asked_for(&request.metadata));
        let is_document = is_json && self.documents.are_there(&self.connections).await?;
        let guarded = request.concurrency != Concurrency::LastWrite;
        let etag = request.etag.filter(|etag| guarded && !etag.0.is_empty());
        let lifetime = time_to_live(&request.metadata)?;
        let says_nothing = metadata_value(&request.metadata, "ttlInSeconds").is_none_or(str::is_empty);
        Ok(Step::Set {
            key: request.key,
            etag: etag.map(|etag| version(&etag)).transpose()?,
            data: stored(&request.value),
            first_write: request.concurrency == Concurrency::FirstWrite,
            seconds: if says_nothing { self.time_to_live } else { lifetime },
            form: if is_document { Form::Document } else { Form::Hash },
        })
    }

    async fn step(&self, operation: Operation, all_json: bool) -> Result<Step> {
        match operation {
            Operation::Set(request) => self.set_step(request, all_json).await,
            Operation::Delete(request) => delete_step(request),
        }
    }

    async fn replicate(&self, consistency: Consistency) -> Result<()> {
        if consistency != Consistency::Strong || self.is_cluster {
            return Ok(());
        }
        let replicas = self.connections.replicas().await?;
        if replicas == 0 {
            return Ok(());
        }
        let wait = redis::cmd("WAIT").arg(replicas).arg(REPLICATION_PATIENCE).to_owned();
        self.connections.run::<i64>(&wait).await.map(drop)
    }
}

#[async_trait]
impl Store for RedisStore {
    fn features(&self) -> Features {
        let query = self.documents.have_queries();
        Features { etag: true, transactional: true, ttl: true, query, keys_like: true, ..Features::default() }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        self.read(&request).await
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        let consistency = request.consistency;
        self.apply(&[self.set_step(request, false).await?]).await?;
        self.replicate(consistency).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        self.apply(&[delete_step(request)?]).await
    }

    /// A cluster keeps its promise only for keys of one slot; others are written slot by slot, as Dapr does it.
    async fn transact(&self, operations: Vec<Operation>, metadata: Pairs) -> Result<()> {
        let (all_json, mut steps) = (document::is_asked_for(&metadata), Vec::with_capacity(operations.len()));
        for operation in operations {
            steps.push(self.step(operation, all_json).await?);
        }
        let groups = if self.is_cluster { slots::by_slot(steps) } else { vec![steps] };
        for group in groups.iter().filter(|group| !group.is_empty()) {
            self.apply(group).await?;
        }
        Ok(())
    }

    async fn query(&self, document: serde_json::Value, metadata: Pairs) -> Result<QueryResult> {
        self.documents.query(&self.connections, &Query::read(&document)?, &metadata).await
    }

    async fn keys_like(&self, pattern: &str, page_size: Option<u32>, continuation: Option<String>) -> Result<KeysPage> {
        if pattern.is_empty() {
            return Err(Error::invalid("keys like pattern cannot be empty"));
        }
        let mut keys = self.connections.keys(&pattern::glob(pattern)).await?;
        keys.retain(|key| continuation.as_ref().is_none_or(|last| key > last));
        let size = page_size.filter(|size| *size > 0).map_or(usize::MAX, |size| size as usize);
        let continuation = (keys.len() > size).then(|| keys[size - 1].clone());
        keys.truncate(size);
        Ok(KeysPage { keys, continuation })
    }

    async fn ping(&self) -> Result<()> {
        self.connections.ping().await?;
        self.documents.prepare(&self.connections).await
    }

    async fn close(&self) -> Result<()> {
        self.connections.close();
        Ok(())
    }
}

fn stored(value: &Value) -> Bytes {
    match value {
        Value::Json(text) => json::plain(text).into(),
        Value::Binary(bytes) => bytes.clone(),
    }
}

fn delete_step(request: DeleteRequest) -> Result<Step> {
    let etag = request.etag.filter(|etag| !etag.0.is_empty()).map(|etag| version(&etag)).transpose()?;
    Ok(Step::Delete { key: request.key, etag })
}

/// An ETag counts versions.
fn version(etag: &Etag) -> Result<u64> {
    let refusal = |error| Error::new(Kind::EtagInvalid, "an etag of redis is a whole number").with_source(error);
    etag.0.parse().map_err(refusal)
}
