//! The gRPC server of a process of the control plane.
use foundation_drain::Drain;
use foundation_identity::{Acceptor, incoming};
use std::io;
use tokio::net::TcpListener;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::Error;
use tonic::transport::server::Router;

/// Serves until the drain stops, over TLS where there is an acceptor; `refused` is told of handshakes that fail.
///
/// # Errors
/// The server failed.
pub async fn serve_grpc(
    routes: Router,
    listener: TcpListener,
    acceptor: Option<Acceptor>,
    drain: &Drain,
    refused: impl Fn(&io::Error) + Clone + Send + 'static,
) -> Result<(), Error> {
    let stopped = drain.token().cancelled_owned();
    let Some(acceptor) = acceptor else {
        return routes.serve_with_incoming_shutdown(TcpListenerStream::new(listener), stopped).await;
    };
    let connections = ReceiverStream::new(incoming(listener, acceptor, drain, refused));
    routes.serve_with_incoming_shutdown(connections, stopped).await
}
