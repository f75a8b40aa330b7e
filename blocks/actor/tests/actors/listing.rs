//! Which actors are active, and how large their state is.
use crate::placement::Placement;
use crate::world::{Sidecar, add_store, in_step};
use async_trait::async_trait;
use axum::body::Body;
use block_actor::{Page, StateSize};
use component_api::Result;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, SetRequest, Store, Value};
use component_in_memory::InMemoryStore;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::json;
use std::sync::Arc;
use tower::ServiceExt;

async fn with_actors(ids: &[&str]) -> (Placement, Sidecar) {
    let (placement, sidecar) = in_step(json!({})).await;
    for id in ids {
        sidecar.check(&format!("PUT t/{id}/method/m"), "", (200, "")).await;
    }
    (placement, sidecar)
}

/// Status and body of the answer to a query.
async fn list(sidecar: &Sidecar, query: &str) -> (StatusCode, serde_json::Value) {
    let request = Request::builder().uri(format!("/v1.0-alpha1/actors/t?{query}")).body(Body::empty()).unwrap();
    let (head, body) = sidecar.router.clone().oneshot(request).await.unwrap().into_parts();
    (head.status, serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
}

fn sizes(page: &Page) -> Vec<(&str, StateSize)> {
    page.actors.iter().map(|actor| (actor.id.as_str(), actor.state)).collect()
}

fn size(keys: u64, bytes: u64) -> StateSize {
    StateSize { keys, bytes }
}

#[tokio::test]
async fn active_actors_are_listed_page_by_page() {
    let (_placement, sidecar) = with_actors(&["b", "a", "c"]).await;
    let first = sidecar.service.active("t", "", 2).unwrap();
    let ids: Vec<_> = first.actors.iter().map(|actor| actor.id.as_str()).collect();
    assert_eq!((ids, first.next.as_deref()), (vec!["a", "b"], Some("b")));
    assert_eq!(first.hosts, [first.host]);
    let last = sidecar.service.active("t", "b", 2).unwrap();
    assert_eq!((last.actors.len(), last.next), (1, None));
    assert!(sidecar.service.active("other", "", 2).unwrap().actors.is_empty());
}

#[tokio::test]
async fn sizes_are_those_of_what_was_read_and_written_or_of_all_there_is() {
    let (_placement, sidecar) = with_actors(&["a", "a_", "b"]).await;
    let stored = sidecar.stores.get("store").unwrap().component.clone();
    // Written by an earlier host.
    for (key, value) in [("a||old", "12345"), ("a||older", "123"), ("ab||other", "1")] {
        let (key, value) = (format!("app||t||{key}"), Value::Binary(value.into()));
        let (etag, concurrency, consistency, metadata) = Default::default();
        stored.set(SetRequest { key, value, etag, concurrency, consistency, metadata }).await.unwrap();
    }
    let upsert = |key: &str, value: &str| json!({"operation": "upsert", "request": {"key": key, "value": value}});
    let steps = json!([upsert("x", "1234"), upsert("y", "12")]);
    sidecar.check("POST t/a/state", &steps.to_string(), (204, "")).await;
    sidecar.check("GET t/a/state/old", "", (200, "12345")).await;
    let seen = sidecar.service.active("t", "", 9).unwrap();
    assert_eq!(
        (sizes(&seen), seen.measured),
        (vec![("a", size(3, 6 + 4 + 5)), ("a_", size(0, 0)), ("b", size(0, 0))], false)
    );
    let measured = sidecar.service.measure(seen).await.unwrap();
    assert!(measured.measured);
    assert_eq!(sizes(&measured), [("a", size(4, 6 + 4 + 5 + 3)), ("a_", size(0, 0)), ("b", size(0, 0))]);
    let steps = json!([{"operation": "delete", "request": {"key": "x"}}]);
    sidecar.check("POST t/a/state", &steps.to_string(), (204, "")).await;
    let (_, page) = list(&sidecar, "limit=1&measure=true").await;
    assert_eq!(page["actors"][0]["state"], json!({"keys": 3, "bytes": 4 + 5 + 3}));
    assert_eq!((&page["measured"], &page["next"]), (&json!(true), &json!("a")));
}

/// A store that keeps nothing, and cannot list its keys.
struct Mute;

#[async_trait]
impl Store for Mute {
    fn features(&self) -> Features {
        Features { keys_like: false, ..InMemoryStore::new().features() }
    }

    async fn get(&self, _: GetRequest) -> Result<Option<Item>> {
        Ok(None)
    }

    async fn set(&self, _: SetRequest) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _: DeleteRequest) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_listed_is_told() {
    let (_placement, sidecar) = with_actors(&["a"]).await;
    for (query, named) in [
        ("limit=many", "limit=many"),
        ("limit=-1", "limit=-1"),
        ("measure=yes", "measure=yes"),
        ("limit=1&limit=2", "duplicate field `limit`"),
        ("after=%ff", "after=%ff: it must be UTF-8"),
    ] {
        let (status, body) = list(&sidecar, query).await;
        assert_eq!((status, &body["errorCode"]), (StatusCode::BAD_REQUEST, &json!("ERR_BAD_REQUEST")), "{query}");
        assert!(body["message"].as_str().unwrap().contains(named), "{body}");
    }
    sidecar.stores.remove("store");
    add_store(&sidecar.stores, Arc::new(Mute));
    let (status, body) = list(&sidecar, "measure=true").await;
    assert_eq!(status, StatusCode::NOT_IMPLEMENTED);
    assert!(body["message"].as_str().unwrap().contains("state store store cannot list its keys"), "{body}");
    assert_eq!(list(&sidecar, "").await.0, StatusCode::OK);
}
