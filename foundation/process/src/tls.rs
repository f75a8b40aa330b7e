//! Connections that are secured before a server sees them.
use crate::listen::{Connection, Serve};
use foundation_drain::Drain;
use foundation_identity::{Acceptor, PeerId, TlsStream};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const SCOPE: &str = "dapr.runtime.security";

/// A server behind TLS. Connections whose handshake fails never reach it.
#[derive(Clone)]
pub struct Tls<S> {
    pub acceptor: Acceptor,
    pub server: S,
}

/// A connection after its handshake.
struct Secured<C> {
    stream: TlsStream<C>,
    client: Option<SocketAddr>,
    peer: Option<PeerId>,
}

impl<S: Serve> Serve for Tls<S> {
    async fn serve(self, connection: impl Connection, drain: Drain) {
        let client = connection.client();
        let secured = tokio::select! {
            secured = self.acceptor.accept(connection) => secured,
            () = drain.stopped() => return,
        };
        match secured {
            Ok((stream, peer)) => self.server.serve(Secured { stream, client, peer }, drain).await,
            Err(error) => tracing::debug!(target: SCOPE, "handshake failed: {error}"),
        }
    }
}

impl<C: Connection> Connection for Secured<C> {
    fn client(&self) -> Option<SocketAddr> {
        self.client
    }

    fn peer(&self) -> Option<&PeerId> {
        self.peer.as_ref()
    }
}

impl<C: Connection> AsyncRead for Secured<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<C: Connection> AsyncWrite for Secured<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
