//! A broker inside the process: for tests and for a single sidecar.
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, Message, PublishRequest, Publishing, Subscription};
use component_api::{Descriptor, Error, Kind, Metadata, Registry, Result, Status, Task};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Messages that wait for one subscription, and bytes in them; publishing waits when there are more.
const QUEUE: usize = 1024;
const QUEUE_BYTES: usize = 32 << 20;

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

/// Hands every message to all subscriptions of its topic, to each of them one at a time and in order, so that a bulk has
/// one message, as in Dapr.
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
    all: BTreeMap<u64, Queue>,
    /// Topics that had subscriptions until publishing ended.
    ended: Vec<String>,
}

/// The way to one subscription.
#[derive(Clone, Debug)]
struct Queue {
    /// As it was subscribed to.
    topic: String,
    messages: mpsc::Sender<Waiting>,
    /// Permits for bytes.
    room: Arc<Semaphore>,
}

/// A message, and the room it takes until it is handed out.
#[derive(Debug)]
struct Waiting {
    message: Message,
    _room: OwnedSemaphorePermit,
}

impl Waiting {
    /// The message, whose room is free again.
    fn handed_out(self) -> Message {
        self.message
    }
}

impl Queue {
    /// Waits for room. A queue that is closed belongs to a subscription that has ended.
    async fn send(self, request: &PublishRequest) {
        let bytes = u32::try_from(request.data.len().clamp(1, QUEUE_BYTES)).unwrap_or(u32::MAX);
        let Ok(room) = self.room.acquire_many_owned(bytes).await else { return };
        let PublishRequest { data, metadata, .. } = request.clone();
        let message = Message { topic: self.topic, data, content_type: None, metadata };
        self.messages.send(Waiting { message, _room: room }).await.ok();
    }
}

impl InMemoryBroker {
    /// A broker without subscriptions.
    pub fn new() -> Self {
        Self::default()
    }

    fn queues_of(&self, topic: &str) -> Result<Vec<Queue>> {
        let queues = lock(&self.queues);
        if queues.closed {
            return Err(Error::other("component is closed"));
        }
        if queues.ended.iter().any(|pattern| matches(pattern, topic)) {
            return Err(Error::new(Kind::Unavailable, "the sidecar is ending and nobody would get the message"));
        }
        let wanted = queues.all.values().filter(|queue| matches(&queue.topic, topic));
        Ok(wanted.cloned().collect())
    }

    fn add(&self, topic: &str) -> Result<(Registration, mpsc::Receiver<Waiting>)> {
        let (messages, receiver) = mpsc::channel(QUEUE);
        let room = Arc::new(Semaphore::new(QUEUE_BYTES));
        let mut queues = lock(&self.queues);
        if queues.closed {
            return Err(Error::other("component is closed"));
        }
        let id = queues.next;
        queues.next += 1;
        queues.all.insert(id, Queue { topic: topic.to_owned(), messages, room: Arc::clone(&room) });
        Ok((Registration { id, room, queues: Arc::clone(&self.queues) }, receiver))
    }
}

#[async_trait]
impl Broker for InMemoryBroker {
    fn features(&self) -> Features {
        Features { subscribe_wildcards: true, ..Features::default() }
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        let queues = self.queues_of(&request.topic)?;
        let sends = queues.into_iter().map(|queue| queue.send(&request));
        join_all(sends).await;
        Ok(())
    }

    async fn subscribe(&self, topic: &str, _: Metadata, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        let (registration, mut queue) = self.add(topic)?;
        let task = Task::spawn(|stopping| async move {
            loop {
                let waiting = tokio::select! {
                    biased;
                    () = stopping.cancelled() => break,
                    waiting = queue.recv() => waiting,
                };
                let Some(waiting) = waiting else { break };
                deliver.deliver(waiting.handed_out()).await;
            }
            if registration.end() {
                while let Some(waiting) = queue.recv().await {
                    deliver.deliver(waiting.handed_out()).await;
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
    room: Arc<Semaphore>,
    queues: Arc<Mutex<Queues>>,
}

impl Registration {
    /// Takes no more messages; whether those that wait are to be delivered.
    fn end(&self) -> bool {
        let queues = &mut *lock(&self.queues);
        let topic = queues.all.remove(&self.id).map(|queue| queue.topic);
        queues.ended.extend(topic.filter(|_| queues.paused == Some(Publishing::Ends)));
        queues.paused.is_some()
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&self.queues).all.remove(&self.id);
        self.room.close();
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
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::watch;

    #[test]
    fn a_star_stands_for_at_least_one_character() {
        assert!(matches("orders", "orders") && matches("orders*", "orders.new") && matches("*", "any"));
        assert!(!matches("orders*", "orders") && !matches("orders", "orders.new"));
    }

    /// Waits until it may go on.
    struct Slow {
        go_on: watch::Receiver<bool>,
        done: AtomicUsize,
    }

    #[async_trait]
    impl Deliver for Slow {
        async fn deliver(&self, _: Message) -> Verdict {
            self.go_on.clone().wait_for(|go_on| *go_on).await.ok();
            self.done.fetch_add(1, Ordering::Relaxed);
            Verdict::Ack
        }
    }

    #[tokio::test]
    async fn what_was_accepted_before_the_end_is_delivered_and_nothing_is_accepted_after_it() {
        let broker = InMemoryBroker::new();
        let (permit, go_on) = watch::channel(false);
        let slow = Arc::new(Slow { go_on, done: AtomicUsize::new(0) });
        let subscription = broker.subscribe("topic", Metadata::new(), Arc::<Slow>::clone(&slow)).await.unwrap();
        let message = |topic: &str| PublishRequest { topic: topic.to_owned(), ..<_>::default() };
        for _ in 0..3 {
            broker.publish(message("topic")).await.unwrap();
        }
        broker.pause(Publishing::Ends).await.unwrap();
        permit.send(true).unwrap();
        subscription.close().await;
        assert_eq!(slow.done.load(Ordering::Relaxed), 3);
        assert_eq!(broker.publish(message("topic")).await.unwrap_err().kind(), Kind::Unavailable);
        broker.publish(message("other")).await.unwrap();
    }

    #[tokio::test]
    async fn large_messages_wait_at_the_publisher() {
        let broker = InMemoryBroker::new();
        let (permit, go_on) = watch::channel(false);
        let slow = Arc::new(Slow { go_on, done: AtomicUsize::new(0) });
        let deliver: Arc<dyn Deliver> = Arc::<Slow>::clone(&slow);
        let subscription = broker.subscribe("large", Metadata::new(), deliver).await.unwrap();
        let large =
            || PublishRequest { topic: "large".to_owned(), data: vec![0; QUEUE_BYTES].into(), ..<_>::default() };
        let mut published = 0;
        let mut publishing = Box::pin(async {
            for _ in 0..4 {
                broker.publish(large()).await.unwrap();
                published += 1;
            }
        });
        // Often enough for everything to happen that can.
        for _ in 0..100 {
            tokio::select! { () = &mut publishing => break, () = tokio::task::yield_now() => {} }
        }
        drop(publishing);
        assert_eq!(published, 2, "one is at work, one waits, and then there is no room");
        permit.send(true).unwrap();
        subscription.close().await;
        assert!(broker.publish(large()).await.is_ok(), "nobody is there any more");
    }
}
