//! Two sidecars in one process: calls and proxied streams over loopback.
#![allow(clippy::unwrap_used)] // Helpers outside of test functions, which the lint does not know as tests.
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use component_api::naming::{Registration, Resolver, Target as Question};
use foundation_drain::Drain;
use foundation_peer::receive::{answer_stream, answer_whole, receive_stream, receive_whole};
use foundation_peer::{Answer, Error, Head, Outcome, Own, Payload, Peers, Target};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::net::TcpListener;
use tonic::{Code, Status};

const STREAM: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallLocalStream";
const WHOLE: &str = "/dapr.proto.internals.v1.ServiceInvocation/CallLocal";
const LIMIT: usize = 4 << 20;

struct Fixed(String);

#[async_trait::async_trait]
impl Resolver for Fixed {
    async fn register(&self, _: Registration) -> component_api::Result<()> {
        Ok(())
    }

    async fn resolve(&self, _: &Question) -> component_api::Result<Vec<String>> {
        Ok(vec![self.0.clone()])
    }
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    Drain::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn peers(address: String) -> Peers {
    let own = Own {
        app_id: "caller".to_owned(),
        namespace: "default".to_owned(),
        address: "127.0.0.1".to_owned(),
        host_name: "box".to_owned(),
        internal_port: 0,
    };
    Peers::new(Arc::new(Fixed(address)), own, LIMIT, &Drain::new())
}

fn target() -> Target {
    Target::new("callee", "default")
}

fn post_head() -> Head {
    let headers = HeaderMap::from_iter([(http::header::ACCEPT, HeaderValue::from_static("text/plain"))]);
    Head { verb: Some(Method::POST), method: "echo".to_owned(), headers, ..Head::default() }
}

fn echo(head: Head, body: Body) -> Answer {
    Answer {
        outcome: Outcome::Http(StatusCode::ACCEPTED),
        headers: head.headers,
        content_type: head.content_type,
        type_url: String::new(),
        body,
    }
}

async fn echo_stream(request: Request) -> Response {
    match receive_stream(request.into_body(), LIMIT).await {
        Ok((head, body)) => answer_stream(echo(head, body)),
        Err(status) => status.into_http(),
    }
}

async fn echo_whole(request: Request) -> Response {
    let (head, data) = receive_whole(request.into_body(), LIMIT).await.unwrap();
    answer_whole(echo(head, Body::from(data))).await
}

async fn call(peers: &Peers, payload: Payload) -> Result<Answer, Error> {
    peers.call(&target(), &post_head(), payload, &HeaderMap::new()).await
}

fn large() -> Bytes {
    (0..3_000_000u32).map(|number| (number % 251) as u8).collect()
}

#[tokio::test]
async fn bodies_of_any_size_come_back() {
    let peers = peers(serve(Router::new().route(STREAM, post(echo_stream))).await);
    for sent in [Bytes::new(), Bytes::from_static(b"x"), large()] {
        let answer = call(&peers, Payload::Whole(sent.clone())).await.unwrap();
        assert!(matches!(answer.outcome, Outcome::Http(StatusCode::ACCEPTED)));
        assert_eq!(answer.headers["dapr-caller-app-id"], "caller");
        assert_eq!(answer.headers["accept"], "text/plain");
        assert!(answer.body.collect().await.unwrap().to_bytes() == sent);
    }
}

#[tokio::test]
async fn a_stream_is_answered_while_it_is_sent() {
    let peers = peers(serve(Router::new().route(STREAM, post(echo_stream))).await);
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<http_body::Frame<Bytes>, Infallible>>(1);
    let chunks =
        futures_util::stream::unfold(receiver, |mut receiver| async { Some((receiver.recv().await?, receiver)) });
    let answer = call(&peers, Payload::Stream(Body::new(StreamBody::new(chunks)))).await.unwrap();
    let mut body = answer.body;
    for chunk in ["one", "two"] {
        sender.send(Ok(http_body::Frame::data(Bytes::from(chunk)))).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), chunk);
    }
    drop(sender);
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn many_calls_run_at_once() {
    let peers = peers(serve(Router::new().route(STREAM, post(echo_stream))).await);
    let calls = (0..250).map(|_| call(&peers, Payload::Whole(Bytes::from_static(b"hello"))));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap().body.collect().await.unwrap().to_bytes(), "hello");
    }
}

#[tokio::test]
async fn a_refusal_keeps_its_code_and_text() {
    let refuse = || async { Status::permission_denied("no entry").into_http::<Body>() };
    let peers = peers(serve(Router::new().route(STREAM, post(refuse))).await);
    let error = call(&peers, Payload::Whole(Bytes::new())).await.unwrap_err();
    assert_eq!(error.code(), Code::PermissionDenied);
    assert_eq!(error.to_string(), "rpc error: code = PermissionDenied desc = no entry");
}

#[tokio::test]
async fn an_old_sidecar_is_called_with_one_message() {
    let old = Router::new()
        .route(STREAM, post(|| async { Status::unimplemented("unknown method").into_http::<Body>() }))
        .route(WHOLE, post(echo_whole));
    let peers = peers(serve(old).await);
    let answer = call(&peers, Payload::Whole(Bytes::from_static(b"hello"))).await.unwrap();
    assert_eq!(answer.body.collect().await.unwrap().to_bytes(), "hello");
    let error = call(&peers, Payload::Stream(Body::from("hello"))).await.unwrap_err();
    assert!(matches!(error, Error::NoStreaming(app) if app == "callee"));
}

#[tokio::test]
async fn nobody_there_is_unavailable_and_stale() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = call(&peers(address), Payload::Whole(Bytes::new())).await.unwrap_err();
    assert!(error.is_stale());
}

#[tokio::test]
async fn a_broken_body_ends_the_call() {
    let peers = peers(serve(Router::new().route(STREAM, post(echo_stream))).await);
    let broken = futures_util::stream::iter([Err::<http_body::Frame<Bytes>, _>(std::io::Error::other("cut off"))]);
    let error = call(&peers, Payload::Stream(Body::new(StreamBody::new(broken)))).await.unwrap_err();
    assert!(matches!(error, Error::Body(why) if why.contains("cut off")));
}

#[tokio::test]
async fn a_proxied_call_keeps_body_and_trailers() {
    let echo = |request: Request| async {
        let trailers = HeaderMap::from_iter([(
            http::header::HeaderName::from_static("grpc-status"),
            HeaderValue::from_static("0"),
        )]);
        Response::new(Body::new(request.into_body().with_trailers(std::future::ready(Some(Ok(trailers))))))
    };
    let peers = peers(serve(Router::new().route("/any.Service/Call", post(echo))).await);
    let request = http::Request::post("/any.Service/Call").header("te", "trailers").body(Body::from(large())).unwrap();
    let answer = peers.proxy(&target(), request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    assert!(answer.to_bytes() == large());
}
