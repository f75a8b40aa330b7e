//! The common suite over the components of this crate. A server takes a while to start, so tests share some.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod tls;

use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Binding, Event, Handle, Request};
use component_api::pubsub::{Broker, Deliver, Message, PublishRequest, Verdict};
use component_api::{Error, Kind, Metadata as Pairs, Properties, Result};
use component_rabbitmq::binding::{self, RabbitBinding};
use component_rabbitmq::pubsub::{Metadata, RabbitBroker};
use conformance::server::Server;
use futures_util::future::BoxFuture;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

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
    let (sender, mut inbox) = unbounded_channel();
    let inbox_of_app = Arc::new(Inbox(sender, Verdict::Retry));
    let subscription = broker.subscribe("dead", Pairs::new(), inbox_of_app).await.unwrap();
    publish(&*broker, "dead", "1", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "1");
    let (sender, mut letters) = unbounded_channel();
    let letter_reader = open(at, "reader", &[("enableDeadLetter", "false")]);
    let queue = pairs(&[("queueName", "letters")]);
    // The exchange of the dead letters is a topic like any other.
    let reader = Arc::new(Inbox(sender, Verdict::Ack));
    let _letters = letter_reader.subscribe("dlx-app-dead", queue, reader).await.unwrap();
    publish(&*broker, "dead", "2", &[]).await;
    assert_eq!(next(&mut inbox).await.data, "2");
    assert_eq!(next(&mut letters).await.data, "2");
    timeout(PATIENCE, subscription.close()).await.unwrap();
}

/// Properties of the request are those of the message, which a subscriber may ask for.
async fn properties(at: SocketAddr) {
    let more = [("publishMessagePropertiesToMetadata", "true"), ("deliveryMode", "0")];
    let broker = open(at, "app", &more);
    let (sender, mut inbox) = unbounded_channel();
    let request = pairs(&[("maxPriority", "5"), ("queueType", "classic")]);
    let _subscription = broker.subscribe("properties", request, Arc::new(Inbox(sender, Verdict::Ack))).await.unwrap();
    publish(&*broker, "properties", "1", &[("messageId", "m"), ("correlationId", "c"), ("priority", "3")]).await;
    let expected =
        pairs(&[("metadata.messageid", "m"), ("metadata.correlationid", "c"), ("metadata.contenttype", "text/plain")]);
    assert_eq!(next(&mut inbox).await.metadata, expected);
}

/// A queue that exists with other settings is an error that says so, not something to try for ever.
async fn other_settings(at: SocketAddr) {
    let broker = open(at, "app", &[]);
    let (sender, _inbox) = unbounded_channel();
    let inbox = Arc::new(Inbox(sender, Verdict::Ack));
    let subscription = broker.subscribe("settings", Pairs::new(), inbox.clone()).await.unwrap();
    let error = open(at, "app", &[("maxLen", "3")]).subscribe("settings", Pairs::new(), inbox).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    timeout(PATIENCE, subscription.close()).await.unwrap();
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
    let (sender, mut inbox) = unbounded_channel();
    let app = Arc::new(App(sender, AtomicBool::new(true)));
    let subscription = binding.read(app).await.unwrap();
    create(binding, "one").await.unwrap();
    for _ in 0..2 {
        let event = timeout(PATIENCE, inbox.recv()).await.unwrap().unwrap();
        assert_eq!((event.data, event.metadata.get("color").map(String::as_str)), ("one".into(), Some("red")));
    }
    timeout(PATIENCE, subscription.close()).await.unwrap();
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
        let found = async {
            while let Err(error) = create(&binding, "found").await {
                assert!(error.is_temporary(), "{error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, found).await.unwrap();
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

async fn publish(broker: &dyn Broker, topic: &str, text: &str, metadata: &[(&str, &str)]) {
    let (topic, data) = (topic.to_owned(), Bytes::from(text.to_owned()));
    broker.publish(PublishRequest { topic, data, content_type: None, metadata: pairs(metadata) }).await.unwrap();
}

async fn next(inbox: &mut UnboundedReceiver<Message>) -> Message {
    timeout(PATIENCE, inbox.recv()).await.unwrap().unwrap()
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn ready(broker: Arc<dyn Broker>) -> BoxFuture<'static, Arc<dyn Broker>> {
    Box::pin(std::future::ready(broker))
}

struct Inbox(UnboundedSender<Message>, Verdict);

#[async_trait]
impl Deliver for Inbox {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(message).ok();
        self.1
    }
}

/// Fails at the first event.
struct App(UnboundedSender<Event>, AtomicBool);

#[async_trait]
impl Handle for App {
    async fn handle(&self, event: Event) -> Result<Bytes> {
        self.0.send(event).ok();
        if self.1.swap(false, Ordering::Relaxed) { Err(Error::other("not now")) } else { Ok(Bytes::new()) }
    }
}
