//! Against servers on loopback.
use crate::{Connection, Connections, Error, Keepalive, Settings};
use axum::body::Body;
use bytes::Bytes;
use foundation_drain::Drain;
use futures_util::stream;
use http::{Request, Response};
use http_body_util::BodyExt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

const SETTINGS: Settings = Settings {
    peer: "a server",
    largest_headers: 1 << 14,
    largest_frame: 16 << 10,
    deadline: Duration::from_secs(30),
    keepalive: None,
};
const KEEPALIVE: Keepalive = Keepalive { idle: Duration::from_secs(10), patience: Duration::from_secs(5) };

/// A server that allows some calls at a time, answers with the number of its connection, and ends each connection after some calls.
async fn server(at_once: u32, calls: usize, drain: &Drain) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = drain.clone();
    drain.spawn_until_stopped(async move {
        for number in 0.. {
            let (socket, _) = listener.accept().await.unwrap();
            connections.spawn_until_stopped(serve(socket, number, (at_once, calls)));
        }
    });
    address
}

async fn serve(socket: impl AsyncRead + AsyncWrite + Unpin, number: u32, (at_once, calls): (u32, usize)) {
    let mut builder = h2::server::Builder::new();
    let mut connection = builder.max_concurrent_streams(at_once).handshake::<_, Bytes>(socket).await.unwrap();
    let (mut answered, mut open) = (0, Vec::new());
    while let Some(Ok((request, mut answer))) = connection.accept().await {
        let held = request.uri().path() == "/held";
        let mut stream = answer.send_response(Response::new(()), false).unwrap();
        stream.send_data(Bytes::from(number.to_string()), !held).unwrap();
        if held {
            open.push(stream);
        }
        answered += 1;
        if answered == calls {
            connection.graceful_shutdown();
        }
    }
}

async fn connect(address: SocketAddr, drain: &Drain) -> Result<Connection, String> {
    let stream = TcpStream::connect(address).await.unwrap();
    Connection::begin(stream, &SETTINGS, drain).await.map_err(|error| error.to_string())
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://localhost{path}")).body(Body::empty()).unwrap()
}

async fn call(connections: &Connections<String>, address: SocketAddr, drain: &Drain) -> Bytes {
    let connection = connections.get(|| connect(address, drain)).await.unwrap();
    connection.call(get("/"), drain).await.unwrap().into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn calls_share_a_connection() {
    let (drain, connections) = (Drain::new(), Connections::default());
    let address = server(10, usize::MAX, &drain).await;
    for _ in 0..3 {
        assert_eq!(call(&connections, address, &drain).await, "0");
    }
}

/// Counts the writes that reach it.
struct Counted(DuplexStream, Arc<AtomicUsize>);

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn a_request_goes_out_with_its_small_body() {
    let (drain, writes) = (Drain::new(), Arc::default());
    let (near, far) = duplex(1 << 20);
    drain.spawn_until_stopped(serve(far, 0, (10, usize::MAX)));
    let connection = Connection::begin(Counted(near, Arc::clone(&writes)), &SETTINGS, &drain).await.unwrap();
    for _ in 0..3 {
        let before = writes.load(Ordering::Relaxed);
        // Its end is not known before it is asked for.
        let pieces = stream::iter([Ok::<_, io::Error>(Bytes::from("first")), Ok(Bytes::from("second"))]);
        let request = Request::post("http://localhost/").body(Body::from_stream(pieces)).unwrap();
        let answer = connection.clone().call(request, &drain).await.unwrap();
        answer.into_body().collect().await.unwrap();
        assert_eq!(writes.load(Ordering::Relaxed) - before, 1);
    }
}

#[tokio::test]
async fn a_call_never_waits_behind_another() {
    let (drain, connections) = (Drain::new(), Connections::default());
    let address = server(1, usize::MAX, &drain).await;
    let connection = connections.get(|| connect(address, &drain)).await.unwrap();
    let held = connection.call(get("/held"), &drain).await.unwrap();
    assert_eq!(call(&connections, address, &drain).await, "1");
    drop(held);
    assert_eq!(call(&connections, address, &drain).await, "0");
}

#[tokio::test]
async fn who_waited_for_an_attempt_shares_its_failure() {
    let (connections, attempts) = (Connections::<String>::default(), AtomicUsize::new(0));
    let get = || {
        connections.get(async || {
            attempts.fetch_add(1, Ordering::Relaxed);
            // All others wait by then.
            tokio::task::yield_now().await;
            Err("nobody is there".to_owned())
        })
    };
    let (one, other, third) = tokio::join!(get(), get(), get());
    for outcome in [one, other, third] {
        assert_eq!(outcome.unwrap_err(), "nobody is there");
    }
    assert_eq!(attempts.load(Ordering::Relaxed), 1);
    get().await.unwrap_err();
    assert_eq!(attempts.load(Ordering::Relaxed), 2, "who comes later tries again");
}

#[tokio::test]
async fn a_connection_that_ended_is_replaced() {
    let (drain, connections) = (Drain::new(), Connections::default());
    let address = server(10, 1, &drain).await;
    let mut seen = Vec::new();
    while !seen.contains(&Bytes::from("3")) {
        let connection = connections.get(|| connect(address, &drain)).await.unwrap();
        // The end of a connection may come while a call is on its way.
        if let Ok(answer) = connection.call(get("/"), &drain).await {
            seen.extend(answer.into_body().collect().await.map(http_body_util::Collected::to_bytes));
        }
    }
    assert!(seen.is_sorted());
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, drain) = (listener.local_addr().unwrap(), Drain::new());
    drain.spawn_until_stopped(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        socket.read_to_end(&mut Vec::new()).await.ok();
    });
    assert!(connect(address, &drain).await.is_err());
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, drain) = (listener.local_addr().unwrap(), Drain::new());
    let stream = TcpStream::connect(address).await.unwrap();
    let settings = Settings { deadline: Duration::from_millis(1), ..SETTINGS };
    let error = Connection::begin(stream, &settings, &drain).await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::SETTINGS_TIMEOUT));
}

