//! Apps that speak HTTP.
use super::{app, get, http_channel, listen, options, text};
use crate::{
    BulkEntry, BulkEvent, BulkPayload, CallContext, Envelope, Error, EventStatus, HealthOptions, Protocol, TopicEvent,
    connect, wait_until_listening,
};
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::{any, get as on_get, post};
use axum::{Json, Router};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use foundation_drain::Drain;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

/// Everything the app sees of a request.
async fn mirror(uri: Uri, request: Request) -> Json<Value> {
    let header = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    let headers: BTreeMap<_, _> = request.headers().iter().map(header).collect();
    let method = request.method().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Json(
        json!({ "method": method, "uri": uri.to_string(), "headers": headers, "body": String::from_utf8_lossy(&body) }),
    )
}

async fn mirrored(request: Request, token: Option<&str>) -> Value {
    let drain = Drain::new();
    let mut options = app(Router::new().fallback(mirror), &drain).await;
    options.token = token.map(str::to_owned);
    let channel = connect(options, &drain).unwrap();
    serde_json::from_str(&text(channel.invoke(request).await.unwrap()).await).unwrap()
}

#[tokio::test]
async fn requests_lose_what_is_not_for_the_app() {
    let request = Request::put("/a%20b?x=1&y=%2F").header("connection", "x-gone").header("x-gone", "1");
    let request = request.header("te", "trailers").header("grpc-timeout", "1S").header("x-data-bin", "AAE=");
    let request = request.header("host", "elsewhere").header("dapr-api-token", "forged").header("x-stays", "1");
    let seen =
        mirrored(request.header("content-type", "text/x").body(Body::from("hello")).unwrap(), Some("secret")).await;
    assert_eq!(
        (&seen["method"], &seen["uri"], &seen["body"]),
        (&json!("PUT"), &json!("/a%20b?x=1&y=%2F"), &json!("hello"))
    );
    let headers = seen["headers"].as_object().unwrap();
    for name in ["connection", "x-gone", "te", "grpc-timeout", "x-data-bin"] {
        assert!(!headers.contains_key(name), "{name}");
    }
    assert_eq!(headers["dapr-api-token"], "secret");
    assert_eq!(headers["dapr-grpc-timeout"], "1S");
    assert_eq!(headers["x-stays"], "1");
    assert_eq!(headers["content-length"], "5");
    assert_eq!(headers["content-type"], "text/x");
    assert_ne!(headers["host"], "elsewhere");
}

#[tokio::test]
async fn verbs_are_those_of_http_apis() {
    let request = |method: &str| Request::builder().method(method).uri("/m").body(Body::empty()).unwrap();
    assert_eq!(mirrored(request("PATCH"), None).await["method"], "PATCH");
    assert_eq!(mirrored(request("FOO"), None).await["method"], "POST");

    let drain = Drain::new();
    let channel = http_channel(Router::new(), &drain).await;
    assert!(matches!(channel.invoke(request("CONNECT")).await, Err(Error::Verb)));
    let mut no_verb = get("/m");
    no_verb.extensions_mut().insert(CallContext { no_verb: true, ..CallContext::default() });
    assert!(matches!(channel.invoke(no_verb).await, Err(Error::Verb)));
}

