//! What every broker must show (components.md 4.2).
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
mod batches;
pub mod client;
pub mod crash;

use crate::patience::within;
use crate::trial::trial;
use async_trait::async_trait;
use bytes::Bytes;
use client::{next, pairs, request, take, text};
use component_api::Metadata;
use component_api::pubsub::{Broker, BulkEntry, Deliver, Message, PublishRequest, Subscription, Verdict};
use futures_util::future::{BoxFuture, join_all};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Opens one more broker on the same backend for the app of that id.
pub type Open = Box<dyn Fn(&str) -> BoxFuture<'static, Arc<dyn Broker>> + Send + Sync>;

/// A broker under test and what it promises beyond its features.
pub struct Subject {
    pub open: Open,
    /// First deliveries of a topic come in the order of publishing.
    pub ordered: bool,
    /// Several brokers can be opened on one backend; those of one app share its messages.
    pub shared: bool,
    /// What was refused, or had no verdict, comes again; if ordered, before what was published after it.
    pub redelivers: bool,
    /// What was published before anybody subscribed is kept for who comes later.
    pub keeps: bool,
    /// Metadata of a message reach the subscriber.
    pub carries_metadata: bool,
    /// A pattern of topics and a topic that fits it, for those that know patterns.
    pub pattern: (&'static str, &'static str),
}

/// Runs all trials that fit the broker.
///
/// # Panics
/// When the broker fails one.
pub async fn run(subject: &Subject) {
    trial("pubsub: delivery", delivers(subject)).await;
    trial("pubsub: failures stand alone", failures_stand_alone(subject)).await;
    trial("pubsub: two topics", two_topics(subject)).await;
    trial("pubsub: bulk", bulk(subject)).await;
    trial("pubsub: many publishers", many_publishers(subject)).await;
    trial("pubsub: close", closing(subject)).await;
    let features = subject.broker("app").await.features();
    if features.subscribe_wildcards {
        trial("pubsub: wildcards", wildcards(subject)).await;
    }
    if features.message_ttl {
        trial("pubsub: time to live", time_to_live(subject)).await;
    }
    if subject.shared {
        trial("pubsub: competing consumers", competing_consumers(subject)).await;
    }
    if subject.redelivers {
        trial("pubsub: redelivery", redelivery(subject)).await;
    }
    if subject.keeps {
        trial("pubsub: late subscribers", late_subscribers(subject)).await;
    }
    if subject.keeps && features.bulk_subscribe_immediate {
        run_batches(subject).await;
    }
}

/// Runs the trial of brokers that collect batches by themselves.
///
/// # Panics
/// When the broker fails it.
pub async fn run_batches(subject: &Subject) {
    trial("pubsub: batches", batches::run(subject)).await;
}

async fn delivers(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (mut inbox, _subscription) = subscribe(&*broker, "delivers", |_| Verdict::Ack).await;
    for number in 0..10 {
        publish(&*broker, "delivers", &number.to_string()).await;
    }
    let got = take(&mut inbox, 10).await;
    subject.same(&got, (0..10).map(|number| number.to_string()));
    if !subject.carries_metadata {
        return;
    }
    let request = PublishRequest { metadata: pairs(&[("color", "red")]), ..request("delivers", "with metadata") };
    broker.publish(request).await.expect("publish with metadata");
    let message = next(&mut inbox).await;
    assert_eq!(message.metadata.get("color").map(String::as_str), Some("red"), "metadata comes along");
    assert_eq!(message.topic, "delivers");
}

/// A failed message neither blocks nor loses the others.
async fn failures_stand_alone(subject: &Subject) {
    let broker = subject.broker("app").await;
    let failing = |number: usize| number < 2 || number.is_multiple_of(5);
    let seen = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let verdict = move |message: &Message| {
        let number = text(message).parse().unwrap_or_default();
        let first = seen.lock().is_ok_and(|mut seen| seen.insert(number));
        if first && failing(number) { Verdict::Retry } else { Verdict::Ack }
    };
    let (mut inbox, _subscription) = subscribe(&*broker, "failing", verdict).await;
    for number in 0..10 {
        publish(&*broker, "failing", &number.to_string()).await;
    }
    let again = if subject.redelivers { (0..10).filter(|number| failing(*number)).count() } else { 0 };
    let got = take(&mut inbox, 10 + again).await;
    if subject.ordered && subject.redelivers {
        assert!(got.is_sorted(), "a failed message holds back those behind it: {got:?}");
    }
    let mut first = BTreeSet::new();
    let firsts: Vec<String> = got.into_iter().filter(|text| first.insert(text.clone())).collect();
    subject.same(&firsts, (0..10).map(|number| number.to_string()));
}

/// Each subscription gets its own topic only; one ends without the other.
async fn two_topics(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (mut first_inbox, first) = subscribe(&*broker, "first", |_| Verdict::Ack).await;
    let (mut second_inbox, second) = subscribe(&*broker, "second", |_| Verdict::Ack).await;
    publish(&*broker, "first", "1").await;
    publish(&*broker, "second", "2").await;
    assert_eq!(text(&next(&mut first_inbox).await), "1");
    assert_eq!(text(&next(&mut second_inbox).await), "2");
    within(first.close()).await;
    publish(&*broker, "first", "3").await;
    publish(&*broker, "second", "4").await;
    assert_eq!(text(&next(&mut second_inbox).await), "4");
    assert!(first_inbox.recv().await.is_none(), "a closed subscription gets nothing more");
    within(second.close()).await;
}

