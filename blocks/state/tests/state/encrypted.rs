//! Stores whose values are encrypted.
use crate::world::{World, check, instance};
use block_state::{Service, get_bulk_state, get_state, save_state};
use component_api::state::{Concurrency, Consistency, GetRequest, SetRequest, Store};
use component_api::{Live, Metadata, Properties};
use component_in_memory::InMemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;
use wire::common::v1::StateItem;
use wire::runtime::v1;

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

fn world() -> (World, Arc<InMemoryStore>) {
    let store = Arc::new(InMemoryStore::new());
    let properties = Properties::from_iter([("primaryEncryptionKey", KEY), ("keyPrefix", "none")]);
    let properties = properties.taken_from("primaryEncryptionKey", "my-key");
    let live = Live::default();
    live.insert(instance("store", properties, Arc::clone(&store) as Arc<dyn Store>));
    (World::of(Service::new("app", "", live)), store)
}

#[tokio::test]
async fn values_are_encrypted_in_the_store_only() {
    let (world, store) = world();
    let body = r#"[{"key": "object", "value": {"a": 1}}, {"key": "text", "value": "some text"}, {"key": "number", "value": 1234567}]"#;
    check(world.http("POST", "/v1.0/state/store", body), (204, Value::Null)).await;
    for (key, expected) in [("object", r#"{"a":1}"#), ("text", "some text"), ("number", "1234567")] {
        let answer = world.http("GET", &format!("/v1.0/state/store/{key}"), "").await;
        assert_eq!((answer.status, &*answer.text), (200, expected));
        let stored = store.get(GetRequest { key: key.to_owned(), ..GetRequest::default() }).await.unwrap().unwrap();
        let stored = String::from_utf8(stored.data.to_vec()).unwrap();
        assert!(stored.ends_with("||my-key") && !stored.contains(expected), "{stored}");
    }
}

#[tokio::test]
async fn over_grpc_bytes_come_back_as_they_were() {
    let (world, _) = world();
    let json = [("contentType".to_owned(), "application/json".to_owned())].into();
    let states = vec![
        StateItem { key: "json".to_owned(), value: r#""quoted""#.into(), metadata: json, ..Default::default() },
        StateItem { key: "bytes".to_owned(), value: vec![0, 159].into(), ..Default::default() },
    ];
    save_state(&world.service, v1::SaveStateRequest { store_name: "store".to_owned(), states }).await.unwrap();
    let request = v1::GetBulkStateRequest {
        store_name: "store".to_owned(),
        keys: vec!["json".to_owned(), "bytes".to_owned(), "none".to_owned()],
        ..Default::default()
    };
    let items = get_bulk_state(&world.service, request).await.unwrap().items;
    let data: Vec<_> = items.iter().map(|item| item.data.to_vec()).collect();
    assert_eq!(data, [b"\"quoted\"".to_vec(), vec![0, 159], vec![]]);
}

#[tokio::test]
async fn transactions_are_encrypted() {
    let (world, store) = world();
    let body = json!({"operations": [{"operation": "upsert", "request": {"key": "a", "value": true}}]}).to_string();
    check(world.http("POST", "/v1.0/state/store/transaction", body), (204, Value::Null)).await;
    check(world.http("GET", "/v1.0/state/store/a", ""), (200, json!(true))).await;
    let stored = store.get(GetRequest { key: "a".to_owned(), ..GetRequest::default() }).await.unwrap().unwrap();
    assert!(stored.data.ends_with(b"||my-key"));
}

#[tokio::test]
async fn what_cannot_be_decrypted_is_told_without_showing_it() {
    let (world, store) = world();
    let plain = SetRequest {
        key: "a".to_owned(),
        value: component_api::state::Value::Json("\"s3cret\"".into()),
        etag: None,
        concurrency: Concurrency::Unspecified,
        consistency: Consistency::Unspecified,
        metadata: Metadata::new(),
    };
    store.set(plain).await.unwrap();
    let reason = "could not decrypt data for state store store: encryption key name not found on record";
    let message = format!("fail to get a from state store store: {reason}");
    let expected = json!({"errorCode": "ERR_STATE_GET", "message": message});
    check(world.http("GET", "/v1.0/state/store/a", ""), (500, expected)).await;
    let request = v1::GetStateRequest { store_name: "store".to_owned(), key: "a".to_owned(), ..Default::default() };
    assert_eq!(get_state(&world.service, request).await.unwrap_err().message(), message);
    let expected = json!([{"key": "a", "error": reason}]);
    check(world.http("POST", "/v1.0/state/store/bulk", r#"{"keys": ["a"]}"#), (200, expected)).await;
}
