//! A small HTTP server for health, metrics and the like.
use crate::listen::{Connection, Listener, Serve, accept};
use crate::tls::Tls;
use axum::Router;
use foundation_drain::Drain;
use foundation_identity::Acceptor;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::time::Duration;

/// From the last answer of a connection, or from its start, to the whole head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
const MOST_HEADER_BYTES: usize = 64 << 10;
const MOST_STREAMS: u32 = 100;

/// Serves routes until the drain stops.
pub fn serve(listener: Listener, router: Router, drain: &Drain) {
    accept(listener, Routes(router), drain);
}

/// Serves routes over TLS until the drain stops.
pub fn serve_tls(listener: Listener, acceptor: Acceptor, router: Router, drain: &Drain) {
    accept(listener, Tls::new(acceptor, Routes(router), || {}), drain);
}

#[derive(Clone)]
struct Routes(Router);

impl Serve for Routes {
    async fn serve(self, connection: impl Connection, drain: Drain) {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(MOST_HEADER_BYTES);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_LIMIT).max_concurrent_streams(MOST_STREAMS);
        let service = TowerToHyperService::new(self.0);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(connection), service));
        tokio::select! {
            _ = connection.as_mut() => {}
            () = drain.stopped() => {
                connection.as_mut().graceful_shutdown();
                connection.await.ok();
            }
        }
    }
}
