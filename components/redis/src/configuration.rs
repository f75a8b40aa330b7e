//! `configuration.redis`: keys whose values are a text, `||` and a version; changes by keyspace events (components.md 4.5).
mod events;
mod follower;

use crate::SCOPE;
use crate::connection::Connections;
use crate::metadata::ConnectionMetadata;
use async_trait::async_trait;
use component_api::configuration::{Item, Items, Notify, Store};
use component_api::pubsub::Subscription;
use component_api::{Descriptor, Error, Metadata, Outage, Registry, Result, Status, Task};
use events::Events;
use follower::Follower;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["redis"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Configuration in Redis, whose changes are told by keyspace events.",
        schema: || schemars::schema_for!(ConnectionMetadata),
    };
    registry.configuration.add(descriptor, |config| async move {
        let metadata = ConnectionMetadata::read(&config.properties)?;
        let store: Arc<dyn Store> = Arc::new(RedisConfiguration::new(&metadata)?);
        Ok(store)
    });
}

/// The store. It connects when it is first used.
#[derive(Debug)]
pub struct RedisConfiguration {
    connections: Arc<Connections>,
    database: i64,
    is_cluster: bool,
    closing: CancellationToken,
}

impl RedisConfiguration {
    /// Prepares the store; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub fn new(metadata: &ConnectionMetadata) -> Result<Self> {
        let (database, is_cluster) = (metadata.redis_db, metadata.is_cluster());
        let connections = Arc::new(Connections::new(metadata)?);
        Ok(Self { connections, database, is_cluster, closing: CancellationToken::new() })
    }
}

#[async_trait]
impl Store for RedisConfiguration {
    async fn get(&self, keys: &[String], _: &Metadata) -> Result<Items> {
        if !keys.is_empty() {
            return items(&self.connections, keys).await;
        }
        items(&self.connections, &self.connections.keys("*").await?).await
    }

    /// While the server is away nothing is told; when it is back, everything.
    async fn subscribe(&self, keys: Vec<String>, _: Metadata, notify: Arc<dyn Notify>) -> Result<Subscription> {
        if self.is_cluster {
            return Err(Error::unsupported(
                "a Redis cluster has no keyspace events for all of its nodes; use redisType node",
            ));
        }
        let events = Events { connections: Arc::clone(&self.connections), database: self.database, keys };
        let mut outage = Outage::default();
        let listening = match events.listen().await {
            Err(error) if error.is_temporary() => {
                outage.failed();
                tracing::warn!(target: SCOPE, "configuration.redis: subscribing is tried again: {error}");
                None
            }
            listening => Some(listening?),
        };
        let follower = Follower { events, notify, outage };
        Ok(Subscription::new(Task::until(self.closing.clone(), follower.run(listening))))
    }

    async fn ping(&self) -> Result<()> {
        self.connections.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.closing.cancel();
        self.connections.close();
        Ok(())
    }
}

/// The items of keys that are texts and not empty.
async fn items(connections: &Connections, keys: &[String]) -> Result<Items> {
    let mut items = Items::new();
    for key in keys {
        match connections.run::<Option<String>>(redis::cmd("GET").arg(key)).await {
            Ok(text) => items.extend(text.and_then(|text| item(&text)).map(|item| (key.clone(), item))),
            Err(error) if error.to_string().contains("WRONGTYPE") => {}
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}

fn item(text: &str) -> Option<Item> {
    let mut parts = text.split("||");
    let value = parts.next().filter(|value| !value.is_empty())?;
    let version = parts.next().unwrap_or_default();
    Some(Item { value: value.to_owned(), version: version.to_owned(), ..Item::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_versions() {
        let shown = |text| item(text).map(|item| (item.value, item.version));
        let both = |value: &str, version: &str| Some((value.to_owned(), version.to_owned()));
        assert_eq!([shown("a||1"), shown("a"), shown("a||1||2")], [both("a", "1"), both("a", ""), both("a", "1")]);
        assert_eq!([shown(""), shown("||1")], [None, None]);
    }
}
