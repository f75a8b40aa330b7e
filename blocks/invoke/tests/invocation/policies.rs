//! Calls by the policies of Resiliency resources.
use crate::world::{get, http_app, json_of, message, send, serve, sidecar, two, with_policies};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use block_invoke::{internal_routes, invoke_service, note_length, proxy};
use bytes::Bytes;
use foundation_app::Protocol;
use http::{Method, StatusCode, Version};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tonic::{Code, Status};
use wire::common::v1::http_extension::Verb;

/// An app that fails its first calls with a status, and how often it was called.
#[derive(Clone, Default)]
struct Flaky {
    calls: Arc<AtomicU32>,
    fails: u32,
    status: u16,
}

impl Flaky {
    fn new(fails: u32, status: u16) -> Self {
        Self { fails, status, ..Self::default() }
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    fn next(&self) -> bool {
        self.calls.fetch_add(1, Ordering::Relaxed) < self.fails
    }

    fn http(&self) -> Router {
        async fn answer(State(app): State<Flaky>, body: Bytes) -> impl IntoResponse {
            let status = if app.next() { StatusCode::from_u16(app.status).unwrap() } else { StatusCode::OK };
            (status, body)
        }
        Router::new().fallback(any(answer)).with_state(self.clone())
    }

    /// Answers each message with itself when it does not fail; the status is a gRPC code then.
    fn grpc(&self) -> Router {
        async fn answer(State(app): State<Flaky>, request: Request) -> Response {
            let body = request.into_body().collect().await.unwrap().to_bytes();
            if app.next() {
                return Status::new(Code::from_i32(app.status.into()), "sorry").into_http();
            }
            let trailers = http::HeaderMap::from_iter([("grpc-status".parse().unwrap(), "0".parse().unwrap())]);
            let body = Body::from(body).with_trailers(std::future::ready(Some(Ok(trailers))));
            Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
        }
        Router::new().fallback(any(answer)).with_state(self.clone())
    }
}

fn retries(matching: Value) -> Value {
    let retry = json!({"policy": "constant", "duration": "1ms", "maxRetries": 2, "matching": matching});
    json!({
        "policies": {"retries": {"two": retry}},
        "targets": {"apps": {"golden": {"retry": "two"}, "other": {"retry": "two"}}},
    })
}

fn breaker() -> Value {
    json!({
        "policies": {"circuitBreakers": {"cb": {"trip": "consecutiveFailures >= 2"}}},
        "targets": {"apps": {"golden": {"circuitBreaker": "cb"}, "other": {"circuitBreaker": "cb"}}},
    })
}

fn timeout(milliseconds: u64) -> Value {
    json!({
        "policies": {"timeouts": {"short": milliseconds.to_string()}},
        "targets": {"apps": {"golden": {"timeout": "short"}, "other": {"timeout": "short"}}},
    })
}

async fn text(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

fn post(body: &'static str) -> Request {
    let request = http::Request::post("/v1.0/invoke/golden/method/m").header("content-length", body.len());
    request.body(Body::from(body)).unwrap()
}

fn chunked(text: &'static str) -> Request {
    let chunks = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(text.as_bytes()))]);
    http::Request::post("/v1.0/invoke/golden/method/m").body(Body::from_stream(chunks)).unwrap()
}

#[tokio::test]
async fn calls_are_tried_again_with_their_bodies() {
    let app = Flaky::new(2, 404);
    let port = serve(app.http()).await;
    let service = with_policies(Some((port, Protocol::Http)), 0, retries(Value::Null));
    let answer = text(send(&service, post("hello")).await).await;
    assert_eq!((answer, app.calls()), ((200, "hello".to_owned()), 3));
}

/// A client has named the length, and a middleware has changed the body.
#[tokio::test]
async fn a_body_that_was_changed_on_its_way_is_sent_again() {
    let app = Flaky::new(2, 404);
    let port = serve(app.http()).await;
    let service = with_policies(Some((port, Protocol::Http)), 0, retries(Value::Null));
    let mut request = post("hello");
    note_length(&mut request);
    request.headers_mut().remove("content-length");
    let request = request.map(|_| chunked("HELLO").into_body());
    let answer = text(send(&service, request).await).await;
    assert_eq!((answer, app.calls()), ((200, "HELLO".to_owned()), 3));
}

