//! The gRPC server of a process of the control plane.
use crate::handed::Hand;
use crate::listen::{Listener, accept};
use crate::tls::Tls;
use foundation_drain::Drain;
use foundation_identity::Acceptor;
use foundation_telemetry::{Counter, MetricsError, Registry};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Error;
use tonic::transport::server::Router;

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

    pub(crate) fn count(&self) {
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
    let (sender, connections) = mpsc::channel(1);
    let (listener, hand) = (Listener::Tcp(listener), Hand(sender));
    match acceptor {
        Some(acceptor) => accept(listener, Tls::new(acceptor, hand, move || refused.count()), drain),
        None => accept(listener, hand, drain),
    }
    routes.serve_with_incoming_shutdown(ReceiverStream::new(connections), drain.token().cancelled_owned()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;
    use tonic::service::Routes;
    use tonic::transport::Server;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    async fn client_that_says(what: &[u8], drain: &Drain) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let refused = Refused::new(&Registry::new().unwrap(), "test").unwrap();
        let serving = drain.clone();
        drain.spawn(async move {
            let routes = Server::builder().add_routes(Routes::default());
            serve_grpc(routes, listener, None, &serving, refused).await.unwrap();
        });
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(what).await.unwrap();
        client
    }

    /// Until the server closes the connection.
    async fn read_to_end(client: &mut TcpStream) {
        client.read_to_end(&mut Vec::new()).await.ok();
    }

    #[tokio::test]
    async fn a_client_that_does_not_begin_is_let_go() {
        let drain = Drain::new();
        for what in [&b""[..], &PREFACE[..20]] {
            let mut client = client_that_says(what, &drain).await;
            timeout(Duration::from_secs(20), read_to_end(&mut client)).await.unwrap();
        }
        let mut client = client_that_says(&[PREFACE, &SETTINGS].concat(), &drain).await;
        assert!(timeout(Duration::from_secs(2), read_to_end(&mut client)).await.is_err(), "it has begun");
        drop(client);
        assert!(drain.close(Duration::from_secs(20)).await);
    }
}
