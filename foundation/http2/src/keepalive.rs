//! Whether the peer is still there: it is asked when nothing has been read of it for a while, and its connection breaks when that
//! brings no answer. A kernel answers for a process that hangs, so that TCP alone would keep calls waiting for ever.
use h2::{Ping, PingPong};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// As gRPC says it.
const GONE: &str = "keepalive ping failed to receive ACK within timeout";

/// How long a peer may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    /// After so long it is asked for a sign of life.
    pub idle: Duration,
    /// So long it may take to give one.
    pub patience: Duration,
}

/// What is known of the peer between the connection and its watch.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Something was read since the last look.
    spoke: AtomicBool,
    gone: AtomicBool,
}

/// A connection that notes when something is read, and is broken once its peer is taken for gone.
#[derive(Debug)]
pub(crate) struct Attentive<S> {
    stream: S,
    heard: Arc<Heard>,
}

impl<S> Attentive<S> {
    pub(crate) fn new(stream: S) -> (Self, Arc<Heard>) {
        let heard = Arc::<Heard>::default();
        (Self { stream, heard: Arc::clone(&heard) }, heard)
    }

    fn check(&self) -> io::Result<()> {
        if self.heard.gone.load(Ordering::Relaxed) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, GONE));
        }
        Ok(())
    }
}

/// Asks the peer when it is silent. One timer does for the connection, however many calls there are.
pub(crate) struct Watch {
    keepalive: Keepalive,
    heard: Arc<Heard>,
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    /// When the peer has been silent for too long.
    due: Instant,
    asked: bool,
}

impl Watch {
    pub(crate) fn new(keepalive: Keepalive, heard: Arc<Heard>, pings: PingPong) -> Self {
        let due = Instant::now() + keepalive.idle;
        Self { keepalive, heard, pings, timer: Box::pin(sleep_until(due)), due, asked: false }
    }

    /// Looks after each turn of the connection, so that all that has come is read by then.
    pub(crate) fn look(&mut self, cx: &mut Context<'_>) {
        if self.heard.spoke.swap(false, Ordering::Relaxed) {
            (self.due, self.asked) = (Instant::now() + self.keepalive.idle, false);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if self.due <= Instant::now() {
                self.grow_impatient(cx);
            }
            self.timer.as_mut().reset(self.due);
        }
    }

    fn grow_impatient(&mut self, cx: &Context<'_>) {
        if self.asked {
            self.heard.gone.store(true, Ordering::Relaxed);
            cx.waker().wake_by_ref();
        } else {
            self.ask();
        }
        (self.due, self.asked) = (Instant::now() + self.keepalive.patience, true);
    }

    /// A question that is still open does for this one.
    fn ask(&mut self) {
        // The answer to the last one makes room for the next.
        let _ = self.pings.poll_pong(&mut Context::from_waker(Waker::noop()));
        self.pings.send_ping(Ping::opaque()).ok();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Attentive<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check()?;
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.heard.spoke.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Attentive<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What waits to be written would wait for ever.
        self.check()?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
