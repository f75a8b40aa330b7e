//! Bytes that are no requests, on all ports: the connection may end, the process and others go on.
use crate::http2::frame;
use crate::sidecar::{Setup, Sidecar};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// Writes the bytes and says no more; reads until the other side has had enough, or for long enough to have seen them.
async fn send(port: u16, bytes: &[u8]) {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.write_all(bytes).await.ok();
    connection.shutdown().await.ok();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(30), connection.read_to_end(&mut answer)).await.unwrap().ok();
}

async fn survives(sidecar: &Sidecar, what: &str, bytes: &[u8]) {
    for port in [sidecar.port, sidecar.grpc_port, sidecar.internal_port] {
        send(port, bytes).await;
        assert!(sidecar.is_well().await, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_that_are_no_requests() {
    let sidecar = Setup::new("texts", None).start().await;
    for text in [
        "\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET  /v1.0/healthz  HTTP/1.1\r\n\r\n",
        "GET /v1.0/healthz HTTP/1.1\r\nno colon\r\n\r\n",
        "GET /v1.0/healthz HTTP/1.1\r\n: no name\r\n\r\n",
        "GET /v1.0/healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET /\u{0}\u{1} HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /%zz/%/%2 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /v1.0/invoke/%00/method/%ff HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET http://[::1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST /v1.0/state/s HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        "POST /v1.0/state/s HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "POST /v1.0/state/s HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\nGET",
        "POST /v1.0/state/s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "POST /v1.0/state/s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        "POST /v1.0/state/s HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, identity\r\n\r\nx",
        "GET /v1.0/healthz HTTP/1.1\r\nhost: x\r\nupgrade: h2c\r\nhttp2-settings: !!!\r\nconnection: upgrade, http2-settings\r\n\r\n",
        "GET /v1.0/healthz HTTP/1.1\r\nhost: x\r\ntraceparent: 00-\u{e9}-\r\nbaggage: =;,=\r\ngrpc-trace-bin: !\r\n\r\n",
    ] {
        survives(&sidecar, text, text.as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_break_the_rules() {
    let sidecar = Setup::new("frames", None).start().await;
    let settings = frame(SETTINGS, 0, 0, &[]);
    // `:method: GET`, `:scheme: http` and `:path: /` of the static table.
    let request = [0x82, 0x86, 0x84];
    let flood = |one: Vec<u8>, times: usize| one.repeat(times);
    let resets: Vec<u8> = (0..2000_u32)
        .flat_map(|number| {
            [frame(HEADERS, 5, number * 2 + 1, &request), frame(RESET, 0, number * 2 + 1, &[0, 0, 0, 8])].concat()
        })
        .collect();
    let endless = [frame(HEADERS, 1, 1, &request), flood(frame(CONTINUATION, 0, 1, &[0x40; 1000]), 2000)].concat();
    for (what, frames) in [
        ("headers on stream 0", frame(HEADERS, 5, 0, &request)),
        ("headers on a stream of the server", frame(HEADERS, 5, 2, &request)),
        ("headers twice", flood(frame(HEADERS, 5, 1, &request), 2)),
        ("a block that is no HPACK", frame(HEADERS, 5, 1, &[0xff; 40])),
        ("an index of no table", frame(HEADERS, 5, 1, &[0xfe])),
        ("no path", frame(HEADERS, 5, 1, &[0x82])),
        ("padding without end", frame(HEADERS, 0xd, 1, &[0xff])),
        ("data on an idle stream", frame(DATA, 0, 1, &[0; 10])),
        ("data on stream 0", frame(DATA, 0, 0, &[0; 10])),
        ("a window beyond all bounds", flood(frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]), 2)),
        ("a window of nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("a setting that is cut", frame(SETTINGS, 0, 0, &[0; 5])),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[])),
        ("a window setting beyond all bounds", frame(SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff])),
        ("a ping that is cut", frame(PING, 0, 0, &[0; 3])),
        ("a push of the client", frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x82])),
        ("a priority that is cut", frame(PRIORITY, 0, 1, &[0; 2])),
        ("a continuation of nothing", frame(CONTINUATION, 4, 1, &request)),
        ("an unknown kind", frame(0xee, 0xff, 0x7fff_ffff, &[0xaa; 100])),
        ("a frame that is too large", frame(DATA, 0, 1, &vec![0; (16 << 10) + 1])),
        ("a frame that is cut", frame(HEADERS, 5, 1, &request)[..5].to_vec()),
        ("settings again and again", flood(frame(SETTINGS, 0, 0, &[]), 5000)),
        ("pings again and again", flood(frame(PING, 0, 0, &[1; 8]), 5000)),
        ("streams that are reset at once", resets),
        ("headers that do not end", endless),
    ] {
        survives(&sidecar, what, &[PREFACE, &settings, &frames].concat()).await;
    }
    survives(&sidecar, "no settings", &[PREFACE, &frame(PING, 0, 0, &[0; 8])].concat()).await;
    survives(&sidecar, "half a preface", &PREFACE[..10]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_without_any_sense() {
    let sidecar = Setup::new("bytes", None).start().await;
    // xorshift: the same bytes in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..40 {
        let noise = (0..round * 50).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        let noise: Vec<u8> = noise.collect();
        let start: &[u8] = if round % 2 == 0 { PREFACE } else { b"" };
        survives(&sidecar, "noise", &[start, &noise].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_grpc_that_are_none() {
    let sidecar = Setup::new("messages", None).component("store", "state.in-memory", &[]).start().await;
    let path = b"/dapr.proto.runtime.v1.Dapr/SaveState";
    let length = u8::try_from(path.len()).unwrap();
    let content_type = [&[0x0f, 0x10, 16][..], b"application/grpc"].concat();
    // `:method: POST`, the path as it is, and the content type.
    let head = [&[0x83, 0x86, 0x04, length][..], path, &content_type].concat();
    for message in [
        &b""[..],
        &[0],
        &[0, 0, 0, 0, 9],
        &[0, 0xff, 0xff, 0xff, 0xff],
        &[1, 0, 0, 0, 1, 0],
        &[9, 0, 0, 0, 1, 0],
        &[0, 0, 0, 0, 3, 0x0a, 0xff, 0xff],
        &[0, 0, 0, 0, 2, 0xff, 0xff],
    ] {
        let frames = [frame(HEADERS, 4, 1, &head), frame(DATA, 1, 1, message)].concat();
        let settings = frame(SETTINGS, 0, 0, &[]);
        survives(&sidecar, "a message", &[PREFACE, &settings, &frames].concat()).await;
    }
}
