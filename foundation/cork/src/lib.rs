//! Writes what one turn of a task says in one go.
//!
//! The HTTP/2 library writes frame by frame: an answer's trailers, and every answer that is ready at the same time, cost a system
//! call here and may wake the receiver once more there. A corked connection keeps what is written until the task that drives it
//! has had its turn, and all other tasks that were ready then: calls that came in together are answered together.
mod held;

use held::Held;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that holds back what is written to it, up to 16 KiB, until its [`Cork`] lets it go. Flushing does nothing;
/// shutting down writes first.
#[derive(Debug)]
pub struct Corked<C>(Arc<Mutex<Held<C>>>);

/// Lets go what a [`Corked`] connection holds back.
#[derive(Debug)]
pub struct Cork<C>(Arc<Mutex<Held<C>>>);

/// Corks a connection. What drives it must be polled by [`Cork::turn`], or nothing is ever sent.
pub fn corked<C>(connection: C) -> (Corked<C>, Cork<C>) {
    let held = Arc::new(Mutex::new(Held::new(connection)));
    (Corked(Arc::clone(&held)), Cork(held))
}

impl<C> Clone for Cork<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: AsyncWrite + Unpin> Cork<C> {
    /// Polls what drives the connection, and sends what it wrote, mostly at the next turn, which it asks for. An error of that is
    /// the connection's next one.
    pub fn turn<F: Future + ?Sized>(&self, cx: &mut Context<'_>, driver: Pin<&mut F>) -> Poll<F::Output> {
        let polled = driver.poll(cx);
        let mut held = lock(&self.0);
        let wait = polled.is_pending() && held.waits_a_turn();
        if wait || !held.let_go(cx) {
            cx.waker().wake_by_ref();
        }
        polled
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Corked<C> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut lock(&self.0).connection).poll_read(cx, buffer)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Corked<C> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_write(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        lock(&self.0).poll_write(cx, data)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.0).poll_shutdown(cx)
    }
}

/// A poisoned lock holds what it held: the connection's own error is told by its next call.
fn lock<C>(held: &Mutex<Held<C>>) -> MutexGuard<'_, Held<C>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::pin::pin;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinSet;

    /// Counts the writes that reach it.
    struct Counted(DuplexStream, usize);

    impl AsyncWrite for Counted {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
            self.1 += 1;
            Pin::new(&mut self.0).poll_write(cx, data)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    #[tokio::test]
    async fn a_turn_is_one_write() {
        let (near, mut far) = duplex(1 << 20);
        let (mut corked, cork) = corked(Counted(near, 0));
        let mut driver = pin!(async {
            corked.write_all(b"head, ").await?;
            corked.flush().await?;
            corked.write_all(b"end").await?;
            corked.flush().await
        });
        poll_fn(|cx| cork.turn(cx, driver.as_mut())).await.unwrap();
        assert_eq!(lock(&cork.0).connection.1, 1);
        let mut seen = [0; 9];
        far.read_exact(&mut seen).await.unwrap();
        assert_eq!(&seen, b"head, end");
    }

    #[tokio::test]
    async fn answers_of_tasks_that_are_ready_go_out_together() {
        let (near, mut far) = duplex(1 << 20);
        let (mut corked, cork) = corked(Counted(near, 0));
        let (answers, mut queue) = tokio::sync::mpsc::unbounded_channel::<&[u8]>();
        let held = cork.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut driver = pin!(async {
                while let Some(answer) = queue.recv().await {
                    corked.write_all(answer).await.unwrap();
                }
            });
            poll_fn(|cx| cork.turn(cx, driver.as_mut())).await;
        });
        for text in [b"first, ".as_slice(), b"second, ", b"third"] {
            let answers = answers.clone();
            tasks.spawn(async move { answers.send(text).unwrap() });
        }
        let mut seen = [0; 20];
        far.read_exact(&mut seen).await.unwrap();
        assert_eq!((&seen, lock(&held.0).connection.1), (b"first, second, third", 1));
        drop(answers);
        tasks.join_all().await;
    }

    #[tokio::test]
    async fn a_slow_reader_gets_all_of_it_in_order() {
        let (near, mut far) = duplex(1000);
        let (mut corked, cork) = corked(Counted(near, 0));
        let sent: Vec<u8> = (0..200_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let expected = sent.clone();
        let mut driver = pin!(async {
            for part in sent.chunks(7_001) {
                corked.write_all(part).await?;
            }
            corked.shutdown().await
        });
        let mut seen = Vec::new();
        let (written, read) = tokio::join!(poll_fn(|cx| cork.turn(cx, driver.as_mut())), far.read_to_end(&mut seen));
        written.unwrap();
        read.unwrap();
        assert!(seen == expected);
    }

    #[tokio::test]
    async fn a_broken_connection_is_told_to_what_drives_it() {
        let (near, far) = duplex(1000);
        drop(far);
        let (mut corked, cork) = corked(Counted(near, 0));
        let mut driver = pin!(async {
            loop {
                corked.write_all(b"lost").await?;
                tokio::task::yield_now().await;
            }
        });
        let ended: io::Result<()> = poll_fn(|cx| cork.turn(cx, driver.as_mut())).await;
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
