//! Groups: where they begin, what they keep, and what becomes of messages that fail.
use super::open;
use async_trait::async_trait;
use component_api::Metadata as Pairs;
use component_api::pubsub::{Broker, Deliver, Message, Publishing, Verdict};
use conformance::patience::within;
use conformance::pubsub::client::{next, publish, subscribe};
use conformance::server::{KafkaSettings, Server};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn groups() {
    let server = Server::kafka_with(|_| KafkaSettings { partitions: 3, ..KafkaSettings::default() }).await;
    beginnings(&server).await;
    given_up(&server).await;
    not_tried_again(&server).await;
    paused(&server).await;
    for strategy in ["range", "roundrobin", "sticky"] {
        strategies(&server, strategy).await;
    }
    without_brokers(&server).await;
}

/// A subscription ends although nobody can be told.
async fn without_brokers(server: &Server) {
    let broker = open(server.address(), "app", &[]);
    let (mut inbox, subscription) = subscribe(&*broker, "without", &[]).await;
    publish(&*broker, "without", "1", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "1");
    server.kill().await;
    within(subscription.close()).await;
    within(broker.close()).await.unwrap();
}

/// A group that begins with the newest gets what comes after it subscribed, even what nobody took before its member was gone.
async fn beginnings(server: &Server) {
    let publisher = open(server.address(), "publisher", &[]);
    publish(&*publisher, "beginnings", "before", &[("partitionNumber", "0")]).await;
    let broker = open(server.address(), "new", &[]);
    let (app, mut got) = app(|_| None);
    let subscription = broker.subscribe("beginnings", Pairs::new(), app).await.unwrap();
    publish(&*publisher, "beginnings", "after", &[("partitionNumber", "0")]).await;
    assert_eq!(text(&mut got).await, "after");
    drop(subscription);
    let (mut inbox, subscription) = subscribe(&*broker, "beginnings", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "after", "it was never done");
    within(subscription.close()).await;
    let broker = open(server.address(), "old", &[("initialOffset", "oldest")]);
    let (mut inbox, subscription) = subscribe(&*broker, "beginnings", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "before");
    within(subscription.close()).await;
}

/// After so many tries a message is passed over.
async fn given_up(server: &Server) {
    let broker = open(server.address(), "app", &[("backOffMaxRetries", "2"), ("backOffDuration", "10ms")]);
    let (app, mut got) = app(|text| Some(if text == "bad" { Verdict::Retry } else { Verdict::Ack }));
    let subscription = broker.subscribe("given-up", Pairs::new(), app).await.unwrap();
    for message in ["bad", "good"] {
        publish(&*broker, "given-up", message, &[("partitionNumber", "1")]).await;
    }
    for expected in ["bad", "bad", "bad", "good"] {
        assert_eq!(text(&mut got).await, expected);
    }
    within(subscription.close()).await;
}

async fn not_tried_again(server: &Server) {
    let broker = open(server.address(), "app", &[("consumeRetryEnabled", "false")]);
    let (app, mut got) = app(|_| Some(Verdict::Retry));
    let subscription = broker.subscribe("once", Pairs::new(), app).await.unwrap();
    for message in ["1", "2"] {
        publish(&*broker, "once", message, &[("partitionNumber", "1")]).await;
    }
    assert_eq!([text(&mut got).await, text(&mut got).await], ["1", "2"]);
    within(subscription.close()).await;
}

/// A sidecar that ends takes no more messages; they wait for the next one.
async fn paused(server: &Server) {
    let broker = open(server.address(), "app", &[]);
    let (mut inbox, subscription) = subscribe(&*broker, "paused", &[]).await;
    publish(&*broker, "paused", "1", &[("partitionNumber", "0")]).await;
    assert_eq!(next(&mut inbox).await.data, "1");
    broker.pause(Publishing::GoesOn).await.unwrap();
    publish(&*broker, "paused", "2", &[("partitionNumber", "0")]).await;
    within(subscription.close()).await;
    assert!(inbox.recv().await.is_none(), "the subscription got nothing more");
    let broker = open(server.address(), "app", &[]);
    let (mut inbox, _subscription) = subscribe(&*broker, "paused", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "2");
}

/// Two members share the partitions; when one goes, the other has them all.
async fn strategies(server: &Server, strategy: &str) {
    let more = [("consumerGroupRebalanceStrategy", strategy), ("initialOffset", "oldest")];
    let (one, two) = (open(server.address(), strategy, &more), open(server.address(), strategy, &more));
    let (mut first, _first) = subscribe(&*one, strategy, &[]).await;
    let (mut second, leaving) = subscribe(&*two, strategy, &[]).await;
    let mut partitions = [BTreeSet::new(), BTreeSet::new()];
    while partitions.iter().any(BTreeSet::is_empty) || partitions.iter().map(BTreeSet::len).sum::<usize>() != 3 {
        for partition in ["0", "1", "2"] {
            publish(&*one, strategy, "x", &[("partitionNumber", partition)]).await;
        }
        partitions = [take(&mut first).await, take(&mut second).await];
    }
    within(leaving.close()).await;
    let mut all = BTreeSet::new();
    while all.len() < 3 {
        for partition in ["0", "1", "2"] {
            publish(&*one, strategy, "x", &[("partitionNumber", partition)]).await;
        }
        all.append(&mut take(&mut first).await);
    }
}

/// Partitions of the messages that come until none has come for a while.
async fn take(inbox: &mut UnboundedReceiver<Message>) -> BTreeSet<String> {
    let mut partitions = BTreeSet::new();
    while let Ok(Some(message)) = timeout(Duration::from_millis(300), inbox.recv()).await {
        partitions.insert(message.metadata["__partition"].clone());
    }
    partitions
}

async fn text(got: &mut UnboundedReceiver<String>) -> String {
    within(got.recv()).await.unwrap()
}

/// An app that says what becomes of a message; it never ends with those that it says nothing of.
struct App<F>(F, UnboundedSender<String>);

fn app<F>(verdict: F) -> (Arc<dyn Deliver>, UnboundedReceiver<String>)
where
    F: Fn(&str) -> Option<Verdict> + Send + Sync + 'static,
{
    let (sender, got) = unbounded_channel();
    (Arc::new(App(verdict, sender)), got)
}

#[async_trait]
impl<F: Fn(&str) -> Option<Verdict> + Send + Sync> Deliver for App<F> {
    async fn deliver(&self, message: Message) -> Verdict {
        let text = String::from_utf8_lossy(&message.data).into_owned();
        let verdict = (self.0)(&text);
        self.1.send(text).ok();
        match verdict {
            Some(verdict) => verdict,
            None => std::future::pending().await,
        }
    }
}