async fn bulk(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (mut inbox, _subscription) = subscribe(&*broker, "bulk", |_| Verdict::Ack).await;
    let entry = |number: usize| BulkEntry {
        entry_id: format!("id-{number}"),
        data: Bytes::from(number.to_string()),
        ..BulkEntry::default()
    };
    let failed = broker.bulk_publish("bulk", (0..10).map(entry).collect(), Metadata::new()).await;
    assert!(failed.is_empty(), "{failed:?}");
    let got: BTreeSet<String> = take(&mut inbox, 10).await.into_iter().collect();
    assert_eq!(got, (0..10).map(|number| number.to_string()).collect());
}

async fn many_publishers(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (mut inbox, _subscription) = subscribe(&*broker, "many", |_| Verdict::Ack).await;
    let texts: BTreeSet<String> = (0..100).map(|number| number.to_string()).collect();
    within(join_all(texts.iter().map(|text| publish(&*broker, "many", text)))).await;
    let got: BTreeSet<String> = take(&mut inbox, 100).await.into_iter().collect();
    assert_eq!(got, texts);
}

async fn closing(subject: &Subject) {
    let broker = subject.broker("closing").await;
    let (_inbox, _subscription) = subscribe(&*broker, "closing", |_| Verdict::Ack).await;
    within(broker.close()).await.expect("close");
    assert!(broker.publish(request("closing", "x")).await.is_err(), "a closed broker refuses messages");
}

async fn wildcards(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (mut inbox, _subscription) = subscribe(&*broker, subject.pattern.0, |_| Verdict::Ack).await;
    publish(&*broker, "tame", "1").await;
    publish(&*broker, subject.pattern.1, "2").await;
    assert_eq!(text(&next(&mut inbox).await), "2");
}

/// What nobody took in time is not delivered to who comes later.
async fn time_to_live(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (_, subscription) = subscribe(&*broker, "ttl", |_| Verdict::Ack).await;
    within(subscription.close()).await;
    for (seconds, text) in [("0", "late"), ("600", "in time")] {
        let metadata = pairs(&[("ttlInSeconds", seconds)]);
        broker.publish(PublishRequest { metadata, ..request("ttl", text) }).await.expect("publish");
    }
    let (mut inbox, _subscription) = subscribe(&*broker, "ttl", |_| Verdict::Ack).await;
    assert_eq!(text(&next(&mut inbox).await), "in time");
}

/// Those of one app share the messages; those of another app get all of them too.
async fn competing_consumers(subject: &Subject) {
    let brokers = join_all(["same", "same", "other"].map(|app| subject.broker(app))).await;
    let mut inboxes = Vec::new();
    let mut subscriptions = Vec::new();
    for broker in &brokers {
        let (inbox, subscription) = subscribe(&**broker, "shared", |_| Verdict::Ack).await;
        inboxes.push(inbox);
        subscriptions.push(subscription);
    }
    let texts: BTreeSet<String> = (0..20).map(|number| number.to_string()).collect();
    for text in &texts {
        publish(&*brokers[0], "shared", text).await;
    }
    let other: BTreeSet<String> = take(&mut inboxes[2], 20).await.into_iter().collect();
    assert_eq!(other, texts, "another app has its own copy");
    let (left, right) = inboxes.split_at_mut(1);
    let mut got = Vec::new();
    while got.len() < 20 {
        let message = within(async {
            tokio::select! { one = left[0].recv() => one, one = right[0].recv() => one }
        })
        .await;
        got.push(text(&message.expect("a message")));
    }
    assert_eq!(got.iter().cloned().collect::<BTreeSet<_>>(), texts, "each message goes to one of the two");
}

/// What had no verdict when its subscription was dropped goes to the next one.
async fn redelivery(subject: &Subject) {
    let broker = subject.broker("app").await;
    let (sender, mut inbox) = unbounded_channel();
    let stuck = broker.subscribe("again", Metadata::new(), Arc::new(Stuck(sender))).await.expect("subscribe");
    publish(&*broker, "again", "1").await;
    assert_eq!(text(&next(&mut inbox).await), "1");
    drop(stuck);
    let (mut inbox, _subscription) = subscribe(&*broker, "again", |_| Verdict::Ack).await;
    assert_eq!(text(&next(&mut inbox).await), "1");
}

/// Whether publisher or subscriber starts first does not matter. Each has a topic of its own: what all groups that are known
/// have handled may be gone when another one comes.
async fn late_subscribers(subject: &Subject) {
    let publisher = subject.broker("publisher").await;
    for topic in ["late", "later"] {
        for number in 0..5 {
            publish(&*publisher, topic, &number.to_string()).await;
        }
        let broker = subject.broker(topic).await;
        let (mut inbox, _subscription) = subscribe(&*broker, topic, |_| Verdict::Ack).await;
        let got = take(&mut inbox, 5).await;
        subject.same(&got, (0..5).map(|number| number.to_string()));
    }
}

impl Subject {
    async fn broker(&self, app_id: &str) -> Arc<dyn Broker> {
        within((self.open)(app_id)).await
    }

    fn same(&self, got: &[String], expected: impl Iterator<Item = String>) {
        let (mut got, mut expected) = (got.to_vec(), expected.collect::<Vec<_>>());
        if !self.ordered {
            got.sort();
            expected.sort();
        }
        assert_eq!(got, expected);
    }
}

/// Takes messages and never says a word.
struct Stuck(UnboundedSender<Message>);

#[async_trait]
impl Deliver for Stuck {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(message).ok();
        std::future::pending().await
    }
}

async fn subscribe(
    broker: &dyn Broker,
    topic: &str,
    verdict: impl Fn(&Message) -> Verdict + Send + Sync + 'static,
) -> (UnboundedReceiver<Message>, Subscription) {
    client::subscribe_with(broker, topic, &[], verdict).await
}

async fn publish(broker: &dyn Broker, topic: &str, text: &str) {
    client::publish(broker, topic, text, &[]).await;
}
