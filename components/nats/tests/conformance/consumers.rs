//! What consumers do with the settings that JetStream has.
use super::{open, server};
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Message, Subscription, Verdict};
use component_api::{Kind, Metadata as Pairs};
use component_nats::pubsub::JetStreamBroker;
use conformance::patience::{PATIENCE, within};
use conformance::pubsub::client::{self, next, publish, request, take};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{sleep, timeout};

#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn where_consumers_begin() {
    let server = server().await;
    let at = server.address();
    let publisher = open(at, &[]);
    for number in 1..=3 {
        publish(&*publisher, "begin", &number.to_string(), &[]).await;
    }
    let policies: [(&[_], &[_]); 5] = [
        (&[], &["1", "2", "3", "4"]),
        (&[("deliverPolicy", "new")], &["4"]),
        (&[("deliverPolicy", "last")], &["3", "4"]),
        (&[("deliverPolicy", "sequence"), ("startSequence", "2")], &["2", "3", "4"]),
        (&[("deliverPolicy", "time"), ("startTime", "1"), ("streamName", "all")], &["1", "2", "3", "4"]),
    ];
    let mut subscriptions = Vec::new();
    for (settings, expected) in policies {
        let (subscription, inbox) = subscribe(at, "begin", settings, Verdict::Ack).await;
        subscriptions.push((subscription, inbox, expected));
    }
    publish(&*publisher, "begin", "4", &[]).await;
    for (_, inbox, expected) in &mut subscriptions {
        assert_eq!(take(inbox, expected.len()).await, *expected);
    }
}

/// A topic may be a pattern, an event that is there already is not kept twice, and the server waits for who is slow.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn patterns_and_flow_control() {
    let server = server().await;
    let settings = [("heartbeat", "100ms"), ("flowControl", "true")];
    let (_subscription, mut inbox) = subscribe(server.address(), "deep.*.end", &settings, Verdict::Ack).await;
    let publisher = open(server.address(), &[]);
    for _ in 0..2 {
        publish(&*publisher, "deep.a.end", r#"{"id":"same"}"#, &[]).await;
    }
    for number in 0..500 {
        publish(&*publisher, "deep.b.end", &format!("{number} {}", "x".repeat(1000)), &[]).await;
    }
    let message = next(&mut inbox).await;
    assert_eq!((message.topic.as_str(), message.metadata["Topic"].as_str()), ("deep.*.end", "deep.a.end"));
    let numbers: Vec<_> = take(&mut inbox, 500).await.iter().map(|text| first_word(text)).collect();
    assert_eq!(numbers, (0..500).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// Who has other settings is refused; who has the same ones takes over when the other one ends.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn one_consumer_for_several() {
    let server = server().await;
    let at = server.address();
    let durable = [("durableName", "durable"), ("ackWait", "1s")];
    let (first, mut inbox) = subscribe(at, "taken", &durable, Verdict::Ack).await;
    for (topic, settings) in [("other", &durable[..]), ("taken", &[durable[0], ("ackWait", "2s")][..])] {
        let error =
            open(at, settings).subscribe(topic, Pairs::new(), client::inbox(|_| Verdict::Ack).0).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
    }
    let (_second, mut inbox_of_second) = subscribe(at, "taken", &durable, Verdict::Ack).await;
    let publisher = open(at, &[]);
    publish(&*publisher, "taken", "1", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "1");
    first.0.close().await;
    publish(&*publisher, "taken", "2", &[]).await;
    assert_eq!(next(&mut inbox_of_second).await.data, "2");
}

/// A consumer that the server forgets is made anew, and goes on where it stopped.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn a_consumer_that_is_lost() {
    let server = server().await;
    let (_subscription, mut inbox) =
        subscribe(server.address(), "lost", &[("deliverPolicy", "new")], Verdict::Ack).await;
    let publisher = open(server.address(), &[]);
    for round in 0..3 {
        publish(&*publisher, "lost", &format!("{round} before"), &[]).await;
        assert_eq!(next(&mut inbox).await.data, format!("{round} before"));
        // The answer has arrived when the server has nothing more to ask.
        publisher.ping().await.unwrap();
        sleep(Duration::from_millis(100)).await;
        server.kill().await;
        server.start().await;
        let text = format!("{round} after");
        let insist = async {
            while publisher.publish(request("lost", &text)).await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        within(insist).await;
        while next(&mut inbox).await.data != text {}
    }
}

/// An acknowledgement of all messages before one does not cover what failed.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn all_before() {
    let server = server().await;
    let at = server.address();
    let settings = [("durableName", "all"), ("ackPolicy", "all"), ("ackWait", "500ms"), ("concurrency", "parallel")];
    let publisher = open(at, &[]);
    for number in 0..20 {
        publish(&*publisher, "all", &number.to_string(), &[]).await;
    }
    let app = App::failing_once("7");
    let broker = open(at, &settings);
    let subscription = broker.subscribe("all", Pairs::new(), app.clone()).await.unwrap();
    app.expect(|seen| seen.len() == 20 && seen["7"] == 2).await;
    within(subscription.close()).await;
    broker.close().await.unwrap();
    let (_subscription, mut inbox) = subscribe(at, "all", &settings, Verdict::Ack).await;
    publish(&*publisher, "all", "end", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "end", "all others were acknowledged");
}

