//! A TCP proxy that can be cut: a partition between a component and its server.
#![allow(clippy::expect_used)] // A proxy that does not work ends its test.
mod retelling;

use crate::server::Server;
use component_api::Task;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A proxy. While it is cut, it ends all connections and lets no new one through.
pub struct Proxy {
    address: SocketAddr,
    is_open: watch::Sender<bool>,
    _task: Task,
}

impl Proxy {
    /// Starts a proxy before a server.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start(server: SocketAddr) -> Self {
        Self::begin(server, false).await
    }

    /// Starts a proxy that clients stay at even if the server tells them where it is.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn before(server: &Server) -> Self {
        Self::begin(server.address(), server.tells_address()).await
    }

    async fn begin(server: SocketAddr, is_told: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its number");
        let (is_open, open) = watch::channel(true);
        let way = Way { server, told: is_told.then_some(address.port()) };
        let task = Task::spawn(|stopping| accept(listener, way, open, stopping));
        Self { address, is_open, _task: task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections, and keeps the server out of reach until [`Proxy::heal`].
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn heal(&self) {
        self.is_open.send_replace(true);
    }
}

/// Where connections go.
#[derive(Clone, Copy)]
struct Way {
    server: SocketAddr,
    /// The port that clients are told in place of the server's.
    told: Option<u16>,
}

async fn accept(listener: TcpListener, way: Way, open: watch::Receiver<bool>, stopping: CancellationToken) {
    let connections = TaskTracker::new();
    let end = stopping.child_token();
    let _guard = end.clone().drop_guard();
    while let Some(Ok((client, _))) = stopping.run_until_cancelled(listener.accept()).await {
        let (mut open, end) = (open.clone(), end.clone());
        #[allow(clippy::disallowed_methods)] // The guard above ends them.
        connections.spawn(async move {
            let through = async {
                tokio::select! {
                    _ = open.wait_for(|open| !open) => {}
                    () = pass(client, way) => {}
                }
            };
            end.run_until_cancelled(through).await;
        });
    }
}

async fn pass(mut client: TcpStream, way: Way) {
    let Ok(mut server) = TcpStream::connect(way.server).await else { return };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    match way.told {
        None => drop(copy_bidirectional(&mut client, &mut server).await),
        Some(port) => retelling::pass(client, server, (way.server.port(), port)).await,
    }
}
