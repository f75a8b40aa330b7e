//! Calls through one sidecar and through two, over loopback, to an HTTP app and to a gRPC app.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
mod broken;
mod deadlines;
mod endpoints;
mod policies;
mod proxying;
mod websocket;
mod world;

use axum::body::Body;
use block_invoke::{Service, internal_routes, invoke_service, note_authority};
use bytes::Bytes;
use foundation_app::Protocol;
use http::HeaderValue;
use serde_json::{Value, json};
use std::sync::Arc;
use tonic::Code;
use tonic::metadata::MetadataMap;
use wire::common::v1::http_extension::Verb;
use world::{get, http_app, json_of, message, send, serve, sidecar, two};

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

#[tokio::test]
async fn an_app_is_told_of_a_grpc_caller_what_go_tells_whatever_the_way() {
    let own = sidecar("golden", 0, Some((serve(http_app()).await, Protocol::Http)));
    for (service, id) in [(own, "golden"), (two(http_app(), Protocol::Http).await, "other")] {
        let mut call = http::Request::get("http://localhost:50001/any").body(()).unwrap();
        note_authority(&mut call);
        let mut request = message("m", Verb::Get, "");
        request.get_mut().id = id.to_owned();
        *request.metadata_mut() = MetadataMap::from_headers(call.headers().clone());
        request.metadata_mut().insert("grpc-accept-encoding", "gzip".parse().unwrap());
        let response = invoke_service(&service, request).await.unwrap().into_inner();
        let seen: Value = serde_json::from_slice(&response.data.unwrap().value).unwrap();
        let headers = &seen["headers"];
        assert_eq!(
            (&headers["dapr-authority"], &headers["dapr-grpc-accept-encoding"]),
            (&json!("localhost:50001"), &json!("gzip"))
        );
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
