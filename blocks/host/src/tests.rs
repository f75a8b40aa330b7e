//! The sidecar's own endpoints as a client sees them, over both transports.
use crate::absent;
use crate::{About, AppConnection, Component, Facts, Health, Service, Stop, Subscription, endpoints, grpc};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tower::ServiceExt;
use wire::runtime::v1;

struct Few;

impl Facts for Few {
    fn components(&self) -> Vec<Component> {
        let kind = "state.in-memory".to_owned();
        vec![Component { name: "store".to_owned(), kind, version: "v1".to_owned(), capabilities: vec!["ETAG"] }]
    }

    fn subscriptions(&self) -> Vec<Subscription> {
        vec![Subscription {
            pubsub: "broker".to_owned(),
            topic: "a".to_owned(),
            kind: "STREAMING",
            ..Subscription::default()
        }]
    }

    fn http_endpoints(&self) -> Vec<String> {
        vec!["ep".to_owned()]
    }

    fn resiliencies(&self) -> Vec<String> {
        Vec::new()
    }
}

#[derive(Default)]
struct Noted {
    gracefully: AtomicBool,
    by_force: AtomicBool,
}

impl Stop for Noted {
    fn gracefully(&self) {
        self.gracefully.store(true, Ordering::Relaxed);
    }

    fn by_force(&self) {
        self.by_force.store(true, Ordering::Relaxed);
    }
}

struct World {
    router: Router,
    service: Arc<Service>,
    health: Health,
    stop: Arc<Noted>,
}

impl World {
    fn new() -> Self {
        let (health, stop) = (Health::new(), Arc::new(Noted::default()));
        let app =
            AppConnection { protocol: "http", channel_address: "127.0.0.1".to_owned(), ..AppConnection::default() };
        let about = About { app_id: "app".to_owned(), version: "1.18.3", features: Vec::new(), app };
        let service = Service::new(about, health.clone(), Health::new(), Arc::new(Few), Arc::clone(&stop) as _);
        let service = Arc::new(service);
        let router = endpoints(Arc::clone(&service)).merge(absent::endpoints()).into_router(|_| true);
        Self { router, service, health, stop }
    }

    async fn send(&self, line: &str, body: &str) -> (u16, Value) {
        let (method, path) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path).header("dapr-force-shutdown", "True");
        let answer = self.router.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }
}

#[tokio::test]
async fn health_names_what_is_not_ready() {
    let world = World::new();
    let runtime = world.health.target("runtime");
    let refused = json!({"errorCode": "ERR_HEALTH_NOT_READY", "message": "dapr is not ready: [runtime]"});
    assert_eq!(world.send("GET /v1.0/healthz", "").await, (500, refused));
    runtime.ready();
    assert_eq!(world.send("GET /v1.0/healthz?appid=app", "").await.0, 204);
    assert_eq!(world.send("GET /v1.0/healthz?appid=other", "").await.1["errorCode"], "ERR_HEALTH_APPID_NOT_MATCH");
    assert_eq!(world.send("GET /v1.0/healthz/outbound", "").await.1["errorCode"], "ERR_OUTBOUND_HEALTH_NOT_READY");
}

#[tokio::test]
async fn the_document_leaves_out_what_is_empty() {
    let world = World::new();
    assert_eq!(world.send("PUT /v1.0/metadata/a%20b", "x").await.0, 204);
    assert_eq!(world.send("PUT /v1.0/metadata/daprRuntimeVersion", "9").await.0, 204);
    let expected = json!({
        "id": "app",
        "runtimeVersion": "1.18.3",
        "components": [{"name": "store", "type": "state.in-memory", "version": "v1", "capabilities": ["ETAG"]}],
        "extended": {"a b": "x", "daprRuntimeVersion": "1.18.3"},
        "subscriptions": [{"pubsubname": "broker", "topic": "a", "deadLetterTopic": "", "type": "STREAMING"}],
        "httpEndpoints": [{"name": "ep"}],
        "appConnectionProperties": {"protocol": "http", "channelAddress": "127.0.0.1"},
        "actorRuntime": {"runtimeStatus": "DISABLED", "hostReady": false, "placement": "placement: disconnected"},
    });
    assert_eq!(world.send("GET /v1.0/metadata", "").await, (200, expected));
    let document = grpc::get_metadata(&world.service).into_inner();
    assert_eq!(document.subscriptions[0].r#type(), v1::PubsubSubscriptionType::Streaming);
    assert_eq!((document.extended_metadata["a b"].as_str(), document.scheduler), ("x", None));
}

#[tokio::test]
async fn shutdown_has_two_speeds() {
    let world = World::new();
    assert_eq!(world.send("POST /v1.0/shutdown", "").await.0, 204);
    assert!(world.stop.by_force.load(Ordering::Relaxed));
    grpc::shutdown(&world.service, tonic::Request::new(v1::ShutdownRequest::default()));
    assert!(world.stop.gracefully.load(Ordering::Relaxed));
}

#[tokio::test]
async fn workflows_want_a_placement_service() {
    let world = World::new();
    for (line, body, status, code) in [("POST /v1.0-beta1/workflows/dapr/w/start", "", 400, "ERR_ACTOR_NO_PLACEMENT")] {
        let (got, answer) = world.send(line, body).await;
        assert_eq!((got, answer["errorCode"].as_str()), (status, Some(code)), "{line} {body}");
    }
}
