//! `wasm`: guests see and change requests and responses.
use crate::world::{World, make};
use component_api::middleware::Body;
use http::{Request, StatusCode};
use std::io::Write;
use tempfile::NamedTempFile;

/// Imports, memory with texts, and helpers, before the functions of a guest.
const PREAMBLE: &str = r#"
(import "http_handler" "enable_features" (func $enable (param i32) (result i32)))
(import "http_handler" "get_config" (func $config (param i32 i32) (result i32)))
(import "http_handler" "get_method" (func $method (param i32 i32) (result i32)))
(import "http_handler" "set_uri" (func $set_uri (param i32 i32)))
(import "http_handler" "get_header_values" (func $values (param i32 i32 i32 i32 i32) (result i64)))
(import "http_handler" "set_header_value" (func $set_header (param i32 i32 i32 i32 i32)))
(import "http_handler" "read_body" (func $read (param i32 i32 i32) (result i64)))
(import "http_handler" "write_body" (func $write (param i32 i32 i32)))
(import "http_handler" "get_status_code" (func $get_status (result i32)))
(import "http_handler" "set_status_code" (func $set_status (param i32)))
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(memory (export "memory") 1)
(data (i32.const 0) "x-guest/new?x=1refusedhostx-host")
"#;
/// Refuses DELETE; to others it sets a URI, and headers with its configuration and the host, and turns what is answered around.
const REWRITER: &str = r#"
(func (export "_start") (drop (call $enable (i32.const 7))) (call $exit (i32.const 0)))
(func (export "handle_request") (result i64)
  (local $length i32)
  (drop (call $method (i32.const 100) (i32.const 10)))
  (if (i32.eq (i32.load8_u (i32.const 100)) (i32.const 68)) (then
    (call $set_status (i32.const 403))
    (call $write (i32.const 1) (i32.const 15) (i32.const 7))
    (return (i64.const 0))))
  (call $set_uri (i32.const 7) (i32.const 8))
  (local.set $length (call $config (i32.const 200) (i32.const 50)))
  (call $set_header (i32.const 0) (i32.const 0) (i32.const 7) (i32.const 200) (local.get $length))
  (local.set $length (i32.wrap_i64 (call $values (i32.const 0) (i32.const 22) (i32.const 4) (i32.const 200) (i32.const 50))))
  (call $set_header (i32.const 0) (i32.const 26) (i32.const 6) (i32.const 200) (i32.sub (local.get $length) (i32.const 1)))
  (drop (call $read (i32.const 0) (i32.const 300) (i32.const 100)))
  (i64.const 0x700000001))
(func (export "handle_response") (param $context i32) (param $failed i32)
  (local $length i32)
  (if (i32.ne (local.get $context) (i32.const 7)) (then unreachable))
  (call $set_status (i32.add (call $get_status) (i32.const 1)))
  (local.set $length (i32.wrap_i64 (call $read (i32.const 1) (i32.const 300) (i32.const 100))))
  (call $write (i32.const 1) (i32.const 300) (local.get $length))
  (call $write (i32.const 1) (i32.const 300) (local.get $length)))
"#;

fn compiled(functions: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&wat::parse_str(format!("(module {PREAMBLE} {functions})")).unwrap()).unwrap();
    file
}

fn handler(request: &str, response: &str) -> NamedTempFile {
    compiled(&format!(
        r#"(func (export "handle_request") (result i64) {request})
           (func (export "handle_response") (param i32 i32) {response})"#
    ))
}

async fn guest(file: &NamedTempFile) -> World {
    let url = format!("file://{}", file.path().display());
    World::new("wasm", &[("url", &url), ("guestConfig", "hello")]).await
}

#[tokio::test]
async fn requests_and_responses_are_rewritten() {
    let world = guest(&compiled(REWRITER)).await;
    for _ in 0..3 {
        let request = Request::post("/old").header("host", "here").body(Body::from("ab")).unwrap();
        let answer = world.send(request).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (201, "abab"));
        let arrived = world.last();
        assert_eq!((arrived.uri.to_string().as_str(), arrived.body.as_str()), ("/new?x=1", "ab"));
        assert_eq!(
            (&arrived.headers["x-guest"], &arrived.headers["x-host"]),
            (&"hello".parse().unwrap(), &"here".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn a_guest_answers_itself() {
    let world = guest(&compiled(REWRITER)).await;
    let answer = world.send(Request::delete("/").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::FORBIDDEN, "refused"));
    assert!(world.arrived().is_empty());
}

#[tokio::test]
async fn what_is_not_buffered_is_passed_or_refused() {
    let world = guest(&handler("(i64.const 1)", "")).await;
    assert_eq!(world.send(Request::new(Body::from("as it is"))).await.body, "as it is");
    let late = guest(&handler("(i64.const 1)", "(call $set_status (i32.const 200))")).await;
    assert_eq!(late.get("/").await.status, StatusCode::INTERNAL_SERVER_ERROR);
    // Without the feature, what the guest reads is gone.
    let reader =
        guest(&handler("(drop (call $read (i32.const 0) (i32.const 0) (i32.const 3))) (i64.const 1)", "")).await;
    assert_eq!(reader.send(Request::new(Body::from("as it is"))).await.body, "it is");
}

#[tokio::test]
async fn a_guest_that_fails_fails_its_request_alone() {
    let forever = "(loop $again (br $again)) (i64.const 1)";
    let grows = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";
    let outside = "(drop (call $read (i32.const 0) (i32.const -8) (i32.const 100))) (i64.const 1)";
    for request in [
        "unreachable",
        forever,
        grows,
        outside,
        "(call $write (i32.const 5) (i32.const 0) (i32.const 1)) (i64.const 1)",
    ] {
        let world = guest(&handler(request, "")).await;
        for _ in 0..2 {
            let answer = world.send(Request::new(Body::from("body"))).await;
            assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{request}");
        }
    }
}

#[tokio::test]
async fn what_is_no_guest_is_refused() {
    let nothing = compiled("");
    let mut garbage = NamedTempFile::new().unwrap();
    garbage.write_all(b"\0asm nonsense").unwrap();
    for file in [&nothing, &garbage] {
        let url = format!("file://{}", file.path().display());
        assert!(make("wasm", &[("url", &url)]).await.is_err());
    }
    for url in ["", "guest.wasm", "oci://there/guest", "file:///nowhere/guest.wasm", "ftp://x"] {
        assert!(make("wasm", &[("url", url)]).await.is_err(), "{url}");
    }
}
