//! State of actors through both transports.
use crate::placement::Placement;
use crate::world::{Sidecar, add_store, fault, hosting, store};
use block_actor::{Options, execute_actor_state_transaction, get_actor_state};
use component_api::state::GetRequest;
use serde_json::json;
use tonic::Code;
use wire::runtime::v1::{ExecuteActorStateTransactionRequest, GetActorStateRequest, TransactionalActorStateOperation};

async fn active(options: Options) -> (Placement, Sidecar) {
    let placement = Placement::start(0).await;
    let sidecar = Sidecar::with(Some(&placement), hosting("t", json!({})), options).await;
    placement.round(1).await;
    sidecar.check("PUT t/1/method/m", "", (200, "")).await;
    (placement, sidecar)
}

fn step(operation_type: &str, key: &str, value: &str) -> TransactionalActorStateOperation {
    TransactionalActorStateOperation {
        operation_type: operation_type.to_owned(),
        key: key.to_owned(),
        value: Some(prost_types::Any { type_url: String::new(), value: value.as_bytes().to_vec() }),
        ..Default::default()
    }
}

fn transaction(operations: Vec<TransactionalActorStateOperation>) -> ExecuteActorStateTransactionRequest {
    ExecuteActorStateTransactionRequest { actor_type: "t".to_owned(), actor_id: "1".to_owned(), operations }
}

#[tokio::test]
async fn a_transaction_is_read_back() {
    let (_placement, sidecar) = active(Options { allows_ttl: true, ..Options::default() }).await;
    let steps = json!([
        {"operation": "upsert", "request": {"key": "a", "value": {"b": 1}, "metadata": {"ttlInSeconds": "100"}}},
        {"operation": "upsert", "request": {"key": "c", "value": "text"}},
    ]);
    sidecar.check("POST t/1/state", &steps.to_string(), (204, "")).await;
    let (status, headers, body) = sidecar.send("GET t/1/state/a", &[], "").await;
    assert_eq!(
        (status, body.as_str(), &headers["content-type"]),
        (200, r#"{"b":1}"#, &"application/json".parse().unwrap())
    );
    assert!(headers.contains_key("metadata.ttlexpiretime"));
    sidecar.check("GET t/1/state/c", "", (200, r#""text""#)).await;
    sidecar.check("GET t/1/state/none", "", (204, "")).await;
    let stored = sidecar.stores.get("store").unwrap();
    let request = GetRequest { key: "app||t||1||c".to_owned(), ..GetRequest::default() };
    assert_eq!(stored.component.get(request).await.unwrap().unwrap().data, r#""text""#);
    let steps = vec![step("upsert", "c", "bytes"), step("delete", "a", "")];
    execute_actor_state_transaction(&sidecar.service, transaction(steps)).await.unwrap();
    let [actor_type, actor_id, key] = ["t", "1", "c"].map(str::to_owned);
    let read = get_actor_state(&sidecar.service, GetActorStateRequest { actor_type, actor_id, key }).await.unwrap();
    assert_eq!(read.data, "bytes");
    sidecar.check("GET t/1/state/a", "", (204, "")).await;
}

#[tokio::test]
async fn what_cannot_be_saved_is_told() {
    let (_placement, sidecar) = active(Options::default()).await;
    let saving = |reason: &str| {
        fault("ERR_ACTOR_STATE_TRANSACTION_SAVE", &format!("error saving actor transaction state: {reason}"))
    };
    let upsert = |request: serde_json::Value| json!([{"operation": "upsert", "request": request}]).to_string();
    for (body, reason) in [
        (upsert(json!({"value": 1})), "missing key"),
        (r#"[{"operation": "upsert"}]"#.to_owned(), "request data is empty"),
        (r#"[{"operation": "add", "request": {}}]"#.to_owned(), "operation type add not supported"),
        (
            upsert(json!({"key": "a", "metadata": {"ttlInSeconds": "1"}})),
            r#"ttlInSeconds is not supported without the "ActorStateTTL" feature enabled"#,
        ),
    ] {
        sidecar.check("POST t/1/state", &body, (500, &saving(reason))).await;
    }
    let missing = fault("ERR_ACTOR_INSTANCE_MISSING", "actor instance is missing");
    sidecar.check("POST t/2/state", "[]", (400, &missing)).await;
    let reserved = "actor type \"dapr.internal.x\" is reserved for the Dapr workflow runtime; direct actor API access is not permitted";
    sidecar.check("POST dapr.internal.x/1/state", "[]", (403, &fault("ERR_ACTOR_TYPE_RESERVED", reserved))).await;
    let unknown = execute_actor_state_transaction(&sidecar.service, transaction(vec![step("add", "a", "")])).await;
    assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn hosting_follows_the_store() {
    let (placement, sidecar) = active(Options::default()).await;
    sidecar.stores.remove("store");
    sidecar.service.store_changed().await;
    sidecar.app.until("DELETE /actors/t/1", 1).await;
    placement.until_hosted("t", false).await;
    let (status, _, body) = sidecar.send("GET t/1/state/a", &[], "").await;
    assert!(status == 500 && body.contains("ERR_ACTOR_RUNTIME_NOT_FOUND"), "{body}");
    add_store(&sidecar.stores, store());
    sidecar.service.store_changed().await;
    placement.until_hosted("t", true).await;
    placement.round(1).await;
    sidecar.check("PUT t/1/method/m", "x", (200, "x")).await;
}
