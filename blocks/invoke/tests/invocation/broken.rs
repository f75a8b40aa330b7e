//! Apps whose answers break off.
use crate::world::{get, http_app, json_of, serve, sidecar};
use axum::body::Body;
use axum::extract::Request;
use block_invoke::{endpoints, internal_routes};
use foundation_app::Protocol;
use foundation_drain::Drain;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// An app that says this to every request and hangs up; returns its port.
async fn app_that_says(answer: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    port
}

/// All that a client gets of a call, until the connection ends.
async fn raw(port: u16, app: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("GET /v1.0/invoke/{app}/method/x HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_before_the_break_is_passed_on() {
    let app = Some((app_that_says(format!("{HEAD}5\r\nhello\r\n")).await, Protocol::Http));
    let peer = serve(internal_routes(sidecar("other", 0, app))).await;
    for (service, target) in [(sidecar("golden", peer, None), "other"), (sidecar("golden", peer, app), "golden")] {
        let port = serve(endpoints(service).into_router(|_| true)).await;
        let answer = raw(port, target).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("hello"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_before_its_first_byte_is_an_error() {
    let app = Some((app_that_says(HEAD.to_owned()).await, Protocol::Http));
    let peer = serve(internal_routes(sidecar("other", 0, app))).await;
    for (service, target) in [(sidecar("golden", peer, None), "other"), (sidecar("golden", peer, app), "golden")] {
        let response = get(&service, &format!("/v1.0/invoke/{target}/method/x")).await;
        let (status, body) = (response.status(), json_of(response).await);
        assert_eq!(
            (status.is_server_error(), &body["errorCode"]),
            (true, &json!("ERR_DIRECT_INVOKE")),
            "{target}: {body}"
        );
    }
}

#[tokio::test]
async fn what_is_no_app_is_asked_as_go_asks_it() {
    let port = serve(http_app()).await;
    let url = format!("/v1.0/invoke/http://127.0.0.1:{port}/method/m");
    let service = sidecar("golden", 0, None);
    let request = Request::get(&url).header("content-length", "0").body(Body::empty()).unwrap();
    let seen = json_of(endpoints(service).into_router(|_| true).oneshot(request).await.unwrap()).await;
    let headers = &seen["headers"];
    assert_eq!(
        (&headers["user-agent"], &headers["accept-encoding"], headers.get("content-length")),
        (&json!("Go-http-client/1.1"), &json!("gzip"), None)
    );
}