/// What waits for its turn does not come twice, however slow the app is; and what would not come again is handled before
/// the end.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn slow_apps() {
    let server = server().await;
    let at = server.address();
    let publisher = open(at, &[]);
    for topic in ["slow", "once"] {
        for number in 0..15 {
            publish(&*publisher, topic, &number.to_string(), &[]).await;
        }
    }
    let app = App::slow(Duration::from_millis(100));
    let patient = open(at, &[("durableName", "slow"), ("ackWait", "300ms")]);
    let _subscription = patient.subscribe("slow", Pairs::new(), app.clone()).await.unwrap();
    app.expect(|seen| seen.len() == 15).await;
    app.expect(|seen| seen.values().all(|times| *times == 1)).await;
    for settings in [[("durableName", "once"), ("maxDeliver", "1")], [("durableName", "none"), ("ackPolicy", "none")]] {
        let app = App::slow(Duration::from_millis(20));
        let subscription = open(at, &settings).subscribe("once", Pairs::new(), app.clone()).await.unwrap();
        app.expect(|seen| !seen.is_empty()).await;
        within(subscription.close()).await;
        app.expect(|seen| seen.len() == 15).await;
    }
}

/// What the app failed to handle at its last try does not come again, and neither does it stop the others.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn last_tries() {
    let server = server().await;
    let settings = [("durableName", "tries"), ("maxDeliver", "2"), ("ackWait", "100ms")];
    let (_subscription, mut inbox) = subscribe(server.address(), "tries", &settings, Verdict::Retry).await;
    let publisher = open(server.address(), &[]);
    publish(&*publisher, "tries", "1", &[]).await;
    assert_eq!(take(&mut inbox, 2).await, ["1", "1"]);
    publish(&*publisher, "tries", "2", &[]).await;
    assert_eq!(take(&mut inbox, 2).await, ["2", "2"]);
}

/// The subscription lives as long as its broker.
async fn subscribe(
    at: SocketAddr,
    topic: &str,
    settings: &[(&str, &str)],
    verdict: Verdict,
) -> ((Subscription, Arc<JetStreamBroker>), UnboundedReceiver<Message>) {
    let (broker, (app, inbox)) = (open(at, settings), client::inbox(move |_| verdict));
    let subscription = broker.subscribe(topic, Pairs::new(), app).await.unwrap();
    ((subscription, broker), inbox)
}

fn first_word(text: &str) -> String {
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// An app that counts what it gets.
struct App {
    seen: Mutex<BTreeMap<String, usize>>,
    changed: tokio::sync::Notify,
    takes: Duration,
    fails_once: Option<&'static str>,
}

impl App {
    fn slow(takes: Duration) -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), changed: Default::default(), takes, fails_once: None })
    }

    fn failing_once(text: &'static str) -> Arc<Self> {
        let (seen, changed) = (Mutex::default(), Default::default());
        Arc::new(Self { seen, changed, takes: Duration::ZERO, fails_once: Some(text) })
    }

    async fn expect(&self, is_so: impl Fn(&BTreeMap<String, usize>) -> bool) {
        let wait = async {
            loop {
                let changed = self.changed.notified();
                if is_so(&self.seen.lock().unwrap()) {
                    return;
                }
                changed.await;
            }
        };
        let came = timeout(PATIENCE, wait).await;
        assert!(came.is_ok(), "{:?}", self.seen.lock().unwrap());
    }
}

#[async_trait]
impl Deliver for App {
    async fn deliver(&self, message: Message) -> Verdict {
        let text = String::from_utf8_lossy(&message.data).into_owned();
        sleep(self.takes).await;
        let times = {
            let mut seen = self.seen.lock().unwrap();
            let times = seen.entry(text.clone()).or_default();
            *times += 1;
            *times
        };
        self.changed.notify_waiters();
        if times == 1 && self.fails_once == Some(text.as_str()) { Verdict::Retry } else { Verdict::Ack }
    }
}
