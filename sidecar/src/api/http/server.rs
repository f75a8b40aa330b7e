//! Connections of HTTP clients: HTTP/1.1, and HTTP/2 without TLS from the first byte.
use super::Api;
use super::h2c::Change;
use super::head;
use crate::api::pace::{Pace, Paced, REST, Running, RunningBody};
use axum::body::Body;
use foundation_app::Filled;
use foundation_drain::Drain;
use foundation_process::listen::{Connection, Serve};
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

/// More than headers may have, so that bodies are read in large pieces.
const BUFFER: usize = 256 << 10;
/// Their bytes are limited anyway; the library takes no more than 100 by itself.
const MOST_HEADERS: usize = 512;
/// Requests at once on a connection of HTTP/2, as Go's server has it.
const MOST_STREAMS: u32 = 250;
/// For a client to send the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
const PING_AFTER: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// For the client to begin in HTTP/2 after it was told to.
const CHANGE_LIMIT: Duration = Duration::from_secs(10);

/// What each header counts for beside its text (RFC 9113 6.5.2), times as many as there are mostly.
const HEADERS_OVERHEAD: usize = 32 * 10;

/// Serves an API.
#[derive(Clone)]
pub struct Server {
    api: Arc<Api>,
    http2: bool,
    builder: Builder<TokioExecutor>,
}

/// A connection of a client.
struct Connected {
    server: Server,
    client: Option<SocketAddr>,
    pace: Arc<Pace>,
    drain: Drain,
}

type Answer = Result<Response<RunningBody<Body>>, Infallible>;

impl Server {
    /// `http2` allows HTTP/2 beside HTTP/1.1 (`DAPR_HTTP_DISABLE_H2C` forbids it).
    pub fn new(api: Arc<Api>, http2: bool) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        if !http2 {
            builder = builder.http1_only();
        }
        let headers = api.max_header_bytes();
        let buffer = headers.max(BUFFER);
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(buffer)
            .max_headers(MOST_HEADERS);
        let headers = u32::try_from(headers.saturating_add(HEADERS_OVERHEAD)).unwrap_or(u32::MAX);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_AFTER).keep_alive_timeout(PING_TIMEOUT);
        builder.http2().max_concurrent_streams(MOST_STREAMS).max_header_list_size(headers);
        Self { api, http2, builder }
    }

    async fn run<C, F>(&self, connection: C, connected: &Connected, answer: impl Fn(Request<Incoming>) -> F)
    where
        C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Answer> + Send + 'static,
    {
        let serving = self.builder.serve_connection_with_upgrades(TokioIo::new(connection), service_fn(answer));
        let mut serving = pin!(serving);
        tokio::select! {
            _ = serving.as_mut() => {}
            () = connected.drain.stopped() => {
                serving.as_mut().graceful_shutdown();
                connected.pace.finish(serving).await;
            }
        }
    }
}

impl Serve for Server {
    async fn serve(self, connection: impl Connection, drain: Drain) {
        let (client, pace) = (connection.client(), Arc::<Pace>::default());
        let paced = Paced::new(connection, Arc::clone(&pace), HEAD_LIMIT);
        let connected = Arc::new(Connected { server: self, client, pace, drain });
        // The library keeps the room for it as long as the connection lasts: boxed, an idle one costs half as much.
        let answer = |request| Box::pin(Arc::clone(&connected).begin(request));
        connected.server.run(paced, &connected, answer).await;
    }
}

impl Connected {
    /// Answers a request, or goes on in HTTP/2 with it.
    async fn begin(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        if let Err(refusal) = head::check(&request) {
            let running = self.pace.begin();
            return Ok(refusal.answer().map(|body| running.body(body)));
        }
        let Some(change) = Change::asked(&request).filter(|_| self.server.http2) else {
            let response = self.answer(request).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                self.pace.end();
            }
            return Ok(response);
        };
        let running = self.pace.begin();
        self.pace.end();
        self.drain.spawn(Arc::clone(&self).change(change, request));
        Ok(Change::agree().map(|body| running.body(body)))
    }

    async fn change(self: Arc<Self>, change: Change, request: Request<Incoming>) {
        let begin = async { change.replay(TokioIo::new(hyper::upgrade::on(request).await.ok()?)).await.ok() };
        let begun = tokio::select! {
            begun = timeout(CHANGE_LIMIT, begin) => begun.ok().flatten(),
            () = self.is_to_end() => None,
        };
        let Some(connection) = begun else { return };
        let answer = |request| {
            let connected = Arc::clone(&self);
            async move { connected.answer(request).await }
        };
        self.server.run(connection, &self, answer).await;
    }

    /// Resolves when the client has had its time to go on before the end.
    async fn is_to_end(&self) {
        self.drain.stopped().await;
        sleep(REST).await;
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let running = self.pace.begin();
        let response = self.server.api.answer(request.map(|incoming| body(incoming, &running)), self.client).await;
        Ok(response.map(|body| running.body(body)))
    }
}

fn body(incoming: Incoming, running: &Running) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(running.part().body(Filled(incoming))) }
}
