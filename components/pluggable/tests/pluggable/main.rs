//! Components of a process that speaks Dapr's component protocol behind a Unix socket.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers outside of test functions, which the lint does not know as tests.
mod process;

use async_trait::async_trait;
use bytes::Bytes;
use component_api::binding::{Event, Handle, Request};
use component_api::pubsub::{Deliver, Message, PublishRequest, Publishing, Verdict};
use component_api::state::{Concurrency, Consistency, DeleteRequest, GetRequest, SetRequest, Value};
use component_api::{Config, Error, Kind, Lookup, Metadata, Registry, Result, Table};
use process::{Process, soon};
use std::sync::Arc;

fn config(properties: &[(&str, &str)]) -> Config {
    Config {
        name: "mine".to_owned(),
        app_id: "app".to_owned(),
        namespace: String::new(),
        version: "v1".to_owned(),
        properties: properties.iter().copied().collect(),
    }
}

async fn made<T: ?Sized + 'static>(table: &Table<T>, properties: &[(&str, &str)]) -> Arc<T> {
    let Lookup::Found(factory) = table.find("Own", "v1") else { panic!("the component is not known") };
    soon(factory(config(properties))).await.unwrap()
}

fn set(key: &str, value: &'static str) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: Value::Binary(Bytes::from_static(value.as_bytes())),
        etag: None,
        concurrency: Concurrency::FirstWrite,
        consistency: Consistency::Unspecified,
        metadata: Metadata::new(),
    }
}

fn get(key: &str) -> GetRequest {
    GetRequest { key: key.to_owned(), ..GetRequest::default() }
}

#[tokio::test]
async fn sockets_are_found_and_other_files_are_not() {
    let process = Process::start().await;
    std::fs::write(process.folder().join("file.sock"), "").unwrap();
    drop(std::os::unix::net::UnixListener::bind(process.folder().join("dead.sock")).unwrap());
    let mut registry = Registry::default();
    component_pluggable::discover(process.folder(), &mut registry).await;
    component_pluggable::discover(&process.folder().join("nowhere"), &mut registry).await;
    for version in ["", "v0", "v1"] {
        assert!(matches!(registry.state.find("own", version), Lookup::Found(_)), "{version}");
    }
    assert!(matches!(registry.state.find("own", "v2"), Lookup::UnknownVersion));
    assert!(matches!(registry.state.find("dead", "v1"), Lookup::UnknownType));
    assert!(matches!(registry.state.find("file", "v1"), Lookup::UnknownType));
}

#[tokio::test]
async fn secrets_come_from_the_process() {
    let process = Process::start().await;
    let store = made(&process.registry().await.secret, &[("a", "b")]).await;
    assert!(store.features().multiple_values);
    // The process answers with what it was told: its metadata, and which component is asked.
    let secret = store.get("key", &Metadata::new()).await.unwrap();
    assert_eq!((secret["a"].as_str(), secret["instance"].as_str()), ("b", "mine"));
    assert_eq!(store.bulk_get(&Metadata::new()).await.unwrap()["key"], secret);
    let error = store.get("none", &Metadata::new()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (Kind::NotFound, "rpc error: code = NotFound desc = no secret")
    );
}

#[tokio::test]
async fn state_is_kept_by_the_process() {
    let process = Process::start().await;
    let store = made(&process.registry().await.state, &[]).await;
    assert!(store.features().etag && store.features().transactional && !store.features().query);
    assert_eq!(store.transaction_limit().await, Some(7));
    store.set(set("a", "1")).await.unwrap();
    assert!(store.bulk_set(vec![set("b", "2"), set("c", "3")]).await.iter().all(Result::is_ok));
    let found = store.get(get("a")).await.unwrap().unwrap();
    assert_eq!((found.data.as_ref(), found.etag.unwrap().0.as_str()), (&b"1"[..], "1"));
    assert_eq!(store.get(get("none")).await.unwrap(), None);
    let all = store.bulk_get(vec![get("c"), get("none"), get("b")]).await;
    let all: Vec<_> = all.into_iter().map(|found| found.unwrap().map(|item| item.data)).collect();
    assert_eq!(all, [Some(Bytes::from_static(b"3")), None, Some(Bytes::from_static(b"2"))]);
    let mismatch = store.delete(DeleteRequest { key: "mismatch".to_owned(), ..DeleteRequest::default() }).await;
    let mismatch = mismatch.unwrap_err();
    assert_eq!((mismatch.kind(), mismatch.to_string().as_str()), (Kind::EtagMismatch, "it is another one"));
}

