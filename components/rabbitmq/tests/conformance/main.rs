//! The common suite over the components of this crate. A server takes a while to start, so tests share some.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod tls;

use bytes::Bytes;
use component_api::binding::{Binding, Request};
use component_api::pubsub::{Broker, PublishRequest, Verdict};
use component_api::{Kind, Metadata as Pairs, Properties, Result};
use component_rabbitmq::binding::{self, RabbitBinding};
use component_rabbitmq::pubsub::{Metadata, RabbitBroker};
use conformance::binding::forgetful;
use conformance::patience::{until_it_works, within};
use conformance::pubsub::client::{inbox, next, pairs, publish, ready, subscribe, subscribe_with};
use conformance::server::Server;
use std::net::SocketAddr;
use std::sync::Arc;

#[tokio::test]
#[ignore = "needs rabbitmq: run ./test components"]
async fn broker() {
    let server = Server::rabbitmq().await;
    let at = server.address();
    let subject = conformance::pubsub::Subject {
        open: Box::new(move |app: &str| ready(open(at, app, &[]))),
        ordered: false,
        shared: true,
        redelivers: true,
        keeps: false,
        carries_metadata: false,
        pattern: ("", ""),
    };
    conformance::pubsub::run(&subject).await;
    dead_letters(at).await;
    properties(at).await;
    other_settings(at).await;
}

#[tokio::test]
#[ignore = "needs rabbitmq: run ./test components"]
async fn crash_points() {
    let open = |at: SocketAddr, app: &str| ready(open(at, app, &[]));
    let subject = conformance::pubsub::crash::Subject {
        open: Box::new(open),
        server: Server::rabbitmq().await,
        keeps: false,
        shared: true,
    };
    conformance::pubsub::crash::run(&subject).await;
}

/// What the app fails to handle goes to the dead letters, with the names that Dapr gives them; what is under way when the
/// subscription ends does not.
async fn dead_letters(at: SocketAddr) {
    let broker = open(at, "app", &[("requeueInFailure", "false"), ("enableDeadLetter", "true")]);
    let (mut inbox, subscription) = subscribe_with(&*broker, "dead", &[], |_| Verdict::Retry).await;
    publish(&*broker, "dead", "1", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "1");
    let reader = open(at, "reader", &[("enableDeadLetter", "false")]);
    // The exchange of the dead letters is a topic like any other.
    let (mut letters, _letters) = subscribe(&*reader, "dlx-app-dead", &[("queueName", "letters")]).await;
    publish(&*broker, "dead", "2", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "2");
    assert_eq!(next(&mut letters).await.data, "2");
    within(subscription.close()).await;
}

/// Properties of the request are those of the message, which a subscriber may ask for.
async fn properties(at: SocketAddr) {
    let more = [("publishMessagePropertiesToMetadata", "true"), ("deliveryMode", "0")];
    let broker = open(at, "app", &more);
    let queue = [("maxPriority", "5"), ("queueType", "classic")];
    let (mut inbox, _subscription) = subscribe(&*broker, "properties", &queue).await;
    publish(&*broker, "properties", "1", &[("messageId", "m"), ("correlationId", "c"), ("priority", "3")]).await;
    let expected =
        pairs(&[("metadata.messageid", "m"), ("metadata.correlationid", "c"), ("metadata.contenttype", "text/plain")]);
    assert_eq!(next(&mut inbox).await.metadata, expected);
}

/// A queue that exists with other settings is an error that says so, not something to try for ever.
async fn other_settings(at: SocketAddr) {
    let broker = open(at, "app", &[]);
    let (_inbox, subscription) = subscribe(&*broker, "settings", &[]).await;
    let (app, _inbox) = inbox(|_| Verdict::Ack);
    let error = open(at, "app", &[("maxLen", "3")]).subscribe("settings", Pairs::new(), app).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    within(subscription.close()).await;
    broker.close().await.unwrap();
    assert!(broker.publish(PublishRequest::default()).await.is_err(), "it is closed");
}

#[tokio::test]
#[ignore = "needs rabbitmq: run ./test components"]
async fn inputs_and_outputs() {
    let server = Server::rabbitmq().await;
    let binding = queue(server.address());
    let thing = pairs(&[("color", "red")]);
    conformance::binding::run(&conformance::binding::Subject { binding: &binding, thing }).await;
    messages(&queue_named(server.address(), "messages")).await;
    secrets(server.address()).await;
    lost_and_found(&server).await;
}

/// Data and metadata come through; what the app failed to handle comes again.
async fn messages(binding: &RabbitBinding) {
    let (app, mut events) = forgetful();
    let subscription = binding.read(app).await.unwrap();
    create(binding, "one").await.unwrap();
    for _ in 0..2 {
        let event = within(events.recv()).await.unwrap();
        assert_eq!((event.data, event.metadata.get("color").map(String::as_str)), ("one".into(), Some("red")));
    }
    within(subscription.close()).await;
}

/// Neither errors nor debug output tell a password.
async fn secrets(at: SocketAddr) {
    let text = format!("amqp://nobody:very-secret@{at}");
    let binding = RabbitBinding::new(binding::Metadata {
        host: text.into(),
        queue_name: "q".to_owned(),
        ..binding::Metadata::default()
    })
    .unwrap();
    let error = binding.ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    assert!(!format!("{error} {error:?} {binding:?}").contains("very-secret"));
}

/// A binding finds its server when it comes up later, and again after it was away.
async fn lost_and_found(server: &Server) {
    let binding = queue_named(server.address(), "lost");
    for _ in 0..2 {
        server.kill().await;
        let error = create(&binding, "lost").await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        server.start().await;
        until_it_works(|| create(&binding, "found")).await;
    }
}

async fn create(binding: &RabbitBinding, text: &str) -> Result<()> {
    let (operation, metadata) = ("create".to_owned(), pairs(&[("color", "red")]));
    binding.invoke(Request { operation, data: Bytes::from(text.to_owned()), metadata }).await.map(drop)
}

fn queue(at: SocketAddr) -> RabbitBinding {
    queue_named(at, "things")
}

fn queue_named(at: SocketAddr, name: &str) -> RabbitBinding {
    let pairs = [("host", format!("amqp://{at}")), ("queueName", name.to_owned()), ("durable", "true".to_owned())];
    RabbitBinding::new(binding::Metadata::read(&Properties::from_iter(pairs)).unwrap()).unwrap()
}

fn open(at: SocketAddr, app: &str, more: &[(&str, &str)]) -> Arc<dyn Broker> {
    let own = [
        ("connectionString", format!("amqp://guest:guest@{at}")),
        ("deletedWhenUnused", "false".to_owned()),
        ("deliveryMode", "2".to_owned()),
        ("publisherConfirm", "true".to_owned()),
        ("requeueInFailure", "true".to_owned()),
        ("reconnectWaitSeconds", "100ms".to_owned()),
    ];
    let own = own.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    let pairs = own.chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Arc::new(RabbitBroker::new(Metadata::read(&Properties::from_iter(pairs), app).unwrap()).unwrap())
}
