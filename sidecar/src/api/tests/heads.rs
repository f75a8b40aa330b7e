//! Heads of requests as they come over a connection.
use crate::api::http::{Api, Server, Settings};
use crate::api::observe::Observer;
use axum::Router;
use foundation_drain::Drain;
use foundation_process::listen::{Listener, accept, tcp};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What comes over a connection on which that was sent, until it ends.
async fn exchanged(port: u16, sent: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.write_all(sent.as_bytes()).await.unwrap();
    let mut answers = String::new();
    connection.read_to_string(&mut answers).await.unwrap();
    answers
}

#[tokio::test]
async fn a_request_whose_end_is_in_doubt_is_the_last() {
    let drain = Drain::new();
    let router = Router::new().fallback(async || "taken");
    let settings = Settings { read_buffer_size: 4096, ..Settings::default() };
    let server = Server::new(Arc::new(Api::serving(router, settings, Observer::default())), true);
    let listener = Listener::Tcp(tcp("127.0.0.1", 0).await.unwrap());
    let port = listener.port().unwrap();
    accept(listener, server, &drain);
    for (head, status, text) in [
        ("GET / HTTP/1.1\r\n", "400 Bad Request", "400 Bad Request: missing required Host header"),
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n", "400 Bad Request", "400 Bad Request"),
        (
            "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n",
            "501 Not Implemented",
            "Unsupported transfer encoding",
        ),
        ("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9223372036854775808\r\n", "400 Bad Request", "400 Bad Request"),
    ] {
        let next = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answers = exchanged(port, &format!("{head}\r\n{next}")).await;
        assert!(answers.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}: {answers}");
        assert!(answers.ends_with(&format!("\r\n\r\n{text}")), "{head}: {answers}");
    }
    let taken = exchanged(port, "GET / HTTP/1.0\r\n\r\n").await;
    assert!(taken.starts_with("HTTP/1.0 200 OK\r\n") && taken.ends_with("taken"), "{taken}");
}
