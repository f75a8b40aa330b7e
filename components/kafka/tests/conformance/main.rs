//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod bindings;
mod groups;
mod messages;
mod schemas;
mod secured;

use async_trait::async_trait;
use bytes::Bytes;
use component_api::pubsub::{Broker, Deliver, Message, PublishRequest, Subscription, Verdict};
use component_api::{Metadata as Pairs, Properties};
use component_kafka::pubsub::KafkaBroker;
use conformance::server::{KafkaSettings, Server};
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn broker() {
    let server = Server::kafka().await;
    let at = server.address();
    let subject = conformance::pubsub::Subject {
        open: Box::new(move |app: &str| ready(open(at, app, &[("initialOffset", "oldest")]))),
        ordered: true,
        shared: true,
        redelivers: true,
        keeps: true,
        carries_metadata: true,
        pattern: ("", ""),
    };
    conformance::pubsub::run(&subject).await;
    conformance::pubsub::run_batches(&subject).await;
}

/// Messages of several partitions, for groups that begin with what comes.
#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn crash_points() {
    let server = Server::kafka_with(|_| KafkaSettings { partitions: 3, ..KafkaSettings::default() }).await;
    let open = |at: SocketAddr, app: &str| ready(open(at, app, &[]));
    let subject = conformance::pubsub::crash::Subject { open: Box::new(open), server, keeps: false, shared: true };
    conformance::pubsub::crash::run(&subject).await;
}

fn open(at: SocketAddr, app: &str, more: &[(&str, &str)]) -> Arc<KafkaBroker> {
    let brokers = at.to_string();
    let own = [
        ("brokers", brokers.as_str()),
        ("authType", "none"),
        ("sessionTimeout", "1s"),
        ("heartbeatInterval", "100ms"),
        ("backOffDuration", "50ms"),
    ];
    let own = own.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let properties = Properties::from_iter(own.chain(more.iter().copied()));
    Arc::new(KafkaBroker::read(&properties, app).unwrap())
}

async fn publish(broker: &dyn Broker, topic: &str, text: &str, metadata: &[(&str, &str)]) {
    let (topic, data) = (topic.to_owned(), Bytes::from(text.to_owned()));
    let request = PublishRequest { topic, data, content_type: None, metadata: pairs(metadata) };
    timeout(PATIENCE, broker.publish(request)).await.unwrap().unwrap();
}

async fn subscribe(
    broker: &dyn Broker,
    topic: &str,
    metadata: &[(&str, &str)],
) -> (UnboundedReceiver<Message>, Subscription) {
    let (sender, inbox) = unbounded_channel();
    let subscribed = broker.subscribe(topic, pairs(metadata), Arc::new(Inbox(sender)));
    (inbox, timeout(PATIENCE, subscribed).await.unwrap().unwrap())
}

async fn next(inbox: &mut UnboundedReceiver<Message>) -> Message {
    timeout(PATIENCE, inbox.recv()).await.unwrap().unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn ready(broker: Arc<KafkaBroker>) -> BoxFuture<'static, Arc<dyn Broker>> {
    Box::pin(std::future::ready(broker as Arc<dyn Broker>))
}

/// Is done with each message.
struct Inbox(UnboundedSender<Message>);

#[async_trait]
impl Deliver for Inbox {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(message).ok();
        Verdict::Ack
    }
}
