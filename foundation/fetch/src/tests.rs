//! Exchanges with a server of three answers: a short one, a long one and none.
use super::*;
use component_api::Kind;
use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::RootCertStore;
use std::io::Write;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_secs(60);

async fn serve(mut connection: TcpStream) {
    let mut head = vec![0; 4096];
    let length = connection.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    let body = if head.starts_with("GET /long") { "longer than ten" } else { "short" };
    if head.starts_with("GET /none ") {
        return std::future::pending().await;
    }
    let answer = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(answer.as_bytes()).await.unwrap();
}

/// Answers each request with that, if it is one that asks for gzip, and returns what a client makes of it.
async fn unzipped(plain: &[u8]) -> Result<Response<Bytes>, Error> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    let zipped = encoder.finish().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = async {
        let (mut connection, _) = listener.accept().await.unwrap();
        let mut head = vec![0; 4096];
        let length = connection.read(&mut head).await.unwrap();
        assert!(String::from_utf8_lossy(&head[..length]).contains("accept-encoding: gzip\r\n"));
        let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", zipped.len());
        connection.write_all(&[head.as_bytes(), &zipped].concat()).await.unwrap();
    };
    tokio::join!(get(url, LONG), answer).0
}

async fn accept(listener: TcpListener) {
    let mut calls = JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        calls.spawn(serve(connection));
    }
}

async fn get(url: String, patience: Duration) -> Result<Response<Bytes>, Error> {
    let client = Client::new(trust::only(RootCertStore::empty()).unwrap(), Limits { patience, largest: 10 });
    client.send(Request::get(url).body(Bytes::new()).unwrap()).await
}

/// Of a server of its own.
async fn served(path: &str, patience: Duration) -> Result<Response<Bytes>, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    tokio::select! {
        answer = get(url, patience) => answer,
        () = accept(listener) => panic!("the server ended"),
    }
}

#[tokio::test]
async fn any_status_is_an_answer() {
    let response = served("/short", LONG).await.unwrap();
    assert_eq!((response.status().as_u16(), &response.body()[..]), (404, &b"short"[..]));
}

#[tokio::test]
async fn only_success_is_a_good_answer() {
    let client = Client::new(trust::only(RootCertStore::empty()).unwrap(), Limits { patience: LONG, largest: 10 });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://me:secret@{}/short?secret", listener.local_addr().unwrap());
    let request = || Request::get(&url).body(Bytes::new()).unwrap();
    let calls =
        async { (client.send_for_success(request()).await.unwrap_err(), client.stream(request()).await.unwrap_err()) };
    let (whole, streamed) = tokio::select! {
        errors = calls => errors,
        () = accept(listener) => panic!("the server ended"),
    };
    for error in [whole, streamed] {
        assert_eq!(error.to_string(), "127.0.0.1 answered with status 404");
    }
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let long = served("/long?secret", LONG).await.unwrap_err();
    assert!(matches!(long, Error::Broken { .. }) && !long.to_string().contains("secret"), "{long}");
    let none = component_api::Error::from(served("/none", Duration::from_millis(200)).await.unwrap_err());
    assert_eq!((none.kind(), none.to_string().as_str()), (Kind::Timeout, "127.0.0.1 did not answer within 200ms"));
}

#[tokio::test]
async fn compressed_answers_are_bounded_as_they_are_read() {
    let response = unzipped(b"ten bytes.").await.unwrap();
    assert_eq!((&response.body()[..], response.headers().len()), (&b"ten bytes."[..], 0));
    assert!(matches!(unzipped(&[0; 1 << 20]).await, Err(Error::Broken { .. })));
}

#[tokio::test]
async fn who_is_away_is_named_with_the_cause() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = component_api::Error::from(get(format!("http://{free}/?secret"), LONG).await.unwrap_err());
    let text = error.to_string();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(text.starts_with("cannot reach 127.0.0.1: ") && text.contains("refused") && !text.contains("secret"));
}

#[test]
fn certificates_in_a_text_are_counted() {
    let mut roots = RootCertStore::empty();
    assert_eq!(trust::add(&mut roots, b"none"), 0);
    assert!(trust::anybody().is_ok());
}
