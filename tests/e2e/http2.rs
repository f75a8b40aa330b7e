//! HTTP/2 on the port of HTTP/1.1, by `Upgrade: h2c`. No client library asks for that, so the frames are made here.
use crate::sidecar::Setup;
use bytes::BufMut;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const ACK: u8 = 1;
/// `:status: 204` and `:status: 200` in the static table of HPACK.
const NO_CONTENT: u8 = 0x89;
const OK: u8 = 0x88;
/// `:method: GET` and `:scheme: http` there.
const GET: u8 = 0x82;
const SCHEME_HTTP: u8 = 0x86;

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

async fn read_frame(connection: &mut TcpStream) -> Frame {
    let mut head = [0; 9];
    connection.read_exact(&mut head).await.unwrap();
    let (length, stream) = (u32::from_be_bytes([0, head[0], head[1], head[2]]), &head[5..]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    connection.read_exact(&mut payload).await.unwrap();
    Frame { kind: head[3], flags: head[4], stream: u32::from_be_bytes(stream.try_into().unwrap()), payload }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.put_uint(payload.len() as u64, 3);
    frame.extend([kind, flags]);
    frame.put_u32(stream);
    frame.extend(payload);
    frame
}

/// Sends a request that asks for HTTP/2; returns the answer's head.
async fn ask(connection: &mut TcpStream, request: &str, body: &str) -> String {
    let asking = "host: localhost\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk";
    let request = format!("{request} HTTP/1.1\r\n{asking}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The headers of a stream's answer; how often settings were acknowledged up to there.
async fn answer(connection: &mut TcpStream, stream: u32) -> (Vec<u8>, usize) {
    let mut acknowledged = 0;
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(30), read_frame(connection)).await.unwrap();
        acknowledged += usize::from(frame.kind == SETTINGS && frame.flags == ACK);
        if frame.kind == HEADERS && frame.stream == stream {
            return (frame.payload, acknowledged);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_as_the_first_stream_and_others_follow() {
    let sidecar = Setup::new("upgraded", None).start().await;
    let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
    let head = ask(&mut connection, "GET /v1.0/healthz", "").await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: h2c"), "{head}");
    connection.write_all(PREFACE).await.unwrap();
    connection.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let (headers, acknowledged) = answer(&mut connection, 1).await;
    assert_eq!((headers[0], acknowledged), (NO_CONTENT, 1));
    // A path of 14 bytes as it is.
    let block = [&[GET, SCHEME_HTTP, 0x04, 14][..], b"/v1.0/metadata"].concat();
    connection.write_all(&frame(HEADERS, 5, 3, &block)).await.unwrap();
    assert_eq!(answer(&mut connection, 3).await.0[0], OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_body_is_answered_as_it_came() {
    let sidecar = Setup::new("not-upgraded", None).component("store", "state.in-memory", &[]).start().await;
    let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
    let head = ask(&mut connection, "POST /v1.0/state/store", r#"[{"key": "a", "value": 1}]"#).await;
    assert!(head.starts_with("HTTP/1.1 204 "), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_something_else_after_the_change_is_cut_off() {
    let sidecar = Setup::new("confused", None).start().await;
    let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
    ask(&mut connection, "GET /v1.0/healthz", "").await;
    connection.write_all(&[b'x'; 64]).await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), connection.read_to_end(&mut rest)).await.unwrap().ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_so_many_streams_and_headers_as_in_go() {
    let sidecar = Setup::new("bounded", None).start().await;
    let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
    connection.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    let settings = read_frame(&mut connection).await;
    assert_eq!(settings.kind, SETTINGS);
    let most_streams = settings.payload.chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    assert_eq!(most_streams[2..], 250_u32.to_be_bytes());
    let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
    let headers: String = (0..150).map(|number| format!("x-{number}: 1\r\n")).collect();
    let request = format!("GET /v1.0/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}
