//! Calls through one sidecar and through two, over loopback, to an HTTP app and to a gRPC app.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use block_invoke::{Service, endpoints, internal_routes, invoke, invoke_service, proxy};
use bytes::Bytes;
use component_api::naming::{Registration, Resolver, Target};
use component_api::{Error, Kind};
use foundation_app::{AppOptions, Protocol, connect};
use foundation_drain::Drain;
use foundation_peer::{Own, Peers};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::net::TcpListener;
use tonic::Code;
use tower::ServiceExt;
use wire::common::v1::{HttpExtension, InvokeRequest, http_extension::Verb};
use wire::runtime::v1::InvokeServiceRequest;

const LIMIT: usize = 4 << 20;

/// Knows one app, whatever its namespace.
struct One(String);

#[async_trait::async_trait]
impl Resolver for One {
    async fn register(&self, _: Registration) -> component_api::Result<()> {
        Ok(())
    }

    async fn resolve(&self, target: &Target) -> component_api::Result<Vec<String>> {
        match target.app_id.as_str() {
            "other" => Ok(vec![self.0.clone()]),
            _ => Err(Error::new(Kind::NotFound, "no host found with the given ID")),
        }
    }
}

async fn serve(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}

fn sidecar(app_id: &str, peer: u16, app: Option<(u16, Protocol)>) -> Arc<Service> {
    let own = Own {
        app_id: app_id.to_owned(),
        namespace: "default".to_owned(),
        address: "127.0.0.1".to_owned(),
        host_name: "box".to_owned(),
        internal_port: 0,
    };
    let drain = Drain::new();
    let peers = Peers::new(Arc::new(One(format!("127.0.0.1:{peer}"))), own, LIMIT, &drain);
    let app = app.map(|(port, protocol)| {
        let token = Some("app-token".to_owned());
        let options = AppOptions { app_id: app_id.to_owned(), port, protocol, token, ..AppOptions::default() };
        connect(options, &drain).unwrap()
    });
    Arc::new(Service::new(Arc::new(peers), app, LIMIT))
}

/// The sidecar `golden` without an app, and `other` with this one.
async fn two(app: Router, protocol: Protocol) -> Arc<Service> {
    let other = sidecar("other", 0, Some((serve(app).await, protocol)));
    sidecar("golden", serve(internal_routes(other)).await, None)
}

fn http_app() -> Router {
    Router::new()
        .route(
            "/status/{code}",
            any(|code: axum::extract::Path<u16>| async move { StatusCode::from_u16(code.0).unwrap() }),
        )
        .route("/redirect", any(|| async { (StatusCode::FOUND, [("location", "/elsewhere")]) }))
        .fallback(describe)
}

/// Answers with what the request was.
async fn describe(request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Value =
        parts.headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap())).collect();
    axum::Json(json!({
        "method": parts.method.as_str(), "path": parts.uri.to_string(), "headers": headers, "length": body.len(),
        "body": String::from_utf8_lossy(&body[..body.len().min(99)]),
    }))
}

async fn send(service: &Arc<Service>, request: http::Request<Body>) -> Response {
    let router = endpoints(Arc::clone(service)).into_router(|_| true);
    let router = router.fallback(any(invoke).with_state::<()>(Arc::clone(service)));
    router.oneshot(request).await.unwrap()
}

async fn json_of(response: Response) -> Value {
    serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
}

async fn get(service: &Arc<Service>, path: &str) -> Response {
    send(service, http::Request::get(path).body(Body::empty()).unwrap()).await
}

async fn check_error(service: &Arc<Service>, path: &str, status: u16, message: &str) {
    let response = get(service, path).await;
    assert_eq!(response.status(), status, "{path}");
    assert_eq!(json_of(response).await, json!({"errorCode": "ERR_DIRECT_INVOKE", "message": message}), "{path}");
}

