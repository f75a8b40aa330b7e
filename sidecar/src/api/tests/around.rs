//! What lies around the endpoints of the HTTP API: pipelines and traces.
use super::Nobody;
use crate::api::http::{Api, Settings};
use crate::api::observe::Observer;
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, Bytes};
use component_api::middleware::{self, Handler, Http, Next, Pipeline};
use component_api::{Instance, Live, Properties};
use foundation_drain::Drain;
use foundation_peer::{Own, Peers};
use foundation_resiliency::{Policies, Resiliency};
use foundation_telemetry::{Metrics, TraceSettings, start_tracing};
use futures_util::stream;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use std::future::ready;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Puts a stream into the place of each body.
struct Changing;

#[async_trait]
impl Http for Changing {
    async fn handle(&self, mut request: middleware::Request, next: Next<'_>) -> middleware::Response {
        request.headers_mut().remove(CONTENT_LENGTH);
        let body = Body::from_stream(stream::iter([Ok::<_, std::io::Error>("HELLO")]));
        next.run(request.map(|_| middleware::Body::new(body))).await
    }
}

fn changing() -> Pipeline {
    let live = Live::<dyn Http>::default();
    let (name, kind, version) = ("it".to_owned(), "middleware.http.it".to_owned(), "v1".to_owned());
    let handler = Handler { name: name.clone(), kind: kind.clone(), version: version.clone() };
    live.insert(Instance { name, kind, version, properties: Properties::default(), component: Arc::new(Changing) });
    Pipeline::new(vec![handler], live)
}

/// A server that answers with this status and tells of each request; and its address.
async fn told(status: StatusCode, drain: &Drain) -> (String, mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (sender, requests) = mpsc::unbounded_channel();
    let take = move |headers: HeaderMap, body: Bytes| {
        sender.send((headers, body)).ok();
        ready(status)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    drain.spawn_until_stopped(async move { axum::serve(listener, Router::new().fallback(take)).await.unwrap() });
    (address, requests)
}

fn retrying(target: &str) -> Resiliency {
    let resource = serde_json::from_value(json!({"metadata": {"name": "r"}, "spec": {
        "policies": {"retries": {"once": {"policy": "constant", "duration": "1ms", "maxRetries": 1}}},
        "targets": {"apps": {target: {"retry": "once"}}},
    }}));
    Resiliency::new(Policies::load([&resource.unwrap()], &Metrics::disabled()))
}

#[tokio::test]
async fn a_body_that_a_middleware_has_changed_is_sent_again() {
    let drain = Drain::new();
    let (target, mut requests) = told(StatusCode::INTERNAL_SERVER_ERROR, &drain).await;
    let peers = Arc::new(Peers::new(Arc::new(Nobody), Own::default(), 0, &drain));
    let invoke = Arc::new(block_invoke::Service::new(peers, None, 0).with_resiliency(retrying(&target)));
    let settings = Settings { pipeline: changing(), read_buffer_size: 4096, ..Settings::default() };
    let api = Api::new(Router::new(), Some(invoke), settings, Observer::default());
    let request = Request::post(format!("/v1.0/invoke/{target}/method/m")).header(CONTENT_LENGTH, "5");
    let answer = api.answer(request.body(Body::from("hello")).unwrap(), None).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    for _ in 0..2 {
        let (headers, body) = requests.try_recv().unwrap();
        assert_eq!((&headers[CONTENT_LENGTH], body.as_ref()), (&"5".parse().unwrap(), &b"HELLO"[..]));
    }
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn a_span_tells_where_its_call_came_from() {
    let drain = Drain::new();
    let (zipkin, mut posts) = told(StatusCode::ACCEPTED, &drain).await;
    let settings = TraceSettings { zipkin: Some(zipkin), sampling_rate: "1".to_owned(), ..TraceSettings::default() };
    let (tracer, _exporter) = start_tracing(&settings, &drain).unwrap();
    let observer = Observer { tracer, ..Observer::default() };
    let api = Api::serving(Router::new(), Settings { read_buffer_size: 4096, ..Settings::default() }, observer);
    api.answer(Request::get("/v1.0/metadata").body(Body::empty()).unwrap(), "10.0.0.7:4711".parse().ok()).await;
    let spans: Vec<Value> = serde_json::from_slice(&posts.recv().await.unwrap().1).unwrap();
    let tags = &spans[0]["tags"];
    assert_eq!((&tags["server.address"], &tags["server.port"]), (&json!("10.0.0.7"), &json!("4711")));
}
