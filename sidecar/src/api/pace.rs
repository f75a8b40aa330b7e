//! How long a client may take over the head of a request, and over the end of its connection.
//!
//! hyper's own limit also ends connections that rest between requests, which clients keep in pools and Dapr leaves open.
use http_body::{Body, Frame, SizeHint};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// How a connection in HTTP/2 begins (RFC 9113 3.4). Its frames are no heads.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection that is to end may rest before it is cut.
pub(crate) const REST: Duration = Duration::from_secs(1);

/// What a connection and its requests know of each other.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// Requests so far.
    heads: AtomicUsize,
    /// Requests whose bodies are not at their end; the bytes that come are theirs.
    running: AtomicUsize,
    /// No head is due any more.
    headless: AtomicBool,
    /// Pieces that were written.
    written: AtomicUsize,
}

/// A request under way, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Arc<Pace>);

impl Pace {
    /// The head of a request has come.
    pub(crate) fn begin(self: &Arc<Self>) -> Running {
        self.heads.fetch_add(1, Ordering::Relaxed);
        self.run()
    }

    /// No head is due any more: what comes is another protocol.
    pub(crate) fn end(&self) {
        self.headless.store(true, Ordering::Relaxed);
    }

    /// Lets a connection that was told to end come to its end. One without a request under way is cut when nothing is
    /// written to it any more: a client that is silent, or leaves a head half-sent, must not hold up the end of all.
    pub(crate) async fn finish(&self, connection: impl Future) {
        tokio::select! {
            biased;
            _ = connection => {}
            () = self.rests() => {}
        }
    }

    async fn rests(&self) {
        let now = || (self.is_running(), self.heads.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        let mut before = None;
        while before.replace(now()) != Some(now()) || self.is_running() {
            sleep(REST).await;
        }
    }

    fn run(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::Relaxed);
        Running(Arc::clone(self))
    }

    fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }
}

impl Running {
    /// A second part of the same request.
    pub(crate) fn part(&self) -> Self {
        self.0.run()
    }

    /// A body that the request is under way with.
    pub(crate) fn body<B>(self, body: B) -> RunningBody<B> {
        RunningBody { body, _running: self }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body of a request that is under way with it.
#[derive(Debug)]
pub(crate) struct RunningBody<B> {
    body: B,
    _running: Running,
}

impl<B: Body + Unpin> Body for RunningBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that fails when a head takes too long: from its first byte to its last. The first head of a connection,
/// or the preface of HTTP/2, is due from the start.
#[derive(Debug)]
pub(crate) struct Paced<C> {
    connection: C,
    pace: Arc<Pace>,
    limit: Duration,
    /// What is left of the preface, as long as the connection may be one in HTTP/2.
    preface: Option<&'static [u8]>,
    /// Requests when last looked.
    heads: usize,
    /// Whether the next head is due.
    due: bool,
    /// Only there when a head did not come at once.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl<C> Paced<C> {
    pub(crate) fn new(connection: C, pace: Arc<Pace>, limit: Duration) -> Self {
        Self { connection, pace, limit, preface: Some(PREFACE), heads: 0, due: true, deadline: None }
    }

    fn look(&mut self) {
        let heads = self.pace.heads.load(Ordering::Relaxed);
        if heads != self.heads {
            self.heads = heads;
            self.due = false;
            self.deadline = None;
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        self.due |= !bytes.is_empty();
        let Some(preface) = self.preface else { return };
        let known = preface.len().min(bytes.len());
        self.preface = preface.strip_prefix(&bytes[..known]);
        if self.preface.is_some_and(<[u8]>::is_empty) {
            self.preface = None;
            self.pace.end();
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.due || self.pace.is_running() || self.pace.headless.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(self.limit)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Paced<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.look();
        let before = buffer.filled().len();
        match Pin::new(&mut self.connection).poll_read(cx, buffer) {
            Poll::Ready(read) => {
                self.read(&buffer.filled()[before..]);
                Poll::Ready(read)
            }
            Poll::Pending => self.poll_deadline(cx),
        }
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Paced<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.connection).poll_write(cx, bytes));
        self.pace.written.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.connection).poll_write_vectored(cx, pieces));
        self.pace.written.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::timeout;

    const LONG: Duration = Duration::from_secs(3600);

    fn paced() -> (DuplexStream, Paced<DuplexStream>, Arc<Pace>) {
        let (client, server) = duplex(64);
        let pace = Arc::default();
        (client, Paced::new(server, Arc::clone(&pace), Duration::from_secs(10)), pace)
    }

    /// Whether the connection ends before it has more bytes.
    async fn ends(paced: &mut Paced<DuplexStream>) -> bool {
        matches!(timeout(LONG, paced.read_u8()).await, Ok(Err(_)))
    }

    async fn come(client: &mut DuplexStream, paced: &mut Paced<DuplexStream>, text: &[u8]) {
        client.write_all(text).await.unwrap();
        paced.read_exact(&mut vec![0; text.len()]).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_ends_the_connection() {
        let (_client, mut paced, _pace) = paced();
        assert!(ends(&mut paced).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_in_drops_ends_the_connection() {
        let (mut client, mut paced, pace) = paced();
        come(&mut client, &mut paced, b"GET / HTTP/1.1\r\n\r\n").await;
        drop(pace.begin());
        come(&mut client, &mut paced, b"GET").await;
        assert!(ends(&mut paced).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_may_rest_between_requests() {
        let (mut client, mut paced, pace) = paced();
        come(&mut client, &mut paced, b"GET / HTTP/1.1\r\n\r\n").await;
        drop(pace.begin());
        assert!(!ends(&mut paced).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_take_its_time() {
        let (mut client, mut paced, pace) = paced();
        come(&mut client, &mut paced, b"POST / HTTP/1.1\r\n\r\n").await;
        let running = pace.begin();
        come(&mut client, &mut paced, b"piece").await;
        assert!(!ends(&mut paced).await);
        drop(running);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_http2_are_no_heads() {
        let (mut client, mut paced, _pace) = paced();
        for part in [&PREFACE[..5], &PREFACE[5..], b"frames"] {
            come(&mut client, &mut paced, part).await;
        }
        assert!(!ends(&mut paced).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_preface_that_does_not_end_ends_the_connection() {
        for begin in [&PREFACE[..5], b"PRIVATE"] {
            let (mut client, mut paced, _pace) = paced();
            come(&mut client, &mut paced, begin).await;
            assert!(ends(&mut paced).await);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_to_end_is_cut_when_it_rests() {
        let (_client, mut paced, pace) = paced();
        timeout(2 * REST, pace.finish(paced.read_u8())).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_and_what_is_written_are_not_cut() {
        let (mut client, mut paced, pace) = paced();
        let running = pace.begin();
        let answer = async {
            sleep(10 * REST).await;
            drop(running);
            for _ in 0..10 {
                sleep(REST / 2).await;
                paced.write_u8(b'a').await.unwrap();
            }
            pending::<()>().await;
        };
        timeout(20 * REST, pace.finish(answer)).await.unwrap();
        client.read_exact(&mut [0; 10]).await.unwrap();
    }
}
