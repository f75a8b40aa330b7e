//! A connection that breaks when the service at its other end falls silent.
//!
//! Services ping their clients every few seconds, so that a service of which nothing is read is gone, or hangs; its kernel alone
//! would go on to answer for a process that hangs. Pings from this side would make Go's services close the connection.
use crate::connection::lock;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// After so long a silent service is given up.
pub(super) const LIMIT: Duration = Duration::from_secs(8);

/// When a service was heard of last. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct Heard(Arc<Mutex<Instant>>);

impl Heard {
    pub(super) fn now() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    pub(super) fn last(&self) -> Instant {
        *lock(&self.0)
    }

    fn note(&self) {
        *lock(&self.0) = Instant::now();
    }
}

/// A connection that breaks after [`LIMIT`] of silence.
pub(super) struct Attentive<S> {
    stream: S,
    heard: Heard,
    limit: Pin<Box<Sleep>>,
    /// Looks at what is read first.
    greeting: Option<Greeting>,
}

type Greeting = fn(&[u8]) -> io::Result<()>;

impl<S> Attentive<S> {
    /// A connection that has just been made; `heard` tells of it.
    pub(super) fn new(stream: S, heard: Heard) -> Self {
        heard.note();
        Self { stream, limit: Box::pin(sleep_until(heard.last() + LIMIT)), heard, greeting: None }
    }

    /// The same, which also breaks when what is read first is not as it should be.
    pub(super) fn greeted(self, greeting: Greeting) -> Self {
        Self { greeting: Some(greeting), ..self }
    }

    fn poll_limit(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.limit.as_mut().poll(context));
            let limit = self.heard.last() + LIMIT;
            if limit <= Instant::now() {
                return Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the service has been silent for 8s"));
            }
            self.limit.as_mut().reset(limit);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Attentive<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (this, before) = (self.get_mut(), buffer.filled().len());
        let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(context, buffer) else {
            return this.poll_limit(context).map(Err);
        };
        this.heard.note();
        read?;
        if let Some(greeting) = this.greeting.take()
            && let Err(error) = greeting(&buffer.filled()[before..])
        {
            buffer.set_filled(before);
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Attentive<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::open::greeting;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_service_that_falls_silent_is_given_up() {
        let (near, mut far) = duplex(64);
        let (start, heard) = (Instant::now(), Heard::now());
        let mut connection = Attentive::new(near, heard.clone());
        let speaks = async {
            for _ in 0..3 {
                sleep(LIMIT - Duration::from_secs(1)).await;
                far.write_all(b"x").await.unwrap();
            }
        };
        let mut read = [0; 3];
        let (_, ()) = tokio::join!(connection.read_exact(&mut read), speaks);
        assert_eq!(&read, b"xxx");
        let last = heard.last();
        assert_eq!(last - start, 3 * (LIMIT - Duration::from_secs(1)));
        let error = connection.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(last.elapsed(), LIMIT);
    }

    #[tokio::test]
    async fn an_end_that_wants_tls_is_told_from_one_that_does_not() {
        let read = async |bytes: &'static [u8]| {
            let mut read = Vec::new();
            let (near, mut far) = duplex(64);
            far.write_all(bytes).await.unwrap();
            drop(far);
            Attentive::new(near, Heard::now()).greeted(greeting).read_to_end(&mut read).await.map(|_| read)
        };
        for refused in [&[0x15, 3, 3, 0, 2, 2, 70][..], &[]] {
            assert!(read(refused).await.unwrap_err().to_string().contains("--enable-mtls"));
        }
        let settings = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
        assert_eq!(read(settings).await.unwrap(), settings);
        assert_eq!(read(&[0, 0x15]).await.unwrap(), [0, 0x15]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_said_meanwhile_is_read_however_late() {
        let (near, mut far) = duplex(64);
        let mut connection = Attentive::new(near, Heard::now());
        far.write_all(b"x").await.unwrap();
        tokio::time::advance(2 * LIMIT).await;
        assert_eq!(connection.read_u8().await.unwrap(), b'x');
    }
}
