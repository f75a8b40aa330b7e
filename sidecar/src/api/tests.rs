//! A component that panics or hangs, behind both transports.
mod around;
mod heads;

use super::grpc::{self, Answer, Blocks};
use super::http::{Api, Settings};
use super::observe::Observer;
use crate::components::Live;
use crate::facts::Sources;
use crate::resources::Current;
use crate::stopping::{ByApi, Ending};
use async_trait::async_trait;
use axum::body::Body;
use block_host::{About, Health};
use component_api::naming::{Registration, Resolver, Target};
use component_api::state::{DeleteRequest, Features, GetRequest, Item, SetRequest, Store};
use component_api::{Error, Instance, Properties, Result};
use foundation_drain::Drain;
use foundation_peer::{Own, Peers};
use foundation_telemetry::{Exporter, Metrics};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use wire::runtime::v1::{DeleteStateRequest, GetStateRequest, SaveStateRequest};

const HOUR: Duration = Duration::from_secs(3_600);

/// Panics with what it was asked for; what it deletes it never finishes.
struct Panicking;

#[async_trait]
impl Store for Panicking {
    fn features(&self) -> Features {
        Features::default()
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        panic!("cannot get {}", request.key)
    }

    async fn set(&self, _: SetRequest) -> Result<()> {
        Ok(())
    }

    async fn delete(&self, _: DeleteRequest) -> Result<()> {
        std::future::pending().await
    }
}

/// Knows no other sidecar.
struct Nobody;

#[async_trait]
impl Resolver for Nobody {
    async fn register(&self, _: Registration) -> Result<()> {
        Ok(())
    }

    async fn resolve(&self, target: &Target) -> Result<Vec<String>> {
        Err(Error::other(target.app_id.clone()))
    }
}

fn live() -> Live {
    let live = Live::default();
    live.state.insert(Instance {
        name: "store".to_owned(),
        kind: "state.panicking".to_owned(),
        version: "v1".to_owned(),
        properties: Properties::default(),
        component: Arc::new(Panicking),
    });
    live
}

fn blocks(drain: &Drain) -> Blocks {
    let (live, id) = (live(), String::new);
    let own = Own { app_id: id(), namespace: id(), address: id(), host_name: id(), internal_port: 0 };
    let peers = Arc::new(Peers::new(Arc::new(Nobody), own, 0, drain));
    let pubsub = Arc::new(block_pubsub::Service::new(id(), id(), live.brokers.clone()));
    let asking = block_pubsub::Options::default();
    let subscriber = block_pubsub::Subscriber::new(Arc::clone(&pubsub), None, asking, drain);
    let actors = Arc::new(block_actor::Service::new(Default::default(), &peers, live.state.clone(), drain));
    let facts = Sources {
        live: live.clone(),
        subscriber: Arc::clone(&subscriber),
        current: Current::default(),
        actors: Arc::clone(&actors),
        scheduler: None,
    };
    let stop = Arc::new(ByApi::new(Ending::default(), drain.clone()));
    let host = block_host::Service::new(About::default(), Health::new(), Health::new(), Arc::new(facts), stop);
    Blocks {
        actors,
        invoke: Arc::new(block_invoke::Service::new(peers, None, 0)),
        state: Arc::new(block_state::Service::new(id(), id(), live.state.clone())),
        crypto: Arc::new(block_crypto::Service::new(live.cryptos.clone())),
        pubsub,
        secret: Arc::new(block_secret::Service::new(live.secrets.clone(), Default::default())),
        binding: Arc::new(block_binding::Service::new(live.bindings.clone())),
        subscriber,
        configuration: Arc::new(block_configuration::Service::new(live.configurations.clone(), None)),
        lock: Arc::new(block_lock::Service::new(id(), live.locks.clone())),
        conversation: Arc::new(block_conversation::Service::new(live.conversations.clone())),
        telemetry: Arc::new(block_telemetry::Service::new(id(), Metrics::disabled(), Exporter::default())),
        host: Arc::new(host),
        job: Arc::new(block_job::Service::new(id(), id(), None)),
    }
}

