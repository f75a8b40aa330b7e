//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod tls;

use bytes::Bytes;
use component_api::binding::{Binding, Request};
use component_api::pubsub::{Broker, Message, Verdict};
use component_api::{Kind, Metadata as Pairs, Properties, Result};
use component_mqtt::binding::{self, MqttBinding};
use component_mqtt::pubsub::{Metadata, MqttBroker};
use conformance::binding::forgetful;
use conformance::patience::{until_it_works, within};
use conformance::pubsub::client::{self, inbox, next, publish, ready, request};
use conformance::server::Server;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc::UnboundedReceiver;

#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn broker() {
    let server = Server::mosquitto().await;
    let at = server.address();
    let subject = conformance::pubsub::Subject {
        open: Box::new(move |app: &str| ready(open(at, app, &[]))),
        ordered: false,
        shared: false,
        redelivers: true,
        keeps: false,
        carries_metadata: false,
        pattern: ("wild/+", "wild/cat"),
    };
    conformance::pubsub::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn crash_points() {
    let open = |at: SocketAddr, app: &str| ready(open(at, app, &[]));
    let server = Server::mosquitto().await;
    let subject = conformance::pubsub::crash::Subject { open: Box::new(open), server, keeps: false, shared: false };
    conformance::pubsub::crash::run(&subject).await;
}

/// What was published while an app was away is there when it comes back, even before it subscribes again.
#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn a_session_outlives_the_app() {
    let server = Server::mosquitto().await;
    let publisher = open(server.address(), "publisher", &[]);
    let (first, mut inbox) = subscribe(server.address(), "t", &[]).await;
    publish(&*publisher, "t", "1", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "1");
    first.close().await.unwrap();
    publish(&*publisher, "t", "2", &[]).await;
    let again = open(server.address(), "app", &[]);
    again.ping().await.unwrap();
    publish(&*publisher, "t", "3", &[]).await;
    let (mut inbox, _subscription) = client::subscribe(&*again, "t", &[]).await;
    let mut got = [next(&mut inbox).await.data, next(&mut inbox).await.data];
    got.sort();
    assert_eq!(got, ["2", "3"]);
}

/// The broker keeps a message for those who come later, who can see that it was kept; groups share messages.
#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn retained_and_shared() {
    let server = Server::mosquitto().await;
    let publisher = open(server.address(), "publisher", &[]);
    publish(&*publisher, "kept", "1", &[("retain", "true")]).await;
    let (_app, mut inbox) = subscribe(server.address(), "kept", &[]).await;
    let message = next(&mut inbox).await;
    assert_eq!((message.data.as_ref(), message.metadata["retained"].as_str()), (&b"1"[..], "true"));
    let (_other, mut inbox) = subscribe(server.address(), "$share/group/work/+", &[("consumerID", "other")]).await;
    publish(&*publisher, "work/a", "2", &[]).await;
    let message = next(&mut inbox).await;
    assert_eq!((message.data.as_ref(), message.topic.as_str()), (&b"2"[..], "work/a"));
    let error = publisher.publish(request("a/#", "")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    let large = vec![b'x'; 1 << 20];
    publish(&*publisher, "work/b", std::str::from_utf8(&large).unwrap(), &[]).await;
    assert_eq!(next(&mut inbox).await.data.len(), large.len());
}

#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn inputs_and_outputs() {
    let server = Server::mosquitto().await;
    let binding = topic(server.address(), "things");
    conformance::binding::run(&conformance::binding::Subject { binding: &binding, thing: Pairs::new() }).await;
    let binding = topic(server.address(), "messages");
    let (app, mut events) = forgetful();
    let subscription = binding.read(app).await.unwrap();
    create(&binding, "one").await.unwrap();
    for _ in 0..2 {
        let event = within(events.recv()).await.unwrap();
        assert_eq!((event.data.as_ref(), event.metadata["topic"].as_str()), (&b"one"[..], "messages"));
    }
    within(subscription.close()).await;
    binding.close().await.unwrap();
    assert!(create(&binding, "closed").await.is_err());
}

/// A binding finds its server when it comes up later, and again after it was away; errors tell no password.
#[tokio::test]
#[ignore = "needs mosquitto: run ./test components"]
async fn lost_and_found() {
    let server = Server::mosquitto().await;
    let binding = topic(server.address(), "lost");
    for _ in 0..2 {
        server.kill().await;
        let error = create(&binding, "lost").await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        assert!(!format!("{error} {error:?} {binding:?}").contains("very-secret"));
        server.start().await;
        until_it_works(|| create(&binding, "found")).await;
    }
}

async fn create(binding: &MqttBinding, text: &str) -> Result<()> {
    let (operation, metadata) = ("create".to_owned(), Pairs::new());
    binding.invoke(Request { operation, data: Bytes::from(text.to_owned()), metadata }).await.map(drop)
}

fn topic(at: SocketAddr, topic: &str) -> MqttBinding {
    let pairs = [("url", format!("mqtt://me:very-secret@{at}")), ("topic", topic.to_owned())];
    MqttBinding::new(binding::Metadata::read(&Properties::from_iter(pairs), topic).unwrap())
}

fn open(at: SocketAddr, app: &str, more: &[(&str, &str)]) -> Arc<dyn Broker> {
    let own = [("url", format!("mqtt://{at}"))];
    let pairs = own.into_iter().chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Arc::new(MqttBroker::new(&Metadata::read(&Properties::from_iter(pairs), app).unwrap()).unwrap())
}

/// The subscription lives as long as the broker, which ends it.
async fn subscribe(
    at: SocketAddr,
    topic: &str,
    more: &[(&str, &str)],
) -> (Arc<dyn Broker>, UnboundedReceiver<Message>) {
    let (broker, (app, inbox)) = (open(at, "app", more), inbox(|_| Verdict::Ack));
    let subscription = broker.subscribe(topic, Pairs::new(), app).await.unwrap();
    std::mem::forget(subscription);
    (broker, inbox)
}
