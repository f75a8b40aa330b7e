//! Keyspace events: the server's word that a key changed.
use crate::SCOPE;
use crate::connection::Connections;
use component_api::Result;
use redis::aio::PubSub;
use std::sync::Arc;

/// Kinds of events that are needed: of keyspaces, generic, of texts, expired and evicted.
const KINDS: &str = "Kg$xe";

/// Events of some keys, or of all when none are named.
#[derive(Debug)]
pub(super) struct Events {
    pub(super) connections: Arc<Connections>,
    pub(super) database: i64,
    pub(super) keys: Vec<String>,
}

impl Events {
    /// Begins to listen.
    pub(super) async fn listen(&self) -> Result<PubSub> {
        self.switch_on().await;
        let mut listening = self.connections.pubsub().await?;
        let subscribed = if self.keys.is_empty() {
            listening.psubscribe(self.channel("*")).await
        } else {
            let channels: Vec<_> = self.keys.iter().map(|key| self.channel(key)).collect();
            listening.subscribe(channels).await
        };
        subscribed.map_err(|error| self.connections.translate(&error))?;
        Ok(listening)
    }

    /// The key that an event is about.
    pub(super) fn key<'a>(&self, channel: &'a str) -> Option<&'a str> {
        channel.strip_prefix(self.channel("").as_str())
    }

    fn channel(&self, key: &str) -> String {
        format!("__keyspace@{}__:{key}", self.database)
    }

    /// Adds the kinds to those that are on. Servers that do not let us have to be set up for it.
    async fn switch_on(&self) {
        let ask = redis::cmd("CONFIG").arg("GET").arg("notify-keyspace-events").to_owned();
        let on = self.connections.run::<Vec<String>>(&ask).await.ok().and_then(|answer| answer.get(1).cloned());
        let on = on.unwrap_or_default();
        let has = |kind| on.contains(kind) || (on.contains('A') && kind != 'K');
        let missing: String = KINDS.chars().filter(|kind| !has(*kind)).collect();
        if missing.is_empty() {
            return;
        }
        let set = redis::cmd("CONFIG").arg("SET").arg("notify-keyspace-events").arg(on + &missing).to_owned();
        if let Err(error) = self.connections.run::<()>(&set).await {
            tracing::warn!(target: SCOPE, "configuration.redis: set notify-keyspace-events to {KINDS} on the server: {error}");
        }
    }
}
