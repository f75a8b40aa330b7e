//! The binding, in and out.
use bytes::Bytes;
use component_api::binding::{Binding, Request};
use component_api::{Kind, Properties, Result};
use component_kafka::binding::KafkaBinding;
use conformance::binding::forgetful;
use conformance::patience::{until_it_works, within};
use conformance::pubsub::client::pairs;
use conformance::server::Server;
use std::net::SocketAddr;

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn inputs_and_outputs() {
    let server = Server::kafka().await;
    let binding = open(server.address(), "things", &[("initialOffset", "oldest")]);
    let thing = pairs(&[("color", "red")]);
    conformance::binding::run(&conformance::binding::Subject { binding: &binding, thing }).await;
    messages(&open(server.address(), "messages", &[("consumeRetryEnabled", "true")])).await;
    missing(server.address()).await;
    lost_and_found(&server).await;
}

/// Data and metadata come through; what the app failed to handle comes again if that is wanted.
async fn messages(binding: &KafkaBinding) {
    let (app, mut events) = forgetful();
    let subscription = binding.read(app).await.unwrap();
    create(binding, "one").await.unwrap();
    for _ in 0..2 {
        let event = within(events.recv()).await.unwrap();
        let of = |name: &str| event.metadata.get(name).map(String::as_str);
        assert_eq!((event.data.clone(), of("color"), of("__key")), ("one".into(), Some("red"), Some("k")));
    }
    within(subscription.close()).await;
    binding.close().await.unwrap();
    assert!(create(binding, "two").await.is_err(), "it is closed");
}

/// A binding has what it was given: topics for one way, a topic for the other.
async fn missing(at: SocketAddr) {
    let binding = KafkaBinding::read(&properties(at, &[]), "app").unwrap();
    assert!(!binding.is_input());
    let error = create(&binding, "one").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    let request = Request { operation: "get".to_owned(), ..Request::default() };
    assert_eq!(binding.invoke(request).await.unwrap_err().kind(), Kind::Unsupported);
}

/// A binding finds its server again after it was away.
async fn lost_and_found(server: &Server) {
    let binding = open(server.address(), "lost", &[("readTimeout", "2s"), ("writeTimeout", "2s")]);
    create(&binding, "there").await.unwrap();
    server.kill().await;
    let error = create(&binding, "lost").await.unwrap_err();
    assert!(error.is_temporary() && binding.ping().await.is_err(), "{error}");
    server.start().await;
    until_it_works(|| create(&binding, "found")).await;
}

async fn create(binding: &KafkaBinding, text: &str) -> Result<()> {
    let metadata = pairs(&[("color", "red"), ("partitionKey", "k")]);
    let request = Request { operation: "create".to_owned(), data: Bytes::from(text.to_owned()), metadata };
    within(binding.invoke(request)).await.map(drop)
}

fn open(at: SocketAddr, topic: &str, more: &[(&str, &str)]) -> KafkaBinding {
    let topics = [("topics", topic), ("publishTopic", topic)];
    let more: Vec<_> = topics.into_iter().chain(more.iter().copied()).collect();
    KafkaBinding::read(&properties(at, &more), "app").unwrap()
}

fn properties(at: SocketAddr, more: &[(&str, &str)]) -> Properties {
    let brokers = at.to_string();
    let own = [("brokers", brokers.as_str()), ("authType", "none"), ("backOffDuration", "50ms")];
    own.into_iter().chain(more.iter().copied()).collect()
}
