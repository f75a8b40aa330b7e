//! The common suite over the components of this crate.
use component_api::pubsub::Broker;
use component_in_memory::{InMemoryBroker, InMemoryStore};
use conformance::pubsub::Subject;
use std::sync::Arc;

#[tokio::test]
async fn broker() {
    let open = |_: &str| {
        let broker: Arc<dyn Broker> = Arc::new(InMemoryBroker::new());
        Box::pin(async move { broker }) as _
    };
    let subject = Subject { open: Box::new(open), ordered: true, shared: false, redelivers: false };
    conformance::pubsub::run(&subject).await;
}

#[tokio::test]
async fn store() {
    conformance::state::run(&InMemoryStore::new()).await;
}
