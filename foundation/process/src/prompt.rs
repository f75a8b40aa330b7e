//! Connections whose clients have to begin.
use crate::listen::Connection;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How long a client may take to begin; the server looks after it from then on.
const SILENCE: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 10_000 });
/// What a client of HTTP/2 begins with, in bytes.
const PREFACE: usize = 24;

/// A connection that ends when its client says nothing.
pub(crate) struct Prompt<C> {
    connection: C,
    heard: usize,
    /// Until it has begun.
    silence: Option<Pin<Box<Sleep>>>,
}

impl<C: Connection> Prompt<C> {
    /// From now on.
    pub(crate) fn new(connection: C) -> Self {
        Self { connection, heard: 0, silence: Some(Box::pin(sleep(SILENCE))) }
    }

    /// The connection itself.
    pub(crate) fn get_ref(&self) -> &C {
        &self.connection
    }

    fn hear(&mut self, bytes: usize) {
        self.heard += bytes;
        if self.heard >= PREFACE {
            self.silence = None;
        }
    }
}

impl<C: Connection> AsyncRead for Prompt<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.connection).poll_read(cx, buffer);
        let Some(silence) = &mut self.silence else { return read };
        if read.is_ready() {
            self.hear(buffer.filled().len() - before);
            return read;
        }
        ready!(silence.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")))
    }
}

impl<C: Connection> AsyncWrite for Prompt<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
