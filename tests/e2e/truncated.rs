//! What breaks off is told as broken: nobody takes a part for the whole.
use crate::sidecar::{Setup, Sidecar};
use crate::wait::until;
use http::StatusCode;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// An app that writes an answer as it is told, byte for byte, and closes the connection; it ends when dropped.
struct Blunt {
    port: u16,
    calls: Arc<Mutex<Vec<Call>>>,
    server: JoinHandle<()>,
}

/// What came on a connection.
#[derive(Clone, Debug, Default)]
struct Call {
    text: String,
    ended: bool,
}

impl Blunt {
    /// With an answer to `/call`, or none at all.
    #[allow(clippy::disallowed_methods)] // The handle ends the task; those of connections end with them.
    async fn start(answer: Option<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&calls);
        let server = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, answer.clone(), Arc::clone(&all)));
            }
        });
        Self { port, calls, server }
    }

    /// The connection that a request with this text came on.
    fn call(&self, text: &str) -> Option<Call> {
        self.calls.lock().unwrap().iter().find(|call| call.text.contains(text)).cloned()
    }
}

impl Drop for Blunt {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The sidecar's own questions are answered with nothing.
async fn serve(mut connection: TcpStream, answer: Option<String>, calls: Arc<Mutex<Vec<Call>>>) {
    let number = {
        let mut calls = calls.lock().unwrap();
        calls.push(Call::default());
        calls.len() - 1
    };
    let mut bytes = Vec::new();
    while let Ok(1..) = connection.read_buf(&mut bytes).await {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let is_call = text.contains("/call");
        calls.lock().unwrap()[number].text = text.clone();
        let answer =
            if is_call { answer.as_deref() } else { Some("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n") };
        let Some(answer) = answer.filter(|_| text.ends_with("\r\n\r\n")) else { continue };
        connection.write_all(answer.as_bytes()).await.ok();
        if is_call {
            break;
        }
    }
    calls.lock().unwrap()[number].ended = true;
}

async fn sidecar(app: &Blunt) -> Sidecar {
    Setup::new("blunt", Some(app.port)).flag("--max-body-size", "8Mi").start().await
}

/// Sends a text and reads all that comes.
async fn exchange(port: u16, text: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    connection.write_all(text.as_bytes()).await.ok();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_app_cuts_is_an_error_for_the_caller() {
    // A short answer with too great a length is taken as it came, for Dapr does so.
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}part", "x".repeat(70_000));
    for answer in [
        long,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\npart".to_owned(),
    ] {
        let app = Blunt::start(Some(answer.clone())).await;
        let sidecar = sidecar(&app).await;
        let called = sidecar.get("/v1.0/invoke/blunt/method/call").await;
        assert!(called.is_err(), "{called:?}");
        let raw = exchange(sidecar.port, "GET /v1.0/invoke/blunt/method/call HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(raw.contains("part") && !raw.ends_with("0\r\n\r\n"), "{raw}");
        assert!(sidecar.is_well().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_at_all_and_nonsense_are_errors() {
    for answer in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nbroken",
        "SSH-2.0-nonsense\r\n\r\n",
        "HTTP/1.1 999999 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\npart",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\npart",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\npart",
    ] {
        let app = Blunt::start(Some(answer.to_owned())).await;
        let sidecar = sidecar(&app).await;
        let called = sidecar.get("/v1.0/invoke/blunt/method/call").await;
        let refused = called.as_ref().is_ok_and(|(status, _)| status.is_server_error());
        assert!(called.is_err() || refused, "{answer:?}: {called:?}");
        assert!(sidecar.is_well().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_switches_protocols_unasked_ends_the_connection() {
    let app = Blunt::start(Some("HTTP/1.1 101 Switching Protocols\r\n\r\n".to_owned())).await;
    let sidecar = sidecar(&app).await;
    let raw = exchange(sidecar.port, "GET /v1.0/invoke/blunt/method/call HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(raw.starts_with("HTTP/1.1 101 "), "Dapr passes it on: {raw}");
    assert!(sidecar.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_client_cuts_is_cut_for_the_app() {
    let app = Blunt::start(None).await;
    let sidecar = sidecar(&app).await;
    for (path, framing) in [
        ("/call/length", "content-length: 5000000\r\n\r\npart"),
        ("/call/chunked", "transfer-encoding: chunked\r\n\r\n4\r\npart\r\n"),
    ] {
        let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
        let request = format!("POST /v1.0/invoke/blunt/method{path} HTTP/1.1\r\nhost: x\r\n{framing}");
        connection.write_all(request.as_bytes()).await.unwrap();
        until("the app has the part", async || app.call(path).is_some_and(|call| call.text.contains("part"))).await;
        drop(connection);
        until("the call ends for the app", async || app.call(path).is_some_and(|call| call.ended)).await;
        let text = app.call(path).unwrap().text;
        assert!(!text.ends_with("0\r\n\r\n"), "it looks like a whole: {text}");
        assert!(sidecar.is_well().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_within_its_limits() {
    let setup = Setup::new("bounded", None).component("store", "state.in-memory", &[]);
    let sidecar = setup.flag("--max-body-size", "1Mi").start().await;
    let body = format!(r#"[{{"key": "a", "value": "{}"}}]"#, "x".repeat(2 << 20));
    let (status, text) = sidecar.post("/v1.0/state/store", body).await.unwrap();
    assert_eq!(status, StatusCode::BAD_REQUEST, "{text:?}");
    assert_eq!(sidecar.get("/v1.0/state/store/a").await.unwrap().0, StatusCode::NO_CONTENT);
    for head in [
        format!("GET /v1.0/healthz HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(1 << 20)),
        format!("GET /v1.0/healthz?{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(1 << 20)),
        format!("GET /v1.0/healthz HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(100_000)),
    ] {
        let answer = exchange(sidecar.port, &head).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["", "400", "414", "431"].contains(&status), "{answer}");
    }
    assert!(sidecar.is_well().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_are_given_up() {
    let sidecar = Setup::new("patient", None).start().await;
    let drip = async |text: &str| {
        let mut connection = TcpStream::connect(("127.0.0.1", sidecar.port)).await.unwrap();
        connection.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Ends when the sidecar closes the connection.
        connection.read_to_end(&mut answer).await.ok();
    };
    tokio::join!(drip(""), drip("GET /v1.0/healthz HTTP/1.1\r\nx: "), drip("PRI * HT"));
    assert!(sidecar.is_well().await);
}
