//! Connections on their way from the loop that accepts them to a server that takes them from a stream.
use crate::listen::{Connection, Serve};
use foundation_drain::Drain;
use foundation_identity::PeerId;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

/// How long a client may take to begin; the server looks after it from then on.
const SILENCE: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 10_000 });
/// What a client of HTTP/2 begins with, in bytes.
const PREFACE: usize = 24;

/// Hands connections over.
#[derive(Clone)]
pub(crate) struct Hand(pub(crate) mpsc::Sender<io::Result<Handed>>);

/// A connection that ends when its client says nothing. Requests on it have an extension `Option<PeerId>`.
pub(crate) struct Handed {
    stream: Box<dyn Stream>,
    peer: Option<PeerId>,
    heard: usize,
    /// Until it has begun.
    silence: Option<Pin<Box<Sleep>>>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<C: AsyncRead + AsyncWrite + Send + Unpin> Stream for C {}

impl Serve for Hand {
    async fn serve(self, connection: impl Connection, _: Drain) {
        let peer = connection.peer().cloned();
        let silence = Some(Box::pin(sleep(SILENCE)));
        let handed = Handed { stream: Box::new(connection), peer, heard: 0, silence };
        self.0.send(Ok(handed)).await.ok();
    }
}

impl Connected for Handed {
    type ConnectInfo = Option<PeerId>;

    fn connect_info(&self) -> Option<PeerId> {
        self.peer.clone()
    }
}

impl Handed {
    fn hear(&mut self, bytes: usize) {
        self.heard += bytes;
        if self.heard >= PREFACE {
            self.silence = None;
        }
    }
}

impl AsyncRead for Handed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(silence) = &mut self.silence else { return read };
        if read.is_ready() {
            self.hear(buffer.filled().len() - before);
            return read;
        }
        ready!(silence.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")))
    }
}

impl AsyncWrite for Handed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
