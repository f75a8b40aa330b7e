//! Publishers and subscribers, for this suite and for tests of what one broker has alone.
#![allow(clippy::expect_used)] // A trial that fails ends its test.
use crate::patience::within;
use async_trait::async_trait;
use bytes::Bytes;
use component_api::Metadata;
use component_api::pubsub::{Broker, Deliver, Message, PublishRequest, Subscription, Verdict};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A broker that need not be waited for.
pub fn ready(broker: Arc<dyn Broker>) -> BoxFuture<'static, Arc<dyn Broker>> {
    Box::pin(std::future::ready(broker))
}

/// Publishes a text.
///
/// # Panics
/// When that fails.
pub async fn publish(broker: &dyn Broker, topic: &str, text: &str, metadata: &[(&str, &str)]) {
    let request = PublishRequest { metadata: pairs(metadata), ..request(topic, text) };
    within(broker.publish(request)).await.expect("publish");
}

/// Subscribes for an app that is done with each message.
///
/// # Panics
/// When that fails.
pub async fn subscribe(
    broker: &dyn Broker,
    topic: &str,
    metadata: &[(&str, &str)],
) -> (UnboundedReceiver<Message>, Subscription) {
    subscribe_with(broker, topic, metadata, |_| Verdict::Ack).await
}

/// Subscribes for an app with that verdict on messages.
///
/// # Panics
/// When that fails.
pub async fn subscribe_with(
    broker: &dyn Broker,
    topic: &str,
    metadata: &[(&str, &str)],
    verdict: impl Fn(&Message) -> Verdict + Send + Sync + 'static,
) -> (UnboundedReceiver<Message>, Subscription) {
    let (app, messages) = inbox(verdict);
    let subscription = within(broker.subscribe(topic, pairs(metadata), app)).await;
    (messages, subscription.expect("subscribe"))
}

/// An app with that verdict on messages, and the messages that it got.
pub fn inbox(
    verdict: impl Fn(&Message) -> Verdict + Send + Sync + 'static,
) -> (Arc<dyn Deliver>, UnboundedReceiver<Message>) {
    let (sender, messages) = unbounded_channel();
    (Arc::new(Inbox(sender, verdict)), messages)
}

struct Inbox<F>(UnboundedSender<Message>, F);

#[async_trait]
impl<F: Fn(&Message) -> Verdict + Send + Sync> Deliver for Inbox<F> {
    async fn deliver(&self, message: Message) -> Verdict {
        let verdict = (self.1)(&message);
        self.0.send(message).ok();
        verdict
    }
}

/// The next message.
///
/// # Panics
/// When there is none.
pub async fn next(messages: &mut UnboundedReceiver<Message>) -> Message {
    within(messages.recv()).await.expect("the subscription goes on")
}

/// Texts of the next messages.
///
/// # Panics
/// When there are fewer.
pub async fn take(messages: &mut UnboundedReceiver<Message>, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        texts.push(text(&next(messages).await));
    }
    texts
}

/// What is to be published, without metadata.
pub fn request(topic: &str, text: &str) -> PublishRequest {
    PublishRequest { topic: topic.to_owned(), data: Bytes::from(text.to_owned()), ..PublishRequest::default() }
}

/// The text of a message.
pub fn text(message: &Message) -> String {
    String::from_utf8_lossy(&message.data).into_owned()
}

/// Metadata of those pairs.
pub fn pairs(pairs: &[(&str, &str)]) -> Metadata {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