#[tokio::test]
async fn a_call_reaches_the_app_of_another_sidecar() {
    let service = two(http_app(), Protocol::Http).await;
    let request = http::Request::builder()
        .method("PATCH")
        .uri("/v1.0/invoke/other/method/a//b%20c?x=1")
        .header("x-custom", "1")
        .header("dapr-caller-app-id", "faked")
        .header("x-forwarded-for", "10.9.9.9")
        .header("connection", "x-gone")
        .header("x-gone", "1")
        .header("content-type", "text/plain")
        .header("content-length", "5")
        .body(Body::from("hello"));
    let seen = json_of(send(&service, request.unwrap()).await).await;
    assert_eq!(
        (&seen["method"], &seen["path"], &seen["body"]),
        (&json!("PATCH"), &json!("/a/b%20c?x=1"), &json!("hello"))
    );
    let headers = &seen["headers"];
    assert_eq!((&headers["x-custom"], &headers["dapr-caller-app-id"]), (&json!("1"), &json!("golden")));
    assert_eq!((&headers["dapr-callee-app-id"], &headers["content-type"]), (&json!("other"), &json!("text/plain")));
    assert_eq!((&headers["dapr-api-token"], &headers["x-gone"]), (&json!("app-token"), &Value::Null));
    assert_eq!(&headers["forwarded"], &json!("for=127.0.0.1;by=127.0.0.1;host=box"));
}

#[tokio::test]
async fn bodies_without_length_are_streamed() {
    let service = two(http_app(), Protocol::Http).await;
    let chunks = futures_util::stream::iter((0..300).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![7; 10_000]))));
    let request = http::Request::post("/v1.0/invoke/other/method/m").body(Body::from_stream(chunks)).unwrap();
    let seen = json_of(send(&service, request).await).await;
    assert_eq!((&seen["length"], &seen["headers"]["transfer-encoding"]), (&json!(3_000_000), &json!("chunked")));
}

#[tokio::test]
async fn the_header_names_the_app_of_any_path() {
    let service = two(http_app(), Protocol::Http).await;
    let request =
        http::Request::delete("/any/path?x=1").header("dapr-app-id", "other.elsewhere").body(Body::empty()).unwrap();
    let seen = json_of(send(&service, request).await).await;
    assert_eq!((&seen["method"], &seen["path"]), (&json!("DELETE"), &json!("/any/path?x=1")));
    assert_eq!(seen["headers"]["dapr-app-id"], Value::Null);
}

#[tokio::test]
async fn statuses_and_redirects_come_back() {
    let service = two(http_app(), Protocol::Http).await;
    let not_found = get(&service, "/v1.0/invoke/other/method/status/404").await;
    assert_eq!(
        (not_found.status().as_u16(), not_found.headers()["content-type"].to_str().unwrap()),
        (404, "application/json")
    );
    let empty = get(&service, "/v1.0/invoke/other/method/status/201").await;
    assert_eq!((empty.status().as_u16(), empty.headers().get("content-type")), (201, None));
    let redirect = get(&service, "/v1.0/invoke/other/method/redirect").await;
    assert_eq!(
        (redirect.status().as_u16(), &redirect.headers()["location"]),
        (302, &HeaderValue::from_static("/elsewhere"))
    );
}

#[tokio::test]
async fn errors_are_those_of_dapr() {
    let service = two(http_app(), Protocol::Http).await;
    let cases = [
        ("/nothing", 404, "failed getting app id either from the URL path or the header dapr-app-id"),
        ("/v1.0/invoke/other/m", 404, "failed getting app id either from the URL path or the header dapr-app-id"),
        ("/v1.0/invoke/a.b.c/method/m", 500, "failed to invoke, id: a.b.c, err: invalid app id a.b.c"),
        ("/v1.0/invoke/nosuch/method/m", 500, "failed to invoke, id: nosuch, err: no host found with the given ID"),
        (
            "/v1.0/invoke/golden/method/m",
            500,
            "failed to invoke, id: golden, err: cannot invoke local endpoint: app channel not initialized",
        ),
        (
            "/v1.0/invoke/other/method/a%23b",
            500,
            "failed to invoke, id: other, err: rpc error: code = InvalidArgument desc = invalid method: method contains forbidden character: \"a#b\"",
        ),
    ];
    for (path, status, message) in cases {
        check_error(&service, path, status, message).await;
    }
}

