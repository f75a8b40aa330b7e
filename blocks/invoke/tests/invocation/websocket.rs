//! WebSocket connections: to the own app, and through two sidecars. What matters is bytes, so no frames are made here.
use crate::world::{serve, sidecar_with_upgrades};
use axum::Router;
use axum::routing::any;
use block_invoke::{Service, internal_routes, invoke};
use foundation_app::Protocol;
use foundation_drain::Drain;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const REQUEST: &str = "GET /v1.0/invoke/APP/method/talk?x=1 HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-key: abc\r\nsec-websocket-version: 13\r\n\r\n";

/// Reads the head of a message.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

/// An app that agrees to talk and repeats what it hears, or refuses; returns its port.
async fn app(agrees: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    Drain::new().spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let asked = head(&mut stream).await;
        assert!(asked.starts_with("get /talk?x=1 http/1.1\r\n"), "{asked}");
        for header in ["connection: upgrade\r\n", "upgrade: websocket\r\n", "sec-websocket-key: abc\r\n"] {
            assert!(asked.contains(header), "{asked}");
        }
        assert!(!asked.contains("trilby-upgrade"), "{asked}");
        if !agrees {
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
            return;
        }
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: xyz\r\n\r\nhello";
        stream.write_all(answer).await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        write.write_all(b"bye").await.unwrap();
    });
    port
}

/// Serves the API of a sidecar; returns a connection to it.
async fn client(service: Arc<Service>) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().fallback(any(invoke).with_state(service));
    Drain::new().spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = TowerToHyperService::new(router);
        let builder = Builder::new(TokioExecutor::new());
        builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await.ok();
    });
    TcpStream::connect(address).await.unwrap()
}

async fn check_talk(service: Arc<Service>, app_id: &str) {
    let mut stream = client(service).await;
    stream.write_all(REQUEST.replace("APP", app_id).as_bytes()).await.unwrap();
    let answer = head(&mut stream).await;
    assert!(answer.starts_with("http/1.1 101 "), "{answer}");
    assert!(answer.contains("upgrade: websocket\r\n") && answer.contains("sec-websocket-accept: xyz\r\n"), "{answer}");
    let mut heard = [0; 5];
    stream.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
    for word in [&b"first"[..], b"again"] {
        stream.write_all(word).await.unwrap();
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, word);
    }
    stream.shutdown().await.unwrap();
    let mut last = Vec::new();
    stream.read_to_end(&mut last).await.unwrap();
    assert_eq!(last, b"bye");
}

#[tokio::test]
async fn the_own_app_talks() {
    let service = sidecar_with_upgrades("golden", 0, Some((app(true).await, Protocol::Http)));
    check_talk(service, "golden").await;
}

#[tokio::test]
async fn the_app_of_another_sidecar_talks() {
    let other = sidecar_with_upgrades("other", 0, Some((app(true).await, Protocol::Http)));
    let peer = serve(internal_routes(other)).await;
    check_talk(sidecar_with_upgrades("golden", peer, None), "other").await;
}

#[tokio::test]
async fn an_app_may_refuse_to_talk() {
    let service = sidecar_with_upgrades("golden", 0, Some((app(false).await, Protocol::Http)));
    let mut stream = client(service).await;
    stream.write_all(REQUEST.replace("APP", "golden").as_bytes()).await.unwrap();
    assert!(head(&mut stream).await.starts_with("http/1.1 403 "));
}
