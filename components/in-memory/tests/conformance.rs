//! The common suite over the components of this crate.
use component_api::configuration::{Item, Items};
use component_api::pubsub::Broker;
use component_in_memory::{InMemoryBroker, InMemoryConfiguration, InMemoryLocks, InMemoryStore};
use conformance::{configuration, pubsub};
use std::sync::Arc;

#[tokio::test]
async fn broker() {
    let open = |_: &str| {
        let broker: Arc<dyn Broker> = Arc::new(InMemoryBroker::new());
        Box::pin(async move { broker }) as _
    };
    let subject = pubsub::Subject {
        open: Box::new(open),
        ordered: true,
        shared: false,
        redelivers: false,
        keeps: false,
        carries_metadata: true,
        pattern: ("wild*", "wild.cat"),
    };
    pubsub::run(&subject).await;
}

#[tokio::test]
async fn store() {
    conformance::state::run(&InMemoryStore::new()).await;
}

#[tokio::test]
async fn configuration() {
    let store = Arc::new(InMemoryConfiguration::new(Items::new()));
    let written = Arc::clone(&store);
    let update = move |key: String, item: Option<Item>| {
        match item {
            Some(item) => written.set(&key, item),
            None => written.remove(&key),
        }
        Box::pin(async {}) as _
    };
    configuration::run(&configuration::Subject {
        store,
        update: Box::new(update),
        versions: true,
        deletions_tell_the_item: false,
    })
    .await;
}

#[tokio::test]
async fn locks() {
    conformance::lock::run(&[&InMemoryLocks::new()]).await;
}
