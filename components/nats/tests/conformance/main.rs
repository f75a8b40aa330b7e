//! The common suite over the components of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod consumers;
mod credentials;

use async_nats::jetstream::{self, kv, stream};
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Features, PublishRequest, Subscription, Verdict};
use component_api::state::{DeleteRequest, Store};
use component_api::{Kind, Metadata as Pairs, Properties, Result};
use component_nats::pubsub::{JetStreamBroker, Metadata};
use component_nats::state::{self, JetStreamStore};
use conformance::patience::until_it_works;
use conformance::pubsub::client::{inbox, ready, request};
use conformance::server::Server;
use conformance::state::{get, json, set};
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn broker() {
    let server = server().await;
    let at = server.address();
    let subject = conformance::pubsub::Subject {
        open: Box::new(move |app: &str| ready(Arc::new(PerTopic::new(at, app)))),
        ordered: false,
        shared: true,
        redelivers: true,
        keeps: true,
        carries_metadata: false,
        pattern: ("", ""),
    };
    conformance::pubsub::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn crash_points() {
    let open = |at: SocketAddr, app: &str| ready(Arc::new(PerTopic::new(at, app)));
    let subject =
        conformance::pubsub::crash::Subject { open: Box::new(open), server: server().await, keeps: true, shared: true };
    conformance::pubsub::crash::run(&subject).await;
}

#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn values_in_a_bucket() {
    let server = server().await;
    let store = store(server.address());
    conformance::state::run_with_plain_keys(&store).await;
    same_bytes(&server, &store).await;
    let error = store.get(get("no key")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    lost_and_found(&server, &store).await;
    store.close().await.unwrap();
    assert!(store.get(get("a")).await.is_err(), "it is closed");
}

/// Keys and values are those that other clients of the bucket have.
async fn same_bytes(server: &Server, store: &JetStreamStore) {
    let bucket = jetstream(server).await.get_key_value("values").await.unwrap();
    store.set(set("app||type||key", json("1"))).await.unwrap();
    assert_eq!(bucket.get("app.type.key").await.unwrap().unwrap(), "1");
    bucket.put("app.other", "2".into()).await.unwrap();
    assert_eq!(store.get(get("app||other")).await.unwrap().unwrap().data, "2");
    bucket.purge("app.other").await.unwrap();
    assert_eq!(store.get(get("app||other")).await.unwrap(), None);
    store.delete(DeleteRequest { key: "app||type||key".to_owned(), ..DeleteRequest::default() }).await.unwrap();
    let entry = bucket.entry("app.type.key").await.unwrap().unwrap();
    assert_eq!(entry.operation, kv::Operation::Delete);
}

/// A store finds its server again after it was away, and one that comes up later.
async fn lost_and_found(server: &Server, store: &JetStreamStore) {
    let later = self::store(server.address());
    for store in [store, &later] {
        server.kill().await;
        let error = store.set(set("lost", json("1"))).await.unwrap_err();
        assert!(error.is_temporary(), "{error}");
        server.start().await;
        until_it_works(|| store.set(set("found", json("1")))).await;
    }
}

/// A bucket that is missing is told as such.
#[tokio::test]
#[ignore = "needs nats: run ./test components"]
async fn what_does_not_exist() {
    let server = Server::nats().await;
    let error = store(server.address()).ping().await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    let broker = open(server.address(), &[]);
    let error = broker.publish(request("nowhere", "1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    let error = broker.subscribe("nowhere", Pairs::new(), inbox(|_| Verdict::Ack).0).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    let error = broker.publish(request("no subject", "1")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
}

/// A server with a stream that has all topics of one part, and those below `deep`; and a bucket.
async fn server() -> Server {
    let server = Server::nats().await;
    let context = jetstream(&server).await;
    let subjects = vec!["*".to_owned(), "deep.>".to_owned()];
    let all = stream::Config { name: "all".to_owned(), subjects, ..stream::Config::default() };
    context.create_stream(all).await.unwrap();
    // The library's own way to make a bucket does not understand a server of that age.
    let values = stream::Config {
        name: "KV_values".to_owned(),
        subjects: vec!["$KV.values.>".to_owned()],
        max_messages_per_subject: 1,
        allow_rollup: true,
        allow_direct: true,
        deny_delete: true,
        ..stream::Config::default()
    };
    context.create_stream(values).await.unwrap();
    server
}

async fn jetstream(server: &Server) -> jetstream::Context {
    jetstream::new(async_nats::connect(server.address().to_string()).await.unwrap())
}

fn store(at: SocketAddr) -> JetStreamStore {
    let pairs = [("natsURL", format!("nats://{at}")), ("bucket", "values".to_owned())];
    JetStreamStore::new(&state::Metadata::read(&Properties::from_iter(pairs)).unwrap()).unwrap()
}

fn open(at: SocketAddr, more: &[(&str, &str)]) -> Arc<JetStreamBroker> {
    let own = [("natsURL", format!("nats://{at}"))];
    let pairs = own.into_iter().chain(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Arc::new(JetStreamBroker::new(Metadata::read(&Properties::from_iter(pairs)).unwrap()).unwrap())
}

/// A durable consumer is for one topic, so that an app has a component for each.
struct PerTopic {
    at: SocketAddr,
    app: String,
    own: Arc<JetStreamBroker>,
    others: Mutex<Vec<Arc<JetStreamBroker>>>,
}

impl PerTopic {
    fn new(at: SocketAddr, app: &str) -> Self {
        Self { at, app: app.to_owned(), own: open(at, &[]), others: Mutex::default() }
    }
}

#[async_trait]
impl Broker for PerTopic {
    fn features(&self) -> Features {
        self.own.features()
    }

    async fn publish(&self, request: PublishRequest) -> Result<()> {
        self.own.publish(request).await
    }

    async fn subscribe(&self, topic: &str, metadata: Pairs, deliver: Arc<dyn Deliver>) -> Result<Subscription> {
        let name = format!("{}-{topic}", self.app);
        let pairs = [("durableName", name.as_str()), ("queueGroupName", &self.app), ("ackWait", "1s")];
        let broker = open(self.at, &pairs);
        self.others.lock().unwrap().push(Arc::clone(&broker));
        broker.subscribe(topic, metadata, deliver).await
    }

    async fn close(&self) -> Result<()> {
        let others = std::mem::take(&mut *self.others.lock().unwrap());
        join_all(others.iter().map(|broker| broker.close())).await;
        self.own.close().await
    }
}