#[tokio::test]
async fn a_body_of_unknown_length_reaches_the_app_with_any_verb() {
    for method in ["GET", "POST"] {
        let body =
            Body::from_stream(tokio_stream::iter([Ok::<_, axum::Error>(Bytes::from("a")), Ok(Bytes::from("b"))]));
        let seen = mirrored(Request::builder().method(method).uri("/").body(body).unwrap(), None).await;
        assert_eq!(
            (&seen["body"], &seen["headers"]["transfer-encoding"]),
            (&json!("ab"), &json!("chunked")),
            "{method}"
        );
    }
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let drain = Drain::new();
    let echo = |request: Request| async move { request.into_body() };
    let channel = http_channel(Router::new().route("/", post(echo)), &drain).await;
    let (sender, receiver) = mpsc::channel::<Result<Bytes, axum::Error>>(1);
    let body = Body::from_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    sender.send(Ok(Bytes::from("first"))).await.unwrap();
    let response = channel.invoke(Request::post("/").body(body).unwrap()).await.unwrap();
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    sender.send(Ok(Bytes::from("second"))).await.unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "second");
    drop(sender);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_told_once_and_not_of_the_app() {
    let drain = Drain::new();
    let channel = http_channel(Router::new().fallback(async |_: Bytes| ()), &drain).await;
    let broken = tokio_stream::iter([Ok(Bytes::from("a")), Err(io::Error::other("it ended too early"))]);
    let body = Body::new(Body::new(Body::from_stream(broken).map_err(axum::Error::new)));
    let error = channel.invoke(Request::post("/").body(body).unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot read the request for the app: it ended too early");
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn calls_share_a_connection() {
    let drain = Drain::new();
    let port = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.port().to_string() };
    let channel = http_channel(Router::new().route("/", any(port)), &drain).await;
    let first = text(channel.invoke(get("/")).await.unwrap()).await;
    // The connection comes back as soon as its own task has seen the end of the answer.
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(channel.invoke(get("/")).await.unwrap()).await, first);
}

#[tokio::test]
async fn a_connection_that_the_app_closed_is_replaced() {
    let drain = Drain::new();
    let (listener, port) = listen().await;
    drain.spawn_until_stopped(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        }
    });
    let channel = connect(options(port, Protocol::Http), &drain).unwrap();
    for _ in 0..5 {
        assert_eq!(text(channel.invoke(get("/")).await.unwrap()).await, "ok");
    }
}

#[tokio::test]
async fn a_wrong_length_is_no_error() {
    let drain = Drain::new();
    let (listener, port) = listen().await;
    drain.spawn_until_stopped(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert_ne!(stream.read(&mut [0; 1024]).await.unwrap(), 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\nconnection: x-gone\r\nx-gone: 1\r\n\r\nshort";
        stream.write_all(answer).await.unwrap();
    });
    let channel = connect(options(port, Protocol::Http), &drain).unwrap();
    let response = channel.invoke(get("/")).await.unwrap();
    assert!(response.headers().is_empty(), "{:?}", response.headers());
    assert_eq!(text(response).await, "short");
}

#[tokio::test]
async fn an_app_that_is_not_there_is_an_error() {
    let (listener, port) = listen().await;
    drop(listener);
    let channel = connect(options(port, Protocol::Http), &Drain::new()).unwrap();
    let error = channel.invoke(get("/")).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_temporary());
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn compression_that_the_caller_did_not_ask_for_is_undone() {
    let drain = Drain::new();
    let packed = |headers: HeaderMap| async move {
        assert_eq!(headers["accept-encoding"], "gzip");
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all("hello ".repeat(1000).as_bytes()).unwrap();
        ([("content-encoding", "gzip")], encoder.finish().unwrap())
    };
    let channel = http_channel(Router::new().route("/", any(packed)), &drain).await;
    let plain = channel.invoke(get("/")).await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    assert_eq!(text(plain).await.len(), 6000);
    let asked = Request::get("/").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let packed = channel.invoke(asked).await.unwrap();
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    assert!(packed.into_body().collect().await.unwrap().to_bytes().len() < 1000);
}

#[tokio::test]
async fn calls_take_turns() {
    let drain = Drain::new();
    let (entered, mut entering) = mpsc::unbounded_channel();
    let open = Arc::new(Notify::new());
    let gate = Arc::clone(&open);
    let slow = move || {
        entered.send(()).unwrap();
        let gate = Arc::clone(&gate);
        async move { gate.notified().await }
    };
    let mut options = app(Router::new().route("/", any(slow)), &drain).await;
    options.max_concurrency = 1;
    let channel = connect(options, &drain).unwrap();
    let (first, second) = (channel.invoke(get("/")), channel.invoke(get("/")));
    let both = async { tokio::join!(first, second) };
    let watch = async {
        entering.recv().await.unwrap();
        assert!(entering.try_recv().is_err());
        open.notify_one();
        entering.recv().await.unwrap();
        open.notify_one();
    };
    let ((first, second), ()) = tokio::join!(both, watch);
    assert!(first.is_ok() && second.is_ok());
}

