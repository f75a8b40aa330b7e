//! The common suite over the component of this crate, each test with a server of its own.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod admission;

use bytes::Bytes;
use component_api::state::{Concurrency, DeleteRequest, Etag, Operation, SetRequest, Store, Value};
use component_api::{Kind, Metadata as Pairs, Properties};
use component_mongodb::metadata::Metadata;
use component_mongodb::state::MongoStore;
use conformance::patience::until_it_works;
use conformance::server::Server;
use conformance::state::{get, json};
use futures_util::future::join_all;
use mongodb::bson::{Bson, Document, doc};
use mongodb::{Client, Collection};

#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn store() {
    let server = Server::mongodb().await;
    conformance::state::run(&open(&server, &[])).await;
}

/// Documents are those that Dapr's component writes, and what it wrote is read.
#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn documents_of_dapr() {
    let server = Server::mongodb().await;
    let (store, documents) = (open(&server, &[]), documents(&server).await);
    store.set(set("app||object", r#"{"n":1,"text":"$5","list":[true,null]}"#)).await.unwrap();
    let written = documents.find_one(doc! {"_id": "app||object"}).await.unwrap().unwrap();
    assert_eq!(written.get_document("value").unwrap(), &doc! {"n": 1.0, "text": "$5", "list": [true, Bson::Null]});
    assert_eq!(written.get("_ttl"), Some(&Bson::Null));
    assert_eq!(written.get_str("_etag").unwrap().len(), 36, "a UUID");
    assert_eq!(written.len(), 4);
    store.set(set("app||text", r#""$text""#)).await.unwrap();
    let written = documents.find_one(doc! {"_id": "app||text"}).await.unwrap().unwrap();
    assert_eq!(written.get_str("value").unwrap(), r#""$text""#);
    let others = [
        (doc! {"_id": "1", "value": {"b": 5_i32, "a": 0.5}, "_etag": "e"}, r#"{"a":0.5,"b":5}"#),
        (doc! {"_id": "2", "value": [{"x": 1.0}], "_etag": "e", "_ttl": Bson::Null}, r#"[{"x":1}]"#),
        (doc! {"_id": "3", "value": "as it is", "_etag": "e"}, "as it is"),
    ];
    for (document, expected) in others {
        documents.insert_one(&document).await.unwrap();
        let item = store.get(get(document.get_str("_id").unwrap())).await.unwrap().unwrap();
        assert_eq!((item.data, item.etag), (Bytes::from(expected), Some(Etag("e".to_owned()))));
    }
    let indexes = documents.list_index_names().await.unwrap();
    assert!(indexes.contains(&"_ttl_1".to_owned()), "the server removes what has expired: {indexes:?}");
}

/// The first writer is not kept out by what has expired, and not yet been removed.
#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn first_writes_after_an_expiry() {
    let server = Server::mongodb().await;
    let (store, documents) = (open(&server, &[]), documents(&server).await);
    let first = |text| SetRequest { concurrency: Concurrency::FirstWrite, ..set("key", text) };
    store.ping().await.unwrap();
    let ended = mongodb::bson::DateTime::from_millis(1);
    documents.insert_one(doc! {"_id": "key", "value": "1", "_etag": "e", "_ttl": ended}).await.unwrap();
    store.set(first("2")).await.unwrap();
    assert_eq!(store.get(get("key")).await.unwrap().unwrap().data, "2");
    assert_eq!(store.set(first("3")).await.unwrap_err().kind(), Kind::EtagMismatch);
}

/// Transactions that meet on the same keys are done one after the other.
#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn transactions_that_meet() {
    let server = Server::mongodb().await;
    let store = &open(&server, &[]);
    let both = |text: &str| vec![Operation::Set(set("a", text)), Operation::Set(set("b", text))];
    let done = join_all((0..10).map(|number| store.transact(both(&number.to_string()), Pairs::new()))).await;
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    let [a, b] = [store.get(get("a")).await, store.get(get("b")).await].map(|read| read.unwrap().unwrap().data);
    assert_eq!(a, b, "one transaction wrote both of them");
    let bytes = |key: &str| SetRequest { value: Value::Binary(Bytes::from_static(&[255, 0, 254])), ..set(key, "") };
    let stale = DeleteRequest { key: "a".to_owned(), etag: Some(Etag("old".to_owned())), ..DeleteRequest::default() };
    let failing = vec![Operation::Set(bytes("c")), Operation::Delete(stale)];
    assert_eq!(store.transact(failing, Pairs::new()).await.unwrap_err().kind(), Kind::EtagMismatch);
    assert_eq!(store.get(get("c")).await.unwrap(), None, "bytes are part of the transaction");
    store.transact(vec![Operation::Set(bytes("c")), Operation::Set(set("a", "1"))], Pairs::new()).await.unwrap();
    assert_eq!(store.get(get("c")).await.unwrap().unwrap().data, &[255, 0, 254][..]);
}

/// A server that stands alone does all but transactions. This one, unlike MongoDB, would do those as well.
#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn without_a_replica_set() {
    let server = Server::mongodb_with(|_| vec!["--standalone".to_owned()]).await;
    let store = open_at(format!("mongodb://{}/", server.address()), &[]);
    store.set(set("key", "1")).await.unwrap();
    assert_eq!(store.get(get("key")).await.unwrap().unwrap().data, "1");
    store.delete(DeleteRequest { key: "key".to_owned(), ..DeleteRequest::default() }).await.unwrap();
    assert_eq!(store.get(get("key")).await.unwrap(), None);
}

/// A store does not need its server when it is made, finds it later, and again after it was away.
#[tokio::test]
#[ignore = "needs mongodb: run ./test components"]
async fn lost_and_found() {
    let server = Server::mongodb().await;
    let store = open(&server, &[("operationTimeout", "2s")]);
    for number in 0..2 {
        server.kill().await;
        let error = store.get(get("key")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error}");
        server.start().await;
        until_it_works(|| store.set(set("key", &number.to_string()))).await;
        assert_eq!(store.get(get("key")).await.unwrap().unwrap().data, number.to_string());
    }
    store.close().await.unwrap();
}

/// A store for that server alone, which does what it does before it is given up for long.
fn open(server: &Server, more: &[(&str, &str)]) -> MongoStore {
    open_at(format!("mongodb://{}/?replicaSet=secantus", server.address()), more)
}

fn open_at(place: String, more: &[(&str, &str)]) -> MongoStore {
    let own = [("connectionString", place.as_str()), ("operationTimeout", "60s")];
    let pairs = own.into_iter().filter(|(name, _)| more.iter().all(|(other, _)| other != name));
    MongoStore::new(&Metadata::read(&pairs.chain(more.iter().copied()).collect::<Properties>()).unwrap()).unwrap()
}

/// The collection as other programs see it.
async fn documents(server: &Server) -> Collection<Document> {
    let client = Client::with_uri_str(format!("mongodb://{}/", server.address())).await.unwrap();
    client.database("daprStore").collection("daprCollection")
}

fn set(key: &str, text: &str) -> SetRequest {
    conformance::state::set(key, json(text))
}
