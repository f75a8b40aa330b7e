//! Values in Avro, with the schemas of a registry on this machine.
use super::open;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use component_api::Kind;
use component_api::pubsub::{Broker, PublishRequest};
use conformance::patience::within;
use conformance::pubsub::client::{next, pairs, publish, subscribe};
use conformance::server::Server;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

const AVRO: &[(&str, &str)] = &[("valueSchemaType", "Avro")];
const PERSON: &str = r#"{"type":"record","name":"Person","fields":[{"name":"name","type":"string"},{"name":"age","type":["null","int"],"default":null}]}"#;

#[tokio::test]
#[ignore = "needs kafka: run ./test components"]
async fn values_in_avro() {
    let (server, registry) = (Server::kafka().await, Registry::start().await);
    registry.register("people-value", PERSON).await;
    let settings = [
        ("schemaRegistryURL", registry.url.as_str()),
        ("schemaRegistryAPIKey", "me"),
        ("schemaRegistryAPISecret", "very-secret"),
    ];
    let broker = open(server.address(), "app", &settings);
    let (mut inbox, subscription) = subscribe(&*broker, "people", AVRO).await;
    let (mut plain, other) = subscribe(&*open(server.address(), "plain", &[]), "people", &[]).await;
    for _ in 0..3 {
        publish(&*broker, "people", r#"{"name":"Ann","age":7}"#, AVRO).await;
        assert_eq!(next(&mut inbox).await.data, r#"{"name":"Ann","age":7}"#);
        assert_eq!(next(&mut plain).await.data, &b"\0\0\0\0\x01\x06Ann\x02\x0e"[..], "as the wire has it");
    }
    assert_eq!(registry.questions(), 2, "schemas are kept");
    tagged(&server, &settings).await;
    refused(&*broker).await;
    for subscription in [subscription, other] {
        within(subscription.close()).await;
    }
}

/// Values of unions have their kinds if that is wanted.
async fn tagged(server: &Server, settings: &[(&str, &str)]) {
    let settings: Vec<_> = settings.iter().copied().chain([("useAvroJSON", "true")]).collect();
    let broker = open(server.address(), "tagged", &settings);
    let (mut inbox, subscription) = subscribe(&*broker, "people", AVRO).await;
    publish(&*broker, "people", r#"{"name":"Bo","age":{"int":8}}"#, AVRO).await;
    assert_eq!(next(&mut inbox).await.data, r#"{"name":"Bo","age":{"int":8}}"#);
    within(subscription.close()).await;
}

async fn refused(broker: &dyn Broker) {
    for (topic, text, kind) in [("people", r#"{"name":5}"#, Kind::Invalid), ("unknown", "{}", Kind::NotFound)] {
        let (topic, data) = (topic.to_owned(), Bytes::from_static(text.as_bytes()));
        let request = PublishRequest { topic, data, content_type: None, metadata: pairs(AVRO) };
        let error = broker.publish(request).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// A registry of schemas.
struct Registry {
    url: String,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// Subject and schema; the number of a schema is its place, from 1.
    schemas: Vec<(String, String)>,
    questions: usize,
}

type Shared = State<Arc<Mutex<Kept>>>;

impl Registry {
    async fn start() -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let routes = Router::new()
            .route("/subjects/{subject}/versions", post(add))
            .route("/subjects/{subject}/versions/latest", get(latest))
            .route("/schemas/ids/{id}", get(by_id))
            .with_state(Arc::clone(&kept));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        #[allow(clippy::disallowed_methods)] // It ends with the runtime of its test.
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, kept }
    }

    async fn register(&self, subject: &str, schema: &str) {
        let body = Json(json!({"schema": schema}));
        let Json(answer) = add(State(Arc::clone(&self.kept)), Path(subject.to_owned()), body).await;
        assert_eq!(answer["id"], 1);
    }

    fn questions(&self) -> usize {
        self.kept.lock().unwrap().questions
    }
}

async fn add(State(kept): Shared, Path(subject): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    let mut kept = kept.lock().unwrap();
    kept.schemas.push((subject, body["schema"].as_str().unwrap().to_owned()));
    Json(json!({"id": kept.schemas.len()}))
}

async fn latest(
    State(kept): Shared,
    Path(subject): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, StatusCode> {
    let mut kept = ask(&kept, &headers)?;
    let place = kept.schemas.iter().rposition(|(known, _)| *known == subject).ok_or(StatusCode::NOT_FOUND)?;
    kept.questions += 1;
    Ok(Json(json!({"subject": subject, "version": 1, "id": place + 1, "schema": kept.schemas[place].1})))
}

async fn by_id(State(kept): Shared, Path(id): Path<usize>, headers: HeaderMap) -> Result<Json<Value>, StatusCode> {
    let mut kept = ask(&kept, &headers)?;
    kept.questions += 1;
    let (_, schema) = kept.schemas.get(id - 1).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(json!({"schema": schema})))
}

/// Those who may ask say who they are.
fn ask<'a>(kept: &'a Mutex<Kept>, headers: &HeaderMap) -> Result<std::sync::MutexGuard<'a, Kept>, StatusCode> {
    let known = headers.get("authorization").is_some_and(|value| value == "Basic bWU6dmVyeS1zZWNyZXQ=");
    if known { Ok(kept.lock().unwrap()) } else { Err(StatusCode::UNAUTHORIZED) }
}