#[tokio::test]
async fn an_unhealthy_app_is_not_called() {
    let drain = Drain::new();
    let well = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&well);
    let probe = move || {
        let status = if state.load(Ordering::Relaxed) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        async move { status }
    };
    let mut options = app(Router::new().route("/check", on_get(probe)).fallback(mirror), &drain).await;
    let interval = Duration::from_millis(1);
    let timeout = Duration::from_secs(5);
    options.health = Some(HealthOptions { path: "check".to_owned(), interval, timeout, threshold: 2 });
    let channel = connect(options, &drain).unwrap();
    channel.start_health_checks(&drain);
    assert!(matches!(channel.invoke(get("/")).await, Err(Error::Unhealthy)));
    well.store(true, Ordering::Relaxed);
    channel.health().watch().wait_for(|healthy| *healthy).await.unwrap();
    assert!(channel.invoke(get("/")).await.is_ok());
    well.store(false, Ordering::Relaxed);
    channel.health().watch().wait_for(|healthy| !healthy).await.unwrap();
    assert!(matches!(channel.event(&TopicEvent::default()).await, Err(Error::Unhealthy)));
}

fn event(path: &str) -> TopicEvent {
    TopicEvent {
        path: path.to_owned(),
        body: Bytes::from_static(b"{}"),
        metadata: BTreeMap::from([
            ("pubsubName".to_owned(), "broker".to_owned()),
            ("content-length".to_owned(), "9".to_owned()),
        ]),
        ..TopicEvent::default()
    }
}