/// Status and body of an answer over HTTP.
async fn over_http(api: &Api, method: &str, path: &str, body: &'static str) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).body(Body::from(body)).unwrap();
    let response = api.answer(request, None).await;
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Status and message of an answer over gRPC.
async fn over_grpc(api: &grpc::Api, method: &str, message: impl Message) -> (String, String) {
    let bytes = message.encode_to_vec();
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    let request = Request::post(format!("/dapr.proto.runtime.v1.Dapr/{method}"))
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "1M")
        .body(Body::from([&[0], &length[..], &bytes].concat()))
        .unwrap();
    let response = api.answer(request).await;
    let headers = response.headers().clone();
    let collected = response.into_body().collect().await.unwrap();
    let told = |name: &str| {
        let value = headers.get(name).or_else(|| collected.trailers()?.get(name));
        value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    (told("grpc-status"), told("grpc-message"))
}

#[tokio::test]
async fn a_path_that_is_no_text_is_refused_in_the_form_of_the_api() {
    let blocks = blocks(&Drain::new());
    let endpoints = block_state::endpoints(Arc::clone(&blocks.state)).into_router(|_| true);
    let settings = Settings { read_buffer_size: 4096, ..Settings::default() };
    let http = Api::new(endpoints, None, settings, Observer::default());
    let (status, body) = over_http(&http, "GET", "/v1.0/state/store/%ff", "").await;
    let expected =
        r#"{"errorCode":"ERR_MALFORMED_REQUEST","message":"the path is not UTF-8 when its escapes are resolved"}"#;
    assert_eq!((status, body.as_str()), (StatusCode::BAD_REQUEST, expected));
}

#[tokio::test]
async fn a_panic_ends_its_own_request_alone() {
    let drain = Drain::new();
    let blocks = blocks(&drain);
    let endpoints = block_state::endpoints(Arc::clone(&blocks.state)).into_router(|_| true);
    let settings = Settings { read_buffer_size: 4096, ..Settings::default() };
    let http = Api::new(endpoints, None, settings, Observer::default());
    let grpc = grpc::Api::new(blocks, grpc::Settings::default(), Observer::default()).unwrap();
    let get = GetStateRequest { store_name: "store".to_owned(), key: "key".to_owned(), ..Default::default() };
    let save = SaveStateRequest { store_name: "store".to_owned(), ..Default::default() };
    for _ in 0..2 {
        let (status, body) = over_http(&http, "GET", "/v1.0/state/store/key", "").await;
        let expected = r#"{"errorCode":"ERR_INTERNAL","message":"an internal error ended the work"}"#;
        assert_eq!((status, body.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, expected));
        let saved = over_http(&http, "POST", "/v1.0/state/store", r#"[{"key": "key", "value": 1}]"#).await;
        assert_eq!(saved.0, StatusCode::NO_CONTENT);
        let (status, message) = over_grpc(&grpc, "GetState", get.clone()).await;
        assert_eq!((status.as_str(), message.as_str()), ("13", "an%20internal%20error%20ended%20the%20work"));
        assert_eq!(over_grpc(&grpc, "SaveState", save.clone()).await.0, "0");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_over_grpc_ends_when_its_caller_waits_no_longer() {
    let drain = Drain::new();
    let grpc = grpc::Api::new(blocks(&drain), grpc::Settings::default(), Observer::default()).unwrap();
    let delete = DeleteStateRequest { store_name: "store".to_owned(), key: "key".to_owned(), ..Default::default() };
    let ended = timeout(HOUR, over_grpc(&grpc, "DeleteState", delete)).await.unwrap();
    assert_eq!(ended, ("4".to_owned(), "context%20deadline%20exceeded".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn so_does_one_of_another_sidecar() {
    let hanging = axum::Router::new().fallback(std::future::pending::<StatusCode>);
    let internal = grpc::Internal::new(hanging, Observer::default());
    let request = Request::post("/a.B/C").header("grpc-timeout", "1M").body(Body::empty()).unwrap();
    let ended = timeout(HOUR, internal.answer(request)).await.unwrap();
    assert_eq!(ended.headers()["grpc-status"], "4");
}