#[tokio::test]
async fn a_sidecar_without_an_app_refuses_calls_of_others() {
    let bare = sidecar("other", 0, None);
    let service = sidecar("golden", serve(internal_routes(bare)).await, None);
    let message = "failed to invoke, id: other, err: rpc error: code = Internal desc = app channel is not initialized";
    check_error(&service, "/v1.0/invoke/other/method/m", 500, message).await;
}

#[tokio::test]
async fn the_own_app_is_called_directly() {
    let service = sidecar("golden", 0, Some((serve(http_app()).await, Protocol::Http)));
    let seen = json_of(get(&service, "/v1.0/invoke/golden/method/m").await).await;
    assert_eq!((&seen["path"], &seen["headers"]["x-forwarded-for"]), (&json!("/m"), &Value::Null));
}

fn message(method: &str, verb: Verb, data: &'static str) -> tonic::Request<InvokeServiceRequest> {
    let data = prost_types::Any { type_url: String::new(), value: data.into() };
    let http_extension = Some(HttpExtension { verb: verb.into(), querystring: "a=1".to_owned() });
    let message = InvokeRequest {
        method: method.to_owned(),
        data: Some(data),
        content_type: "text/plain".to_owned(),
        http_extension,
    };
    tonic::Request::new(InvokeServiceRequest { id: "other".to_owned(), message: Some(message) })
}

#[tokio::test]
async fn invoke_service_calls_an_http_app() {
    let service = two(http_app(), Protocol::Http).await;
    let mut request = message("a b", Verb::Put, "hello");
    request.metadata_mut().insert("x-custom", "1".parse().unwrap());
    let response = invoke_service(&service, request).await.unwrap();
    assert_eq!(response.metadata().get("dapr-http-status").unwrap(), "200");
    assert_eq!(response.metadata().get("dapr-content-type").unwrap(), "application/json");
    let seen: Value = serde_json::from_slice(&response.into_inner().data.unwrap().value).unwrap();
    assert_eq!((&seen["method"], &seen["path"], &seen["body"]), (&json!("PUT"), &json!("/a%20b?a=1"), &json!("hello")));
    assert_eq!((&seen["headers"]["x-custom"], &seen["headers"]["content-type"]), (&json!("1"), &json!("text/plain")));
    let refused = invoke_service(&service, message("status/409", Verb::Get, "")).await.unwrap_err();
    assert_eq!((refused.code(), refused.message()), (Code::AlreadyExists, "Conflict"));
    let no_verb = invoke_service(&service, message("m", Verb::None, "")).await.unwrap_err();
    let text = "failed to invoke, id: other, err: rpc error: code = Internal desc = error invoking app channel: rpc error: code = InvalidArgument desc = invalid HTTP verb";
    assert_eq!((no_verb.code(), no_verb.message()), (Code::Internal, text));
}

/// A gRPC service that sends each message back, with a trailer; what it was called with is in its headers.
fn grpc_app() -> Router {
    Router::new()
        .route("/test.Echo/Call", post(grpc_echo))
        .route("/test.Echo/Fail", post(|| async { tonic::Status::not_found("sorry").into_http::<Body>() }))
}

async fn grpc_echo(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let trailers = [("grpc-status", "0"), ("x-t", "2")];
    let trailers: HeaderMap = trailers
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .into_iter()
        .collect();
    let mut response = Response::new(Body::new(body.with_trailers(std::future::ready(Some(Ok(trailers))))));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    for name in ["dapr-caller-app-id", "dapr-callee-app-id", "dapr-app-id", "dapr-api-token"] {
        if let Some(value) = parts.headers.get(name) {
            response.headers_mut().insert(HeaderName::from_static(name).clone(), value.clone());
        }
    }
    response
}