#[tokio::test]
async fn events_are_answered_by_status_and_body() {
    let drain = Drain::new();
    let (seen, mut seeing) = mpsc::unbounded_channel();
    let answer = move |Path(status): Path<u16>, headers: HeaderMap, body: String| {
        seen.send((headers["content-type"].clone(), headers["pubsubname"].clone(), body)).unwrap();
        async move { (StatusCode::from_u16(status).unwrap(), r#"{"status": "RETRY"}"#).into_response() }
    };
    let channel = http_channel(Router::new().route("/{status}", post(answer)), &drain).await;
    assert_eq!(channel.event(&event("/200")).await.unwrap(), EventStatus::Retry);
    let (content_type, pubsub, body) = seeing.recv().await.unwrap();
    assert_eq!(
        (content_type.to_str().unwrap(), pubsub.to_str().unwrap(), body.as_str()),
        ("application/cloudevents+json", "broker", "{}")
    );
    assert_eq!(channel.event(&event("404")).await.unwrap(), EventStatus::Drop);
    let error = channel.event(&event("/503")).await.unwrap_err();
    assert_eq!(error.code(), Some(503));
}

#[tokio::test]
async fn a_bulk_has_a_status_for_each_entry() {
    let drain = Drain::new();
    let answer = |Json(bulk): Json<Value>| async move {
        assert_eq!(bulk["type"], "com.dapr.event.sent.bulk");
        assert_eq!(bulk["entries"][0]["event"], json!({"id": "1"}));
        assert_eq!(bulk["entries"][1]["event"], "AP8=");
        Json(
            json!({"statuses": [{"entryId": "c", "status": "DROP"}, {"entryId": "a", "status": "SUCCESS"}, {"entryId": "?"}]}),
        )
    };
    let channel =
        http_channel(Router::new().route("/bulk", post(answer)).route("/empty", post(|| async {})), &drain).await;
    let entry = |id: &str, event| BulkEntry {
        entry_id: id.to_owned(),
        event,
        content_type: String::new(),
        metadata: BTreeMap::new(),
    };
    let cloud_event = BulkPayload::CloudEvent(Envelope::from_iter([("id".to_owned(), json!("1"))]));
    let raw = BulkPayload::Raw(Bytes::from_static(&[0, 255]));
    let entries = vec![entry("a", cloud_event), entry("b", raw.clone()), entry("c", raw)];
    let mut bulk = BulkEvent { path: "/bulk".to_owned(), entries, ..BulkEvent::default() };
    assert_eq!(channel.bulk_event(&bulk).await.unwrap(), [EventStatus::Success, EventStatus::Retry, EventStatus::Drop]);
    "/empty".clone_into(&mut bulk.path);
    assert!(matches!(channel.bulk_event(&bulk).await, Err(Error::Malformed(_))));
    "/none".clone_into(&mut bulk.path);
    assert_eq!(channel.bulk_event(&bulk).await.unwrap(), [EventStatus::Success; 3]);
}

#[tokio::test]
async fn an_app_is_asked_what_it_wants() {
    let drain = Drain::new();
    let subscribe = |headers: HeaderMap| async move {
        assert_eq!(
            (headers["dapr-app-id"].to_str().unwrap(), headers["content-type"].to_str().unwrap()),
            ("me", "application/json")
        );
        Json(json!([{"pubsubname": "broker", "topic": "orders", "route": "/orders"}]))
    };
    let channel = http_channel(Router::new().route("/dapr/subscribe", on_get(subscribe)), &drain).await;
    let found = channel.subscriptions().await.unwrap();
    assert_eq!((found[0].topic.as_str(), found[0].rules[0].path.as_str()), ("orders", "/orders"));
    assert_eq!(channel.config().await.unwrap(), None);

    let broken = Router::new()
        .route("/dapr/subscribe", on_get(|| async { "[" }))
        .route("/dapr/config", on_get(|| async { StatusCode::BAD_GATEWAY }));
    let channel = http_channel(broken, &drain).await;
    assert!(!channel.subscriptions().await.unwrap_err().is_temporary());
    assert_eq!(channel.config().await.unwrap(), None);
}

#[tokio::test]
async fn an_app_over_http2_is_called_likewise() {
    let drain = Drain::new();
    let mut options = app(Router::new().fallback(mirror), &drain).await;
    options.protocol = Protocol::H2c;
    wait_until_listening(&options).await;
    let channel = connect(options, &drain).unwrap();
    let request = Request::post("/m?x=1").header("content-length", "5").body(Body::from("hello")).unwrap();
    let seen: Value = serde_json::from_str(&text(channel.invoke(request).await.unwrap()).await).unwrap();
    assert_eq!(seen["body"], "hello");
    assert!(seen["uri"].as_str().unwrap().ends_with("/m?x=1"));
}

#[tokio::test]
async fn an_answer_may_have_many_headers() {
    let many = async || {
        let headers =
            (0..150).map(|number| (HeaderName::try_from(format!("x-{number}")).unwrap(), "1".parse().unwrap()));
        (headers.collect::<HeaderMap>(), "all")
    };
    let drain = Drain::new();
    let channel = connect(app(Router::new().fallback(many), &drain).await, &drain).unwrap();
    let response = channel.invoke(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert!(response.headers().len() > 150);
}

#[tokio::test]
async fn the_end_of_an_answer_is_known_with_its_last_data() {
    let drain = Drain::new();
    let channel = http_channel(Router::new().fallback(async || "whole"), &drain).await;
    let mut answer = channel.invoke(get("/m")).await.unwrap().into_body();
    assert!(!http_body::Body::is_end_stream(&answer));
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "whole");
    assert!(http_body::Body::is_end_stream(&answer));
}

#[tokio::test]
async fn an_app_that_greets_in_http2_is_told_with_the_flag() {
    let ((listener, port), drain) = (listen().await, Drain::new());
    drain.spawn_until_stopped(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let channel = connect(options(port, Protocol::Http), &drain).unwrap();
    let error = channel.invoke(get("/")).await.unwrap_err().to_string();
    assert!(error.ends_with("does the app speak gRPC? set --app-protocol grpc"), "{error}");
}
