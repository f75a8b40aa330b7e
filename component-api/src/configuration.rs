//! Configuration stores.
use crate::pubsub::Subscription;
use crate::{Metadata, Result};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

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

    /// Ends background work and connections.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
