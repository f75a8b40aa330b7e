//! Configuration stores.
use crate::pubsub::Subscription;
use crate::{Metadata, Result, Task};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// A configuration value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Item {
    pub value: String,
    pub version: String,
    pub metadata: Metadata,
}

/// Items by key.
pub type Items = BTreeMap<String, Item>;

/// Takes changes of a subscription; a deleted key comes as an item without value and version.
#[async_trait]
pub trait Notify: Send + Sync {
    async fn changed(&self, items: Items);
}

/// A store of configuration that apps read and follow.
#[async_trait]
pub trait Store: Send + Sync {
    /// The items of these keys; no keys are all keys. Unknown keys are left out.
    async fn get(&self, keys: &[String], metadata: &Metadata) -> Result<Items>;

    /// Tells of changes of these keys (no keys are all keys) until the subscription is closed or dropped.
    async fn subscribe(&self, keys: Vec<String>, metadata: Metadata, notify: Arc<dyn Notify>) -> Result<Subscription>;

    /// Makes the first contact with the server behind it, if there is one.
    ///
    /// # Errors
    /// It cannot be reached, or does not let us in.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// Ends background work and connections.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// A subscription to a store that always has all of its items at hand. Changes that come faster than they are taken are
/// told together.
pub fn follow(mut items: watch::Receiver<Arc<Items>>, keys: Vec<String>, notify: Arc<dyn Notify>) -> Subscription {
    let mut known = Arc::clone(&items.borrow_and_update());
    Subscription::new(Task::spawn(|stopping| async move {
        while let Some(Ok(())) = stopping.run_until_cancelled(items.changed()).await {
            let current = Arc::clone(&items.borrow_and_update());
            let changed = changes(&known, &current, &keys);
            known = current;
            if !changed.is_empty() {
                notify.changed(changed).await;
            }
        }
    }))
}

/// What is new, other or gone among these keys (no keys are all keys).
fn changes(before: &Items, after: &Items, keys: &[String]) -> Items {
    let written = after.iter().filter(|(key, item)| before.get(*key) != Some(item));
    let written = written.map(|(key, item)| (key.clone(), item.clone()));
    let deleted = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), Item::default()));
    written.chain(deleted).filter(|(key, _)| keys.is_empty() || keys.contains(key)).collect()
}
