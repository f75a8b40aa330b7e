//! Every operation through both transports, over the in-memory store and over one that fails.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod world;

use block_configuration::{get_configuration, subscribe_configuration, unsubscribe_configuration};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tonic::Code;
use wire::runtime::v1::{GetConfigurationRequest, SubscribeConfigurationRequest, UnsubscribeConfigurationRequest};
use world::{World, check, fault, item, next};

fn get(store: &str, keys: &[&str]) -> GetConfigurationRequest {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    GetConfigurationRequest { store_name: store.to_owned(), keys, ..Default::default() }
}

fn subscribe(store: &str, keys: &[&str]) -> SubscribeConfigurationRequest {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    SubscribeConfigurationRequest { store_name: store.to_owned(), keys, ..Default::default() }
}

fn unsubscribe(id: &str) -> UnsubscribeConfigurationRequest {
    UnsubscribeConfigurationRequest { store_name: "store".to_owned(), id: id.to_owned() }
}

#[tokio::test]
async fn items_are_read() {
    let world = World::new().await;
    world.store.set("a", item("1", "v1"));
    world.store.set("b", item("<2>", ""));
    for version in ["v1.0", "v1.0-alpha1"] {
        let one = json!({"a": {"value": "1", "version": "v1"}});
        check(world.get(&format!("/{version}/configuration/store?key=a&key=none")), (200, one)).await;
        let all = json!({"a": {"value": "1", "version": "v1"}, "b": {"value": "<2>"}});
        check(world.get(&format!("/{version}/configuration/store")), (200, all)).await;
        check(world.get(&format!("/{version}/configuration/store?key=none")), (204, Value::Null)).await;
    }
    let items = get_configuration(&world.service, get("store", &["b", "none"])).await.unwrap().items;
    assert_eq!((items.len(), items["b"].value.as_str()), (1, "<2>"));
    assert_eq!(get_configuration(&world.service, get("store", &[])).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn the_app_is_called_for_each_item() {
    let mut world = World::new().await;
    let id = world.get("/v1.0/configuration/store/subscribe?key=a&key=b%2Fc d").await.json["id"].clone();
    let id = id.as_str().unwrap().to_owned();
    world.store.set("other", item("0", ""));
    world.store.set("a", item("1", "v1"));
    let expected = json!({"id": id, "items": {"a": {"value": "1", "version": "v1"}}});
    assert_eq!(world.called().await, ("/configuration/store/a".to_owned(), expected));
    world.store.set("b/c d", item("2", ""));
    let expected = json!({"id": id, "items": {"b/c d": {"value": "2"}}});
    assert_eq!(world.called().await, ("/configuration/store/b/c%20d".to_owned(), expected));
    world.store.remove("a");
    assert_eq!(world.called().await.1, json!({"id": id, "items": {"a": {}}}));
    let path = format!("/v1.0/configuration/store/{id}/unsubscribe");
    let text = format!("failed to unsubscribe to configuration request {id}: subscription does not exist");
    let elsewhere = path.replace("store", "broken");
    check(world.get(&elsewhere), (500, json!({"message": text}))).await;
    check(world.get(&path), (200, json!({"ok": true}))).await;
    check(world.get(&path), (500, json!({"message": text}))).await;
    world.store.set("a", item("3", ""));
    let second = world.get("/v1.0-alpha1/configuration/store/subscribe").await.json["id"].clone();
    world.store.set("z", item("4", ""));
    assert_eq!(world.called().await.1["id"], second, "the first subscription is gone");
}

/// An app that refuses an item gets the next one all the same.
#[tokio::test]
async fn a_refused_item_is_not_the_last() {
    let mut world = World::new().await;
    world.get("/v1.0/configuration/store/subscribe?key=refused&key=a").await;
    world.store.set("refused", item("1", ""));
    assert_eq!(world.called().await.0, "/configuration/store/refused");
    world.store.set("a", item("1", ""));
    assert_eq!(world.called().await.0, "/configuration/store/a");
}

#[tokio::test]
async fn a_stream_tells_its_id_and_then_changes() {
    let world = World::new().await;
    let mut stream = subscribe_configuration(&world.service, subscribe("store", &["b", "a"])).await.unwrap();
    let first = next(&mut stream).await;
    assert!(first.items.is_empty() && first.id.len() == 36);
    world.store.set("a", item("1", "v1"));
    let update = next(&mut stream).await;
    assert_eq!((&update.id, update.items["a"].version.as_str()), (&first.id, "v1"));
    let answer = unsubscribe_configuration(&world.service, &unsubscribe(&first.id));
    assert!(answer.ok && answer.message.is_empty());
    assert!(stream.next().await.is_none(), "the stream ends with its subscription");
    let answer = unsubscribe_configuration(&world.service, &unsubscribe("x"));
    let text = "failed to unsubscribe to configuration request x: subscription does not exist";
    assert_eq!((answer.ok, answer.message.as_str()), (false, text));
}

#[tokio::test]
async fn a_dropped_stream_ends_its_subscription() {
    let world = World::new().await;
    let mut stream = subscribe_configuration(&world.service, subscribe("store", &[])).await.unwrap();
    let id = next(&mut stream).await.id;
    drop(stream);
    assert!(!unsubscribe_configuration(&world.service, &unsubscribe(&id)).ok);
    let mut stream = subscribe_configuration(&world.service, subscribe("store", &[])).await.unwrap();
    next(&mut stream).await;
    world.service.end();
    assert!(stream.next().await.is_none(), "streams end with the sidecar");
    let mut late = subscribe_configuration(&world.service, subscribe("store", &[])).await.unwrap();
    next(&mut late).await;
    assert!(late.next().await.is_none());
}

#[tokio::test]
async fn what_a_store_says_is_passed_on() {
    let world = World::new().await;
    let text = "failed to get [a b] from Configuration store broken: disk on fire";
    let answer = (500, fault("ERR_CONFIGURATION_GET", text));
    check(world.get("/v1.0/configuration/broken?key=a&key=b"), answer).await;
    let status = get_configuration(&world.service, get("broken", &["a", "b"])).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, text));
    assert_eq!(world::reason(&status), "ERR_CONFIGURATION_GET");
    let text = "failed to subscribe [] from Configuration store broken: disk on fire";
    let answer = (500, fault("ERR_CONFIGURATION_SUBSCRIBE", text));
    check(world.get("/v1.0/configuration/broken/subscribe"), answer).await;
    let status = subscribe_configuration(&world.service, subscribe("broken", &[])).await.err().unwrap();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text));
}

#[tokio::test]
async fn without_a_store_or_an_app() {
    let world = World::new().await;
    let answer = (400, fault("ERR_CONFIGURATION_STORE_NOT_FOUND", "configuration store nope not found"));
    for path in ["nope", "nope/subscribe", "nope/id/unsubscribe"] {
        check(world.get(&format!("/v1.0/configuration/{path}")), answer.clone()).await;
    }
    let status = get_configuration(&world.service, get("nope", &[])).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let alone = world::without_app(true);
    let text = "app channel is not initialized. cannot subscribe to configuration updates";
    let answer = (500, fault("ERR_APP_CHANNEL_NIL", text));
    check(alone.get("/v1.0/configuration/store/subscribe"), answer).await;
    let empty = world::without_app(false);
    let answer = (500, fault("ERR_CONFIGURATION_STORE_NOT_CONFIGURED", "configuration stores not configured"));
    check(empty.get("/v1.0/configuration/nope"), answer).await;
    let status = subscribe_configuration(&empty.service, subscribe("nope", &[])).await.err().unwrap();
    assert_eq!(status.code(), Code::FailedPrecondition);
}
