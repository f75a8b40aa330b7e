//! `state.redis`: entries as hashes that Dapr's own component reads and writes too (components.md 1.1).
//!
//! A hash has `data`, `version` (the ETag, counted up by every write), and `first-write` once a first writer wrote it.
mod json;
mod metadata;
mod pattern;
mod script;
mod slots;

pub use metadata::Metadata;

use crate::connection::Connections;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::state::{
    Concurrency, Consistency, DeleteRequest, Etag, Features, GetRequest, Item, KeysPage, Operation, SetRequest, Store,
    Value, time_to_live,
};
use component_api::{Descriptor, Error, Kind, Metadata as Pairs, Registry, Result, Status, metadata_value};
use redis::Script;
use script::Step;
use std::sync::Arc;

/// How long a write waits for replicas, in milliseconds.
const REPLICATION_PATIENCE: u32 = 1000;

/// `data` and `version` of a hash.
type Fields = (Option<Vec<u8>>, Option<String>);

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

    fn set_step(&self, request: SetRequest) -> Result<Step> {
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
        })
    }

    fn step(&self, operation: Operation) -> Result<Step> {
        match operation {
            Operation::Set(request) => self.set_step(request),
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

    /// What was stored before there were hashes.
    async fn plain(&self, key: &str) -> Result<Option<Item>> {
        let data: Option<Vec<u8>> = self.connections.run(redis::cmd("GET").arg(key)).await?;
        Ok(data.map(|data| Item { data: data.into(), ..Item::default() }))
    }
}

#[async_trait]
impl Store for RedisStore {
    fn features(&self) -> Features {
        Features { etag: true, transactional: true, ttl: true, keys_like: true, ..Features::default() }
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        let mut both = redis::pipe();
        both.cmd("HMGET").arg(&request.key).arg("data").arg("version");
        both.cmd("PTTL").arg(&request.key);
        match self.connections.run::<(Fields, i64)>(&both).await {
            Ok((hash, milliseconds)) => item(hash, milliseconds),
            Err(error) if error.to_string().contains("WRONGTYPE") => self.plain(&request.key).await,
            Err(error) => Err(error),
        }
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        let consistency = request.consistency;
        self.apply(&[self.set_step(request)?]).await?;
        self.replicate(consistency).await
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        self.apply(&[delete_step(request)?]).await
    }

    /// A cluster keeps its promise only for keys of one slot; others are written slot by slot, as Dapr does it.
    async fn transact(&self, operations: Vec<Operation>, _: Pairs) -> Result<()> {
        let steps = operations.into_iter().map(|operation| self.step(operation)).collect::<Result<Vec<_>>>()?;
        let groups = if self.is_cluster { slots::by_slot(steps) } else { vec![steps] };
        for group in groups.iter().filter(|group| !group.is_empty()) {
            self.apply(group).await?;
        }
        Ok(())
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
        self.connections.ping().await
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

fn item((data, version): Fields, milliseconds: i64) -> Result<Option<Item>> {
    match (data, version) {
        (None, None) => Ok(None),
        (Some(data), Some(version)) => {
            Ok(Some(Item { data: Bytes::from(data), etag: Some(Etag(version)), metadata: expiry(milliseconds) }))
        }
        _ => Err(Error::other("the hash has no field 'data' or no field 'version'; something else wrote it")),
    }
}

fn expiry(milliseconds: i64) -> Pairs {
    let Ok(left) = u64::try_from(milliseconds) else { return Pairs::new() };
    let at = jiff::Timestamp::now().checked_add(std::time::Duration::from_millis(left));
    let at = at.and_then(|at| at.round(jiff::Unit::Second));
    at.map(|at| Pairs::from([("ttlExpireTime".to_owned(), at.to_string())])).unwrap_or_default()
}
