//! A connection with what it holds back.
use bytes::{Buf, BytesMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::AsyncWrite;

/// Bytes that are held back. Writes as large as this are not copied.
const MOST: usize = 16 << 10;
/// An idle connection keeps no larger buffer.
const KEPT: usize = 1 << 10;

#[derive(Debug)]
pub(crate) struct Held<C> {
    pub(crate) connection: C,
    waiting: BytesMut,
    /// Something was written that the connection was not told to flush.
    unflushed: bool,
    /// What waits has waited for a turn.
    waited: bool,
    error: Option<io::Error>,
}

impl<C> Held<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self { connection, waiting: BytesMut::new(), unflushed: false, waited: false, error: None }
    }
}

impl<C: AsyncWrite + Unpin> Held<C> {
    /// Takes data; waits until there is room for it.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, data: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let length: usize = data.iter().map(|part| part.len()).sum();
        if self.waiting.len() + length > MOST {
            ready!(self.poll_send(cx))?;
        }
        if length > MOST {
            self.unflushed = true;
            return Pin::new(&mut self.connection).poll_write_vectored(cx, data);
        }
        data.iter().for_each(|part| self.waiting.extend_from_slice(part));
        Poll::Ready(Ok(length))
    }

    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }

    /// Whether what was written may wait for another turn.
    pub(crate) fn waits_a_turn(&mut self) -> bool {
        self.waited = self.waiting.has_remaining() && !self.waited;
        self.waited
    }

    /// Sends what can be sent; false after an error, which the next write tells.
    pub(crate) fn let_go(&mut self, cx: &mut Context<'_>) -> bool {
        let Poll::Ready(Err(error)) = self.poll_all(cx) else { return true };
        self.waiting.clear();
        (self.unflushed, self.error) = (false, Some(error));
        false
    }

    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        if self.unflushed {
            ready!(Pin::new(&mut self.connection).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting.has_remaining() {
            let sent = ready!(Pin::new(&mut self.connection).poll_write(cx, &self.waiting))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(sent);
            self.unflushed = true;
        }
        self.forget();
        Poll::Ready(Ok(()))
    }

    fn forget(&mut self) {
        self.waiting.clear();
        if self.waiting.capacity() > KEPT {
            self.waiting = BytesMut::new();
        }
    }
}
