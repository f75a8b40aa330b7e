//! A connection after its handshake.
use crate::PeerId;
use crate::places::Place;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// A connection that came in and was secured.
#[derive(Debug)]
pub struct Secured<C> {
    stream: TlsStream<C>,
    peer: Option<PeerId>,
    /// Where there are only so many.
    place: Option<Place>,
}

impl<C> Secured<C> {
    pub(crate) fn new(stream: TlsStream<C>, peer: Option<PeerId>, place: Option<Place>) -> Self {
        Self { stream, peer, place }
    }

    /// Who the client is when it had to prove that.
    pub fn peer(&self) -> Option<&PeerId> {
        self.peer.as_ref()
    }

    /// The connection below.
    pub fn get_ref(&self) -> &C {
        self.stream.get_ref().0
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> AsyncRead for Secured<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let gives_way = self.place.as_mut().is_some_and(|place| place.poll_gives_way(cx).is_ready());
        if gives_way {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the connection gave way to others")));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<C: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Secured<C> {
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

impl Connected for Secured<TcpStream> {
    type ConnectInfo = Option<PeerId>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer().cloned()
    }
}
