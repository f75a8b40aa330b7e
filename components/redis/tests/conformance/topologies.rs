//! Clusters, sentinels and TLS: the same operations over other kinds of connections.
use async_trait::async_trait;
use component_api::pubsub::{Broker, Deliver, Message, PublishRequest, Verdict};
use component_api::state::{Operation, SetRequest, Store, Value};
use component_api::{Metadata, Properties};
use component_redis::pubsub::{self, RedisStreams};
use component_redis::state::{self, RedisStore};
use conformance::server::Server;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn cluster() {
    let server = Server::redis_with(|_| words("--cluster-enabled yes")).await;
    let mut admin = crate::client(server.address()).await;
    redis::cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(0).arg(16383).exec_async(&mut admin).await.unwrap();
    let is_up = async {
        while !redis::cmd("CLUSTER").arg("INFO").query_async::<String>(&mut admin).await.unwrap().contains("state:ok") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), is_up).await.unwrap();
    works(&[("redisHost", &server.address().to_string()), ("redisType", "cluster")]).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn sentinels() {
    let master = Server::redis().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sentinel.conf");
    let port = master.address().port();
    std::fs::write(&file, format!("sentinel monitor main 127.0.0.1 {port} 1\n")).unwrap();
    let file = file.to_string_lossy().into_owned();
    let sentinel = Server::redis_with(|_| vec![file, "--sentinel".to_owned()]).await;
    let host = sentinel.address().to_string();
    works(&[("redisHost", &host), ("failover", "true"), ("sentinelMasterName", "main")]).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn tls() {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_string_lossy().into_owned();
    std::fs::write(folder.path().join("certificate"), pair.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key"), pair.signing_key.serialize_pem()).unwrap();
    let options = |port| {
        words(&format!(
            "--port 0 --tls-port {port} --tls-cert-file {place}/certificate --tls-key-file {place}/key
             --tls-ca-cert-file {place}/certificate --tls-auth-clients no"
        ))
    };
    let server = Server::redis_with(options).await;
    let host = format!("localhost:{}", server.address().port());
    works(&[("redisHost", &host), ("enableTLS", "true"), ("insecureSkipTLSVerify", "true")]).await;
    let store = RedisStore::new(read(&[("redisHost", &host), ("enableTLS", "true")])).unwrap();
    let error = store.keys_like("%", None, None).await.unwrap_err();
    assert!(error.is_temporary() && error.to_string().contains("certificate"), "nobody signed it: {error}");
}

/// State and messages come through.
async fn works(pairs: &[(&str, &str)]) {
    let store = RedisStore::new(read(pairs)).unwrap();
    let set = |number: usize| Operation::Set(request(&format!("key-{number}")));
    store.transact((0..10).map(set).collect(), Metadata::new()).await.unwrap();
    store.set(request("key-10")).await.unwrap();
    assert_eq!(store.keys_like("key-%", None, None).await.unwrap().keys.len(), 11);
    let metadata = pubsub::Metadata::read(&Properties::from_iter(pairs.iter().copied()), "app").unwrap();
    let broker = RedisStreams::new(metadata).unwrap();
    let (sender, mut inbox) = unbounded_channel();
    let subscription = broker.subscribe("topic", Metadata::new(), Arc::new(Inbox(sender))).await.unwrap();
    let message = PublishRequest { topic: "topic".to_owned(), data: "text".into(), ..PublishRequest::default() };
    broker.publish(message).await.unwrap();
    let got = timeout(Duration::from_secs(30), inbox.recv()).await.unwrap().unwrap();
    assert_eq!(got.data, "text");
    timeout(Duration::from_secs(30), subscription.close()).await.unwrap();
}

struct Inbox(UnboundedSender<Message>);

#[async_trait]
impl Deliver for Inbox {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(message).ok();
        Verdict::Ack
    }
}

fn request(key: &str) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: Value::Json("1".into()),
        etag: None,
        concurrency: Default::default(),
        consistency: Default::default(),
        metadata: Metadata::new(),
    }
}

fn read(pairs: &[(&str, &str)]) -> state::Metadata {
    state::Metadata::read(&Properties::from_iter(pairs.iter().copied())).unwrap()
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
