//! gRPC calls that are passed on unread.
use crate::world::{serve, sidecar, two};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use block_invoke::{internal_routes, proxy};
use bytes::Bytes;
use foundation_app::Protocol;
use foundation_drain::Drain;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use http_body_util::BodyExt;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tonic::Code;

/// A gRPC service that sends each message back, with a trailer; what it was called with is in its headers.
pub(crate) fn grpc_app() -> Router {
    Router::new()
        .route("/test.Echo/Call", post(grpc_echo))
        .route("/test.Echo/Fail", post(|| async { tonic::Status::not_found("sorry").into_http::<Body>() }))
}

pub(crate) async fn grpc_echo(request: Request) -> Response {
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

pub(crate) fn grpc_request(path: &str, app_id: &str, body: Body) -> Request {
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

/// A port in front of another one; all connections break when the drain stops.
async fn cable(port: u16, cut: &Drain) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap().port();
    let connections = cut.clone();
    cut.spawn_until_stopped(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            connections.spawn_until_stopped(async move {
                copy_bidirectional(&mut near, &mut far).await.ok();
            });
        }
    });
    front
}

/// A stream that has begun ends with a status that callers try again on, whoever goes away.
#[tokio::test]
async fn a_stream_that_breaks_ends_with_a_status() {
    let app = serve(grpc_app()).await;
    for (cuts_app, is_own) in [(true, true), (true, false), (false, false)] {
        let cut = Drain::new();
        let port = if cuts_app { cable(app, &cut).await } else { app };
        let (service, target) = if is_own {
            (sidecar("golden", 0, Some((port, Protocol::Grpc))), "golden")
        } else {
            let peer = serve(internal_routes(sidecar("other", 0, Some((port, Protocol::Grpc))))).await;
            let peer = if cuts_app { peer } else { cable(peer, &cut).await };
            (sidecar("golden", peer, None), "other")
        };
        let first = Ok::<_, std::io::Error>(Bytes::from_static(b"\0\0\0\0\x01a"));
        let endless = futures_util::stream::iter([first]).chain(futures_util::stream::pending());
        let request = grpc_request("/test.Echo/Call", target, Body::from_stream(endless));
        let mut body = proxy(&service, request).await.into_body();
        assert!(body.frame().await.unwrap().unwrap().is_data());
        cut.stop();
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(trailers["grpc-status"], "14", "{cuts_app} {is_own}");
        assert!(body.frame().await.is_none());
    }
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
async fn nothing_but_grpc_is_passed_on() {
    let service = two(grpc_app(), Protocol::Grpc).await;
    let mut other = grpc_request("/test.Echo/Call", "other", Body::empty());
    other.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    for request in [other, grpc_request("/test.Echo/Call?a=b", "other", Body::empty())] {
        let response = proxy(&service, request).await;
        let status = tonic::Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
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