fn grpc_request(path: &str, app_id: &str, body: Body) -> Request {
    http::Request::builder()
        .method(Method::POST)
        .version(http::Version::HTTP_2)
        .uri(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("dapr-app-id", app_id)
        .header("dapr-api-token", "mine")
        .body(body)
        .unwrap()
}

#[tokio::test]
async fn unknown_services_are_passed_on_with_trailers() {
    let service = two(grpc_app(), Protocol::Grpc).await;
    let message = Bytes::from_static(b"\0\0\0\0\x03abc");
    let response = proxy(&service, grpc_request("/test.Echo/Call", "other", Body::from(message.clone()))).await;
    assert_eq!(response.headers()["dapr-caller-app-id"], "golden");
    assert_eq!(response.headers()["dapr-callee-app-id"], "other");
    assert_eq!(response.headers()["dapr-api-token"], "app-token");
    assert_eq!(response.headers().get("dapr-app-id"), None);
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(
        (&body.trailers().unwrap()["x-t"], &body.trailers().unwrap()["grpc-status"]),
        (&"2".parse().unwrap(), &"0".parse().unwrap())
    );
    assert_eq!(body.to_bytes(), message);
}

#[tokio::test]
async fn streams_are_passed_on_message_by_message() {
    let service = two(grpc_app(), Protocol::Grpc).await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let chunks =
        futures_util::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let mut body =
        proxy(&service, grpc_request("/test.Echo/Call", "other", Body::from_stream(chunks))).await.into_body();
    for message in [b"\0\0\0\0\x01a", b"\0\0\0\0\x01b"] {
        sender.send(Ok(Bytes::from_static(message))).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), message.as_slice());
    }
    drop(sender);
    assert!(body.frame().await.unwrap().unwrap().is_trailers());
}

#[tokio::test]
async fn proxied_errors_keep_their_status() {
    let service = two(grpc_app(), Protocol::Grpc).await;
    let cases = [
        ("/test.Echo/Fail", "other", Code::NotFound, "sorry"),
        ("/test.Echo/Call", "nosuch", Code::Unknown, "no host found with the given ID"),
        ("/test.Echo/Call", "golden", Code::Unavailable, "app channel is not initialized"),
    ];
    for (path, app_id, code, text) in cases {
        let response = proxy(&service, grpc_request(path, app_id, Body::empty())).await;
        let status = tonic::Status::from_header_map(response.headers()).unwrap();
        assert_eq!((status.code(), status.message()), (code, text), "{path}");
    }
}

#[tokio::test]
async fn a_proxied_call_needs_an_app_id() {
    let service = sidecar("golden", 0, None);
    let cases = [
        ("/no.such/Method", "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata"),
        (
            "/dapr.proto.runtime.v1.Dapr/Nothing",
            "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found",
        ),
    ];
    for (path, text) in cases {
        let response = proxy(&service, http::Request::post(path).body(Body::empty()).unwrap()).await;
        let status = tonic::Status::from_header_map(response.headers()).unwrap();
        assert_eq!((status.code(), status.message()), (Code::Unknown, text));
    }
}

#[tokio::test]
async fn urls_and_endpoints_are_called_directly() {
    let port = serve(http_app()).await;
    let service = sidecar("golden", 0, None);
    let seen = json_of(get(&service, &format!("/v1.0/invoke/http://127.0.0.1:{port}/base/method/m?x=1")).await).await;
    assert_eq!(seen["path"], "/base/m?x=1");
    let redirected = get(&service, &format!("/v1.0/invoke/http%3A%2F%2F127.0.0.1%3A{port}/method/redirect")).await;
    assert_eq!(json_of(redirected).await["path"], "/elsewhere");
}
