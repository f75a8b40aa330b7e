//! A configuration store inside the process, whose items stand in the component's own metadata.
use async_trait::async_trait;
use component_api::configuration::{Item, Items, Notify, Store, follow};
use component_api::pubsub::Subscription;
use component_api::{Descriptor, Metadata, Properties, Registry, Result, Status};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// Between a value and its version, as in Dapr's Redis store.
const SEPARATOR: &str = "||";

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["in-memory"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Configuration items that stand in the metadata of the component; for tests.",
        schema: || schemars::schema_for!(AnyMetadata),
    };
    registry.configuration.add(descriptor, |config| async move {
        let store: Arc<dyn Store> = Arc::new(InMemoryConfiguration::from(&config.properties));
        Ok(store)
    });
}

/// Each name is a key. Its value is that of the item, with `||` and the version after it if there is one.
#[derive(schemars::JsonSchema)]
struct AnyMetadata {
    #[schemars(flatten)]
    _items: BTreeMap<String, String>,
}

/// Keeps items in a map.
#[derive(Debug)]
pub struct InMemoryConfiguration(watch::Sender<Arc<Items>>);

impl InMemoryConfiguration {
    /// A store with these items.
    pub fn new(items: Items) -> Self {
        Self(watch::Sender::new(Arc::new(items)))
    }

    /// Writes an item.
    pub fn set(&self, key: &str, item: Item) {
        self.0.send_modify(|items| drop(Arc::make_mut(items).insert(key.to_owned(), item)));
    }

    /// Deletes an item, if there is one.
    pub fn remove(&self, key: &str) {
        self.0.send_modify(|items| drop(Arc::make_mut(items).remove(key)));
    }
}

impl From<&Properties> for InMemoryConfiguration {
    fn from(properties: &Properties) -> Self {
        Self::new(properties.iter().map(|(key, text)| (key.to_owned(), item(text))).collect())
    }
}

fn item(text: &str) -> Item {
    let (value, version) = text.split_once(SEPARATOR).unwrap_or((text, ""));
    Item { value: value.to_owned(), version: version.to_owned(), metadata: Metadata::new() }
}

#[async_trait]
impl Store for InMemoryConfiguration {
    async fn get(&self, keys: &[String], _: &Metadata) -> Result<Items> {
        let items = Arc::clone(&self.0.borrow());
        if keys.is_empty() {
            return Ok(Items::clone(&items));
        }
        Ok(keys
            .iter()
            .filter_map(|key| items.get_key_value(key))
            .map(|(key, item)| (key.clone(), item.clone()))
            .collect())
    }

    async fn subscribe(&self, keys: Vec<String>, _: Metadata, notify: Arc<dyn Notify>) -> Result<Subscription> {
        Ok(follow(self.0.subscribe(), keys, notify))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn metadata_is_the_content() {
        let properties = Properties::from_iter([("orders.limit", "10||v2"), ("Name", "plain")]);
        let items = InMemoryConfiguration::from(&properties).get(&[], &Metadata::new()).await.unwrap();
        let shown: Vec<_> =
            items.iter().map(|(key, item)| (key.as_str(), item.value.as_str(), item.version.as_str())).collect();
        assert_eq!(shown, [("Name", "plain", ""), ("orders.limit", "10", "v2")]);
    }
}
