//! A broker inside the process: for tests and for a single sidecar.
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, Message, PublishRequest, Publishing, Subscription};
use component_api::{Descriptor, Error, Kind, Metadata, Registry, Result, Status, Task};
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
    paused: Option<Publishing>,
    all: BTreeMap<u64, (String, mpsc::Sender<Message>)>,
    /// Topics that had subscriptions until publishing ended.
    ended: Vec<String>,
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
        if queues.ended.iter().any(|pattern| matches(pattern, topic)) {
            return Err(Error::new(Kind::Unavailable, "the sidecar is ending and nobody would get the message"));
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
            while let Some(Some(message)) = stopping.run_until_cancelled(queue.recv()).await {
                deliver.deliver(message).await;
            }
            if registration.end() {
                while let Some(message) = queue.recv().await {
                    deliver.deliver(message).await;
                }
            }
        });
        Ok(Subscription::new(task))
    }

    /// What was accepted is delivered before a subscription closes: nothing outlives this broker.
    async fn pause(&self, publishing: Publishing) -> Result<()> {
        lock(&self.queues).paused = Some(publishing);
        Ok(())
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

impl Registration {
    /// Takes no more messages; whether those that wait are to be delivered.
    fn end(self) -> bool {
        let queues = &mut *lock(&self.queues);
        let topic = queues.all.remove(&self.id).map(|(topic, _)| topic);
        queues.ended.extend(topic.filter(|_| queues.paused == Some(Publishing::Ends)));
        queues.paused.is_some()
    }
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
    use super::*;
    use component_api::pubsub::Verdict;
    use tokio::sync::{Semaphore, mpsc::UnboundedSender};

    /// Tells what it gets, and takes its time.
    struct Slow(UnboundedSender<Message>, Arc<Semaphore>);

    #[async_trait]
    impl Deliver for Slow {
        async fn deliver(&self, message: Message) -> Verdict {
            self.1.acquire().await.unwrap().forget();
            self.0.send(message).unwrap();
            Verdict::Ack
        }
    }

    fn message(topic: &str) -> PublishRequest {
        PublishRequest { topic: topic.to_owned(), ..PublishRequest::default() }
    }

    #[tokio::test]
    async fn what_was_accepted_before_the_end_is_delivered_and_nothing_is_accepted_after_it() {
        let (broker, allowed) = (InMemoryBroker::new(), Arc::new(Semaphore::new(0)));
        let (sender, mut delivered) = mpsc::unbounded_channel();
        let slow = Arc::new(Slow(sender, Arc::clone(&allowed)));
        let subscription = broker.subscribe("topic", Metadata::new(), slow).await.unwrap();
        for _ in 0..3 {
            broker.publish(message("topic")).await.unwrap();
        }
        broker.pause(Publishing::Ends).await.unwrap();
        allowed.add_permits(3);
        subscription.close().await;
        let all: Vec<_> = std::iter::from_fn(|| delivered.try_recv().ok()).collect();
        assert_eq!(all.len(), 3);
        assert_eq!(broker.publish(message("topic")).await.unwrap_err().kind(), Kind::Unavailable);
        broker.publish(message("other")).await.unwrap();
    }

    #[test]
    fn a_star_stands_for_at_least_one_character() {
        assert!(matches("orders", "orders") && matches("orders*", "orders.new") && matches("*", "any"));
        assert!(!matches("orders*", "orders") && !matches("orders", "orders.new"));
    }
}
