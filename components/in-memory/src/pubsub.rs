//! A broker inside the process: for tests and for a single sidecar.
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, Message, PublishRequest, Subscription};
use component_api::{Descriptor, Error, Metadata, Registry, Result, Status, Task};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Messages that wait for one subscription; publishing waits when there are more.
const QUEUE: usize = 1024;

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["in-memory"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Publish/subscribe inside one sidecar; nothing outlives it.",
        schema: || schemars::schema_for!(NoMetadata),
    };
    registry.pubsub.add(descriptor, |_| async {
        let broker: Arc<dyn Broker> = Arc::new(InMemoryBroker::new());
        Ok(broker)
    });
}

/// There is nothing to set.
#[derive(schemars::JsonSchema)]
struct NoMetadata {}

/// Hands every message to all subscriptions of its topic, to each of them one at a time and in order.
///
/// A message that the subscriber refuses is not delivered again, and one that nobody subscribes to is gone, as in Dapr
/// (components.md 1.2). A subscribed topic that ends in `*` takes all topics that are longer than what stands before.
#[derive(Debug, Default)]
pub struct InMemoryBroker {
    queues: Arc<Mutex<Queues>>,
}

#[derive(Debug, Default)]
struct Queues {
    next: u64,
    closed: bool,
    all: BTreeMap<u64, (String, mpsc::Sender<Message>)>,
}

impl InMemoryBroker {
    /// A broker without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    fn queues_of(&self, topic: &str) -> Result<Vec<(String, mpsc::Sender<Message>)>> {
        let queues = lock(&self.queues);
        if queues.closed {
            return Err(Error::other("component is closed"));
        }
        let wanted = queues.all.values().filter(|(pattern, _)| matches(pattern, topic));
        Ok(wanted.cloned().collect())
    }

    fn add(&self, topic: &str) -> Result<(Registration, mpsc::Receiver<Message>)> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut queues = lock(&self.queues);
        if queues.closed {
            return Err(Error::other("component is closed"));
        }
        let id = queues.next;
        queues.next += 1;
        queues.all.insert(id, (topic.to_owned(), sender));
        Ok((Registration { id, queues: Arc::clone(&self.queues) }, receiver))
    }
}

#[async_trait]
impl Broker for InMemoryBroker {
    fn features(&self) -> Features {
        Features { subscribe_wildcards: true, ..Features::default() }
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        let queues = self.queues_of(&request.topic)?;
        let sends = queues.into_iter().map(|(topic, queue)| {
            let message =
                Message { topic, data: request.data.clone(), content_type: None, metadata: request.metadata.clone() };
            // A queue that is closed meanwhile belongs to a subscription that has ended.
            async move { queue.send(message).await.ok() }
        });
        join_all(sends).await;
        Ok(())
    }

    async fn subscribe(&self, topic: &str, _: Metadata, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        let (registration, mut queue) = self.add(topic)?;
        let task = Task::spawn(|stopping| async move {
            let _registration = registration;
            while let Some(Some(message)) = stopping.run_until_cancelled(queue.recv()).await {
                deliver.deliver(message).await;
            }
        });
        Ok(Subscription::new(task))
    }

    async fn close(&self) -> Result<()> {
        let mut queues = lock(&self.queues);
        queues.closed = true;
        queues.all.clear();
        Ok(())
    }
}

/// A subscription's place among the queues, given up when it ends.
struct Registration {
    id: u64,
    queues: Arc<Mutex<Queues>>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.queues).all.remove(&self.id);
    }
}

fn lock(queues: &Mutex<Queues>) -> MutexGuard<'_, Queues> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

fn matches(pattern: &str, topic: &str) -> bool {
    if pattern == topic {
        return true;
    }
    pattern.strip_suffix('*').is_some_and(|prefix| topic.starts_with(prefix) && topic != prefix)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_at_least_one_character() {
        assert!(matches("orders", "orders") && matches("orders*", "orders.new") && matches("*", "any"));
        assert!(!matches("orders*", "orders") && !matches("orders", "orders.new"));
    }
}
