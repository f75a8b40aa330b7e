//! The loop of a subscription: tell what changed, and begin anew when the connection breaks.
use super::events::Events;
use super::items;
use crate::SCOPE;
use component_api::configuration::{Item, Items, Notify};
use component_api::{Outage, Result};
use futures_util::stream::{FuturesUnordered, StreamExt};
use redis::aio::PubSub;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Pause before the next try to listen.
const PAUSE: Duration = Duration::from_secs(1);

/// A subscription to changes.
pub(super) struct Follower {
    pub(super) events: Events,
    pub(super) notify: Arc<dyn Notify>,
    pub(super) outage: Outage,
}

impl Follower {
    /// Tells of changes for ever.
    pub(super) async fn run(mut self, listening: Option<PubSub>) {
        if let Some(listening) = listening {
            self.tell_changes(listening).await;
        }
        loop {
            sleep(PAUSE).await;
            match self.events.listen().await {
                Ok(listening) => {
                    if self.outage.worked() {
                        tracing::info!(target: SCOPE, "configuration.redis: changes are told again");
                    }
                    self.tell_all().await;
                    self.tell_changes(listening).await;
                }
                Err(error) if self.outage.failed() => {
                    tracing::warn!(target: SCOPE, "configuration.redis: no changes are told for now: {error}");
                }
                Err(_) => {}
            }
        }
    }

    /// Returns when the connection breaks. Keys that change while the app is told of another wait for their turn, each
    /// once, so that a slow app makes no queue of changes.
    async fn tell_changes(&self, mut listening: PubSub) {
        let mut messages = listening.on_message();
        let (mut changed, mut telling) = (BTreeSet::new(), FuturesUnordered::new());
        loop {
            if telling.is_empty()
                && let Some(key) = changed.pop_first()
            {
                telling.push(self.tell(key));
            }
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => changed.extend(self.events.key(message.get_channel_name()).map(str::to_owned)),
                    None => break,
                },
                Some(()) = telling.next() => {}
            }
        }
        while telling.next().await.is_some() {}
        for key in changed {
            self.tell(key).await;
        }
    }

    async fn tell(&self, key: String) {
        match self.current(&key).await {
            Ok(item) => self.notify.changed(Items::from([(key, item)])).await,
            Err(error) => {
                tracing::warn!(target: SCOPE, "configuration.redis: a change of {key} is not told: {error}")
            }
        }
    }

    /// An item without a value is one that was deleted.
    async fn current(&self, key: &str) -> Result<Item> {
        let mut found = items(&self.events.connections, &[key.to_owned()]).await?;
        Ok(found.remove(key).unwrap_or_default())
    }

    /// What may have changed while nobody listened.
    async fn tell_all(&self) {
        let keys = match self.events.keys.is_empty() {
            true => self.events.connections.keys("*").await,
            false => Ok(self.events.keys.clone()),
        };
        let found = match keys {
            Ok(keys) => items(&self.events.connections, &keys).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) if !found.is_empty() => self.notify.changed(found).await,
            Ok(_) => {}
            Err(error) => tracing::warn!(target: SCOPE, "configuration.redis: changes may be missing: {error}"),
        }
    }
}
