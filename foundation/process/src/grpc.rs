//! The gRPC server of a process of the control plane.
use crate::incoming::incoming;
use foundation_drain::Drain;
use foundation_identity::Acceptor;
use foundation_telemetry::{Counter, MetricsError, Registry};
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Error;
use tonic::transport::server::Router;

const SCOPE: &str = "dapr.runtime.security";

/// Counts handshakes that fail, as `<service>_handshake_failure_total`. Clones share the count.
#[derive(Clone)]
pub struct Refused(Arc<Counter>);

impl Refused {
    /// # Errors
    /// A name that is taken.
    pub fn new(registry: &Registry, service: &str) -> Result<Self, MetricsError> {
        let name = format!("{service}_handshake_failure_total");
        Ok(Self(Arc::new(registry.counter(&name, "TLS handshakes that failed.", &[])?)))
    }

    fn count(&self, why: &io::Error) {
        tracing::debug!(target: SCOPE, "handshake failed: {why}");
        self.0.increment(&[]);
    }
}

/// Serves until the drain stops, over TLS where there is an acceptor.
///
/// # Errors
/// The server failed.
pub async fn serve_grpc(
    routes: Router,
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    drain: &Drain,
    refused: Refused,
) -> Result<(), Error> {
    let stopped = drain.token().cancelled_owned();
    let Some(acceptor) = acceptor else {
        return routes.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped).await;
    };
    let connections = ReceiverStream::new(incoming(listener, acceptor, drain, move |why| refused.count(why)));
    routes.serve_with_incoming_shutdown(connections, stopped).await
}
