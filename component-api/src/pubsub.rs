//! Publish/subscribe brokers.
mod time_to_live;

pub use time_to_live::time_to_live;

use crate::{Error, Metadata, Result, Task};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use std::sync::Arc;
use std::time::Duration;

/// What a broker can do. It decides what the runtime does in its place and what the metadata API lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `MESSAGE_TTL`: the broker drops messages after `ttlInSeconds` by itself.
    pub message_ttl: bool,
    /// `SUBSCRIBE_WILDCARDS`: topics of a subscription may be patterns.
    pub subscribe_wildcards: bool,
    /// `BULK_PUBSUB`: several messages are published in one call.
    pub bulk_publish: bool,
    /// `BULK_SUBSCRIBE_IMMEDIATE`: bulks come as the broker has them, with no need to collect.
    pub bulk_subscribe_immediate: bool,
}

/// A message to publish.
#[derive(Clone, Debug, Default)]
pub struct PublishRequest {
    pub topic: String,
    pub data: Bytes,
    pub content_type: Option<String>,
    pub metadata: Metadata,
}

/// One message of a bulk.
#[derive(Clone, Debug, Default)]
pub struct BulkEntry {
    /// Unique in its bulk.
    pub entry_id: String,
    pub data: Bytes,
    pub content_type: Option<String>,
    pub metadata: Metadata,
}

/// A message that could not be published.
#[derive(Debug)]
pub struct FailedEntry {
    pub entry_id: String,
    pub error: Error,
}

/// A message as it came from the broker.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub topic: String,
    pub data: Bytes,
    pub content_type: Option<String>,
    pub metadata: Metadata,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done; the broker may forget it.
    Ack,
    /// It shall come again.
    Retry,
    /// It shall not come again, though it was not done.
    Drop,
}

/// Takes messages of a subscription. The broker keeps a message until the verdict is there.
#[async_trait]
pub trait Deliver: Send + Sync {
    async fn deliver(&self, message: Message) -> Verdict;

    /// How many messages it would have in one batch; brokers that work message by message need not look at it.
    fn batch_size(&self) -> usize {
        1
    }

    /// How long messages of a batch may wait for more of them, if it is said; for brokers that collect batches.
    fn batch_wait(&self) -> Option<Duration> {
        None
    }

    /// Takes messages of one topic together, in their order, and no more than [`Deliver::batch_size`]. Returns the
    /// verdict of each.
    async fn deliver_batch(&self, messages: Vec<Message>) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(messages.len());
        for message in messages {
            verdicts.push(self.deliver(message).await);
        }
        verdicts
    }
}

/// Whether the app may still publish after its subscriptions have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    /// For a while.
    GoesOn,
    /// Hardly any more; a message that nobody would get is better refused.
    Ends,
}

/// A running subscription. Dropping it ends it at once: what has no verdict then comes again.
#[derive(Debug)]
pub struct Subscription(Task);

impl Subscription {
    /// A subscription that lives in one task.
    pub fn new(task: Task) -> Self {
        Self(task)
    }

    /// Takes no more messages, waits for the verdicts of those in flight, and ends.
    pub async fn close(self) {
        self.0.close().await;
    }
}

/// How many messages are published at once where a broker has no bulk operation of its own.
const BULK_PARALLELISM: usize = 100;

/// A message broker.
#[async_trait]
pub trait Broker: Send + Sync {
    fn features(&self) -> Features;

    /// Publishes a message; returns when the broker has it as safely as it promises.
    async fn publish(&self, request: PublishRequest) -> Result<()>;

    /// Delivers messages of a topic until the subscription is closed or dropped. Returns once the subscription
    /// exists: messages published from then on are delivered.
    async fn subscribe(&self, topic: &str, metadata: Metadata, deliver: Arc<dyn Deliver>) -> Result<Subscription>;

    /// Publishes many messages; returns those that failed.
    async fn bulk_publish(&self, topic: &str, entries: Vec<BulkEntry>, _metadata: Metadata) -> Vec<FailedEntry> {
        publish_each(self, topic, entries).await
    }

    /// Asks for no more messages, for brokers that send them ahead; those that are on their way are still delivered
    /// before the subscriptions close. Called when the sidecar ends.
    async fn pause(&self, _publishing: Publishing) -> Result<()> {
        Ok(())
    }

    /// Makes the first contact with the server behind it, if there is one.
    ///
    /// # Errors
    /// It cannot be reached, or does not let us in.
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    /// Ends background work and connections; later calls fail.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Publishes many messages, each by itself; returns those that failed.
pub async fn publish_each(broker: &(impl Broker + ?Sized), topic: &str, entries: Vec<BulkEntry>) -> Vec<FailedEntry> {
    let publish = |entry: BulkEntry| async move {
        let BulkEntry { entry_id, data, content_type, metadata } = entry;
        let request = PublishRequest { topic: topic.to_owned(), data, content_type, metadata };
        broker.publish(request).await.err().map(|error| FailedEntry { entry_id, error })
    };
    let results = stream::iter(entries.into_iter().map(publish)).buffered(BULK_PARALLELISM);
    results.filter_map(|failed| async { failed }).collect().await
}
