//! HTTP/2 connections: many calls at a time each, and as many connections as the calls need.
use super::answer::{Held, answer};
use super::dialer::{Dialer, Stream, TIMEOUT};
use super::{Broken, Spawner};
use crate::turn::Turn;
use axum::body::Body;
use foundation_cork::{Corked, corked};
use foundation_drain::Drain;
use http::{Request, Response};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, sleep, timeout};

/// Calls of one connection at a time; many servers allow no more.
const MOST_STREAMS: usize = 100;
/// The library does not wake anybody when the app's settings come in.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// The connections to one app.
#[derive(Debug)]
pub(crate) struct Pool {
    dialer: Dialer,
    connections: Mutex<Vec<Connection>>,
    /// One connection is made at a time: calls that wait for it may find room in it.
    dialling: Semaphore,
    drain: Drain,
}

type Running = hyper::client::conn::http2::Connection<TokioIo<Corked<Stream>>, Body, Spawner>;

#[derive(Clone, Debug)]
struct Connection {
    requests: SendRequest<Body>,
    /// What the app allows. References to it count the streams in use; two more are the pool's and the connection's.
    streams: Arc<AtomicUsize>,
}

impl Pool {
    pub(crate) fn new(dialer: Dialer, drain: Drain) -> Self {
        Self { dialer, connections: Mutex::default(), dialling: Semaphore::new(1), drain }
    }

    /// Sends a request whose URI names scheme and authority. A connection that closed before anything was sent is
    /// replaced once.
    pub(crate) async fn send(&self, request: Request<Body>, turn: Turn) -> Result<Response<Body>, Broken> {
        let mut connection = self.connection().await?;
        let mut error = match connection.requests.try_send_request(request).await {
            Ok(response) => return Ok(answer(response, Held::Http2 { _stream: connection.streams }, turn)),
            Err(error) => error,
        };
        let Some(unsent) = error.take_message() else { return Err(self.broken(error.into_error())) };
        let mut connection = self.connection().await?;
        let response = connection.requests.send_request(unsent).await.map_err(|error| self.broken(error))?;
        Ok(answer(response, Held::Http2 { _stream: connection.streams }, turn))
    }

    async fn connection(&self) -> Result<Connection, Broken> {
        if let Some(connection) = self.with_room() {
            return Ok(connection);
        }
        let _dialling = self.dialling.acquire().await;
        if let Some(connection) = self.with_room() {
            return Ok(connection);
        }
        let connection = self.connect().await?;
        self.lock().push(connection.clone());
        Ok(connection)
    }

    fn with_room(&self) -> Option<Connection> {
        let mut connections = self.lock();
        connections.retain(|connection| !connection.requests.is_closed());
        connections.iter().find(|connection| connection.has_room()).cloned()
    }

    async fn connect(&self) -> Result<Connection, Broken> {
        let (stream, cork) = corked(self.dialer.dial().await?);
        let mut builder = Builder::new(Spawner { drain: self.drain.clone(), cork });
        builder.timer(TokioTimer::new()).initial_stream_window_size(STREAM_WINDOW);
        builder.initial_connection_window_size(CONNECTION_WINDOW).max_header_list_size(self.header_list());
        builder.initial_max_send_streams(0);
        let (requests, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        let streams = Arc::new(AtomicUsize::new(0));
        let settled = self.run(connection, Arc::clone(&streams));
        match timeout(TIMEOUT, settled).await {
            Ok(Ok(Ok(()))) => Ok(Connection { requests, streams }),
            Ok(Ok(Err(error))) => Err(self.broken(error)),
            Ok(Err(_)) => Err(self.unsettled(io::ErrorKind::UnexpectedEof)),
            Err(_) => Err(self.unsettled(io::ErrorKind::TimedOut)),
        }
    }

    /// Runs a connection; tells when the app has said how many streams it allows, so that no call waits behind others.
    fn run(&self, mut connection: Running, allowed: Arc<AtomicUsize>) -> oneshot::Receiver<Result<(), hyper::Error>> {
        let (sender, settled) = oneshot::channel();
        let mut sender = Some(sender);
        let mut timer = Box::pin(sleep(LOOK_AGAIN));
        self.drain.spawn_until_stopped(poll_fn(move |cx| {
            let ended = Pin::new(&mut connection).poll(cx);
            let most = connection.current_max_send_streams();
            allowed.store(most, Ordering::Relaxed);
            if let Some(sender) = sender.take_if(|_| most > 0 && ended.is_pending()) {
                sender.send(Ok(())).ok();
            }
            if sender.is_some() && timer.as_mut().poll(cx).is_ready() {
                timer.as_mut().reset(Instant::now() + LOOK_AGAIN);
                cx.waker().wake_by_ref();
            }
            ended.map(|result| {
                if let (Some(sender), Err(error)) = (sender.take(), result) {
                    sender.send(Err(error)).ok();
                }
            })
        }));
        settled
    }

    fn unsettled(&self, kind: io::ErrorKind) -> Broken {
        Broken::Dial { address: self.dialer.options().authority(), error: kind.into() }
    }

    fn header_list(&self) -> u32 {
        u32::try_from(self.dialer.options().read_buffer_size).unwrap_or(u32::MAX).max(16 << 10)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self, error: hyper::Error) -> Broken {
        Broken::Exchange { address: self.dialer.options().authority(), error }
    }
}

impl Connection {
    fn has_room(&self) -> bool {
        let most = self.streams.load(Ordering::Relaxed).clamp(1, MOST_STREAMS);
        Arc::strong_count(&self.streams) < most + 2
    }
}
