//! What the caller is told when something is wrong.
use crate::world::{Failing, LIMIT, World, check, details, reason};
use crate::{get, save, stored};
use block_state::{
    delete_bulk_state, delete_state, execute_state_transaction, get_bulk_state, get_state, query_state, save_state,
};
use component_api::Kind;
use component_in_memory::InMemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;
use tonic::{Code, Request, Status};
use wire::google::rpc::{BadRequest, Help, ResourceInfo};
use wire::runtime::v1::*;

const INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// Requests of all endpoints to a store.
fn requests(store: &str) -> Vec<(&'static str, String, &'static str)> {
    vec![
        ("GET", format!("/v1.0/state/{store}/k"), ""),
        ("POST", format!("/v1.0/state/{store}"), "[{\"key\":\"a\",\"value\":1}]"),
        ("DELETE", format!("/v1.0/state/{store}/k"), ""),
        ("POST", format!("/v1.0/state/{store}/bulk"), "{\"keys\":[\"a\"]}"),
        ("POST", format!("/v1.0/state/{store}/transaction"), "{\"operations\":[]}"),
        ("POST", format!("/v1.0-alpha1/state/{store}/query"), "{}"),
    ]
}

/// The statuses of all gRPC methods for a store.
async fn statuses(world: &World, store: &str) -> Vec<Status> {
    let service = &world.service;
    let store_name = store.to_owned();
    let get = GetStateRequest { store_name: store_name.clone(), key: "k".to_owned(), ..Default::default() };
    let save = SaveStateRequest { store_name: store_name.clone(), ..Default::default() };
    let delete = DeleteStateRequest { store_name: store_name.clone(), ..Default::default() };
    let bulk_get = GetBulkStateRequest { store_name: store_name.clone(), ..Default::default() };
    let bulk_delete = DeleteBulkStateRequest { store_name: store_name.clone(), ..Default::default() };
    let transaction = ExecuteStateTransactionRequest { store_name: store_name.clone(), ..Default::default() };
    let query = QueryStateRequest { store_name, query: "{}".to_owned(), ..Default::default() };
    vec![
        get_state(service, get).await.unwrap_err(),
        save_state(service, save).await.unwrap_err(),
        delete_state(service, delete).await.unwrap_err(),
        get_bulk_state(service, bulk_get).await.unwrap_err(),
        delete_bulk_state(service, bulk_delete).await.unwrap_err(),
        execute_state_transaction(service, Request::new(transaction)).await.unwrap_err(),
        query_state(service, query).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn stores_that_are_not_there() {
    let cases = [
        (World::new(), 400, Code::InvalidArgument, "ERR_STATE_STORE_NOT_FOUND", "DAPR_STATE_NOT_FOUND", "found"),
        (
            World::with(Vec::new()),
            500,
            Code::FailedPrecondition,
            "ERR_STATE_STORE_NOT_CONFIGURED",
            "DAPR_STATE_NOT_CONFIGURED",
            "configured",
        ),
    ];
    for (world, http, grpc, tag, why, text) in cases {
        let message = format!("state store nope is not {text}");
        for (method, path, body) in requests("nope") {
            let metadata = if path.ends_with("query") { Value::Null } else { json!({"appID": "app"}) };
            let info = json!({"@type": INFO, "domain": "dapr.io", "metadata": metadata, "reason": why});
            let expected = json!({"errorCode": tag, "message": message, "details": [info]});
            check(world.http(method, &path, body), (http, expected)).await;
        }
        for status in statuses(&world, "nope").await {
            assert_eq!((status.code(), status.message(), reason(&status).as_str()), (grpc, message.as_str(), why));
            assert_eq!(details(&status).len(), 1);
        }
    }
}

#[tokio::test]
async fn keys_with_the_separator() {
    let world = World::new();
    let text = "api error: code = InvalidArgument desc = input key/keyPrefix 'a||b' can't contain '||'";
    let expected = |violation: Value| {
        json!({"errorCode": "ERR_MALFORMED_REQUEST", "message": text, "details": [
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": [violation]},
            {"@type": "type.googleapis.com/google.rpc.ResourceInfo", "description": "", "owner": "", "resource_name": "store", "resource_type": "state"},
            {"@type": INFO, "domain": "dapr.io", "metadata": null, "reason": "DAPR_STATE_ILLEGAL_KEY"}]})
    };
    let named = json!({"field": "a||b", "description": text});
    let cases = [
        ("GET", "store/a%7C%7Cb", "", &named),
        ("DELETE", "store/a%7C%7Cb", "", &named),
        ("POST", "store", r#"[{"key":"a||b"}]"#, &named),
        ("POST", "store/bulk", r#"{"keys":["a||b"]}"#, &named),
        (
            "POST",
            "store/transaction",
            r#"{"operations":[{"operation":"delete","request":{"key":"a||b"}}]}"#,
            &json!({"description": text}),
        ),
    ];
    for (method, path, body, violation) in cases {
        check(world.http(method, &format!("/v1.0/state/{path}"), body), (400, expected(violation.clone()))).await;
    }
    let status = get_state(&world.service, get("a||b")).await.unwrap_err();
    let text = "input key/keyPrefix 'a||b' can't contain '||'";
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text));
    let [violations, resource, _] = &details(&status)[..] else { panic!("three details") };
    let violations: BadRequest = prost::Message::decode(violations.value.as_slice()).unwrap();
    let resource: ResourceInfo = prost::Message::decode(resource.value.as_slice()).unwrap();
    assert_eq!(
        (violations.field_violations[0].field.as_str(), violations.field_violations[0].description.as_str()),
        ("a||b", text)
    );
    assert_eq!((resource.resource_type.as_str(), resource.resource_name.as_str()), ("state", "store"));
}

#[tokio::test]
async fn keys_get_the_prefix_of_the_store() {
    for (prefix, stored_key) in
        [("", "app||k"), ("name", "one||k"), ("namespace", "ns.app||k"), ("none", "k"), ("Mine", "mine||k")]
    {
        let component = Arc::new(InMemoryStore::new());
        let world = World::with(vec![("one", prefix, component.clone()), ("all", "none", component)]);
        check(world.http("POST", "/v1.0/state/one", r#"[{"key":"k","value":1}]"#), (204, Value::Null)).await;
        let error = world.http("POST", "/v1.0/state/one", r#"[{"key":"k","etag":"x"}]"#).await.text;
        assert!(error.contains(&format!("for key={stored_key}: ")), "{prefix}: {error}");
        let bulk = world.http("POST", "/v1.0/state/one/bulk", r#"{"keys":["k"]}"#).await.text;
        assert!(bulk.starts_with(r#"[{"key":"k","data":1,"#), "{bulk}");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read() {
    let world = World::new();
    let large = format!(r#"[{{"key":"a","value":"{}"}}]"#, "x".repeat(LIMIT));
    let cases = [
        ("store", "not json", ""),
        ("store", "", ""),
        ("store", r#"{"key":"a"}"#, ""),
        ("store", r#"[{"value":1}]"#, "\"key\" is a required field"),
        ("store", r#"[{"key":1}]"#, ""),
        ("store", r#"[{"key":"a","etag":5}]"#, ""),
        ("store", r#"[{"key":"a","metadata":{"ttlInSeconds":5}}]"#, ""),
        ("store", r#"[{"key":"a","value":1}"#, ""),
        ("store", &large, "stream too large"),
        ("store/bulk", r#"{"keys":"#, "failed deserializing HTTP body: "),
        ("store/bulk", r#"{"keys":"a"}"#, "failed deserializing HTTP body: "),
        ("store/transaction", "{", "failed deserializing HTTP body: "),
        ("store/transaction", &large, "failed deserializing HTTP body: stream too large"),
        (
            "store/transaction",
            r#"{"operations":[{"operation":"upsert","request":5}]}"#,
            "failed deserializing HTTP body: ",
        ),
    ];
    for (path, body, start) in cases {
        let answer = world.http("POST", &format!("/v1.0/state/{path}"), body.to_owned()).await;
        let json: Value = serde_json::from_str(&answer.text).unwrap();
        assert_eq!((answer.status, &json["errorCode"]), (400, &json!("ERR_MALFORMED_REQUEST")), "{body:.50}");
        assert!(json["message"].as_str().unwrap().starts_with(start), "{json}");
        assert_eq!(json.as_object().unwrap().len(), 2, "no details");
    }
    let status = save_state(&world.service, save(vec![stored("", b"1")])).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "state key cannot be empty"));
    assert_eq!(reason(&status), "ERR_STATE_SAVE");
}

#[tokio::test]
async fn options_that_there_are_not() {
    let world = World::new();
    for (options, model) in [(r#"{"concurrency":"x"}"#, "concurrency"), (r#"{"consistency":"x"}"#, "consistency")] {
        let text = format!("failed saving state in state store store: unrecognized {model} model 'x'");
        let body = format!(r#"[{{"key":"a","options":{options}}}]"#);
        let expected = json!({"errorCode": "ERR_STATE_SAVE", "message": text});
        check(world.http("POST", "/v1.0/state/store", body), (500, expected)).await;
        let text = format!("failed deleting state with key a: unrecognized {model} model 'x'");
        let expected = json!({"errorCode": "ERR_STATE_DELETE", "message": text});
        check(world.http("DELETE", &format!("/v1.0/state/store/a?{model}=x"), ""), (500, expected)).await;
    }
}

#[tokio::test]
async fn stores_that_fail() {
    let world = World::with(vec![
        ("bad", "", Arc::new(Failing(Kind::Other))),
        ("odd", "", Arc::new(Failing(Kind::EtagInvalid))),
    ]);
    let error = |tag: &str, text: &str| json!({"errorCode": tag, "message": text});
    let text = "fail to get k from state store bad: disk on fire";
    check(world.http("GET", "/v1.0/state/bad/k", ""), (500, error("ERR_STATE_GET", text))).await;
    let text = "failed saving state in state store bad: disk on fire\ndisk on fire";
    let body = r#"[{"key":"a"},{"key":"b"}]"#;
    check(world.http("POST", "/v1.0/state/bad", body), (500, error("ERR_STATE_SAVE", text))).await;
    let text = "failed saving state in state store odd: invalid etag value: disk on fire";
    check(world.http("POST", "/v1.0/state/odd", r#"[{"key":"a"}]"#), (400, error("ERR_STATE_SAVE", text))).await;
    let bulk = r#"{"keys":["a"]}"#;
    let expected = json!([{"key": "a", "error": "disk on fire"}]);
    check(world.http("POST", "/v1.0/state/bad/bulk", bulk), (200, expected)).await;
    let away = World::with(vec![("away", "", Arc::new(Failing(Kind::Unavailable)))]);
    let expected = error("ERR_STATE_BULK_GET", "disk on fire");
    check(away.http("POST", "/v1.0/state/away/bulk", bulk), (500, expected)).await;
    let request = GetStateRequest { store_name: "bad".to_owned(), ..get("k") };
    let status = get_state(&world.service, request).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "ERR_STATE_GET"));
}

#[tokio::test]
async fn what_a_store_cannot_do() {
    let world = World::with(vec![
        ("bad", "", Arc::new(Failing(Kind::Other))),
        ("odd", "", Arc::new(Failing(Kind::EtagInvalid))),
    ]);
    let resource = |name: &str| json!({"@type": "type.googleapis.com/google.rpc.ResourceInfo", "description": "", "owner": "", "resource_name": name, "resource_type": "state"});
    for body in ["{}", "{", ""] {
        let info = json!({"@type": INFO, "domain": "dapr.io", "metadata": null, "reason": "DAPR_STATE_QUERYING_NOT_SUPPORTED"});
        let expected = json!({"errorCode": "ERR_STATE_STORE_NOT_SUPPORTED", "message": "state store does not support querying", "details": [resource("bad"), info]});
        check(world.http("PUT", "/v1.0-alpha1/state/bad/query", body), (500, expected)).await;
    }
    let two =
        r#"{"operations":[{"operation":"delete","request":{"key":"a"}},{"operation":"delete","request":{"key":"b"}}]}"#;
    let metadata = json!({"currentOpsTransaction": "2", "maxOpsPerTransaction": "1"});
    let info =
        json!({"@type": INFO, "domain": "dapr.io", "metadata": metadata, "reason": "DAPR_STATE_TOO_MANY_TRANSACTIONS"});
    let text = "the transaction contains 2 operations, which is more than what the state store supports: 1";
    let expected = json!({"errorCode": "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS", "message": text, "details": [resource("bad"), info]});
    check(world.http("POST", "/v1.0/state/bad/transaction", two), (400, expected)).await;
    let answer = world.http("POST", "/v1.0/state/odd/transaction", two).await;
    let json: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!((answer.status, &json["errorCode"]), (500, &json!("ERR_STATE_STORE_NOT_SUPPORTED")));
    assert_eq!(json["details"][2]["reason"], "DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED");
    let request = ExecuteStateTransactionRequest { store_name: "odd".to_owned(), ..Default::default() };
    let status = execute_state_transaction(&world.service, Request::new(request)).await.unwrap_err();
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unimplemented, "state store odd doesn't support transactions")
    );
    let help: Help = prost::Message::decode(details(&status)[0].value.as_slice()).unwrap();
    assert!(help.links[0].url.starts_with("https://docs.dapr.io/"));
}
