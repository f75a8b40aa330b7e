//! Every operation through both transports, over the in-memory store and over stores that fail or lack something.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers outside of test functions, which the lint does not know as tests.
mod encrypted;
mod errors;
mod outbox;
mod world;

use block_state::{delete_bulk_state, delete_state, execute_state_transaction, get_bulk_state, get_state, save_state};
use serde_json::{Value, json};
use tonic::{Code, Request};
use wire::common::v1::state_options::StateConcurrency;
use wire::common::v1::{Etag, StateItem, StateOptions};
use wire::runtime::v1::*;
use world::{World, check};

fn stored(key: &str, value: &[u8]) -> StateItem {
    StateItem { key: key.to_owned(), value: value.to_vec().into(), ..Default::default() }
}

fn save(states: Vec<StateItem>) -> SaveStateRequest {
    SaveStateRequest { store_name: "store".to_owned(), states }
}

fn get(key: &str) -> GetStateRequest {
    GetStateRequest { store_name: "store".to_owned(), key: key.to_owned(), ..Default::default() }
}

fn etag(value: &str) -> Option<Etag> {
    Some(Etag { value: value.to_owned() })
}

fn first_write() -> Option<StateOptions> {
    Some(StateOptions { concurrency: StateConcurrency::ConcurrencyFirstWrite.into(), ..Default::default() })
}

#[tokio::test]
async fn values_of_all_kinds_are_saved_and_read() {
    let world = World::new();
    check(world.http("GET", "/v1.0/state/store/none", ""), (204, Value::Null)).await;
    let all = r#"[{"key":"num","value":42.50},{"key":"null","value":null},{"key":"none"},{"key":"list","value":[1,"two",null]},
        {"key":"html","value":{"b":"<>&","a":1e21}},{"Key":"case","VALUE":true,"color":"red"}]"#;
    check(world.http("PUT", "/v1.0/state/store", all), (204, Value::Null)).await;
    for (key, text) in [
        ("num", "42.5"),
        ("null", "null"),
        ("none", "null"),
        ("list", r#"[1,"two",null]"#),
        ("html", r#"{"a":1e+21,"b":"\u003c\u003e\u0026"}"#),
        ("case", "true"),
    ] {
        let answer = world.http("GET", &format!("/v1.0/state/store/{key}?consistency=maybe"), "").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, text), "{key}");
        assert_eq!((answer.header("content-type"), answer.header("etag").len()), ("application/json", 36));
        assert_eq!(get_state(&world.service, get(key)).await.unwrap().data, text, "{key} over gRPC");
    }
    check(world.http("DELETE", "/v1.0/state/store/num", ""), (204, Value::Null)).await;
    check(world.http("GET", "/v1.0/state/store/num", ""), (204, Value::Null)).await;
    for nothing in ["[]", "null"] {
        check(world.http("POST", "/v1.0/state/store", nothing), (204, Value::Null)).await;
    }
}

