//! `lock.redis`: a key for each lock, whose value is the owner and whose expiry the lock's (components.md 4.6).
use crate::connection::Connections;
use crate::metadata::ConnectionMetadata;
use async_trait::async_trait;
use component_api::lock::{Store, Unlocked};
use component_api::{Descriptor, Error, Registry, Result, Status};
use redis::Script;
use std::sync::Arc;
use std::time::Duration;

/// Answers 1 when the lock was let go of, -1 when there is none, and -2 when it is another owner's.
const UNLOCK: &str = r"
local owner = redis.call('GET', KEYS[1])
if not owner then return -1 end
if owner ~= ARGV[1] then return -2 end
return redis.call('DEL', KEYS[1])
";

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["redis"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Locks in Redis: one server without replicas, or a master behind sentinels.",
        schema: || schemars::schema_for!(ConnectionMetadata),
    };
    registry.lock.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(RedisLocks::new(&ConnectionMetadata::read(&config.properties)?)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct RedisLocks {
    connections: Connections,
    unlock: Script,
    failover: bool,
}

impl RedisLocks {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// A cluster, which may forget locks when a node fails.
    pub fn new(metadata: &ConnectionMetadata) -> Result<Self> {
        if metadata.is_cluster() {
            return Err(Error::unsupported("lock.redis does not support a cluster: set redisType to node"));
        }
        let connections = Connections::new(metadata)?;
        Ok(Self { connections, unlock: Script::new(UNLOCK), failover: metadata.failover })
    }

    /// A replica that takes over without the sentinels' word may not know of all locks.
    async fn check_replicas(&self) -> Result<()> {
        if self.failover || self.connections.replicas().await? == 0 {
            return Ok(());
        }
        Err(Error::unsupported("lock.redis does not support replication without failover: a replica may miss locks"))
    }
}

#[async_trait]
impl Store for RedisLocks {
    async fn try_lock(&self, resource: &str, owner: &str, expiry: Duration) -> Result<bool> {
        self.check_replicas().await?;
        let milliseconds = u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX >> 1).max(1);
        let take = redis::cmd("SET").arg(resource).arg(owner).arg("NX").arg("PX").arg(milliseconds).to_owned();
        Ok(self.connections.run_once::<Option<String>>(&take).await?.is_some())
    }

    async fn unlock(&self, resource: &str, owner: &str) -> Result<Unlocked> {
        let mut call = self.unlock.prepare_invoke();
        call.key(resource).arg(owner);
        Ok(match self.connections.run_once::<i64>(&call).await? {
            -1 => Unlocked::NoLock,
            -2 => Unlocked::OtherOwner,
            _ => Unlocked::Success,
        })
    }

    async fn ping(&self) -> Result<()> {
        self.connections.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.connections.close();
        Ok(())
    }
}
