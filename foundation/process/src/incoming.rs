//! Connections of clients that are secured before a server sees them.
use crate::listen::Complaint;
use foundation_drain::Drain;
use foundation_identity::{Acceptor, Secured};
use std::io;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Accepts and secures connections until the drain stops. A slow handshake delays no other one; `refused` is told of those
/// that fail. Requests on the connections have an extension `Option<PeerId>`.
pub(crate) fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
    drain: &Drain,
    refused: impl Fn(&io::Error) + Clone + Send + 'static,
) -> mpsc::Receiver<io::Result<Secured<TcpStream>>> {
    let (sender, receiver) = mpsc::channel(1);
    let tasks = drain.clone();
    drain.spawn_until_stopped(async move {
        let mut complaint = Complaint::default();
        loop {
            acceptor.room().await;
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    complaint.about(&error).await;
                    continue;
                }
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
