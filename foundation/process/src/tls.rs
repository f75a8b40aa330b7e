//! Connections that are secured before a server sees them.
use crate::listen::{Connection, Serve};
use foundation_drain::Drain;
use foundation_identity::{Acceptor, PeerId, Secured};
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;

const SCOPE: &str = "dapr.runtime.security";

/// A server behind TLS. Connections whose handshake fails never reach it.
#[derive(Clone)]
pub struct Tls<S> {
    acceptor: Acceptor,
    server: S,
    refused: Arc<dyn Fn() + Send + Sync>,
}

impl<S> Tls<S> {
    /// `refused` is told of each handshake that fails.
    pub fn new(acceptor: Acceptor, server: S, refused: impl Fn() + Send + Sync + 'static) -> Self {
        Self { acceptor, server, refused: Arc::new(refused) }
    }

    fn refuse(&self, why: &dyn Display) {
        tracing::debug!(target: SCOPE, "handshake failed: {why}");
        (self.refused)();
    }
}

impl<S: Serve> Serve for Tls<S> {
    async fn room(&self) {
        self.acceptor.room().await;
    }

    async fn serve(self, connection: impl Connection, drain: Drain) {
        let secured = tokio::select! {
            secured = self.acceptor.accept(connection) => secured,
            () = drain.stopped() => return,
        };
        match secured {
            Ok(secured) => self.server.serve(secured, drain).await,
            Err(error) => self.refuse(&error),
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
