//! Requests to a server that compresses what it is asked to compress.
use super::*;
use axum::Router;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect as Elsewhere};
use axum::routing::get;
use component_api::{ByteSize, Metadata};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tokio::net::TcpListener;

const PLAIN: &[u8] = &[b'a'; 1 << 20];

async fn answer(headers: HeaderMap) -> impl IntoResponse {
    let asked = headers.get("accept-encoding").map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(PLAIN).unwrap();
    ([("content-encoding", "gzip".to_owned()), ("x-asked", asked)], encoder.finish().unwrap())
}

async fn called(metadata: &[(&str, &str)], most: u64) -> Response {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(answer)).route("/elsewhere", get(async || Elsewhere::to("/")));
    let settings = Settings { url, max_response_body_size: ByteSize(most), ..Settings::default() };
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let operation = Operation { operation: "get".to_owned(), data: Bytes::new(), metadata };
    let binding = HttpBinding::new(settings).unwrap();
    tokio::select! {
        response = binding.invoke(operation) => response.unwrap(),
        _ = axum::serve(listener, router) => panic!("the server ended"),
    }
}

fn header<'a>(metadata: &'a Metadata, name: &str) -> Option<&'a str> {
    metadata.get(name).map(String::as_str)
}

#[tokio::test]
async fn compression_that_the_caller_does_not_know_of_is_not_seen() {
    for path in ["", "elsewhere"] {
        let response = called(&[("path", path)], 0).await;
        assert_eq!(header(&response.metadata, "X-Asked"), Some("gzip"));
        assert_eq!(response.data.as_deref(), Some(PLAIN));
        assert!(["Content-Encoding", "Content-Length"].iter().all(|name| !response.metadata.contains_key(*name)));
    }
}

#[tokio::test]
async fn compression_that_the_caller_asked_for_is_left_alone() {
    let response = called(&[("Accept-Encoding", "gzip")], 0).await;
    assert_eq!(header(&response.metadata, "Content-Encoding"), Some("gzip"));
    assert!(response.metadata.contains_key("Content-Length") && response.data.unwrap().len() < PLAIN.len());
}

#[tokio::test]
async fn the_limit_is_for_what_was_decompressed() {
    assert_eq!(called(&[], 1000).await.data.as_deref(), Some(&PLAIN[..1000]));
}
