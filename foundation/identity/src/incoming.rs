//! Connections of clients that are secured before a server sees them.
use crate::{Acceptor, PeerId, Secured};
use foundation_drain::Drain;
use std::io;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tonic::transport::server::Connected;

/// When connections cannot be accepted, mostly for lack of files, others may end meanwhile.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts and secures connections until the drain stops. A slow handshake delays no other one; `refused` is told of those
/// that fail. Requests on the connections have an extension `Option<PeerId>`.
pub fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    drain: &Drain,
    refused: impl Fn(&io::Error) + Clone + Send + 'static,
) -> mpsc::Receiver<io::Result<Secured<TcpStream>>> {
    let (sender, receiver) = mpsc::channel(1);
    let tasks = drain.clone();
    drain.spawn_until_stopped(async move {
        loop {
            acceptor.room().await;
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            stream.set_nodelay(true).ok();
            let (acceptor, sender, refused) = (acceptor.clone(), sender.clone(), refused.clone());
            tasks.spawn_until_stopped(async move {
                match acceptor.accept(stream).await {
                    Ok(secured) => drop(sender.send(Ok(secured)).await),
                    Err(error) => refused(&error),
                }
            });
        }
    });
    receiver
}

impl Connected for Secured<TcpStream> {
    type ConnectInfo = Option<PeerId>;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.peer().cloned()
    }
}
