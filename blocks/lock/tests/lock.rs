//! Both operations through both transports, over the in-memory store and over one that fails.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use block_lock::{Service, endpoints, try_lock, unlock};
use component_api::lock::{Store, Unlocked};
use component_api::{Error, Instance, Live, Properties, Result};
use component_in_memory::InMemoryLocks;
use http::Request;
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tonic::Code;
use tower::ServiceExt;
use wire::runtime::v1::{TryLockRequest, UnlockRequest};

struct Broken;

#[async_trait]
impl Store for Broken {
    async fn try_lock(&self, resource: &str, _: &str, _: Duration) -> Result<bool> {
        Err(Error::other(format!("no {resource}")))
    }

    async fn unlock(&self, resource: &str, _: &str) -> Result<Unlocked> {
        Err(Error::other(format!("no {resource}")))
    }
}

struct World {
    service: Arc<Service>,
    router: Router,
}

impl World {
    /// With stores: name, key prefix, component.
    fn with(stores: Vec<(&str, &str, Arc<dyn Store>)>) -> Self {
        let live = Live::default();
        for (name, prefix, component) in stores {
            let properties = Properties::from_iter([("keyPrefix", prefix)]);
            let (kind, version) = ("lock.test".to_owned(), "v1".to_owned());
            live.insert(Instance { name: name.to_owned(), kind, version, properties, component });
        }
        let service = Arc::new(Service::new("app", live));
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, router }
    }

    fn new() -> Self {
        Self::with(vec![("store", "appid", Arc::new(InMemoryLocks::new())), ("broken", "mine", Arc::new(Broken))])
    }

    async fn check(&self, path: &str, body: &str, (status, expected): (u16, Value)) {
        let body = Body::new(Limited::new(Body::from(body.to_owned()), 256));
        let request = Request::post(format!("/v1.0-alpha1/{path}")).body(body).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
        assert_eq!((head.status.as_u16(), body), (status, expected), "{path}");
    }
}

fn fault(tag: &str, message: &str) -> Value {
    json!({"errorCode": tag, "message": message})
}

fn wish(store: &str, resource: &str, owner: &str, expiry_in_seconds: i32) -> TryLockRequest {
    let [store_name, resource_id, lock_owner] = [store, resource, owner].map(str::to_owned);
    TryLockRequest { store_name, resource_id, lock_owner, expiry_in_seconds }
}

fn release(store: &str, resource: &str, owner: &str) -> UnlockRequest {
    let [store_name, resource_id, lock_owner] = [store, resource, owner].map(str::to_owned);
    UnlockRequest { store_name, resource_id, lock_owner }
}

#[tokio::test]
async fn locks_over_http() {
    let world = World::new();
    let one = r#"{"resourceId":"r","lockOwner":"o","expiryInSeconds":60,"storeName":"other","x":1}"#;
    world.check("lock/store", one, (200, json!({"success": true}))).await;
    let again = r#"{"resource_id":"r","lock_owner":"o","expiry_in_seconds":"60"}"#;
    world.check("lock/store", again, (200, json!({"success": false}))).await;
    world.check("unlock/store", r#"{"resourceId":"r","lockOwner":"x"}"#, (200, json!({"status": 2}))).await;
    world.check("unlock/store", r#"{"resourceId":"r","lockOwner":"o"}"#, (200, json!({"status": 0}))).await;
    world.check("unlock/store", r#"{"resourceId":"r","lockOwner":"o"}"#, (200, json!({"status": 1}))).await;
}

#[tokio::test]
async fn locks_over_grpc() {
    let world = World::new();
    assert!(try_lock(&world.service, wish("store", "r", "o", 60)).await.unwrap().success);
    assert!(!try_lock(&world.service, wish("store", "r", "x", 60)).await.unwrap().success);
    let mut statuses = Vec::new();
    for owner in ["x", "o", "o"] {
        statuses.push(unlock(&world.service, release("store", "r", owner)).await.unwrap().status);
    }
    assert_eq!(statuses, [2, 0, 1]);
}

#[tokio::test]
async fn requests_are_checked_in_order() {
    let world = World::new();
    let malformed = |message: &str| (400, fault("ERR_MALFORMED_REQUEST", message));
    let no_time = "ExpiryInSeconds is not positive in lock store nope";
    world.check("lock/nope", "", malformed(no_time)).await;
    world.check("lock/nope", r#"{"resourceId":"r","expiryInSeconds":-1}"#, malformed(no_time)).await;
    world.check("lock/nope", r#"{"expiryInSeconds":1}"#, malformed("ResourceId is empty in lock store nope")).await;
    let no_owner = malformed("LockOwner is empty in lock store nope");
    world.check("lock/nope", r#"{"expiryInSeconds":1,"resourceId":"r"}"#, no_owner.clone()).await;
    world.check("unlock/nope", r#"{"resourceId":"r","lockOwner":null}"#, no_owner).await;
    let not_found = (400, fault("ERR_LOCK_STORE_NOT_FOUND", "lock store nope not found"));
    world.check("unlock/nope", r#"{"resourceId":"r","lockOwner":"o"}"#, not_found).await;
    let text = "failed deserializing HTTP body: a JSON object is expected";
    world.check("unlock/store", "[]", malformed(text)).await;
    let unread = (400, fault("ERR_BODY_READ", "failed to read request body: stream too large"));
    world.check("lock/store", &"x".repeat(300), unread).await;
    let status = try_lock(&world.service, wish("nope", "r", "o", 0)).await.unwrap_err();
    assert_eq!((status.code(), status.message(), status.details()), (Code::InvalidArgument, no_time, &[][..]));
}

#[tokio::test]
async fn what_a_store_says_is_passed_on() {
    let world = World::new();
    let request = r#"{"resourceId":"r","lockOwner":"o","expiryInSeconds":1}"#;
    let refused = (500, fault("ERR_TRY_LOCK", "failed to try acquiring lock: no lock||mine||r"));
    world.check("lock/broken", request, refused).await;
    let refused = (500, fault("ERR_UNLOCK", "failed to release lock: no lock||mine||r"));
    world.check("unlock/broken", request, refused).await;
    let status = unlock(&world.service, release("broken", "a||b", "o")).await.unwrap_err();
    let text = "failed to release lock: input key/keyPrefix 'a||b' can't contain '||'";
    assert_eq!((status.code(), status.message()), (Code::Internal, text));
}

#[tokio::test]
async fn without_any_store() {
    let world = World::with(Vec::new());
    let missing = (500, fault("ERR_LOCK_STORE_NOT_CONFIGURED", "lock store is not configured"));
    world.check("lock/nope", r#"{"expiryInSeconds":1}"#, missing.clone()).await;
    world.check("unlock/nope", "{}", missing).await;
    let status = unlock(&world.service, release("nope", "", "")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}
