//! Every operation through both transports, over stores in memory.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use block_secret::{Access, Scope, Scopes, Service, endpoints, get_bulk_secret, get_secret};
use component_api::secret::{Features, Secret, Store};
use component_api::{Error, Instance, Kind, Live, Metadata, Properties, Result};
use http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tonic::Code;
use tower::ServiceExt;
use wire::runtime::v1::{GetBulkSecretRequest, GetSecretRequest};

/// Two secrets: one has a single value, the other is the metadata of the request.
struct Memory;

#[async_trait]
impl Store for Memory {
    fn features(&self) -> Features {
        Features { multiple_values: true }
    }

    async fn get(&self, name: &str, metadata: &Metadata) -> Result<Secret> {
        let all = self.bulk_get(metadata).await?;
        all.get(name).cloned().ok_or_else(|| Error::new(Kind::NotFound, format!("secret {name} not found")))
    }

    async fn bulk_get(&self, metadata: &Metadata) -> Result<BTreeMap<String, Secret>> {
        if metadata.contains_key("fail") {
            return Err(Error::new(Kind::Unavailable, "disk on fire"));
        }
        let plain = Secret::from([("plain".to_owned(), "v1".to_owned())]);
        Ok(BTreeMap::from([("plain".to_owned(), plain), ("asked".to_owned(), metadata.clone())]))
    }
}

struct World {
    service: Arc<Service>,
    router: Router,
}

impl World {
    fn new(stores: &[&str], scopes: Scopes) -> Self {
        let live = Live::<dyn Store>::default();
        for name in stores {
            live.insert(Instance {
                name: (*name).to_owned(),
                kind: "secretstores.test".to_owned(),
                version: "v1".to_owned(),
                properties: Properties::default(),
                component: Arc::new(Memory),
            });
        }
        let service = Arc::new(Service::new(live, scopes));
        let router = endpoints(Arc::clone(&service)).into_router(|_| true);
        Self { service, router }
    }

    async fn check(&self, path: &str, expect: (u16, Value)) {
        let request = Request::get(format!("/v1.0/secrets/{path}")).body(Body::empty()).unwrap();
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!((head.status.as_u16(), serde_json::from_slice(&body).unwrap()), expect, "{path}");
        assert_eq!(head.headers["content-type"], "application/json");
    }

    async fn check_grpc(&self, store: &str, key: &str, expect: (Code, &str)) {
        let request = GetSecretRequest { store_name: store.to_owned(), key: key.to_owned(), ..Default::default() };
        let status = get_secret(&self.service, request).await.unwrap_err();
        assert_eq!((status.code(), status.message()), expect);
    }
}

fn fault(code: &str, message: &str) -> Value {
    json!({"errorCode": code, "message": message})
}

#[tokio::test]
async fn secrets_are_read_one_by_one_and_all_at_once() {
    let world = World::new(&["store"], Scopes::default());
    world.check("store/plain", (200, json!({"plain": "v1"}))).await;
    world.check("store/asked?metadata.a=b&c=d", (200, json!({"a": "b"}))).await;
    world.check("store/bulk?metadata.a=b", (200, json!({"plain": {"plain": "v1"}, "asked": {"a": "b"}}))).await;
}

#[tokio::test]
async fn secrets_are_read_over_grpc() {
    let world = World::new(&["store"], Scopes::default());
    let metadata = HashMap::from([("a".to_owned(), "b".to_owned())]);
    let request =
        GetSecretRequest { store_name: "store".to_owned(), key: "asked".to_owned(), metadata: metadata.clone() };
    assert_eq!(get_secret(&world.service, request).await.unwrap().data, metadata);
    let request = GetBulkSecretRequest { store_name: "store".to_owned(), metadata: metadata.clone() };
    let all = get_bulk_secret(&world.service, request).await.unwrap().data;
    assert_eq!((all.len(), &all["asked"].secrets, all["plain"].secrets["plain"].as_str()), (2, &metadata, "v1"));
}

#[tokio::test]
async fn scopes_hide_secrets() {
    let scope = Scope { default_access: Access::Allow, denied: ["plain".to_owned()].into(), ..Scope::default() };
    let world = World::new(&["open", "scoped"], [("scoped".to_owned(), scope)].into_iter().collect());
    let denied = r#"access denied by policy to get "plain" from "scoped""#;
    world.check("scoped/plain", (403, fault("ERR_PERMISSION_DENIED", denied))).await;
    world.check("scoped/bulk", (200, json!({"asked": {}}))).await;
    world.check("open/plain", (200, json!({"plain": "v1"}))).await;
    world.check_grpc("scoped", "plain", (Code::PermissionDenied, denied)).await;
}

#[tokio::test]
async fn what_a_store_refuses_is_told() {
    let world = World::new(&["store"], Scopes::default());
    let missing = "failed getting secret with key no from secret store store: secret no not found";
    world.check("store/no", (500, fault("ERR_SECRET_GET", missing))).await;
    world.check_grpc("store", "no", (Code::Internal, missing)).await;
    let failed = "failed getting secrets from secret store store: disk on fire";
    world.check("store/bulk?metadata.fail=1", (500, fault("ERR_SECRET_GET", failed))).await;
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named() {
    let world = World::new(&["store"], Scopes::default());
    let unknown = "failed finding secret store with key nope";
    world.check("nope/a", (401, fault("ERR_SECRET_STORE_NOT_FOUND", unknown))).await;
    world.check("nope/bulk", (401, fault("ERR_SECRET_STORE_NOT_FOUND", unknown))).await;
    world.check_grpc("nope", "a", (Code::InvalidArgument, unknown)).await;
    let none = World::new(&[], Scopes::default());
    let unconfigured = "secret store is not configured";
    none.check("store/a", (500, fault("ERR_SECRET_STORES_NOT_CONFIGURED", unconfigured))).await;
    none.check_grpc("store", "a", (Code::FailedPrecondition, unconfigured)).await;
}
