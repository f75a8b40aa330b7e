//! Connections of gRPC clients.
use crate::api::pace::{Pace, Paced};
use axum::body::Body;
use axum::extract::Request;
use foundation_app::Filled;
use foundation_cork::corked;
use foundation_drain::Drain;
use foundation_process::listen::{Connection, Serve};
use http::Response;
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// For a client to begin in HTTP/2, as Go's server has it.
const PREFACE_LIMIT: Duration = Duration::from_secs(120);
const PING_AFTER: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// What one stream, and all of a connection, may send ahead.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Calls and streams at once on a connection: far more than an app has, and few enough that one connection cannot take all
/// memory by opening calls that it never makes. Go's server has no bound of its own.
const MOST_STREAMS: u32 = 10_000;

/// Answers gRPC calls.
pub trait Answer: Send + Sync + 'static {
    /// Answers one call; errors are answers with a gRPC status.
    fn answer(&self, request: Request) -> impl Future<Output = Response<Body>> + Send;
}

/// Serves gRPC.
pub struct Server<A> {
    answers: Arc<A>,
    builder: Builder<TokioExecutor>,
}

impl<A> Server<A> {
    /// `read_buffer_size` is the limit of all headers in KiB, as Dapr counts it here.
    pub fn new(answers: Arc<A>, read_buffer_size: usize) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        let headers = u32::try_from(read_buffer_size.saturating_mul(1024)).unwrap_or(u32::MAX);
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_AFTER)
            .keep_alive_timeout(PING_TIMEOUT)
            .max_header_list_size(headers.clamp(16 << 10, 16 << 20))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MOST_STREAMS);
        Self { answers, builder }
    }
}

impl<A> Clone for Server<A> {
    fn clone(&self) -> Self {
        Self { answers: Arc::clone(&self.answers), builder: self.builder.clone() }
    }
}

impl<A: Answer> Serve for Server<A> {
    async fn serve(self, connection: impl Connection, drain: Drain) {
        let (answers, peer, pace) = (self.answers, connection.peer().cloned(), Arc::<Pace>::default());
        let requests = Arc::clone(&pace);
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let (answers, running) = (Arc::clone(&answers), requests.begin());
            if let Some(peer) = &peer {
                request.extensions_mut().insert(peer.clone());
            }
            // The library moves it several times on its way to a task: boxed it stays where it is.
            Box::pin(async move {
                let response = answers.answer(request.map(body)).await;
                Ok::<_, Infallible>(response.map(|body| running.body(body)))
            })
        });
        let (corked, cork) = corked(Paced::new(connection, Arc::clone(&pace), PREFACE_LIMIT));
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(corked), service));
        tokio::select! {
            _ = poll_fn(|cx| cork.turn(cx, connection.as_mut())) => {}
            () = drain.stopped() => {
                connection.as_mut().graceful_shutdown();
                pace.finish(poll_fn(|cx| cork.turn(cx, connection.as_mut()))).await;
            }
        }
    }
}

fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(Filled(incoming)) }
}
