//! A connection in the open that says so when the other end wants it secured.
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Begins a TLS alert (RFC 8446, section 5.1), and no HTTP/2 connection.
const ALERT: u8 = 0x15;
const ADVICE: &str = "what listens there seems to expect TLS; check that both have mTLS on (--enable-mtls), or neither";

/// Looks at the first bytes that come back.
pub(super) struct Open<S> {
    stream: S,
    is_greeted: bool,
}

impl<S> Open<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, is_greeted: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Open<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        if std::mem::replace(&mut this.is_greeted, true) {
            return Poll::Ready(Ok(()));
        }
        // Go's servers close such a connection without a word.
        match buffer.filled().get(before) {
            None | Some(&ALERT) => {
                buffer.set_filled(before);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, ADVICE)))
            }
            Some(_) => Poll::Ready(Ok(())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Open<S> {
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
    use tokio::io::AsyncReadExt;

    async fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut read = Vec::new();
        Open::new(bytes).read_to_end(&mut read).await.map(|_| read)
    }

    #[tokio::test]
    async fn an_end_that_wants_tls_is_told_from_one_that_does_not() {
        for refused in [&[ALERT, 3, 3, 0, 2, 2, 70][..], &[]] {
            assert!(read(refused).await.unwrap_err().to_string().contains("--enable-mtls"));
        }
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        assert_eq!(read(&settings).await.unwrap(), settings);
        assert_eq!(read(&[0, ALERT]).await.unwrap(), [0, ALERT]);
    }
}
