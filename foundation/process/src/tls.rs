//! Connections that are secured before a server sees them.
use crate::listen::{Connection, Serve};
use foundation_drain::Drain;
use foundation_identity::{Acceptor, PeerId, Secured};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::timeout;

const SCOPE: &str = "dapr.runtime.security";
/// How long a handshake may take.
const LIMIT: Duration = Duration::from_secs(10);

/// A server behind TLS. Connections whose handshake fails never reach it.
#[derive(Clone)]
pub struct Tls<S> {
    pub acceptor: Acceptor,
    pub server: S,
}

impl<S: Serve> Serve for Tls<S> {
    async fn serve(self, connection: impl Connection, drain: Drain) {
        let secured = tokio::select! {
            secured = timeout(LIMIT, self.acceptor.accept(connection)) => secured,
            () = drain.stopped() => return,
        };
        match secured {
            Err(_) => tracing::debug!(target: SCOPE, "handshake failed: it takes too long"),
            Ok(Ok(secured)) => self.server.serve(secured, drain).await,
            Ok(Err(error)) => tracing::debug!(target: SCOPE, "handshake failed: {error}"),
        }
    }
}

impl<C: Connection> Connection for Secured<C> {
    fn client(&self) -> Option<SocketAddr> {
        self.get_ref().client()
    }

    fn peer(&self) -> Option<&PeerId> {
        Secured::peer(self)
    }
}