#[tokio::test]
async fn a_body_that_breaks_is_told() {
    let drain = Drain::new();
    let address = server(10, usize::MAX, &drain).await;
    let connection = connect(address, &drain).await.unwrap();
    let broken = stream::iter([Err::<Bytes, _>(io::Error::other("cut"))]);
    let request = Request::post("http://localhost/").body(Body::from_stream(broken)).unwrap();
    let error = connection.call(request, &drain).await.unwrap_err();
    assert!(matches!(&error, Error::Body(text) if text == "cut"), "{error}");
}

/// A connection to a server that works as long as it is not told to hang.
async fn watched(drain: &Drain) -> (Connection, tokio::sync::watch::Sender<bool>) {
    let (near, far) = duplex(1 << 20);
    let (hang, mut hangs) = tokio::sync::watch::channel(false);
    drain.spawn_until_stopped(async move {
        let mut serving = Box::pin(serve(far, 0, (10, usize::MAX)));
        tokio::select! {
            () = &mut serving => {}
            _ = hangs.wait_for(|hangs| *hangs) => {}
        }
        // As a stopped process, it keeps the connection.
        std::future::pending::<()>().await;
        drop(serving);
    });
    let settings = Settings { keepalive: Some(KEEPALIVE), ..SETTINGS };
    (Connection::begin(near, &settings, drain).await.unwrap(), hang)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hangs_breaks_its_calls() {
    let drain = Drain::new();
    let (connection, hang) = watched(&drain).await;
    let held = connection.clone().call(get("/held"), &drain).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    hang.send(true).unwrap();
    let start = Instant::now();
    let late = connection.clone().call(get("/"), &drain).await.unwrap_err();
    let broken = held.into_body().collect().await.unwrap_err();
    for text in [late.to_string(), broken.to_string()] {
        assert!(text.contains("keepalive ping failed to receive ACK within timeout"), "{text}");
    }
    assert!(start.elapsed() <= KEEPALIVE.idle + KEEPALIVE.patience, "{:?}", start.elapsed());
    assert!(connection.ready().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_may_take_its_time() {
    let drain = Drain::new();
    let (connection, _hang) = watched(&drain).await;
    let _held = connection.clone().call(get("/held"), &drain).await.unwrap();
    for _ in 0..5 {
        sleep(20 * KEEPALIVE.idle).await;
        let answer = connection.clone().call(get("/"), &drain).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "0");
    }
}
