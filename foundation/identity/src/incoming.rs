//! Connections of clients that are secured before a server sees them.
use crate::{Acceptor, PeerId};
use foundation_drain::Drain;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsStream;
use tonic::transport::server::Connected;

/// Handshakes at once.
const HANDSHAKES: usize = 1024;
/// When connections cannot be accepted, mostly for lack of files, others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection after its handshake. Requests on it have an extension `Option<PeerId>`.
pub struct Secured {
    stream: TlsStream<TcpStream>,
    peer: Option<PeerId>,
}

/// Accepts and secures connections until the drain stops. A slow handshake delays no other one; `refused` is told of those
/// that fail.
pub fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    drain: &Drain,
    refused: impl Fn(&io::Error) + Clone + Send + 'static,
) -> mpsc::Receiver<io::Result<Secured>> {
    let (sender, receiver) = mpsc::channel(1);
    let (tasks, slots) = (drain.clone(), Arc::new(Semaphore::new(HANDSHAKES)));
    drain.spawn_until_stopped(async move {
        while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            stream.set_nodelay(true).ok();
            let (acceptor, sender, refused) = (acceptor.clone(), sender.clone(), refused.clone());
            tasks.spawn_until_stopped(async move {
                let secured = acceptor.accept(stream).await;
                drop(slot);
                match secured {
                    Ok((stream, peer)) => drop(sender.send(Ok(Secured { stream, peer })).await),
                    Err(error) => refused(&error),
                }
            });
        }
    });
    receiver
}

impl Connected for Secured {
    type ConnectInfo = Option<PeerId>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer.clone()
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
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