#[tokio::test]
async fn bytes_over_grpc_come_back_verbatim() {
    let world = World::new();
    let mut announced = stored("json", br#"{"b": 1, "a": "<"}"#);
    announced.metadata.insert("contentType".to_owned(), "application/json".to_owned());
    let states = vec![stored("raw", &[0, 1, 255]), stored("text", br#"{"b": 1}"#), announced];
    save_state(&world.service, save(states)).await.unwrap();
    let answer = world.http("GET", "/v1.0/state/store/raw", "").await;
    assert_eq!((answer.status, answer.bytes.as_ref()), (200, [0, 1, 255].as_slice()));
    assert_eq!(world.http("GET", "/v1.0/state/store/text", "").await.text, r#"{"b": 1}"#);
    assert_eq!(world.http("GET", "/v1.0/state/store/json", "").await.text, r#"{"a":"\u003c","b":1}"#);
    assert_eq!(get_state(&world.service, get("")).await.unwrap(), GetStateResponse::default());
}

#[tokio::test]
async fn etags_decide_who_writes() {
    let world = World::new();
    check(world.http("POST", "/v1.0/state/store", r#"[{"key":"a","value":1}]"#), (204, Value::Null)).await;
    let current = world.http("GET", "/v1.0/state/store/a", "").await.header("etag").to_owned();
    let mismatch = format!(
        "possible etag mismatch. error from state store: state etag not match for key=app||a: current={current}, expect=x"
    );
    let saved = json!({"errorCode": "ERR_STATE_SAVE", "message": format!("failed saving state in state store store: {mismatch}")});
    check(world.http("POST", "/v1.0/state/store", r#"[{"key":"a","value":2,"etag":"x"}]"#), (409, saved)).await;
    let deleted =
        json!({"errorCode": "ERR_STATE_DELETE", "message": format!("failed deleting state with key a: {mismatch}")});
    check(world.http_with("DELETE", "/v1.0/state/store/a", &[("if-match", "x")], ""), (409, deleted)).await;
    let exists = "possible etag mismatch. error from state store: item already exists and no etag was passed";
    let first =
        json!({"errorCode": "ERR_STATE_DELETE", "message": format!("failed deleting state with key a: {exists}")});
    check(world.http("DELETE", "/v1.0/state/store/a?concurrency=first-write", ""), (409, first)).await;
    let right = json!([{"key": "a", "value": 3, "etag": current}]).to_string();
    check(world.http("POST", "/v1.0/state/store", right), (204, Value::Null)).await;
    check(world.http_with("DELETE", "/v1.0/state/store/a", &[("if-match", "")], ""), (204, Value::Null)).await;
}

#[tokio::test]
async fn etags_over_grpc() {
    let world = World::new();
    save_state(&world.service, save(vec![stored("a", b"1")])).await.unwrap();
    let wrong = save(vec![StateItem { etag: etag("x"), ..stored("a", b"2") }]);
    let status = save_state(&world.service, wrong).await.unwrap_err();
    assert!(status.message().starts_with("failed saving state in state store store: possible etag mismatch."));
    assert_eq!((status.code(), world::reason(&status).as_str()), (Code::Aborted, "ERR_STATE_SAVE"));
    let first = save(vec![StateItem { options: first_write(), ..stored("a", b"2") }]);
    assert_eq!(save_state(&world.service, first).await.unwrap_err().code(), Code::Aborted);
    save_state(&world.service, save(vec![StateItem { etag: etag(""), ..stored("a", b"2") }])).await.unwrap();
    let delete = DeleteStateRequest {
        store_name: "store".to_owned(),
        key: "a".to_owned(),
        etag: etag("x"),
        ..Default::default()
    };
    assert_eq!(delete_state(&world.service, delete).await.unwrap_err().code(), Code::Aborted);
    let bulk = |item| DeleteBulkStateRequest { store_name: "store".to_owned(), states: vec![stored("b", b""), item] };
    let wrong = bulk(StateItem { etag: etag("x"), ..stored("a", b"") });
    let status = delete_bulk_state(&world.service, wrong).await.unwrap_err();
    assert_eq!((status.code(), world::reason(&status).as_str()), (Code::Aborted, "ERR_STATE_BULK_DELETE"));
    delete_bulk_state(&world.service, bulk(stored("a", b""))).await.unwrap();
    assert_eq!(get_state(&world.service, get("a")).await.unwrap(), GetStateResponse::default());
}

#[tokio::test]
async fn one_of_several_fails() {
    let world = World::new();
    let body = r#"[{"key":"good","value":1},{"key":"bad","value":2,"etag":"x"}]"#;
    let prefix = "possible etag mismatch. error from state store";
    let text = format!(
        "failed saving state in state store store: {prefix}: {prefix}: state not exist or expired for key=app||bad"
    );
    let expected = json!({"errorCode": "ERR_STATE_SAVE", "message": text});
    check(world.http("POST", "/v1.0/state/store", body), (409, expected)).await;
    assert_eq!(world.http("GET", "/v1.0/state/store/good", "").await.text, "1");
}

#[tokio::test]
async fn several_are_read_at_once() {
    let world = World::new();
    let body = r#"[{"key":"a","value":1},{"key":"b","value":{"x":"<"},"metadata":{"ttlInSeconds":"100"}},{"key":"bulk","value":7}]"#;
    check(world.http("POST", "/v1.0/state/store", body), (204, Value::Null)).await;
    let list = r#"{"keys":["b","none","a","a"],"parallelism":-1,"metadata":{"k":"v"}}"#;
    let answer = world.http("POST", "/v1.0/state/store/bulk?metadata.x=y", list).await;
    let mut items: Vec<Value> = serde_json::from_str(&answer.text).unwrap();
    assert!(answer.text.contains(r#""data":{"x":"\u003c"}"#), "{}", answer.text);
    assert!(items[0]["metadata"].as_object_mut().unwrap().remove("ttlExpireTime").is_some());
    let etags: Vec<_> = items.iter_mut().map(|item| item.as_object_mut().unwrap().remove("etag").is_some()).collect();
    assert_eq!(etags, [true, false, true, true]);
    let expected = json!([{"key": "b", "data": {"x": "<"}, "metadata": {}}, {"key": "none"}, {"key": "a", "data": 1}, {"key": "a", "data": 1}]);
    assert_eq!((answer.status, Value::from(items)), (200, expected));
    check(world.http("POST", "/v1.0/state/store/bulk", "{}"), (200, json!([]))).await;
    assert_eq!(world.http("GET", "/v1.0/state/store/bulk", "").await.text, "7", "a key named as an endpoint");
    let keys = ["a", "none"].map(str::to_owned).to_vec();
    let request = GetBulkStateRequest { store_name: "store".to_owned(), keys, ..Default::default() };
    let items = get_bulk_state(&world.service, request).await.unwrap().items;
    assert_eq!((items[0].data.as_ref(), items[0].etag.len(), items[1].key.as_str()), (b"1".as_slice(), 36, "none"));
    save_state(&world.service, save(vec![stored("raw", b"no json")])).await.unwrap();
    let answer = world.http("POST", "/v1.0/state/store/bulk", r#"{"keys":["a","raw"]}"#).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""), "as Dapr when an entry is no JSON");
}

#[tokio::test]
async fn the_expiry_is_told() {
    let world = World::new();
    let body = r#"[{"key":"a","value":1,"metadata":{"ttlInSeconds":"5"}}]"#;
    check(world.http("POST", "/v1.0/state/store?metadata.ttlInSeconds=100", body), (204, Value::Null)).await;
    let answer = world.http("GET", "/v1.0/state/store/a", "").await;
    assert!(answer.header("metadata.ttlExpireTime").ends_with('Z'));
    let got = get_state(&world.service, get("a")).await.unwrap();
    assert_eq!(got.metadata["ttlExpireTime"], answer.header("metadata.ttlExpireTime"));
}

#[tokio::test]
async fn transactions_apply_as_a_whole() {
    let world = World::new();
    let path = "/v1.0/state/store/transaction";
    let body = r#"{"operations":[{"operation":"upsert","request":{"key":"a","value":{"n":1}}},
        {"operation":"upsert","request":{"value":1}},{"operation":"delete","request":{"key":"b"}}]}"#;
    check(world.http("POST", path, body), (204, Value::Null)).await;
    assert_eq!(world.http("GET", "/v1.0/state/store/a", "").await.text, r#"{"n":1}"#);
    let body = r#"{"operations":[{"operation":"delete","request":{"key":"a"}},{"operation":"upsert","request":{"key":"c","value":1,"etag":"x"}}]}"#;
    let text = "error while executing state transaction: possible etag mismatch. error from state store: state not exist or expired for key=app||c";
    check(world.http("PUT", path, body), (500, json!({"errorCode": "ERR_STATE_TRANSACTION", "message": text}))).await;
    assert_eq!(world.http("GET", "/v1.0/state/store/a", "").await.status, 200, "nothing was done");
    let unknown =
        json!({"errorCode": "ERR_NOT_SUPPORTED_STATE_OPERATION", "message": "operation type UPSERT not supported"});
    let body = r#"{"operations":[{"operation":"UPSERT","request":5}]}"#;
    check(world.http("POST", path, body), (400, unknown)).await;
    for nothing in ["{}", r#"{"operations":[]}"#] {
        check(world.http("POST", path, nothing), (204, Value::Null)).await;
    }
    let operation = |name: &str, request| TransactionalStateOperation { operation_type: name.to_owned(), request };
    let transaction = |operations| ExecuteStateTransactionRequest {
        store_name: "store".to_owned(),
        operations,
        ..Default::default()
    };
    let both = vec![operation("upsert", Some(stored("t", b"1"))), operation("delete", Some(stored("a", b"")))];
    execute_state_transaction(&world.service, Request::new(transaction(both))).await.unwrap();
    assert_eq!(get_state(&world.service, get("a")).await.unwrap(), GetStateResponse::default());
    let merge = transaction(vec![operation("merge", None)]);
    let status = execute_state_transaction(&world.service, Request::new(merge)).await.unwrap_err();
    assert_eq!(world::reason(&status), "ERR_NOT_SUPPORTED_STATE_OPERATION");
    assert_eq!((status.code(), status.message()), (Code::Unimplemented, "operation type merge not supported"));
}