#[tokio::test]
async fn an_app_is_told_the_length_of_a_body_that_was_read() {
    for service in
        [two(http_app(), Protocol::Http).await, sidecar("other", 0, Some((serve(http_app()).await, Protocol::Http)))]
    {
        let request = http::Request::post("/v1.0/invoke/other/method/m").body(Body::from("HELLO!")).unwrap();
        let seen = json_of(send(&service, request).await).await;
        assert_eq!(
            (&seen["headers"]["content-length"], &seen["headers"]["transfer-encoding"]),
            (&json!("6"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn the_last_answer_is_handed_back_when_tries_are_used_up() {
    let app = Flaky::new(9, 503);
    let port = serve(app.http()).await;
    let service = with_policies(Some((port, Protocol::Http)), 0, retries(Value::Null));
    let answer = text(send(&service, post("hello")).await).await;
    assert_eq!((answer, app.calls()), ((503, "hello".to_owned()), 3));
}

#[tokio::test]
async fn only_matching_statuses_and_no_redirects_are_tried_again() {
    for (status, tries) in [(500, 3), (404, 1), (302, 1)] {
        let app = Flaky::new(9, status);
        let port = serve(app.http()).await;
        let service =
            with_policies(Some((port, Protocol::Http)), 0, retries(json!({"httpStatusCodes": "302,500-599"})));
        assert_eq!(get(&service, "/v1.0/invoke/golden/method/m").await.status(), status);
        assert_eq!(app.calls(), tries, "{status}");
    }
}

#[tokio::test]
async fn streamed_bodies_are_sent_once_and_count_for_the_breaker() {
    let app = Flaky::new(9, 500);
    let port = serve(app.http()).await;
    let mut spec = retries(Value::Null);
    spec["policies"]["circuitBreakers"] = breaker()["policies"]["circuitBreakers"].clone();
    spec["targets"]["apps"]["golden"]["circuitBreaker"] = "cb".into();
    let service = with_policies(Some((port, Protocol::Http)), 0, spec);
    for calls in [1, 2] {
        let answer = text(send(&service, chunked("x")).await).await;
        assert_eq!((answer, app.calls()), ((500, "x".to_owned()), calls));
    }
    let refused = send(&service, chunked("x")).await;
    let message = "failed to invoke, id: golden, err: circuit breaker is open";
    assert_eq!(json_of(refused).await, json!({"errorCode": "ERR_DIRECT_INVOKE", "message": message}));
    assert_eq!(app.calls(), 2);
}

#[tokio::test]
async fn each_method_has_a_breaker_of_its_own() {
    let app = Flaky::new(9, 500);
    let port = serve(app.http()).await;
    let service = with_policies(Some((port, Protocol::Http)), 0, breaker());
    for (method, calls) in [("a", 1), ("a", 2), ("a", 2), ("b", 3)] {
        assert_eq!(get(&service, &format!("/v1.0/invoke/golden/method/{method}")).await.status(), 500);
        assert_eq!(app.calls(), calls);
    }
    let mut refused = message("a", Verb::Get, "");
    refused.get_mut().id = "golden".to_owned();
    let status = invoke_service(&service, refused).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unknown, "circuit breaker is open"));
}

#[tokio::test]
async fn a_slow_app_is_given_up() {
    let slow = Router::new().fallback(any(|| async { std::future::pending::<()>().await }));
    let service = with_policies(Some((serve(slow).await, Protocol::Http)), 0, timeout(20));
    let refused = get(&service, "/v1.0/invoke/golden/method/m").await;
    let message = "failed to invoke, id: golden, err: context deadline exceeded";
    assert_eq!(json_of(refused).await, json!({"errorCode": "ERR_DIRECT_INVOKE", "message": message}));
}

#[tokio::test]
async fn invoke_service_is_tried_again_whatever_the_status() {
    let app = Flaky::new(1, 400);
    let port = serve(app.http()).await;
    let service = with_policies(Some((port, Protocol::Http)), 0, retries(json!({"httpStatusCodes": "500"})));
    let mut request = message("m", Verb::Post, "hello");
    request.get_mut().id = "golden".to_owned();
    let response = invoke_service(&service, request).await.unwrap();
    assert_eq!((&response.get_ref().data.as_ref().unwrap().value[..], app.calls()), (&b"hello"[..], 2));
}

/// `golden` with a policy, before the sidecar `other` with a gRPC app.
async fn proxied(app: &Flaky, path: &str, spec: Value, metadata: &[(&str, &str)], body: Body) -> Response {
    let port = serve(app.grpc()).await;
    let other = sidecar("other", 0, Some((port, Protocol::Grpc)));
    let service = with_policies(None, serve(internal_routes(other)).await, spec);
    let request = http::Request::builder().method(Method::POST).version(Version::HTTP_2).uri(path);
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    let request = metadata.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    proxy(&service, request.header("dapr-app-id", "other").body(body).unwrap()).await
}

async fn code(response: Response) -> Code {
    if let Some(status) = Status::from_header_map(response.headers()) {
        return status.code();
    }
    let body = response.into_body().collect().await.unwrap();
    Status::from_header_map(body.trailers().unwrap()).unwrap().code()
}

const MESSAGE: &[u8] = b"\0\0\0\0\x03abc";

#[tokio::test]
async fn proxied_calls_are_tried_again_by_their_codes() {
    for (status, tries, expected) in [(5, 3, Code::NotFound), (14, 1, Code::Unavailable)] {
        let app = Flaky::new(9, status);
        let spec = retries(json!({"gRPCStatusCodes": "5"}));
        let response = proxied(&app, "/test.Echo/Call", spec, &[], Body::from(MESSAGE)).await;
        assert_eq!((code(response).await, app.calls()), (expected, tries));
    }
    let app = Flaky::new(1, 14);
    let response = proxied(&app, "/test.Echo/Call", retries(Value::Null), &[], Body::from(MESSAGE)).await;
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), MESSAGE);
    assert_eq!(app.calls(), 2);
}

#[tokio::test]
async fn proxied_streams_are_sent_once() {
    let app = Flaky::new(1, 14);
    let metadata = [("dapr-stream", "true")];
    let response = proxied(&app, "/test.Echo/Call", retries(Value::Null), &metadata, Body::from(MESSAGE)).await;
    assert_eq!((code(response).await, app.calls()), (Code::Unavailable, 1));
}

#[tokio::test]
async fn a_proxied_call_that_takes_too_long_ends() {
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    let response = proxied(&Flaky::default(), "/test.Echo/Call", timeout(20), &[], body).await;
    assert_eq!(code(response).await, Code::DeadlineExceeded);
}
