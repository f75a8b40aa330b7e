//! Slow readers, slow apps and many connections: memory stays bounded, and others are served.
use crate::sidecar::{Setup, Sidecar};
use crate::wait::until;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream;
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

const LARGE: usize = 200 << 20;
const PIECE: usize = 64 << 10;
/// What a process may take at most: a fraction of what passes it.
const MEMORY: usize = 96 << 20;

/// An app that gives and takes much; it ends when dropped.
struct Bulky {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// Bytes given so far.
    given: AtomicUsize,
    /// Answers under way.
    giving: AtomicUsize,
    /// Bytes taken so far, which begins when `take` says so.
    taken: AtomicUsize,
    take: Notify,
}

impl Bulky {
    #[allow(clippy::disallowed_methods)] // The handle ends the task.
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { port, shared, server }
    }
}

impl Drop for Bulky {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    match request.uri().path() {
        "/give" => Response::new(give(shared)),
        "/take" => {
            shared.take.notified().await;
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                let length = frame.unwrap().into_data().map_or(0, |data| data.len());
                shared.taken.fetch_add(length, Ordering::Relaxed);
            }
            Response::default()
        }
        _ => Response::default(),
    }
}

/// An answer under way, until it is dropped.
struct Giving(Arc<Shared>);

impl Drop for Giving {
    fn drop(&mut self) {
        self.0.giving.fetch_sub(1, Ordering::Relaxed);
    }
}

fn give(shared: Arc<Shared>) -> Body {
    shared.giving.fetch_add(1, Ordering::Relaxed);
    let piece = Bytes::from(vec![b'x'; PIECE]);
    Body::from_stream(stream::unfold((0, Giving(shared)), move |(given, giving)| {
        giving.0.given.fetch_add(PIECE, Ordering::Relaxed);
        let next = (given < LARGE).then(|| (Ok::<_, Infallible>(piece.clone()), (given + PIECE, giving)));
        async move { next }
    }))
}

/// Sidecars of a caller and of the app, which find each other in a file.
async fn pair(app: &Bulky, folder: &TempDir) -> [Sidecar; 2] {
    let configuration = serde_json::json!({
        "apiVersion": "dapr.io/v1alpha1", "kind": "Configuration", "metadata": {"name": "names"},
        "spec": {"nameResolution": {"component": "sqlite", "version": "v1", "configuration": {
            "connectionString": folder.path().join("names.db")
        }}}
    });
    let with_names =
        |setup: Setup| Setup { configuration: Some(configuration.to_string()), ..setup }.flag("--max-body-size", "1Gi");
    let callee = with_names(Setup::new("callee", Some(app.port))).start().await;
    let caller = with_names(Setup::new("caller", None)).start().await;
    until("the callee is found", async || {
        caller.get("/v1.0/invoke/callee/method/hello").await.is_ok_and(|(status, _)| status.is_success())
    })
    .await;
    [caller, callee]
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Waits until a number has stopped to grow; returns it.
async fn settled(number: impl Fn() -> usize) -> usize {
    let (mut last, mut same) = (0, 0);
    until("nothing moves any more", async || {
        let now = number();
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        same >= 50
    })
    .await;
    last
}

fn assert_bounded(sidecars: &[Sidecar]) {
    for sidecar in sidecars {
        let peak = sidecar.peak_memory();
        assert!(peak < MEMORY, "{} MiB", peak >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_waits_for_its_reader() {
    let (app, folder) = (Bulky::start().await, tempfile::tempdir().unwrap());
    let sidecars = pair(&app, &folder).await;
    let mut connection = connect(sidecars[0].port).await;
    let request = "GET /v1.0/invoke/callee/method/give HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let given = settled(|| app.shared.given.load(Ordering::Relaxed)).await;
    assert!(given < LARGE / 2, "{} MiB were taken from the app for a client that reads nothing", given >> 20);
    assert_bounded(&sidecars);
    assert!(sidecars[0].is_well().await && sidecars[1].is_well().await);
    let (mut read, mut buffer) = (0, vec![0; PIECE]);
    loop {
        match connection.read(&mut buffer).await.unwrap() {
            0 => break,
            length => read += length,
        }
    }
    assert!(read > LARGE, "{read}");
    assert_bounded(&sidecars);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_a_large_answer_ends_it() {
    let (app, folder) = (Bulky::start().await, tempfile::tempdir().unwrap());
    let sidecars = pair(&app, &folder).await;
    let mut connection = connect(sidecars[0].port).await;
    connection.write_all(b"GET /v1.0/invoke/callee/method/give HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    connection.read_u8().await.unwrap();
    assert_eq!(app.shared.giving.load(Ordering::Relaxed), 1);
    drop(connection);
    until("the app is rid of the call", async || app.shared.giving.load(Ordering::Relaxed) == 0).await;
    assert!(app.shared.given.load(Ordering::Relaxed) < LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_waits_for_the_app() {
    let (app, folder) = (Bulky::start().await, tempfile::tempdir().unwrap());
    let sidecars = pair(&app, &folder).await;
    let (mut read, mut write) = connect(sidecars[0].port).await.into_split();
    let sent = Arc::new(AtomicUsize::new(0));
    let sending = async {
        let head =
            format!("POST /v1.0/invoke/callee/method/take HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGE}\r\n\r\n");
        write.write_all(head.as_bytes()).await.unwrap();
        let piece = vec![b'x'; PIECE];
        for _ in 0..LARGE / PIECE {
            write.write_all(&piece).await.unwrap();
            sent.fetch_add(PIECE, Ordering::Relaxed);
        }
    };
    let taking = async {
        let sent = settled(|| sent.load(Ordering::Relaxed)).await;
        assert!(sent < LARGE / 2, "{} MiB were taken from the client for an app that reads nothing", sent >> 20);
        app.shared.take.notify_one();
    };
    tokio::join!(sending, taking);
    let mut answer = [0; 15];
    read.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    assert_eq!(app.shared.taken.load(Ordering::Relaxed), LARGE);
    assert_bounded(&sidecars);
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_cost_little_and_keep_nobody_out() {
    let setup = Setup { open_files: Some(256), ..Setup::new("idle", None) };
    let sidecar = setup.component("store", "state.in-memory", &[]).start().await;
    let rested = async |_| {
        let mut connection = connect(sidecar.port).await;
        connection.write_all(b"GET /v1.0/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        connection.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 204");
        connection
    };
    let before = sidecar.peak_memory();
    let mut connections = Vec::new();
    for _ in 0..20 {
        connections.extend(join_all((0..100).map(rested)).await);
    }
    assert!(sidecar.is_well().await);
    let each = (sidecar.peak_memory() - before) / connections.len();
    assert!(each < 40 << 10, "{each} bytes a connection");
    // They are still good for requests.
    let last = connections.last_mut().unwrap();
    last.write_all(b"GET /v1.0/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(last.read_u8().await.is_ok());
}
