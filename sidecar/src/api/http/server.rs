//! Connections of HTTP clients: HTTP/1.1, and HTTP/2 without TLS from the first byte.
use super::Api;
use axum::body::Body;
use foundation_drain::Drain;
use foundation_process::listen::{Connection, Serve};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// More than headers may have, so that bodies are read in large pieces.
const BUFFER: usize = 256 << 10;

/// Serves an API.
#[derive(Clone)]
pub struct Server {
    api: Arc<Api>,
    builder: Builder<TokioExecutor>,
}

impl Server {
    /// `http2` allows HTTP/2 beside HTTP/1.1 (`DAPR_HTTP_DISABLE_H2C` forbids it).
    pub fn new(api: Arc<Api>, http2: bool) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        if !http2 {
            builder = builder.http1_only();
        }
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(BUFFER);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(None);
        Self { api, builder }
    }
}

impl Serve for Server {
    async fn serve(self, connection: impl Connection, drain: Drain) {
        let (api, client) = (self.api, connection.client());
        let service = service_fn(move |request: http::Request<Incoming>| {
            let api = Arc::clone(&api);
            async move { Ok::<_, Infallible>(api.answer(request.map(body), client).await) }
        });
        let mut connection = pin!(self.builder.serve_connection_with_upgrades(TokioIo::new(connection), service));
        tokio::select! {
            _ = connection.as_mut() => {}
            () = drain.stopped() => {
                connection.as_mut().graceful_shutdown();
                connection.await.ok();
            }
        }
    }
}

fn body(incoming: Incoming) -> Body {
    if incoming.is_end_stream() { Body::empty() } else { Body::new(incoming) }
}