/// Sends what it gets, and answers as the message says.
struct Heard(tokio::sync::mpsc::UnboundedSender<Message>);

#[async_trait]
impl Deliver for Heard {
    async fn deliver(&self, message: Message) -> Verdict {
        let verdict = if message.data == "retry" { Verdict::Retry } else { Verdict::Ack };
        self.0.send(message).unwrap();
        verdict
    }
}

#[tokio::test]
async fn messages_are_acknowledged_or_refused() {
    let mut process = Process::start().await;
    let broker = made(&process.registry().await.pubsub, &[]).await;
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let subscription = broker.subscribe("topic", Metadata::new(), Arc::new(Heard(sender))).await.unwrap();
    for (data, is_refused) in [("fine", false), ("retry", true)] {
        let request = PublishRequest { topic: "topic".to_owned(), data: data.into(), ..PublishRequest::default() };
        broker.publish(request).await.unwrap();
        let message = soon(heard.recv()).await.unwrap();
        assert_eq!((message.topic.as_str(), message.data.as_ref()), ("topic", data.as_bytes()));
        let (id, refused) = soon(process.acks.recv()).await.unwrap();
        assert_eq!((id.as_str(), refused), (data, is_refused));
    }
    soon(subscription.close()).await;
    assert!(process.acks.try_recv().is_err());
}

/// Answers once it may.
struct Held(tokio::sync::mpsc::UnboundedSender<Message>, Arc<tokio::sync::Semaphore>);

#[async_trait]
impl Deliver for Held {
    async fn deliver(&self, message: Message) -> Verdict {
        self.0.send(message).unwrap();
        self.1.acquire().await.unwrap().forget();
        Verdict::Ack
    }
}

#[tokio::test]
async fn what_a_paused_broker_has_sent_is_delivered_before_the_end() {
    let mut process = Process::start().await;
    let broker = made(&process.registry().await.pubsub, &[]).await;
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let allowed = Arc::new(tokio::sync::Semaphore::new(0));
    let held = Held(sender, Arc::clone(&allowed));
    let subscription = broker.subscribe("topic", Metadata::new(), Arc::new(held)).await.unwrap();
    for data in ["first", "second"] {
        let request = PublishRequest { topic: "topic".to_owned(), data: data.into(), ..PublishRequest::default() };
        broker.publish(request).await.unwrap();
    }
    soon(heard.recv()).await.unwrap();
    broker.pause(Publishing::Ends).await.unwrap();
    let end = subscription.close();
    allowed.add_permits(2);
    soon(end).await;
    let acks = [soon(process.acks.recv()).await.unwrap(), soon(process.acks.recv()).await.unwrap()];
    assert_eq!(acks, [("first".to_owned(), false), ("second".to_owned(), false)]);
}

/// Answers with the data in upper case.
struct Upper;

#[async_trait]
impl Handle for Upper {
    async fn handle(&self, event: Event) -> Result<Bytes> {
        let text = String::from_utf8(event.data.to_vec()).unwrap();
        if text == "fail" { Err(Error::other("no luck")) } else { Ok(text.to_uppercase().into()) }
    }
}

#[tokio::test]
async fn events_are_answered_and_operations_done() {
    let mut process = Process::start().await;
    let binding = made(&process.registry().await.binding, &[]).await;
    assert!(binding.is_input());
    assert_eq!(binding.operations(), ["send"]);
    let subscription = binding.read(Arc::new(Upper)).await.unwrap();
    for (data, answer) in [("event", Ok("EVENT")), ("fail", Err("no luck"))] {
        let request = Request { operation: "send".to_owned(), data: data.into(), ..Request::default() };
        let response = binding.invoke(request).await.unwrap();
        assert_eq!((response.data.unwrap().as_ref(), response.metadata["done"].as_str()), (data.as_bytes(), "send"));
        let got = soon(process.answers.recv()).await.unwrap();
        assert_eq!(got.as_ref().map(String::as_str).map_err(String::as_str), answer);
    }
    soon(subscription.close()).await;
}

#[tokio::test]
async fn the_direction_decides_what_is_started() {
    let process = Process::start().await;
    let binding = made(&process.registry().await.binding, &[("direction", "output")]).await;
    assert_eq!((binding.is_input(), binding.operations().len()), (false, 1));
    assert!(binding.read(Arc::new(Upper)).await.is_err());
}
