//! JSON documents and queries: a server with the modules for them, and one without.
use crate::{client, read};
use component_api::state::{Concurrency, Etag, GetRequest, Operation, SetRequest, Store, Value};
use component_api::{Kind, Metadata};
use component_redis::state::RedisStore;
use conformance::server::Server;
use redis::aio::MultiplexedConnection;
use serde_json::{Value as Json, json};

/// The index of Dapr's own suite.
const INDEX: &str = r#"[{"name": "qIndx", "indexes": [
    {"key": "message", "type": "TEXT"}, {"key": "product.value", "type": "NUMERIC"}, {"key": "status", "type": "TEXT"}
]}]"#;

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn store_with_documents() {
    let server = Server::redis_with_modules().await;
    let store = store(&server, INDEX);
    store.ping().await.unwrap();
    conformance::state::run(&store).await;
}

/// Documents are as Dapr's component writes and reads them, and entries change their form with their requests.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn forms() {
    let server = Server::redis_with_modules().await;
    let (store, mut other) = (store(&server, ""), client(server.address()).await);
    store.set(request("a", "{\"x\":\"<&>\"}", Metadata::new())).await.unwrap();
    store.set(request("a", "{\"x\":\"<&>\"}", as_json())).await.unwrap();
    assert_eq!(document(&mut other, "a").await, json!({"data": {"x": "<&>"}, "version": 2}));
    let first = SetRequest { concurrency: Concurrency::FirstWrite, ..request("b", "[1,2.5]", as_json()) };
    store.set(first.clone()).await.unwrap();
    assert_eq!(document(&mut other, "b").await, json!({"data": [1, 2.5], "first-write": 0, "version": 1}));
    assert_eq!(store.set(first).await.unwrap_err().kind(), Kind::EtagMismatch);
    let long = as_json().into_iter().chain([("ttlInSeconds".to_owned(), "100".to_owned())]).collect();
    store.transact(vec![Operation::Set(request("c", "\"text\"", long))], Metadata::new()).await.unwrap();
    store.transact(vec![Operation::Set(request("d", "null", Metadata::new()))], as_json()).await.unwrap();
    assert_eq!(document(&mut other, "d").await, json!({"data": null, "version": 1}));
    for metadata in [Metadata::new(), as_json()] {
        let get = |key: &str| GetRequest { key: key.to_owned(), metadata: metadata.clone(), ..GetRequest::default() };
        let found = store.get(get("c")).await.unwrap().unwrap();
        assert_eq!((&found.data[..], found.etag), (&b"\"text\""[..], Some(Etag("1".to_owned()))));
        assert!(found.metadata.contains_key("ttlExpireTime"));
        assert_eq!(store.get(get("none")).await.unwrap(), None);
    }
    store.set(SetRequest { etag: Some(Etag("2".to_owned())), ..request("a", "7", Metadata::new()) }).await.unwrap();
    let version: String = redis::cmd("HGET").arg("a").arg("version").query_async(&mut other).await.unwrap();
    assert_eq!(version, "3", "versions go on");
}

/// An index is made anew when its declaration has changed, or when the server lost it; otherwise it stays.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn indexes() {
    let server = Server::redis_with_modules().await;
    let mut other = client(server.address()).await;
    let older = INDEX.replace("status", "state");
    store(&server, &older).ping().await.unwrap();
    let store = store(&server, INDEX);
    store.ping().await.unwrap();
    let value = json!({"message": "two words", "product": {"value": 1}, "status": "it's <on>"}).to_string();
    store.set(request("a", &value, as_json())).await.unwrap();
    assert_eq!(found(&store, json!({"EQ": {"status": "it's <on>"}})).await, ["a"]);
    redis::cmd("FT.DROPINDEX").arg("qIndx").exec_async(&mut other).await.unwrap();
    store.set(request("b", &value, as_json())).await.unwrap();
    let all = json!({"EQ": {"message": "words"}});
    // The server looks at what was there before in the background.
    while found(&store, all.clone()).await.len() < 2 {
        tokio::task::yield_now().await;
    }
    let error = store.query(json!({"filter": all}), Metadata::new()).await.unwrap_err();
    assert!(error.to_string().contains("queryIndexName"), "{error}");
    let named = Metadata::from([("queryIndexName".to_owned(), "none".to_owned())]);
    assert!(store.query(json!({}), named).await.unwrap_err().to_string().contains("\"none\" not found"));
}

/// All of an answer without pages comes, and its texts stay texts.
#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn everything() {
    let server = Server::redis_with_modules().await;
    let store = store(&server, INDEX);
    store.ping().await.unwrap();
    let set = |number: usize| Operation::Set(request(&format!("key-{number}"), "\"text\"", as_json()));
    store.transact((0..25).map(set).collect(), Metadata::new()).await.unwrap();
    let all = store.query(json!({}), query_metadata()).await.unwrap();
    assert_eq!((all.items.len(), all.token.as_str()), (25, ""));
    assert!(all.items.iter().all(|(_, item)| item.data == "\"text\"" && item.etag == Some(Etag("1".to_owned()))));
}

#[tokio::test]
#[ignore = "needs redis-server: run ./test components"]
async fn a_server_without_modules() {
    let server = Server::redis().await;
    let (store, mut other) = (store(&server, INDEX), client(server.address()).await);
    for error in [store.ping().await.unwrap_err(), store.query(json!({}), query_metadata()).await.unwrap_err()] {
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().contains("RediSearch"), "{error}");
    }
    assert!(!store.features().query);
    store.set(request("a", "{\"x\": 1}", as_json())).await.unwrap();
    let data: String = redis::cmd("HGET").arg("a").arg("data").query_async(&mut other).await.unwrap();
    assert_eq!(data, "{\"x\": 1}");
}

fn store(server: &Server, indexes: &str) -> RedisStore {
    RedisStore::new(read(&[("redisHost", &server.address().to_string()), ("queryIndexes", indexes)])).unwrap()
}

fn request(key: &str, text: &str, metadata: Metadata) -> SetRequest {
    SetRequest {
        key: key.to_owned(),
        value: Value::Json(text.to_owned().into()),
        etag: None,
        concurrency: Concurrency::default(),
        consistency: Default::default(),
        metadata,
    }
}

fn as_json() -> Metadata {
    Metadata::from([("contentType".to_owned(), "application/json".to_owned())])
}

fn query_metadata() -> Metadata {
    Metadata::from([("queryIndexName".to_owned(), "qIndx".to_owned())])
}

async fn found(store: &RedisStore, filter: Json) -> Vec<String> {
    let found = store.query(json!({"filter": filter}), query_metadata()).await.unwrap();
    found.items.into_iter().map(|(key, _)| key).collect()
}

async fn document(other: &mut MultiplexedConnection, key: &str) -> Json {
    let text: String = redis::cmd("JSON.GET").arg(key).query_async(other).await.unwrap();
    serde_json::from_str(&text).unwrap()
}
